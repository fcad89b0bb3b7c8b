"""What a model thought before it answered: shown as it comes, and told again from the journal when its call has ended.

Pieces come in blocks. A *group* is what came before a part of the answer: most calls have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphagent.graph.plan import REDACTED
from graphagent.messages import ReasoningDelta
from graphagent.nodes.tool_events import ARGUMENTS_INLINE, reference
from graphagent.ports import Task


class Thinking:
    """The reasoning of one try of a model call while it arrives."""

    def __init__(self, task: Task, message_id: str, *, hidden: bool) -> None:
        self.task, self.message_id, self.hidden = task, message_id, hidden
        self.groups: list[list[str]] = []
        self._block = 0
        self._open = False
        self._pieces = self._shown = self._steps = 0

    def piece(self, part: ReasoningDelta) -> None:
        """Take in a piece."""
        if not self._open:
            self._open, self._block = True, part.block
            self.groups.append([""])
            self._show(started(self.task.last_call))
        elif part.block != self._block:
            self._step()
            self._block = part.block
            self.groups[-1].append("")
        self.groups[-1][-1] += part.text
        text = REDACTED if self.hidden else part.text
        data = {"message_id": self.message_id, "index": self._pieces, "delta": text}
        self.task.show("x.model.reasoning_delta", self.task.services.redact(data))
        self._pieces += 1

    def end(self) -> None:
        """The answer begins, or the stream ends, or breaks off."""
        if self._open:
            self._step()
            self._open = False
            self._show(completed(self.task.last_call, len(self.groups[-1]), None))

    def _step(self) -> None:
        text = self.groups[-1][-1]
        self._show(step(self.task, text, self._steps, hidden=self.hidden))
        self._steps += 1

    def _show(self, event: tuple[str, dict[str, Any]]) -> None:
        self.task.preview(*event, self._shown)
        self._shown += 1


def tell(task: Task, groups: Sequence[Sequence[str]], usage: Mapping[str, Any], *, hidden: bool) -> None:
    """Emit the reasoning of the newest call, as its journaled answer has it."""
    index = 0
    for group in groups:
        task.emit(*started(task.last_call))
        for text in group:
            task.emit(*step(task, text, index, hidden=hidden))
            index += 1
        counted = usage.get("reasoning_tokens") or -(-sum(map(len, group)) // 4)
        task.emit(*completed(task.last_call, len(group), counted))


def started(call: Any) -> tuple[str, dict[str, Any]]:
    """The first piece has come."""
    return "ReasoningStarted", {"call": call}


def step(task: Task, text: str, index: int, *, hidden: bool) -> tuple[str, dict[str, Any]]:
    """A block is whole."""
    told = REDACTED if hidden else task.services.redact(text)
    return "ReasoningStep", {
        "call": task.last_call,
        "index": index,
        "text_ref": reference(told, ARGUMENTS_INLINE),
        "summary": None,
    }


def completed(call: Any, steps: int, model_tokens: int | None) -> tuple[str, dict[str, Any]]:
    """The answer begins, or the stream has ended. The provisional form doesn't know how many model tokens it took."""
    return "ReasoningCompleted", {"call": call, "steps": steps, "model_tokens": model_tokens}

"""The call of a declared tool as an effect, whoever makes it: a node of kind `tool`, or the model of an agent."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphagent.calling import call, failure
from graphagent.codec import freeze
from graphagent.elicitation import asked_by
from graphagent.errors import NodeError
from graphagent.faults import fault
from graphagent.graph.spec import ToolSpec
from graphagent.graph.values import Value
from graphagent.nodes.elicitation import QUESTIONS, question, too_many
from graphagent.nodes.elicitation import given as answer_given
from graphagent.ports import EffectCall, Execute, Task, ToolCall
from graphagent.snapshot import EffectClass

KEY: Final = "idempotency_key"
"""The parameter that gets the key of a write, if the function has it."""


@dataclass(frozen=True, slots=True)
class DeclaredCall:
    """How a tool is called.

    Attributes:
        name: `tool`, or `server.tool`.
        effects: The class of its effect. A model's call of a pure tool is journaled as a read.
        key: The author's key of a write, a value over `args` and `run`.
        timeout_s: How long a call may take, in place of the tool's own time.
        result_limit: How long its result may be in canonical bytes, in place of the source's own limit.
    """

    spec: ToolSpec
    name: str
    effects: EffectClass
    key: Value | None
    timeout_s: float | None = None
    result_limit: int | None = None

    async def effect(
        self, task: Task, given: dict[str, Any], run: Callable[[ToolCall], Awaitable[Any]],
        asking: Callable[[], None] = lambda: None,
    ) -> Any:  # fmt: skip
        """One effect of the tool's class; what `run` gives is its outcome.

        A write that was begun and has no outcome is asked for by the tool's `check`, if it has one. Where a server asks
        in the middle of it, that effect is over: a person is asked, and the call is another effect with the answer.
        `asking` is told before.
        """
        key = self.key_of(task, given)
        answers: dict[str, Mapping[str, Any]] = {}
        first_key: str | None = None
        for _ in range(QUESTIONS):
            try:
                return await self._once(task, given, run, key, answers, first_key)
            except NodeError as error:
                asked = asked_by(error) if self.spec.mcp is not None else None
                if asked is None:
                    raise
            asking()
            elicitation, first_key = asked
            answer = await task.ask(question(self.name, elicitation))
            answers = {**answers, elicitation.digest: answer_given(answer)}
        raise too_many(self.name)

    async def _once(
        self, task: Task, given: dict[str, Any], run: Callable[[ToolCall], Awaitable[Any]], key: str | None,
        answers: Mapping[str, Mapping[str, Any]], first_key: str | None,
    ) -> Any:  # fmt: skip
        async def execute(effect: EffectCall) -> Any:
            fault("effect.during")
            call = self.call(task, effect, key)
            call.answers, call.first_key = answers, first_key
            return await run(call)

        request = {"tool": self.name, "with": given}  # the key may hold the run's id, and two equal runs are equal
        return await task.effect(
            "tool", self.name, self.effects, {**request, "answers": answers} if answers else request, execute,
            keyed=key is not None, check=self._check(task, given, key),
        )  # fmt: skip

    def call(self, task: Task, effect: EffectCall, key: str | None) -> ToolCall:
        """What a tool may know of a call; its progress is shown to whoever watches."""

        def progress(fraction: float, note: str) -> None:
            task.show_progress(fraction, task.services.redact(note))

        return ToolCall(
            task.session, effect, key, progress, task.now, self.timeout_s, artifacts=task,
            result_limit=self.result_limit,
        )  # fmt: skip

    def key_of(self, task: Task, given: Mapping[str, Any]) -> str | None:
        """The author's key of a write, as text; None without one."""
        if self.key is None or self.effects != "write":
            return None
        scope = {"args": given, **({"run": task.env["run"]} if "run" in task.env else {})}
        return str(self.key.evaluate(scope))

    def _check(self, task: Task, given: Mapping[str, Any], key: str | None) -> Execute | None:
        if self.spec.check is None:
            return None
        reference = self.spec.check

        async def check(effect: EffectCall) -> Any:
            asked = task.services.function(reference)
            takes_key = KEY in inspect.signature(asked).parameters
            more = {KEY: self.call(task, effect, key).idempotency_key} if takes_key else {}
            return verdict(freeze(await called(asked, {**given, **more})))

        return check


async def called(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Ask a tool's check; what it raises is `tool_failed`, unless it says more."""
    try:
        return await call(function, given)
    except NodeError as error:
        raise tool_failure(error) from error


def tool_failure(error: Exception) -> Exception:
    """What an exception of a tool is to the engine."""
    found = failure(error)
    if isinstance(found, NodeError) and found.kind == "code_failed":
        found.kind = "tool_failed"
    return found


def verdict(found: Any) -> Any:
    """What a check says, in one of its three forms.

    Raises:
        NodeError: it says something else.
    """
    if found in ("not_found", "unknown") or (isinstance(found, Mapping) and set(found) == {"found"}):
        return found
    hint = "return {'found': value}, 'not_found' or 'unknown'"
    raise NodeError(f"the check of a write gave {found!r}", kind="tool_failed", hint=hint)

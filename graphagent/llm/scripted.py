"""The scripted model: the shipped fake. It answers from a list of turns, in a way that can be predicted.

Which turn answers a request:
1. the first unused turn whose `match` fits the request; a turn with `repeat` is never used up;
2. else the first unused turn without a `match`, in order.

Calls that run at the same time come in any order, so give their turns a `match`. `scripted/echo` needs no script:
it answers from the request alone. `script_file` describes the file of `--scripted FILE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import trio

from graphagent.errors import ModelError
from graphagent.llm.chat import estimate_input
from graphagent.llm.example import example_of
from graphagent.llm.structured import needs_wrapping
from graphagent.messages import (
    Done,
    ModelInfo,
    ModelPart,
    ModelRequest,
    Price,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

Match = str | re.Pattern[str] | Callable[[ModelRequest], bool]
UNSET: Any = object()
PIECE = 12
"""Characters of one streamed piece."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer. Exactly one of `text`, `value`, `error` and `tool_calls` is given; `text` may go with `tool_calls`.

    Args:
        text: Plain text.
        value: A structured answer, any JSON value.
        error: Raised in place of an answer.
        tool_calls: `{name, arguments}` each.
        reasoning: What it thinks before: a text, or one for each block.
        match: Text that the prompt holds, a regular expression that is found in it, or a predicate on the request.
        delay_s: Time before the first piece.
        pace_s: Time before each further piece.
        repeat: May answer any number of requests; needs `match`.
    """

    text: str | None = None
    value: Any = UNSET
    error: ModelError | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    reasoning: str | Sequence[str] = ()
    match: Match | None = None
    delay_s: float = 0.0
    pace_s: float = 0.0
    repeat: bool = False

    def __post_init__(self) -> None:
        answers = (
            (self.value is not UNSET) + (self.error is not None) + (self.text is not None or bool(self.tool_calls))
        )
        if answers != 1:
            raise ValueError("a turn needs exactly one of text, value, error and tool_calls")
        if self.reasoning and self.error is not None:
            raise ValueError("a turn with error has no reasoning")
        if self.repeat and self.match is None:
            raise ValueError("a turn with repeat needs a match, or no later turn could ever answer")

    @property
    def blocks(self) -> Sequence[str]:
        """What it thinks, block by block; empty ones are none."""
        blocks = [self.reasoning] if isinstance(self.reasoning, str) else self.reasoning
        return [block for block in blocks if block]

    def fits(self, request: ModelRequest) -> bool:
        """Whether `match` fits; a turn without one fits nothing here."""
        if self.match is None:
            return False
        if isinstance(self.match, str):
            return self.match in prompt_text(request)
        if isinstance(self.match, re.Pattern):
            return self.match.search(prompt_text(request)) is not None
        return self.match(request)


AnyTurn = Turn | str | Mapping[str, Any] | Sequence[Any] | ModelError


class ScriptedModel:
    """Answers from turns: a text, a mapping or list (a structured answer), a ModelError, or a `Turn`.

    Args:
        turns: What to answer.
        name: Stands in events and errors; the model is `scripted/NAME`.
    """

    def __init__(self, turns: Sequence[AnyTurn], name: str = "scripted") -> None:
        self.info = ModelInfo(name, "scripted", price=Price(0, 0))
        self._turns = [_turn(t) for t in turns]
        if any(turn.reasoning for turn in self._turns):
            self.info = replace(self.info, reasoning=True)
        self._used = [0] * len(self._turns)
        self.requests: list[ModelRequest] = []
        """Every request so far, in order of arrival."""

    @property
    def unused(self) -> list[int]:
        """The turns that haven't answered yet, counted from 0."""
        return [i for i, n in enumerate(self._used) if n == 0]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of the answer of one turn.

        Raises:
            ModelError: the turn is an error, or no turn is left.
        """
        turn = self._take(request)
        await trio.sleep(turn.delay_s)
        if turn.error is not None:
            raise _fresh(turn.error)
        for block, thought in enumerate(turn.blocks):
            for piece in pieces(thought):
                yield ReasoningDelta(piece, block)
        text = answer_text(turn, request)
        for i, piece in enumerate(pieces(text)):
            if i and turn.pace_s:
                await trio.sleep(turn.pace_s)
            yield TextDelta(piece)
        thought_size = sum(map(len, turn.blocks))
        size = len(text) + thought_size
        for i, call in enumerate(turn.tool_calls):
            arguments = json.dumps(call.get("arguments", {}), ensure_ascii=False)
            size += len(arguments)
            yield ToolCallDelta(i, call.get("id") or f"call_{len(self.requests)}_{i}", call["name"], arguments)
        usage = replace(guessed_usage(request, size), reasoning_tokens=-(-thought_size // 4))
        yield Done("tool_calls" if turn.tool_calls else "stop", usage)

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _take(self, request: ModelRequest) -> Turn:
        self.requests.append(request)
        fitting = [i for i, t in enumerate(self._turns) if t.fits(request)]
        rest = [i for i, t in enumerate(self._turns) if t.match is None]
        for i in fitting + rest:
            if self._used[i] == 0 or self._turns[i].repeat:
                self._used[i] += 1
                return self._turns[i]
        raise ModelError(
            f"scripted/{self.info.name} has no turn left for call {len(self.requests)}: {_start(request)!r}",
            kind="invalid_input",
            hint="add a turn, or give one a `match` and `repeat: true`",
        )


class EchoModel:
    """Answers from the request alone: the last message, or a small value that fits the wanted schema.

    Args:
        name: As it stands in events.
    """

    def __init__(self, name: str = "echo") -> None:
        self.info = ModelInfo(name, "scripted", price=Price(0, 0))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of the answer."""
        await trio.lowlevel.checkpoint()
        said = _start(request, 200)
        if request.output is None:
            text = f"echo: {said}"
        else:
            text = _structured(example_of(request.output, said or "echo"), request)
        for piece in pieces(text):
            yield TextDelta(piece)
        yield Done("stop", guessed_usage(request, len(text)))

    async def aclose(self) -> None:
        """Nothing to let go of."""


def prompt_text(request: ModelRequest) -> str:
    """All text of a request, messages parted by empty lines."""
    return "\n\n".join(_content(m) for m in request.messages)


def answer_text(turn: Turn, request: ModelRequest) -> str:
    """What the turn says, as the text that a real model would send."""
    return turn.text or "" if turn.value is UNSET else _structured(turn.value, request)


def pieces(text: str) -> list[str]:
    """`text` in pieces of a few characters."""
    return [text[i : i + PIECE] for i in range(0, len(text), PIECE)]


def guessed_usage(request: ModelRequest, characters: int) -> Usage:
    """Usage by the number of characters: equal for equal calls, and free."""
    return Usage(estimate_input(request), -(-characters // 4), cost_micro=0, estimated=True)


def _structured(value: Any, request: ModelRequest) -> str:
    if request.output is not None and needs_wrapping(request.output):
        value = {"value": value}
    return json.dumps(value, ensure_ascii=False)


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))


def _start(request: ModelRequest, length: int = 60) -> str:
    last = _content(request.messages[-1]) if request.messages else ""
    text = " ".join(last.split())
    return text if len(text) <= length else text[: length - 3] + "..."


def _turn(given: AnyTurn) -> Turn:
    if isinstance(given, Turn):
        return given
    if isinstance(given, ModelError):
        return Turn(error=given)
    return Turn(text=given) if isinstance(given, str) else Turn(value=given)


def _fresh(error: ModelError) -> ModelError:
    """A copy: a raised error keeps the traceback of its first call."""
    return ModelError(
        error.message,
        kind=error.kind,
        cause=error.cause,
        retryable=error.retryable,
        hint=error.hint,
        details=error.details,
        retry_after_s=error.retry_after_s,
    )

"""A Python function of the project as a tool."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import pydantic

from graphagent.calling import call, frames
from graphagent.codec import freeze
from graphagent.errors import CodecError, GraphAgentError, NodeError
from graphagent.ports import EffectCall, ToolCall, ToolInfo
from graphagent.snapshot import EffectClass
from graphagent.tools.context import ToolContext
from graphagent.tools.signature import KEY, Signature, read_signature

_ANYTHING: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
    Any, config=pydantic.ConfigDict(ser_json_inf_nan="constants")
)
"""Without the setting, what isn't a number would become null."""


class FunctionSource:
    """`ports.ToolSource` of one function.

    Args:
        load: Gives the function; called when it is first needed.
        about: What the model is told in place of the docstring.
    """

    def __init__(
        self, name: str, load: Callable[[], Callable[..., Any]], effects: EffectClass, about: str | None,
        timeout_s: float,
    ) -> None:  # fmt: skip
        self.name, self.effects, self.about, self.timeout_s = name, effects, about, timeout_s
        self._load = load

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The author's function. Raises NodeError."""
        return self._load()

    @cached_property
    def signature(self) -> Signature:
        """What the function takes. Raises NodeError."""
        try:
            return read_signature(self.function)
        except NodeError as error:
            if error.cause == "bad_signature":
                error.message = f"the tool {self.name!r}: {error.message}"
                error.args = (error.message,)
            raise

    def known(self) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        found = self.signature
        about = self.about if self.about is not None else found.description
        info = ToolInfo(self.name, "python", about, found.parameters, found.returns, self.effects, self.timeout_s)
        return (info,)

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """See `ports.ToolSource`."""
        self.signature.check(arguments)

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        return self.known()

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """See `ports.ToolSource`."""
        signature = self.signature
        given = signature.check(arguments)
        if signature.keyed:
            given[KEY] = call.idempotency_key
        blocking = not inspect.iscoroutinefunction(self.function)
        context = ToolContext(call, blocking=blocking) if signature.context is not None else None
        if signature.context is not None:
            given[signature.context] = context
        done = False
        call.send()
        try:
            result = await invoke(self.function, given, None if self.effects == "pure" else call.effect)
            done = True
        finally:
            if context is not None:
                context._end(cancelled=not done)
        return plain(result)

    async def close(self, session: str) -> None:
        """See `ports.ToolSource`; nothing is ever open."""


async def invoke(function: Callable[..., Any], given: dict[str, Any], effect: EffectCall | None) -> Any:
    """What a tool's function gives; without an effect it is called in place.

    Raises:
        NodeError: it raised. What it says is shown if it raised an error of this package, else only the class.
    """
    try:
        return function(**given) if effect is None else await call(function, given, effect)
    except NodeError as error:
        raise _told(error) from error
    except GraphAgentError:
        raise
    except (Exception, SystemExit) as error:
        raise _masked(error) from error


def _told(error: NodeError) -> NodeError:
    """A failure that the tool raised itself, or that `call` made of an exception, which is masked."""
    cause = error.__cause__
    if error.kind == "code_failed" and isinstance(cause, Exception | SystemExit) and not isinstance(cause, NodeError):
        return _masked(cause)
    if error.kind == "code_failed":
        error.kind = "tool_failed"
    error.trace = error.trace or frames(error)
    return error


def _masked(raised: BaseException) -> NodeError:
    """What the text of a foreign exception says may be anything: `details.raised` is for people, never for a model."""
    text = f"{type(raised).__name__}: {raised}".removesuffix(": ")
    error = NodeError(type(raised).__name__, kind="tool_failed", details={"raised": text})
    error.trace = frames(raised)
    return error


def plain(result: Any) -> Any:
    """A result as plain data: models, dataclasses, times and the like as JSON has them.

    Raises:
        NodeError: `invalid_output`, cause `unserialisable`.
    """
    try:
        return freeze(_ANYTHING.dump_python(result, mode="json", by_alias=True))
    except (CodecError, ValueError, RecursionError) as error:
        message = f"the result isn't plain data: {getattr(error, 'message', error)}"
        hint = "return str, int, float, bool, None, lists, dicts, dataclasses or models"
        raise NodeError(message, kind="invalid_output", cause="unserialisable", hint=hint) from error

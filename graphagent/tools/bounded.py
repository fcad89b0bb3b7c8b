"""The bounds of every call: its name must be known, its time and its result are limited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from graphagent.codec import encode, freeze
from graphagent.errors import CodecError, InDoubt, NodeError, OutputTooLarge, Timeout
from graphagent.ports import ToolCall, ToolInfo, ToolSource
from graphagent.snapshot import EffectClass

TIMEOUT_S: Final = 60.0
RESULT_LIMIT: Final = 4 * 1024 * 1024


class Lost(NodeError):
    """The call was sent, and what became of it isn't known."""

    default_kind = "unavailable"


class BoundedSource:
    """Any source within the bounds.

    Args:
        effects: The class of a tool of it, by full name.
    """

    def __init__(self, source: ToolSource, effects: Callable[[str], EffectClass], timeout_s: float) -> None:
        self.source, self.effects, self.timeout_s = source, effects, timeout_s

    def known(self) -> tuple[ToolInfo, ...] | None:
        """See `ports.ToolSource`."""
        return self.source.known()

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """See `ports.ToolSource`."""
        self.source.check(info, arguments)

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """See `ports.ToolSource`."""
        with trio.move_on_after(self.timeout_s):
            return await self.source.list(session)
        raise Timeout(f"the list of tools took longer than {self.timeout_s:g} s")

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """See `ports.ToolSource`."""
        try:
            limit = RESULT_LIMIT if call.result_limit is None else call.result_limit
            return _small(await self._timed(name, arguments, call), limit)
        except (Lost, Timeout) as error:
            if self.effects(name) == "write" and call.key is None and call.sent:
                raise InDoubt(f"{name}: {error.message}", hint=error.hint) from error
            raise

    async def _timed(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        limit = self.timeout_s if call.timeout_s is None else call.timeout_s
        with trio.move_on_after(limit) as scope:
            try:
                result = await self.source.call(name, arguments, call)
            except NodeError:
                if not scope.cancel_called:
                    raise
            else:
                if not scope.cancel_called:  # what swallowed the cancellation comes late, as does its failure
                    return result
        raise Timeout(f"the tool {name!r} took longer than {limit:g} s", hint="make it faster, or raise its `timeout`")

    async def close(self, session: str) -> None:
        """See `ports.ToolSource`."""
        await self.source.close(session)


def _small(result: Any, limit: int) -> Any:
    """The result. Raises NodeError if it isn't plain data or is too large."""
    try:
        size = len(encode(freeze(result)))
    except CodecError as error:
        message = f"the result isn't plain data: {error.message}"
        raise NodeError(message, kind="invalid_output", cause="unserialisable", hint=error.hint) from error
    if size > limit:
        too_large = OutputTooLarge(size, limit)
        too_large.kind = "tool_failed"
        too_large.hint = "return less, or put it with `context.artifacts` and return the artifact"
        raise too_large
    return result

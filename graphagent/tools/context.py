"""What a tool's function may know of the call: whose it is, its key and the time; and how it tells its progress."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import trio

from graphagent.ports import ToolCall


class ToolContext:
    """Given to the parameter of a tool's function that is annotated with it. A model never sees that parameter.

    Attributes:
        session: The session that calls.
        step: The id of this call, equal in a replay.
        idempotency_key: Equal whenever this call is made again: give it to the peer of a write.
    """

    __slots__ = ("_call", "_cancelled", "_over", "_token", "idempotency_key", "session", "step")

    def __init__(self, call: ToolCall) -> None:
        self.session, self.step = call.session, str(call.effect.step)
        self.idempotency_key = call.idempotency_key
        self._call, self._token = call, trio.lowlevel.current_trio_token()
        self._cancelled = self._over = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more. A plain `def` can't be stopped from outside: it may look."""
        return self._cancelled

    def now(self) -> datetime:
        """The recorded time at which the node began, UTC."""
        return self._call.now()

    def progress(self, fraction: float, note: str = "") -> None:
        """Show how far the call is, from 0 to 1. It may be called from any thread, and isn't kept."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._show, min(max(float(fraction), 0.0), 1.0), note)

    def _show(self, fraction: float, note: str) -> None:
        if not self._over:
            self._call.progress(fraction, note)

    def _end(self, *, cancelled: bool) -> None:
        """The call is over, or nobody waits for it."""
        self._over, self._cancelled = True, cancelled

"""What a tool's function may know of the call: whose it is, its key and the time; and how it tells its progress."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import trio

from graphagent import concurrency
from graphagent.calling import put_artifact
from graphagent.errors import NodeError
from graphagent.ports import ArtifactAccess, Content, ToolCall


class ToolContext:
    """Given to the parameter of a tool's function that is annotated with it. A model never sees that parameter.

    Attributes:
        session: The session that calls.
        step: The id of this call, equal in a replay.
        idempotency_key: Equal whenever this call is made again: give it to the peer of a write.
        artifacts: Keeps what is too large for a result, and reads it back. In a plain `def` its calls block.
    """

    __slots__ = ("_call", "_cancelled", "_over", "_token", "artifacts", "idempotency_key", "session", "step")

    def __init__(self, call: ToolCall, *, blocking: bool = False) -> None:
        self.session, self.step = call.session, str(call.effect.step)
        self.artifacts = (BlockingArtifacts if blocking else ToolArtifacts)(call.artifacts)
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


PIECE = 1 << 20


class ToolArtifacts:
    """The artifacts of the session's family, for a tool's function. What it puts is kept with its result."""

    __slots__ = ("_access",)

    def __init__(self, access: ArtifactAccess | None) -> None:
        self._access = access

    async def put(
        self, data: Content | str, media_type: str = "application/octet-stream", name: str | None = None
    ) -> dict[str, Any]:
        """Keep text, bytes, an open file or pieces of bytes, and give the value of type `Artifact` to return.

        Raises:
            NodeError: it is too long, or there is no room.
        """
        return await put_artifact(self._there(), data, media_type, name)

    async def read(self, artifact: str, offset: int = 0, limit: int = PIECE) -> bytes:
        """At most `limit` bytes from `offset` on; none behind the end.

        Raises:
            NodeError: there is no such artifact in this session's family, or it can't be read.
        """
        return await concurrency.in_trio(self._there().read_artifact, artifact, offset, limit)

    def _there(self) -> ArtifactAccess:
        if self._access is None:
            raise NodeError("artifacts aren't kept here", kind="unavailable", cause="artifact_unavailable")
        return self._access


class BlockingArtifacts(ToolArtifacts):
    """The same for a plain `def`, which runs in a worker thread."""

    __slots__ = ()

    def put(  # type: ignore[override]
        self, data: bytes | Iterable[bytes] | str, media_type: str = "application/octet-stream", name: str | None = None
    ) -> dict[str, Any]:
        """See `ToolArtifacts.put`."""
        return trio.from_thread.run(ToolArtifacts.put, self, data, media_type, name)

    def read(self, artifact: str, offset: int = 0, limit: int = PIECE) -> bytes:  # type: ignore[override]
        """See `ToolArtifacts.read`."""
        return trio.from_thread.run(ToolArtifacts.read, self, artifact, offset, limit)

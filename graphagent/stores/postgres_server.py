"""The server as a store sees it: what is asked is asked until there is an answer, from whichever loop it comes."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from graphagent.concurrency import aio
from graphagent.errors import StoreUnavailable
from graphagent.ids import SessionId, WorkerId
from graphagent.stores.postgres_driver import Again, Away, Connection, InUse, Slow
from graphagent.stores.postgres_links import Links, Target

T = TypeVar("T")
_LONGEST_PAUSE_S = 5.0
_TOLD_AFTER = 4
_SLOW_READS = 3
_LISTEN_AGAIN_S = 1.0
_log = logging.getLogger(__name__)


class Server:
    """One database, used from as many loops as there are; each has connections of its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._by_loop: dict[asyncio.AbstractEventLoop, Links] = {}
        self._hurried: set[SessionId] = set()
        self._closed = False

    async def write(
        self, run: Callable[[Connection, bool], Awaitable[T]], session: SessionId | None = None, size: int = 0
    ) -> T:
        """What `run` gives when its outcome is known. It learns whether it may have landed before.

        A write that was sent isn't cancelled; a pause between two attempts is. `size` is what it sends, in bytes.
        """

        async def attempt(again: bool) -> T:
            links = self._links()
            return await links.run(links.writers, lambda db: run(db, again), size)

        return await self._patiently(attempt, session, shield=True)

    async def read(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """What `read` gives. Raises StoreUnavailable if it takes too long, several times, or waits for a connection."""

        async def attempt(_: bool) -> T:
            links = self._links()
            return await links.run(links.readers, read)

        return await self._patiently(attempt)

    async def hold(self, worker: WorkerId, session: SessionId) -> None:
        """Be alive as this worker, in order to own the session. Raises SessionBusy if another process is."""

        async def attempt(_: bool) -> None:
            await self._links().hold(worker)

        await self._patiently(attempt, session)

    async def woken(self) -> None:
        """Return when something was accepted, by whatever process; while the server is away nothing is."""

        async def listen() -> None:
            await self._links().listen()

        while True:
            try:
                return await aio(listen)
            except Exception as error:
                _log.debug("listening on %s ended: %s", self._target.name, error)
                await trio.sleep(_LISTEN_AGAIN_S)

    def hurry(self, session: SessionId) -> None:
        """Don't wait for the next write of this session if the server is away."""
        self._hurried.add(session)

    async def aclose(self) -> None:
        """Give up the workers' leases and close all connections of this loop."""
        if self._closed:
            return
        self._closed = True

        async def close() -> None:
            links = self._by_loop.get(asyncio.get_running_loop())
            if links is not None:
                await links.aclose()

        with trio.CancelScope(shield=True):
            await aio(close)

    async def _patiently(
        self, attempt: Callable[[bool], Awaitable[T]], session: SessionId | None = None, *, shield: bool = False
    ) -> T:
        """What `attempt` gives, as soon as the server can be reached. Of a session whose wait was cancelled, what
        follows isn't waited for: it is cleaning up. Nor is what takes too long for what isn't a write."""
        failures = slow = 0
        while True:
            try:
                with trio.CancelScope(shield=shield):
                    result = await aio(attempt, failures > 0)
            except Away as away:
                slow += isinstance(away, Slow) and not shield
                hurried = not isinstance(away, Again) and failures > 0 and session in self._hurried
                # Who has waited in a queue would come to its end, so only writes, which must end well, do.
                if hurried or slow == _SLOW_READS or (isinstance(away, InUse) and not shield):
                    raise away.given_up from away
                if failures == _TOLD_AFTER:
                    _log.warning("%s; trying again", away)
                failures += 1
                await self._pause(failures, session)
            else:
                if session is not None:
                    self._hurried.discard(session)
                return result

    async def _pause(self, failures: int, session: SessionId | None) -> None:
        """Nothing the first time: most failures are connections that had died unnoticed."""
        longest = 0.0 if failures == 1 else min(0.02 * 2 ** min(failures, 20), _LONGEST_PAUSE_S)
        try:
            await trio.sleep(longest * random.uniform(0.5, 1))
        except trio.Cancelled:
            if session is not None:
                self._hurried.add(session)
            raise

    def _links(self) -> Links:
        """The connections of the running loop."""
        if self._closed:
            raise StoreUnavailable(f"{self._target.name} is closed")
        loop = asyncio.get_running_loop()
        links = self._by_loop.get(loop)
        if links is None:
            for ended in [known for known in self._by_loop if known.is_closed()]:
                self._forget(ended)
            address = f"process {os.getpid()} of {socket.gethostname()}"
            links = self._by_loop[loop] = Links(self._target, address, lambda: self._forget(loop))
        return links

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        self._by_loop.pop(loop, None)

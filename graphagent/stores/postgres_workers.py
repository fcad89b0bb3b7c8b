"""Which workers are alive: each has a lease in the table `workers`, and its process holds an advisory lock on a
connection of its own. A lease that isn't renewed ends; a lock is free as soon as the process has died, however it died.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from graphagent.errors import SessionBusy
from graphagent.ids import WorkerId
from graphagent.stores.postgres_driver import Connection
from graphagent.stores.postgres_statements import fetch, fetch_value

TTL = timedelta(seconds=15)
RENEW_S = 5.0
_RENEWED_WITHIN_S = 4.0
_TRIES = 25
_PAUSE_S = 0.02
_AGAIN_S = 0.5


class Workers:
    """The workers that this process is, on one loop."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], address: str) -> None:
        self._connect = connect
        self._address = address
        self._connection: Connection | None = None
        self._held: set[WorkerId] = set()
        self._locked: set[WorkerId] = set()
        self._renewed_at = 0.0
        self._one_at_a_time = asyncio.Lock()
        self._lost = asyncio.Event()

    async def hold(self, worker: WorkerId) -> None:
        """Be alive as `worker`. Its lease is fresh when this returns. Raises SessionBusy if another process is."""
        async with self._one_at_a_time:
            connection = await self._connected()
            if worker not in self._held:
                for _ in range(_TRIES):  # a connection of an earlier loop may not be gone yet
                    if await self._lock(connection, worker):
                        break
                    await asyncio.sleep(_PAUSE_S)
                else:
                    raise SessionBusy(
                        f"worker {worker} is alive elsewhere", hint="give each store object a worker of its own"
                    )
                self._held.add(worker)
                self._renewed_at = self._renewed_at or time.monotonic()
            elif time.monotonic() - self._renewed_at > _RENEWED_WITHIN_S:
                await self._renew(connection)

    async def wait(self, seconds: float) -> None:
        """Return after this time, or as soon as the connection is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        self._lost.clear()

    async def renew(self) -> None:
        """Renew all leases; where the connection was lost, on a new one. A failure is left to the next time: without a
        lease others may take the sessions over, and what this process then commits is refused."""
        if not self._held:
            return
        try:
            async with self._one_at_a_time, asyncio.timeout(RENEW_S):
                await self._renew(await self._connected())
        except Exception:
            self.terminate()
            await asyncio.sleep(_AGAIN_S)
            self._lost.set()

    async def aclose(self) -> None:
        """End the leases and free the locks."""
        async with self._one_at_a_time:
            connection, self._connection = self._connection, None
            if connection is not None and not connection.is_closed():
                await fetch(connection, "let_go", workers=[w.raw for w in self._held])
                await connection.close(timeout=2)
            self._held.clear()

    def terminate(self) -> None:
        """Drop the connection; leases stay until they end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> Connection:
        """The connection that holds the locks; a new one takes those again that its predecessor held."""
        if self._connection is None or self._connection.is_closed():
            self._locked.clear()
            self._connection = await self._connect()
            self._connection.add_termination_listener(lambda _: self._lost.set())
            await fetch(self._connection, "forget_dead")
        for worker in self._held - self._locked:
            await self._lock(self._connection, worker)
        return self._connection

    async def _lock(self, connection: Connection, worker: WorkerId) -> bool:
        if await fetch_value(connection, "hold", worker=worker.raw, address=self._address, ttl=TTL):
            self._locked.add(worker)
            return True
        return False

    async def _renew(self, connection: Connection) -> None:
        now = time.monotonic()
        await fetch(connection, "renew", workers=[w.raw for w in self._held], ttl=TTL)
        self._renewed_at = now

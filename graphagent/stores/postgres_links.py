"""The connections of one event loop: two for writes, some for reads, and one that keeps this process's workers alive.

A connection that saw a timeout, a cancellation or a broken server is closed and never used again. All of this runs on
asyncio; what asks for it is on trio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from graphagent.errors import GraphAgentError, StoreReplaced
from graphagent.ids import WorkerId
from graphagent.stores.postgres_driver import Connection, InUse, asyncpg, explained, keeps
from graphagent.stores.postgres_schema import SCHEMA
from graphagent.stores.postgres_statements import fetch_row
from graphagent.stores.postgres_workers import RENEW_S, Workers

T = TypeVar("T")

WRITERS = 2
CONNECT_S = 10.0
WORK = "graphagent_work"
"""What is notified when something was accepted."""
READ_FACTOR = 3
"""A read may take so many times longer than a write: it may bring more."""
BYTES_PER_S = 1_000_000
"""So fast at least is the way to the server; large writes get more time."""


@dataclass(slots=True)
class Target:
    """Which database, and the bounds of its use.

    Attributes:
        name: What people are shown.
        deadline_s: How long one statement may take.
        readers: So many connections of a loop read.
        wait_s: How long a call waits for a connection that others use.
        store_id: Of the store that was seen first: another one isn't written to.
    """

    dsn: str
    name: str
    deadline_s: float
    readers: int = 8
    wait_s: float = 30.0
    store_id: str | None = None

    async def connect(self, factor: int = 1) -> Connection:
        """A connection whose settings a session's safety depends on. `statement_timeout` is shorter than the deadline
        of this side, so that the server usually gives up first; `factor` makes both longer.

        Raises:
            StoreReplaced: it is another store than before.
            Exception: of asyncpg, or of the system.
        """
        connection = await self.open(factor)
        try:
            async with asyncio.timeout(CONNECT_S):
                store_id, *_ = await fetch_row(connection, "greet")
        except BaseException:
            connection.terminate()
            raise
        if self.store_id is not None and store_id != self.store_id:
            connection.terminate()
            raise StoreReplaced(
                f"{self.name} is another store than before", hint="stop the program, look which database that is"
            )
        self.store_id = store_id
        return connection

    async def open(self, factor: int = 1) -> Connection:
        """A connection to whatever is there."""
        settings = {
            "search_path": SCHEMA, "application_name": "graphagent", "plan_cache_mode": "force_generic_plan",
            "statement_timeout": str(int(self.deadline_s * factor * 1000)),
            "default_transaction_isolation": "read committed",
            "idle_in_transaction_session_timeout": "10000",
            # A client whose machine is gone is noticed within 15 s; its locks are free then.
            "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3",
        }  # fmt: skip
        connection = await asyncpg.connect(self.dsn, timeout=CONNECT_S)
        try:
            # Poolers refuse most settings with which a connection begins.
            async with asyncio.timeout(CONNECT_S):
                await connection.execute("; ".join(f"set {name} = '{value}'" for name, value in settings.items()))
        except BaseException:
            connection.terminate()
            raise
        return connection


@dataclass(slots=True)
class Pool:
    """Connections that are used by one call at a time; who waits longest is next."""

    gate: asyncio.Semaphore
    factor: int
    idle: list[Connection] = field(default_factory=list)

    def take(self) -> Connection | None:
        """An idle connection that is still open."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_closed():
                return connection
        return None


class Links:
    """All connections of one loop. They are closed when the loop ends."""

    def __init__(self, target: Target, address: str, ended: Callable[[], None]) -> None:
        self._target = target
        self._ended = ended
        self._closed = False
        self.writers = Pool(asyncio.Semaphore(WRITERS), 1)
        self.readers = Pool(asyncio.Semaphore(target.readers), READ_FACTOR)
        self._workers = Workers(self._target.connect, address)
        self._listener: Connection | None = None
        self._woken = asyncio.Event()
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="graphagent-postgres")

    async def run(self, pool: Pool, work: Callable[[Connection], Awaitable[T]], size: int = 0) -> T:
        """What `work` gives on a connection of the pool; it sends `size` bytes or a little more.

        Raises:
            InUse: others had all connections until the time was over.
            Away: the outcome is unknown; the connection is closed.
            StoreError: and what else `explained` makes of the error.
        """
        try:
            if pool.gate.locked():
                async with asyncio.timeout(self._target.wait_s):
                    await pool.gate.acquire()
            else:
                await pool.gate.acquire()
        except TimeoutError:
            waited = f"{self._target.name}: all connections were in use for {self._target.wait_s:g} s"
            raise InUse(waited, hint="run fewer sessions at once, or set `connections`") from None
        try:
            return await self._on(pool, work, size)
        except GraphAgentError:
            raise
        except Exception as error:
            raise explained(error, self._target.name) from error
        finally:
            pool.gate.release()

    async def _on(self, pool: Pool, work: Callable[[Connection], Awaitable[T]], size: int) -> T:
        connection = pool.take() or await self._target.connect(pool.factor)
        usable = False
        try:
            async with asyncio.timeout(self._target.deadline_s * pool.factor + size / BYTES_PER_S + 1):
                result = await work(connection)
            usable = True
            return result
        except Exception as error:
            usable = keeps(error)
            raise
        finally:
            if usable and not self._closed and not connection.is_closed():
                pool.idle.append(connection)
            else:
                connection.terminate()

    async def hold(self, worker: WorkerId) -> None:
        """Be alive as this worker. Raises SessionBusy if another process is."""
        try:
            async with asyncio.timeout(CONNECT_S + self._target.deadline_s):
                await self._workers.hold(worker)
        except GraphAgentError:
            raise
        except BaseException as error:
            self._workers.terminate()
            if isinstance(error, Exception):
                raise explained(error, self._target.name) from error
            raise

    async def listen(self) -> None:
        """Return when something was accepted since the last call. Raises if the connection ends."""
        if self._listener is None or self._listener.is_closed():
            self._listener = await self._target.connect()
            await self._listener.add_listener(WORK, lambda *_: self._woken.set())
            self._listener.add_termination_listener(lambda _: self._woken.set())
        await self._woken.wait()
        self._woken.clear()
        if self._listener.is_closed():
            raise explained(ConnectionError("the connection was closed"), self._target.name)

    async def aclose(self) -> None:
        """Let go of the workers and close all connections."""
        self._closed = True
        with suppress(Exception):  # whoever comes next sees that the connection is gone
            async with asyncio.timeout(2):
                await self._workers.aclose()
        for connection in self._open():
            with suppress(Exception):
                await connection.close(timeout=2)
        self._keeper.cancel()
        await asyncio.wait({self._keeper})

    async def _keep(self) -> None:
        """Renew the leases until the loop ends; then close what is open."""
        try:
            while True:
                await self._workers.wait(RENEW_S)
                await self._workers.renew()
        finally:
            self._closed = True
            self._workers.terminate()
            for connection in self._open():
                connection.terminate()
            self._ended()

    def _open(self) -> list[Connection]:
        """The connections that nobody uses now."""
        listener = [] if self._listener is None else [self._listener]
        return [*self.writers.idle, *self.readers.idle, *listener]

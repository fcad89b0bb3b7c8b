"""A process that runs what others left or asked for: abandoned runs, new inputs, timers that are due.

It claims a session by taking it over, so two workers, or a worker and a command, never run the same one; whoever comes
second is told that it is busy and goes on with something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from graphagent.concurrency import Lag, Watchdog
from graphagent.errors import Fenced, GraphAgentError, NotFound, SessionBusy, StoreUnavailable
from graphagent.ids import SessionId
from graphagent.session import operations
from graphagent.session.host import Host
from graphagent.session.operations import Options
from graphagent.session.parked import next_due
from graphagent.session.placement import Placement
from graphagent.session.retention import collect
from graphagent.snapshot import SessionQuery, SessionRow

POLL_S = 1.0
CLAIM_AT_ONCE = 50
COUNT_S = 5.0
"""So often it counts the workers that it shares the rate limits with."""
DRAIN_S = 25.0
LEAST_PAUSE_S, MOST_PAUSE_S = 5.0, 300.0
"""How long a session is left alone that couldn't be run; twice as long each time."""
WRITES_S = 10.0
"""How long writes that are under way may still take when the time of a drain is over."""

Tell = Callable[[str, Mapping[str, Any]], None]
"""Is told what happens: `claimed`, `ended`, `refused`, `failed`, `away` or `collected`, and facts about it; and in
another thread that its loop is, or was, `blocked`."""


def untold(what: str, facts: Mapping[str, Any]) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Worker:
    """Runs the sessions of one store until it is drained.

    Args:
        slots: So many sessions run at once.
        placement: Which sessions it takes.
        drain_s: How long open supersteps may take to end once it is drained.
    """

    host: Host
    slots: int = 16
    placement: Placement = field(default_factory=Placement)
    drain_s: float = DRAIN_S
    tell: Tell = untold
    draining: bool = field(init=False, default=False)
    _due: dict[SessionId, int] = field(init=False, default_factory=dict)
    _failed: dict[SessionId, tuple[int, float]] = field(init=False, default_factory=dict)
    """How often in a row a session couldn't be run, and until when it is left alone, in seconds of trio's clock."""
    _running: dict[SessionId, trio.CancelScope] = field(init=False, default_factory=dict)
    _looked_us: int = field(init=False, default=0)
    _counted: float = field(init=False, default=-COUNT_S)
    _wake: trio.Event = field(init=False, default_factory=trio.Event)

    def drain(self) -> None:
        """Begin nothing new and let open supersteps end; called once more, stop them now. Their sessions stay as they
        are, for whoever takes them over."""
        if self.draining:
            self._stop()
        self.draining = True
        self._wake.set()

    def _stop(self) -> None:
        for scope in self._running.values():
            scope.cancel()

    async def run(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Work until it is drained.

        Args:
            ready: Called once the store has been looked through for the first time.
        """
        self.host.hooks.check()
        async with trio.open_nursery() as nursery:
            await self._look(nursery)
            ready()
            nursery.start_soon(self._listen)
            nursery.start_soon(Watchdog(self._blocked).run)
            nursery.start_soon(self._collect)
            while not self.draining:
                with trio.move_on_after(POLL_S):
                    await self._wake.wait()
                self._wake = trio.Event()
                if not self.draining:
                    await self._look(nursery)
            await self._end()
            nursery.cancel_scope.cancel()

    async def _listen(self) -> None:
        while True:
            await self.host.store.woken()
            self._wake.set()

    async def _collect(self) -> None:
        """Collect what is past its time, now and then, if the settings say how long sessions are kept."""
        host, retention = self.host, self.host.settings.retention
        while retention is not None and not self.draining:
            try:
                found = await collect(host.store, host.clock, retention, artifacts=host.artifacts)
                if found.anything:
                    self.tell("collected", {"found": found})
            except StoreUnavailable as error:
                self.tell("away", {"error": error.message})
            except GraphAgentError as error:
                self.tell("failed", {"session": "retention", "error": error.message})
            await trio.sleep(retention.every_us / 1e6)

    def _blocked(self, lag: Lag) -> None:
        self.tell("blocked", {"seconds": lag.seconds, "stack": lag.stack})

    async def _look(self, nursery: trio.Nursery) -> None:
        """Claim what there is to do, as far as slots are free."""
        try:
            await self._count()
            for session in await self._claimable():
                if len(self._running) >= self.slots:
                    return
                if session not in self._running and trio.current_time() >= self._failed.get(session, (0, 0.0))[1]:
                    self._running[session] = trio.CancelScope()
                    nursery.start_soon(self._drive, session)
        except StoreUnavailable as error:
            self.tell("away", {"error": error.message})

    async def _count(self) -> None:
        """Take an equal part of the rate limits of models."""
        if trio.current_time() - self._counted >= COUNT_S:
            self._counted = trio.current_time()
            self.host.models.split(await self.host.store.workers())

    async def _claimable(self) -> list[SessionId]:
        sessions = await self._placed_here()
        await self._schedule()
        now = self.host.clock.now_us()
        due = sorted((at, session) for session, at in self._due.items() if at <= now)
        return list(dict.fromkeys([*sessions, *(session for _, session in due)]))

    async def _placed_here(self) -> list[SessionId]:
        """What can be claimed and is for this worker, however much there is in front of it that isn't."""
        limit, known = CLAIM_AT_ONCE, 0
        sessions: list[SessionId] = []
        while True:
            found = await self.host.store.claimable(limit=limit)
            if self.placement.everything:
                return found
            sessions += [s for s in found[known:] if await self._takes(s)]
            if len(found) < limit or len(sessions) >= CLAIM_AT_ONCE:
                return list(dict.fromkeys(sessions))
            limit, known = 4 * limit, len(found)

    async def _takes(self, session: SessionId) -> bool:
        """Whether this worker takes it."""
        try:
            return self.placement.takes(await self.host.store.session(session))
        except NotFound:
            return False  # it was deleted just now

    async def _schedule(self) -> None:
        """Note when sessions are due that began to wait since the last look."""
        since, now = self._looked_us - 1_000_000, self.host.clock.now_us()
        before: int | None = None
        while True:
            query = SessionQuery(status="waiting", since_us=since, before_us=before, limit=500)
            entries = await self.host.store.sessions(query)
            for entry in entries:
                if self.placement.takes(entry.row):
                    await self._note_due(entry.row)
            if len(entries) < query.limit:
                break
            before = entries[-1].row.updated_at
        self._looked_us = now

    async def _note_due(self, row: SessionRow) -> None:
        """Note when a waiting session is due. One that can't be read is told of, and left to whoever mends it."""
        try:
            due = await next_due(self.host, row, questions=True)
        except StoreUnavailable:
            raise
        except GraphAgentError as error:
            self.tell("failed", {"session": row.session, "error": error.message})
            return
        if due is not None:
            self._due[row.session] = due

    async def _drive(self, session: SessionId) -> None:
        """Run one session until it waits or ends, or until this worker is drained."""
        self._due.pop(session, None)
        self.tell("claimed", {"session": session})
        try:
            with self._running[session]:
                await self._advance(session)
            self._failed.pop(session, None)
        except (SessionBusy, Fenced, NotFound):
            self.tell("refused", {"session": session})
        except Exception as error:  # whatever it is, the other sessions go on
            times = self._failed.get(session, (0, 0.0))[0] + 1
            pause_s = min(LEAST_PAUSE_S * 2 ** (times - 1), MOST_PAUSE_S)
            self._failed[session] = (times, trio.current_time() + pause_s)
            message = error.message if isinstance(error, GraphAgentError) else f"{type(error).__name__}: {error}"
            self.tell("failed", {"session": session, "error": message})
        finally:
            del self._running[session]
            self._wake.set()

    async def _advance(self, session: SessionId) -> None:
        options = Options(leave=lambda: self.draining, patience_s=0, beside=False)
        row = (await operations.drive(self.host, session, options)).row
        await self._note_due(row)
        self.tell("ended", {"session": session, "status": row.status, "reason": row.reason})

    async def _end(self) -> None:
        """Wait for what runs, then stop it; writes that are under way have a little longer."""
        with trio.move_on_after(self.drain_s):
            while self._running:
                await trio.sleep(0.05)
        with trio.move_on_after(WRITES_S):
            while any(line.journal.writing for line in self.host.lines.values()):
                await trio.sleep(0.05)
        self._stop()
        while self._running:
            await trio.sleep(0.01)

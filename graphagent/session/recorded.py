"""Reading what a replay compares with: the supersteps of a session's line, many at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import Any

from graphagent.codec import decode
from graphagent.engine.replay import Recorded, migration_of
from graphagent.errors import StoreCorrupt
from graphagent.graph.plan import Plan
from graphagent.ids import SessionId
from graphagent.session.host import Host
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import CheckpointRow, EffectRow, InputRow, SessionRow, Snapshot, Writer

PAGE = 64
"""How many supersteps are read at once."""


class Records:
    """The supersteps of a session as they were recorded, read in order up to snapshot `stop`."""

    def __init__(self, host: Host, row: SessionRow, chosen: Plan | None, stop: int) -> None:
        self._host, self._row, self._chosen, self._stop = host, row, chosen, stop
        self._writers: dict[SessionId, SessionRow] = {row.session: row}
        self._read_to = -1
        self._checkpoints: dict[int, CheckpointRow] = {}
        self._bodies: dict[int, Any] = {}
        self._journal: defaultdict[int, list[EffectRow]] = defaultdict(list)

    async def at(self, superstep: int) -> tuple[Recorded, Plan]:
        """A superstep, and the plan under which it is run again. One that bound the session to another plan is of the
        new one.

        Raises:
            NotFound: the line has no such superstep, or its rows were collected.
            StoreCorrupt: something of it is missing or damaged.
        """
        if superstep >= self._read_to:
            await self._read(superstep)
        row = self._row
        after = self._checkpoints.get(superstep) or await checkpoint_at(self._host.store, row, superstep + 1)
        stored = row.spans(superstep, superstep + 1)[-1].session
        if stored not in self._writers:
            self._writers[stored] = await self._host.store.session(stored)
        if superstep not in self._bodies:
            message = f"{self._host.store.name}: the events of superstep {superstep} of session {stored} are missing"
            raise StoreCorrupt(message, checkpoint=after.checkpoint, hint="restore a backup")
        body, writer = self._bodies[superstep], self._writers[stored].writer_at(superstep)
        taken = after.kind != "superstep" and migration_of(body) is None
        inputs = await self._inputs(stored, superstep, writer) if taken else []
        journal = self._journal[superstep] if after.kind == "superstep" else []
        plan = self._chosen or await self._host.plan_at(row, after.plan)
        state = partial(self._host.snapshot_at, row, plan, after)
        return Recorded(writer.session, writer.seed, after, state, journal, inputs, body), plan

    async def before(self, superstep: int, plan: Plan) -> Snapshot:
        """The snapshot that a superstep began with."""
        found = self._checkpoints.get(superstep - 1) or await checkpoint_at(self._host.store, self._row, superstep)
        return await self._host.snapshot_at(self._row, plan, found)

    async def _read(self, superstep: int) -> None:
        """The page that begins here."""
        store, end = self._host.store, min(superstep + PAGE, self._stop)
        spans = self._row.spans(superstep, end)
        self._checkpoints = {c.superstep: c for c in await store.checkpoints(spans, limit=PAGE)}
        self._bodies = {}
        for batch in await store.events(spans):
            body = decode(batch.body)
            if not body.get("parked"):
                self._bodies[batch.superstep] = body
        self._journal.clear()
        for effect in await store.effects(spans):
            self._journal[effect.superstep].append(effect)
        self._read_to = end

    async def _inputs(self, stored: SessionId, superstep: int, writer: Writer) -> list[InputRow]:
        taken = await self._host.store.inputs(stored, after=self._writers[stored].first_input)
        return [replace(i, n=i.n + writer.shift) for i in taken if i.taken_by == superstep + 1]

"""Retention: what of old sessions is kept, and the collection that removes the rest.

A session is past its time when its last commit is older than the rule that fits it says, nothing of it runs or waits,
and no session that isn't past has inherited from it. Families of which all sessions are past are deleted. In the
others, of a session that is past stay: its head, the checkpoints at which forks, calls and waiting tokens began, and
every 100th. Artifacts stay as long as their session isn't past, or something that stays names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from graphagent.channels.entries import AppendEntry
from graphagent.channels.references import entries_of, indexes_of, references, segments_of, waits
from graphagent.errors import Conflict, NotFound
from graphagent.ids import ArtifactId, CheckpointId, SessionId
from graphagent.ports import Artifacts, Clock, Store
from graphagent.session.artifact_names import named_by_rows, named_in
from graphagent.session.gathering import ALL
from graphagent.session.retention_rules import DAY_US, Retention
from graphagent.session.strays import remove_strays
from graphagent.session.tabled import as_stored
from graphagent.snapshot import ArtifactRow, CheckpointRow, SessionQuery, SessionRow, Span, Sweep
from graphagent.stores.bodies import hashes_in, readable

BATCH = 500
"""Rows of about so many supersteps or blobs are removed in one transaction."""
TRIES = 3


@dataclass(slots=True)
class Collected:
    """What a collection removed, or would remove. `skipped` are families that changed while it worked; `artifacts` are
    rows that nobody refers to, and `strays` content without a row."""

    deleted: list[SessionId] = field(default_factory=list)
    trimmed: list[SessionId] = field(default_factory=list)
    checkpoints: int = 0
    blobs: int = 0
    artifacts: int = 0
    strays: int = 0
    skipped: list[SessionId] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether anything goes."""
        return bool(self.deleted or self.trimmed or self.checkpoints or self.blobs or self.artifacts or self.strays)


async def collect(
    store: Store, clock: Clock, retention: Retention | None = None, *, artifacts: Artifacts | None = None,
    dry_run: bool = False,
) -> Collected:  # fmt: skip
    """Delete families that are past their time, and trim sessions that are. May run beside everything else, and again.

    Args:
        artifacts: Where the content of artifacts is; it goes a day after its row.
        dry_run: Only say what would be removed.
    """
    retention = retention or Retention()
    entries = await store.sessions(SessionQuery(children=True, limit=ALL))
    collection = _Collection(store, artifacts, clock.now_us(), retention, dry_run)
    for family in sorted({entry.row.family for entry in entries}):
        for _ in range(TRIES):
            if await collection.family(family):
                break
        else:
            collection.found.skipped.append(family)
    if artifacts is not None:
        strays = await remove_strays(store, artifacts, clock.now_us() - DAY_US, dry_run=dry_run)
        collection.found.strays = strays
    return collection.found


@dataclass(frozen=True, slots=True)
class _Collection:
    """One collection of a store, and what it has found so far."""

    store: Store
    artifacts: Artifacts | None
    now_us: int
    retention: Retention
    dry_run: bool
    found: Collected = field(default_factory=Collected)

    async def family(self, family: SessionId) -> bool:
        """Collect one family. False if it changed meanwhile."""
        rows = await self.store.family(family)
        past = past_sessions(rows, self.retention, self.now_us)
        if len(past) == len(rows):
            return await self._delete(rows)
        plan = await mark(self.store, rows, past, self.retention.keep_every)
        if not self.dry_run and not await self._sweep(rows, plan):
            return False
        found = self.found
        found.trimmed += [row.session for row in rows if plan.floors.get(row.session, 0) > row.floor_superstep]
        found.checkpoints += len(plan.checkpoints)
        found.blobs += len(plan.blobs)
        found.artifacts += len(plan.artifacts)
        return True

    async def _delete(self, rows: Sequence[SessionRow]) -> bool:
        try:
            if rows and not self.dry_run:
                await self.store.delete([row.session for row in rows])
        except (Conflict, NotFound):
            return False
        self.found.deleted += [row.session for row in rows]
        return True

    async def _sweep(self, rows: Sequence[SessionRow], plan: Marked) -> bool:
        if self.artifacts is not None:  # content is as new when its row goes, so that it stays for a day
            await self.artifacts.touch(plan.family, [row.hash for row in plan.artifacts])
        for batch in plan.batches(rows):
            if not await self.store.sweep(batch):
                return False
        return True


def past_sessions(rows: Sequence[SessionRow], retention: Retention, now_us: int) -> set[SessionId]:
    """The sessions of a family whose time is over, and from which none inherits whose time isn't.

    What runs or waits is never past: a question may be answered after any time.
    """
    past = retention.past(rows, now_us)
    for row in rows:
        if row.session not in past:
            past -= {entry.session for entry in row.lineage}
    return past


@dataclass(slots=True)
class Marked:
    """What of a family isn't referred to any more."""

    family: SessionId
    floors: dict[SessionId, int] = field(default_factory=dict)
    journal: list[Span] = field(default_factory=list)
    events: list[Span] = field(default_factory=list)
    checkpoints: list[CheckpointId] = field(default_factory=list)
    deltas: list[tuple[str, Span]] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    artifacts: list[ArtifactRow] = field(default_factory=list)

    def batches(self, rows: Sequence[SessionRow]) -> Iterator[Sweep]:
        """The batches, in an order that leaves whatever is kept readable after each: blobs go last."""
        seen = tuple((row.session, row.commit_n) for row in rows)
        empty = Sweep(self.family, seen)
        if any(self.floors.get(row.session, 0) > row.floor_superstep for row in rows):
            yield replace(empty, floors=tuple(self.floors.items()))
        for span in _pieces(self.journal):
            yield replace(empty, journal=(span,))
        for span in _pieces(self.events):
            yield replace(empty, events=(span,))
        for at in range(0, len(self.checkpoints), BATCH):
            yield replace(empty, checkpoints=tuple(self.checkpoints[at : at + BATCH]))
        for channel, whole in self.deltas:
            for span in _pieces([whole]):
                yield replace(empty, deltas=((channel, span),))
        for at in range(0, len(self.blobs), BATCH):
            yield replace(empty, blobs=tuple(self.blobs[at : at + BATCH]))
        for at in range(0, len(self.artifacts), BATCH):
            yield replace(empty, artifacts=tuple(row.artifact for row in self.artifacts[at : at + BATCH]))


def _pieces(spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        assert span.hi is not None
        for lo in range(span.lo, span.hi, BATCH):
            yield Span(span.session, lo, min(lo + BATCH, span.hi))


async def mark(store: Store, rows: Sequence[SessionRow], past: set[SessionId], keep_every: int) -> Marked:
    """What can go in a family: of the sessions that are past, and blobs that nobody refers to."""
    marked = Marked(rows[0].family)
    needed = _Needed({row.plan for row in rows})
    kept_at = await _kept_snapshots(store, rows)
    trims: list[tuple[SessionRow, list[CheckpointRow], set[int]]] = []
    stay: list[CheckpointRow] = []
    for row in rows:
        own = await store.checkpoints([Span(row.session, -1, None)], limit=ALL)
        kept = own
        if row.session in past:
            wanted = kept_at[row.session]
            kept = [c for c in own if c.snapshot in wanted or c.checkpoint == row.head or c.snapshot % keep_every == 0]
            trims.append((row, own, {c.superstep for c in kept}))
        stay += kept
        for checkpoint in kept:
            needed.add(row, checkpoint)
    for row, own, there in trims:
        _trim(row, own, there, _kept_journal(row, rows), needed, marked)
    await _add_segments(store, marked.family, needed)
    marked.blobs = [hash for hash in await store.blob_hashes(marked.family) if hash not in needed.blobs]
    if marked.blobs:
        used = await _bodies(as_stored(store), rows, needed.blobs)
        marked.blobs = [hash for hash in marked.blobs if hash not in used]
    alive = kept_at.keys() - past
    unsure = [artifact for artifact in await store.artifacts(marked.family) if artifact.session not in alive]
    if unsure:
        named = await _named(store, rows, stay, needed, marked)
        marked.artifacts = [artifact for artifact in unsure if artifact.artifact not in named]
    return marked


async def _named(
    store: Store, rows: Sequence[SessionRow], stay: Sequence[CheckpointRow], needed: _Needed, marked: Marked
) -> set[ArtifactId]:
    """The artifacts that what stays of a family names."""
    named = named_by_rows(checkpoints=stay)
    for hash in sorted(needed.blobs):
        named |= named_in((await store.blobs(marked.family, [hash])).values())
    for (session, channel), supersteps in sorted(needed.deltas.items()):
        if supersteps:
            span = Span(session, min(supersteps), max(supersteps) + 1)
            named |= named_by_rows(deltas=await store.deltas([span], channel))
    for row in rows:
        effects = await store.effects([Span(row.session, -1, None)])
        named |= named_by_rows(
            effects=[e for e in effects if not _goes(e.superstep, row.session, marked.journal)],
            inputs=await store.inputs(row.session, after=row.first_input),
            interrupts=await store.interrupts(row.session, status=None),
        )
    return named


def _goes(superstep: int, session: SessionId, spans: Iterable[Span]) -> bool:
    return any(s.session == session and s.lo <= superstep < (s.hi or 0) for s in spans)


async def _bodies(store: Store, rows: Sequence[SessionRow], blobs: Iterable[bytes]) -> set[bytes]:
    """The bodies of messages to which these blobs refer, and the rows that are stored now; those of rows that go with
    this collection are left to the next one.

    Args:
        store: One that gives rows as they are stored.
    """
    used: set[bytes] = set()
    wanted = sorted(blobs)
    for at in range(0, len(wanted), BATCH):
        for data in (await store.blobs(rows[0].family, wanted[at : at + BATCH])).values():
            used.update(hashes_in(data))
    for row in rows:
        spans = [Span(row.session, -1, None)]
        checkpoints = await store.checkpoints(spans, limit=ALL)
        stored = [c.manifest for c in checkpoints]
        stored += [batch.body for batch in await store.events(spans)]
        stored += [effect.outcome for effect in await store.effects(spans) if effect.outcome is not None]
        stored += [new.body for new in await store.inputs(row.session, after=row.first_input)]
        entries = [entry for c in checkpoints for entry in entries_of(readable(c.manifest)).items()]
        for name in sorted({name for name, entry in entries if isinstance(entry, AppendEntry)}):
            stored += [delta.items for delta in await store.deltas(spans, name)]
        for data in stored:
            used.update(hashes_in(data))
    return used


@dataclass(slots=True)
class _Needed:
    """What the checkpoints that stay refer to: blobs, and by session and channel the supersteps of deltas."""

    blobs: set[bytes]
    roots: set[bytes] = field(default_factory=set)
    deltas: dict[tuple[SessionId, str], set[int]] = field(default_factory=dict)

    def add(self, row: SessionRow, checkpoint: CheckpointRow) -> None:
        """Note what a checkpoint in the line of `row` refers to."""
        named = references(checkpoint.manifest)
        self.blobs |= {checkpoint.plan, *named.values, *named.roots}
        self.roots |= named.roots
        for name, (after, upto) in named.tails.items():
            for span in row.spans(after + 1, upto + 1):
                assert span.hi is not None
                self.deltas.setdefault((span.session, name), set()).update(range(span.lo, span.hi))


async def _kept_snapshots(store: Store, rows: Sequence[SessionRow]) -> dict[SessionId, set[int]]:
    """By the session that stores them, the snapshots that others of the family count on."""
    kept: dict[SessionId, set[int]] = {row.session: set() for row in rows}

    def keep(row: SessionRow, snapshot: int) -> None:
        for span in row.spans(snapshot - 1, snapshot):
            kept[span.session].add(snapshot)

    named = {row.session: row for row in rows}
    for row in rows:
        for entry in row.lineage:
            keep(row, entry.superstep)
        keep(row, row.head_superstep)
        if row.caller is not None and row.caller_superstep is not None and row.caller in named:
            keep(named[row.caller], row.caller_superstep)
        assert row.head is not None
        for _, superstep in waits((await store.checkpoint(row.head)).manifest):
            keep(row, superstep)
            keep(row, superstep + 1)
    return kept


def _kept_journal(row: SessionRow, rows: Sequence[SessionRow]) -> set[int]:
    """The supersteps of a session whose journal stays though it is below the floor: forks carry rows of it, or a child
    session was called in it."""
    kept = {other.caller_superstep for other in rows if other.caller == row.session}
    for other in rows:
        if other.carried is not None and any(source == row.session for source, _ in other.carried.sources):
            kept.add(other.carried.superstep)
    return {superstep for superstep in kept if superstep is not None}


def _trim(
    row: SessionRow, own: Sequence[CheckpointRow], there: set[int], journal: set[int], needed: _Needed, marked: Marked
) -> None:
    """Note what goes of one session. The events of a checkpoint that stays stay too: forks count on their numbers."""
    session, floor = row.session, row.head_superstep
    marked.floors[session] = floor
    marked.checkpoints += [c.checkpoint for c in own if c.superstep not in there]
    marked.journal += _gaps(session, journal, floor)
    marked.events += _gaps(session, there, floor)
    for name in sorted({name for c in own for name in references(c.manifest).tails}):
        kept = needed.deltas.get((session, name), set())
        marked.deltas += [(name, span) for span in _gaps(session, kept, floor)]


def _gaps(session: SessionId, kept: set[int], end: int) -> list[Span]:
    """The spans between supersteps that are kept, from 0 to `end`."""
    stops = [-1, *sorted(k for k in kept if 0 <= k < end), end]
    return [Span(session, low + 1, high) for low, high in pairwise(stops) if low + 1 < high]


async def _add_segments(store: Store, family: SessionId, needed: _Needed) -> None:
    """Keep what the roots of append channels name."""
    for root in sorted(needed.roots):
        there = await store.blobs(family, [root])
        indexes, _ = indexes_of(there[root])
        there |= await store.blobs(family, indexes)
        needed.blobs |= {*indexes, *segments_of(there[root], there.__getitem__)}

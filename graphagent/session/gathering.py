"""Reading whole sessions out of a store, each as if it had written all of its line itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphagent.channels.entries import AppendEntry
from graphagent.channels.references import entries_of, indexes_of, references, segments_of
from graphagent.errors import Conflict
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session.archive import Archive
from graphagent.session.artifact_names import named_by, named_in
from graphagent.session.new_ids import moved_interrupt
from graphagent.session.reading import floor_of
from graphagent.snapshot import Blob, Delta, InputRow, InterruptRow, Past, SessionCopy, SessionRow, Span, Writer

ALL = 1 << 40
TRIES = 5


async def gather(store: Store, session: SessionId) -> Archive:
    """A session and all that it called, as they are now. They may be running; nothing is locked.

    Raises:
        NotFound: no such session.
        Conflict: they are written so quickly that they can't be read in between.
    """
    for _ in range(TRIES):
        rows = await _subtree(store, session)
        copies = [await _flat(store, row, root=row.session == session) for row in rows]
        blobs = await _blobs(store, rows[0].family, copies)
        copies = await _with_artifacts(store, rows[0].family, copies, blobs)
        if await _subtree(store, session) == rows:
            return Archive(session, tuple(copies), blobs)
    raise Conflict(f"session {session} is being written too quickly", hint="pause it, or wait until it is done")


async def _with_artifacts(
    store: Store, family: SessionId, copies: Sequence[SessionCopy], blobs: Sequence[Blob]
) -> list[SessionCopy]:
    """The copies with the artifacts that they put or name; those of others are as if the first one had put them."""
    here = {copy.row.session for copy in copies}
    named = named_in(blob.data for blob in blobs).union(*(named_by(copy) for copy in copies))
    rows = [row for row in await store.artifacts(family) if row.session in here or row.artifact in named]
    rows = [row if row.session in here else replace(row, session=copies[0].row.session) for row in rows]
    return [
        replace(copy, artifacts=tuple(row for row in rows if row.session == copy.row.session)) for copy in copies
    ]  # fmt: skip


async def _subtree(store: Store, session: SessionId) -> list[SessionRow]:
    rows = [await store.session(session)]
    for row in rows:
        rows += await store.children(row.session)
    return rows


async def _flat(store: Store, row: SessionRow, *, root: bool) -> SessionCopy:
    """A session with what it inherited, under its own id; what of it is newer than the row is left out."""
    own = await own_rows(store, row, row.spans())
    writers, inherited, asked = await _inherited(store, row)
    carried = {row.carried.superstep: row.carried} if row.carried else {}
    for superstep, rows in carried.items():
        writers.append(Writer(superstep + 1, row.session, rows.seed))
    past = Past(tuple(writers), row.forked_at, len(inherited)) if writers or row.forked_at is not None else None
    caller = (None, None, None) if root else (row.caller, row.caller_superstep, row.caller_path)
    flat = replace(
        row, lineage=(), carried=None, past=past, owner=None, commit_token=None, attempts=0,
        floor_superstep=await floor_of(store, row), caller=caller[0], caller_superstep=caller[1], caller_path=caller[2],
    )  # fmt: skip
    first = row.lineage[-1].superstep if row.lineage else -1
    effects = [
        replace(e, attempt_token=None, write_key=None if _foreign(row, e.superstep, e.key[1:], first) else e.write_key)
        for e in own.effects
    ]
    questions = {i.interrupt: i for i in (*asked, *own.interrupts)}  # a fork may have asked again what was answered
    interrupts = tuple(questions[id] for id in sorted(questions))
    inputs = (*inherited, *own.inputs)
    return replace(own, row=flat, effects=tuple(effects), inputs=inputs, interrupts=interrupts)


def _foreign(row: SessionRow, superstep: int, key: tuple[str, int, int], first: int) -> bool:
    """Whether a journal row was written by an ancestor, whose write key isn't this session's."""
    if row.carried is not None and superstep == row.carried.superstep and key in row.carried.keys:
        return True
    return superstep < first


async def own_rows(store: Store, row: SessionRow, spans: Sequence[Span]) -> SessionCopy:
    """The rows in these spans of a session's line, none newer than its authority row, and its own inputs."""
    head = row.head_superstep
    checkpoints = [c for c in await store.checkpoints(spans, limit=ALL) if c.superstep < head]
    names = {n for c in checkpoints for n, e in entries_of(c.manifest).items() if isinstance(e, AppendEntry)}
    deltas: list[Delta] = []
    for name in sorted(names):
        deltas += [d for d in await store.deltas(spans, name) if d.superstep < head]
    effects = sorted((e for e in await store.effects(spans) if e.superstep <= head), key=lambda e: e.key)
    events = [b for b in await store.events(spans) if b.first + b.count <= row.event_n]
    inputs = [_untaken(i, row.taken_n) for i in await store.inputs(row.session) if i.n <= row.input_n]
    interrupts = await store.interrupts(row.session, status=None)
    return SessionCopy(
        row, tuple(checkpoints), tuple(deltas), tuple(effects), tuple(events), tuple(inputs), tuple(interrupts)
    )


def _untaken(new: InputRow, taken_n: int) -> InputRow:
    return new if new.n <= taken_n else replace(new, taken_by=None)


async def _inherited(store: Store, row: SessionRow) -> tuple[list[Writer], list[InputRow], list[InterruptRow]]:
    """Who wrote what a session inherited, with which inputs, and what was answered there."""
    stored = row.spans()
    rows = {row.session: row}
    for span in stored[:-1]:
        rows[span.session] = await store.session(span.session)
    found: list[tuple[Writer, list[InputRow]]] = []
    asked: list[InterruptRow] = []
    for span in stored:
        source, last = rows[span.session], span.hi is None
        inputs = await store.inputs(source.session, after=source.first_input)
        low = span.lo
        for writer in source.past.writers if source.past else ():
            if writer.until > span.lo and (last or low < (span.hi or 0)):
                until = writer.until if span.hi is None else min(writer.until, span.hi)
                found.append((replace(writer, until=until), _real(inputs, writer, low, until, inherited=last)))
                low = until
        if span.hi is not None:
            if low < span.hi:
                mine = Writer(span.hi, source.session, source.seed_at(low))
                found.append((mine, _real(inputs, mine, low, span.hi, inherited=False)))
            settled = await store.interrupts(source.session, status=None)
            asked += [
                moved_interrupt(i, source.session, row.session)
                for i in settled
                if span.lo <= i.superstep < span.hi and i.status in ("answered", "expired")
            ]
    return *_numbered(found), asked


def _real(inputs: Sequence[InputRow], writer: Writer, low: int, until: int, *, inherited: bool) -> list[InputRow]:
    """The inputs that a writer took in supersteps low <= k < until, with the numbers they had.

    Args:
        inherited: Leave out those that stand under numbers of the session's own.
    """
    return [
        replace(i, n=i.n + writer.shift)
        for i in inputs
        if i.taken_by is not None and low < i.taken_by <= until and not (inherited and i.n > 0)
    ]


def _numbered(found: Sequence[tuple[Writer, list[InputRow]]]) -> tuple[list[Writer], list[InputRow]]:
    """The writers with their shifts, and their inputs under numbers up to 0."""
    number = 1 - sum(len(inputs) for _, inputs in found)
    writers, out = [], []
    for writer, inputs in found:
        writers.append(replace(writer, shift=inputs[0].n - number) if inputs else writer)
        for new in inputs:
            said = new.message_id.split(":", 2)[-1] if new.message_id.startswith("past:") else new.message_id
            out.append(replace(new, n=number, message_id=f"past:{number}:{said}"))
            number += 1
    return writers, out


async def _blobs(store: Store, family: SessionId, copies: Sequence[SessionCopy]) -> tuple[Blob, ...]:
    """Every blob that the copies refer to, once."""
    plans = {c.plan for copy in copies for c in copy.checkpoints} | {copy.row.plan for copy in copies}
    parts = [references(c.manifest) for copy in copies for c in copy.checkpoints]
    there = await store.blobs(family, sorted(plans.union(*(p.values | p.roots for p in parts))))
    for root in sorted(frozenset().union(*(p.roots for p in parts))):
        indexes = [h for h in indexes_of(there[root])[0] if h not in there]
        there |= await store.blobs(family, indexes)
        segments = segments_of(there[root], there.__getitem__)
        there |= await store.blobs(family, [h for h in segments if h not in there])
    return tuple(Blob(h, there[h]) for h in sorted(there))

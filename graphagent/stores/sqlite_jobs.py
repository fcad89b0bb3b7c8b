"""The writing transactions. Each function is a job: it gets a cursor inside a transaction, where nobody else writes.

`again` says that the job may have landed already; each one then sees that it has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import apsw

from graphagent.codec import digest
from graphagent.errors import Conflict, Fenced, NotFound, SessionBusy
from graphagent.faults import fault
from graphagent.ids import InterruptId, SessionId, WorkerId
from graphagent.snapshot import (
    Blob,
    Carried,
    CheckpointRow,
    Commit,
    EffectRow,
    InputRow,
    InterruptRow,
    NewFork,
    NewInput,
    Opened,
    SessionRow,
)
from graphagent.stores.packing import pack
from graphagent.stores.queries import queries
from graphagent.stores.rows import (
    OPEN_N,
    Damage,
    Row,
    artifact_values,
    blob_values,
    bound_value,
    checkpoint_row,
    checkpoint_values,
    delta_values,
    effect_rows,
    effects_values,
    events_values,
    input_row,
    input_values,
    interrupt_row,
    interrupt_values,
    raw,
    raw_or_none,
    session_row,
    session_values,
)
from graphagent.stores.rules import settle, with_carried
from graphagent.stores.worker_locks import WorkerLocks

SQL = queries("sqlite")


def one(cursor: apsw.Cursor, name: str, *values: object) -> Row | None:
    """The first row of a named query."""
    return next(cursor.execute(SQL[name], values), None)


def create(
    row: SessionRow,
    genesis: CheckpointRow,
    blobs: Sequence[Blob],
    inputs: Sequence[NewInput],
    now: int,
    cursor: apsw.Cursor,
    again: bool,
) -> bool:
    """A session, its genesis and its first inputs."""
    if one(cursor, "insert_session", *session_values(row, _runs(inputs))) is None:
        there = one(cursor, "session", raw(row.session))
        return again and there is not None and session_row(there).seed == row.seed
    for blob in blobs:
        cursor.execute(SQL["insert_blob"], blob_values(raw(row.family), blob))
    cursor.execute(SQL["insert_checkpoint"], checkpoint_values(row.session, genesis, row.plan))
    _insert_inputs(row, inputs, now, cursor)
    return True


def fork(forks: Sequence[NewFork], blobs: Sequence[Blob], now: int, cursor: apsw.Cursor, again: bool) -> None:
    """Rows whose heads are other sessions' checkpoints."""
    for new in forks:
        row = new.row
        head = None if row.head is None else one(cursor, "checkpoint", raw(row.head))
        if head is None:
            raise NotFound(f"checkpoint {row.head} of session {row.origin} is gone")
        if one(cursor, "insert_session", *session_values(row, _runs(new.inputs))) is None:
            there = one(cursor, "session", raw(row.session))
            if there is None or session_row(there).head != row.head or session_row(there).seed != row.seed:
                raise Conflict(f"session {row.session} is there already")
            continue
        for blob in blobs:
            cursor.execute(SQL["insert_blob"], blob_values(raw(row.family), blob))
        _insert_inputs(row, new.inputs, now, cursor)
        fault("fork.row")


def _runs(inputs: Sequence[NewInput]) -> int:
    return sum(new.kind == "run" for new in inputs)


def _insert_inputs(row: SessionRow, inputs: Sequence[NewInput], now: int, cursor: apsw.Cursor) -> None:
    first = row.input_n - len(inputs) + 1
    for n, new in enumerate(inputs, first):
        cursor.execute(SQL["insert_input"], input_values(row.session, new, n, now))


def take_over(
    session: SessionId,
    worker: WorkerId,
    new: NewInput | None,
    now: int,
    locks: WorkerLocks,
    cursor: apsw.Cursor,
    again: bool,
) -> Opened:
    """A new epoch, and everything needed to run on; before that an input, if there is one."""
    old = one(cursor, "session", raw(session))
    if old is None:
        raise NotFound(f"no session {session}")
    seen = session_row(old)
    if seen.owner is not None and seen.owner != worker:
        pid = locks.living(seen.owner)
        if pid is not None:
            raise SessionBusy(f"session {session} is owned by process {pid}", hint="wait for it, or stop that process")
    if new is not None:
        accept(session, new, now, cursor, again)
    locks.hold(worker)
    cursor.execute(SQL["take_over"], (raw(session), raw(worker), raw_or_none(seen.owner), seen.epoch))
    authority = _must(one(cursor, "session", raw(session)))
    row = session_row(authority)
    checkpoint = _head(row, cursor)
    open_span = (raw(session), row.head_superstep, row.head_superstep + 1)
    journal = tuple(effect_rows(cursor.execute(SQL["effects"], open_span)))
    if len(journal) != authority[OPEN_N]:
        raise Damage(f"the journal of session {session} lacks rows of its open superstep {row.head_superstep}")
    if row.carried is not None and row.carried.superstep == row.head_superstep:
        journal = tuple(carried_along(journal, row.carried, cursor))
    inputs = tuple(input_row(r) for r in cursor.execute(SQL["inputs"], (raw(session), row.taken_n)))
    asked = cursor.execute(SQL["session_interrupts"], (raw(session), "open"))
    opened = Opened(row, checkpoint, journal, inputs, tuple(interrupt_row(r) for r in asked))
    _check_counters(opened, cursor)
    return opened


def carried_along(own: Sequence[EffectRow], carried: Carried, db: apsw.Connection | apsw.Cursor) -> list[EffectRow]:
    """The journal of a carried superstep."""
    k = carried.superstep
    found = {s: effect_rows(db.execute(SQL["effects"], (raw(s), k, k + 1))) for s, _ in carried.sources}
    return with_carried(own, carried, found)


def _must(row: Row | None) -> Row:
    if row is None:
        raise Damage("a row of the sessions has gone")
    return row


def _head(row: SessionRow, cursor: apsw.Cursor) -> CheckpointRow:
    """The head checkpoint; the authority row must agree with it."""
    assert row.head is not None
    found = one(cursor, "checkpoint", raw(row.head))
    try:
        if found is None:
            raise Damage(f"the head of session {row.session}, checkpoint {row.head}, is missing", checkpoint=row.head)
        checkpoint = checkpoint_row(found)
    except Damage as damage:
        damage.hint = _last_good(row, cursor)
        raise
    if checkpoint.snapshot != row.head_superstep or checkpoint.digest != row.head_digest:
        raise Damage(f"the row of session {row.session} disagrees with its head, {row.head}", checkpoint=row.head)
    return checkpoint


def _last_good(row: SessionRow, cursor: apsw.Cursor) -> str | None:
    """What to do about a damaged head."""
    for span in reversed(row.spans()):
        hi = row.head_superstep if span.hi is None else span.hi
        below = list(cursor.execute(SQL["newest_checkpoints"], (raw(span.session), span.lo, hi, 100)))
        for found in below:
            try:
                good = checkpoint_row(found)
            except Damage:
                continue
            if good.checkpoint != row.head:
                return f"the last good one is {good.checkpoint} (snapshot {good.snapshot}); fork the session there"
    return None


def _check_counters(opened: Opened, cursor: apsw.Cursor) -> None:
    row = opened.row
    last = one(cursor, "last_event", raw(row.session))
    inputs_fit = [row.taken_n, *(new.n for new in opened.inputs)] == list(range(row.taken_n, row.input_n + 1))
    if (last is not None and last[0] != row.event_n) or not inputs_fit or row.floor_superstep > row.head_superstep:
        raise Damage(f"the counters of session {row.session} disagree with its events and inputs")


def release(session: SessionId, epoch: int, cursor: apsw.Cursor, again: bool) -> None:
    """The owner lets go."""
    cursor.execute(SQL["release"], (raw(session), epoch))


def commit(commits: Sequence[Commit], cursor: apsw.Cursor, again: bool) -> None:
    """Supersteps and parks of one session, in order: one swap, and the rows of each kind together."""
    first, last = commits[0], commits[-1]
    sid = raw(first.session)
    gate = one(cursor, "gate", sid)
    if gate is None or gate[0] != first.epoch:
        raise Fenced(f"session {first.session} is no longer owned here")
    _, commit_n, token, event_n, taken_n, family, plan, _ = gate
    if commit_n != first.commit_n:
        if token == last.token:
            return  # all of them had landed
        raise Fenced(f"session {first.session}: commit {first.commit_n} isn't the next one, {commit_n} is")
    for n, c in enumerate(commits, commit_n):
        if (c.session, c.epoch, c.commit_n) != (first.session, first.epoch, n):
            raise Fenced(f"session {first.session}: commit {c.commit_n} isn't the next one, {n} is")
    _swap(commits, cursor)
    batches = []
    for c in commits:
        if c.events is not None:
            batches.append(events_values(c.session, c.events, event_n))
            event_n += c.events.count
    cursor.executemany(SQL["insert_events"], batches)
    _commit_rows(commits, family, plan, cursor)
    for c in commits:
        if c.taken_n > taken_n:
            cursor.execute(SQL["take_inputs"], (sid, taken_n, c.taken_n, c.head_superstep))
            taken_n = c.taken_n
    if last.release:
        release(last.session, last.epoch, cursor, again)


def _swap(commits: Sequence[Commit], cursor: apsw.Cursor) -> None:
    """The authority row moves on by all of them."""
    first, last = commits[0], commits[-1]
    events = sum([c.events.count for c in commits if c.events is not None])
    taken_n = max([c.taken_n for c in commits])
    swap = (raw(first.session), first.epoch, first.commit_n, last.token, last.status, last.reason, last.head_superstep,
            events, taken_n, last.at, len(commits))  # fmt: skip
    heads = [c.checkpoint for c in commits if c.checkpoint is not None]
    if heads:
        cursor.execute(SQL["advance"], (*swap, raw(heads[-1].checkpoint), heads[-1].digest))
    else:
        cursor.execute(SQL["park"], swap)
    if cursor.connection.changes() != 1:
        raise Fenced(f"session {first.session} is no longer owned here")


def _commit_rows(commits: Sequence[Commit], family: bytes, plan: bytes, cursor: apsw.Cursor) -> None:
    first, last = commits[0], commits[-1]
    cursor.executemany(SQL["insert_blob"], [blob_values(family, blob) for c in commits for blob in c.blobs])
    cursor.executemany(SQL["insert_delta"], [delta_values(c.session, delta) for c in commits for delta in c.deltas])
    for c in commits:
        if c.effects:
            _upsert_effects(c.session, c.epoch, last.head_superstep, c.effects, cursor)
        for row in c.interrupts:
            cursor.execute(SQL["upsert_interrupt"], interrupt_values(row))
        for interrupt, status in c.closed:
            cursor.execute(SQL["close_interrupt"], (raw(interrupt), status))
        for artifact in c.artifacts:
            cursor.execute(SQL["insert_artifact"], artifact_values(family, artifact))
        if c.cached:
            cursor.execute(SQL["drop_expired"], (c.at,))
        for r in c.cached:
            cursor.execute(SQL["insert_cached"], (r.key, digest(r.data), *pack(r.data), r.expires_at))
        if c.bound is not None:
            cursor.execute(SQL["bind"], (raw(c.session), bound_value(raw(c.session), c.bound)))
    heads = [checkpoint_values(first.session, c.checkpoint, plan) for c in commits if c.checkpoint is not None]
    cursor.executemany(SQL["insert_checkpoint"], heads)


def _upsert_effects(
    session: SessionId, epoch: int, open_superstep: int, rows: Sequence[EffectRow], cursor: apsw.Cursor
) -> None:
    new = 0
    changes = cursor.connection.changes
    for row, values in zip(rows, effects_values(session, rows), strict=True):
        try:
            cursor.execute(SQL["insert_effect"], values)
            if changes():
                new += row.superstep == open_superstep
            else:
                cursor.execute(SQL["raise_effect"], values)
        except apsw.ConstraintError as error:
            raise Conflict(f"the write of task {row.path!r} has a key that another row has") from error
    if new:
        cursor.execute(SQL["count_open"], (raw(session), epoch, new))


def append(session: SessionId, epoch: int, rows: Sequence[EffectRow], cursor: apsw.Cursor, again: bool) -> None:
    """Journal rows ahead of their barrier."""
    gate = one(cursor, "gate", raw(session))
    if gate is None or gate[0] != epoch:
        raise Fenced(f"session {session} is no longer owned here")
    _upsert_effects(session, epoch, gate[-1], rows, cursor)


def accept(session: SessionId, new: NewInput, now: int, cursor: apsw.Cursor, again: bool) -> InputRow:
    """An input, numbered; the row that is there if it came before."""
    there = one(cursor, "input_of_message", raw(session), new.message_id)
    if there is not None:
        row = input_row(there)
        if (row.kind, row.body) != (new.kind, new.body):
            raise Conflict(f"message {new.message_id!r} was sent before with another content")
        return row
    counted = one(cursor, "count_input", raw(session), int(new.kind == "run"))
    if counted is None:
        raise NotFound(f"no session {session}")
    n = counted[0]
    cursor.execute(SQL["insert_input"], input_values(session, new, n, now))
    return InputRow(new.kind, new.message_id, new.body, new.principal, n, now)


def answer(
    interrupt: InterruptId,
    given: bytes,
    by: str | None,
    inputs: Sequence[tuple[SessionId, NewInput]],
    now: int,
    cursor: apsw.Cursor,
    again: bool,
) -> InterruptRow:
    """An answer, and the inputs that follow from it. The checks stand in the order that `ports.Store` names."""
    found = one(cursor, "interrupt", raw(interrupt))
    if found is None:
        raise NotFound(f"no interrupt {interrupt}")
    row = interrupt_row(found)
    settled = settle(row, given, by, now)
    if settled is row:
        return row
    iid, *_, codec, _, _, _, stored, _, _, check, _ = interrupt_values(settled)
    cursor.execute(SQL["answer_interrupt"], (iid, codec, stored, by, now, check))
    for session, new in inputs:
        accept(session, new, now, cursor, again)
    return settled


def label(session: SessionId, name: str | None, tags: Sequence[str] | None, cursor: apsw.Cursor, again: bool) -> None:
    """Names and tags are labels only: no gate."""
    cursor.execute(SQL["label"], (raw(session), name, None if tags is None else json.dumps(list(tags))))
    if cursor.connection.changes() != 1:
        raise NotFound(f"no session {session}")

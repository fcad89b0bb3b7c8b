"""Jobs that bring whole sessions in and take rows away: import, deletion, collection. See `sqlite_jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import apsw

from graphagent.errors import Conflict, NotFound, SessionBusy
from graphagent.faults import fault
from graphagent.ids import SessionId
from graphagent.snapshot import Blob, SessionCopy, SessionRow, Sweep
from graphagent.stores.rows import (
    artifact_values,
    blob_values,
    checkpoint_values,
    delta_values,
    effects_values,
    events_values,
    input_values,
    interrupt_values,
    raw,
    session_row,
    session_values,
)
from graphagent.stores.rules import check_deletion
from graphagent.stores.sqlite_jobs import SQL, one
from graphagent.stores.worker_locks import WorkerLocks

_END = 1 << 62
_DELETE = (
    "delete_checkpoints", "delete_deltas", "delete_events", "delete_effects", "delete_inputs", "delete_interrupts",
    "delete_session",
)  # fmt: skip


def adopt(copies: Sequence[SessionCopy], blobs: Sequence[Blob], cursor: apsw.Cursor, again: bool) -> None:
    """Whole sessions as they are."""
    if again and all(_is_there(copy.row, cursor) for copy in copies):
        return  # it had landed
    for copy in copies:
        _adopt(copy, cursor)
        fault("import.rows")
    family = raw(copies[0].row.family)
    for blob in blobs:
        cursor.execute(SQL["insert_blob"], blob_values(family, blob))


def _is_there(row: SessionRow, cursor: apsw.Cursor) -> bool:
    found = one(cursor, "session", raw(row.session))
    return found is not None and session_row(found) == replace(row, owner=None)


def _adopt(copy: SessionCopy, cursor: apsw.Cursor) -> None:
    row, runs = copy.row, sum(new.kind == "run" for new in copy.inputs if new.n > 0)
    session = row.session
    if one(cursor, "insert_session", *session_values(replace(row, owner=None), runs)) is None:
        raise Conflict(f"session {session} is there already")
    execute = cursor.execute
    try:
        for checkpoint in copy.checkpoints:
            execute(SQL["insert_checkpoint"], checkpoint_values(session, checkpoint, row.plan))
        for interrupt in copy.interrupts:
            if one(cursor, "interrupt", raw(interrupt.interrupt)) is not None:
                raise Conflict(f"interrupt {interrupt.interrupt} of session {session} is there already")
            execute(SQL["upsert_interrupt"], interrupt_values(interrupt))
        for effect in effects_values(session, copy.effects):
            execute(SQL["insert_effect"], effect)
    except apsw.ConstraintError as error:
        raise Conflict(f"a checkpoint or write key of session {session} is there already") from error
    for delta in copy.deltas:
        execute(SQL["insert_delta"], delta_values(session, delta))
    for batch in copy.events:
        execute(SQL["insert_events"], events_values(session, batch, batch.first))
    for new in copy.inputs:
        execute(SQL["insert_input"], input_values(session, new, new.n, new.accepted_at))
        if new.taken_by is not None:
            execute(SQL["take_input"], (raw(session), new.n, new.taken_by))
    for artifact in copy.artifacts:
        execute(SQL["insert_artifact"], artifact_values(raw(row.family), artifact))
    execute(SQL["recount_open"], (raw(session),))


def delete(sessions: Sequence[SessionId], locks: WorkerLocks, cursor: apsw.Cursor, again: bool) -> None:
    """Sessions with all their rows."""
    found = {session: one(cursor, "session", raw(session)) for session in sessions}
    rows = [session_row(there) for there in found.values() if there is not None]
    if again and not rows:
        return  # it had landed
    for session, there in found.items():
        if there is None:
            raise NotFound(f"no session {session}")
    for row in rows:
        pid = None if row.owner is None else locks.living(row.owner)
        if pid is not None:
            raise SessionBusy(f"session {row.session} is owned by process {pid}", hint="stop that process first")
    families = {row.family for row in rows}
    for family in families:
        check_deletion(set(sessions), [session_row(r) for r in cursor.execute(SQL["family"], (raw(family),))])
    for session in found:
        for name in _DELETE:
            cursor.execute(SQL[name], (raw(session),))
    for family in families:
        cursor.execute(SQL["delete_family_blobs"], (raw(family),))
        cursor.execute(SQL["delete_family_artifacts"], (raw(family),))


def sweep(batch: Sweep, cursor: apsw.Cursor, again: bool) -> bool:
    """One batch of a collection, if nothing has come to count on what it removes."""
    there = {(SessionId.of(sid), n) for sid, n in cursor.execute(SQL["family_commits"], (raw(batch.family),))}
    if there != set(batch.seen):
        return False
    execute = cursor.execute
    for session, floor in batch.floors:
        execute(SQL["raise_floor"], (raw(session), floor))
    for name, spans in (("sweep_effects", batch.journal), ("sweep_events", batch.events)):
        for span in spans:
            execute(SQL[name], (raw(span.session), span.lo, _END if span.hi is None else span.hi))
    for checkpoint in batch.checkpoints:
        execute(SQL["sweep_checkpoint"], (raw(checkpoint),))
    for channel, span in batch.deltas:
        execute(SQL["sweep_deltas"], (raw(span.session), span.lo, _END if span.hi is None else span.hi, channel))
    for hash in batch.blobs:
        execute(SQL["sweep_blob"], (raw(batch.family), hash))
    for artifact in batch.artifacts:
        execute(SQL["sweep_artifact"], (raw(batch.family), raw(artifact)))
    return True

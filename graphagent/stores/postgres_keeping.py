"""Writes of Postgres that bring whole sessions in and take rows away: import, deletion, collection.

Each is one transaction of several statements. A family is locked first, and read again behind the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphagent.errors import Conflict, NotFound, SessionBusy
from graphagent.faults import fault
from graphagent.ids import SessionId
from graphagent.snapshot import Blob, SessionCopy, SessionRow, Span, Sweep
from graphagent.stores.postgres_driver import Connection, asyncpg
from graphagent.stores.postgres_rows import adopt_values, session_row
from graphagent.stores.postgres_statements import fetch, fetch_row, fetch_value
from graphagent.stores.rows import raw
from graphagent.stores.rules import check_deletion

_END = 1 << 62
_NAMES = {"interrupts": "an interrupt", "effects": "a write key", "checkpoints": "a checkpoint"}


async def adopt(db: Connection, copies: Sequence[SessionCopy], blobs: Sequence[Blob], again: bool) -> None:
    """Whole sessions as they are."""
    if again and await _are_there(db, copies):
        return  # it had landed
    try:
        async with db.transaction():
            for copy in copies:
                values = adopt_values(copy, blobs)
                no_inputs: dict[str, Any] = {name: [] for name in values if name.startswith("i_")}
                if not await fetch_value(db, "insert_session", **{**values, **no_inputs}):  # `adopt` stores them
                    raise Conflict(f"session {copy.row.session} is there already")
                await fetch(db, "adopt", **values)
                fault("import.rows")
            fault("import.sent")
    except asyncpg.UniqueViolationError as error:
        what = _NAMES.get(str(getattr(error, "table_name", "")), "a row")
        raise Conflict(f"{what} of session {copies[0].row.session} is there already") from error


async def _are_there(db: Connection, copies: Sequence[SessionCopy]) -> bool:
    for copy in copies:
        found = await fetch_row(db, "session", sid=raw(copy.row.session))
        if found is None or session_row(found) != replace(copy.row, owner=None):
            return False
    return True


async def delete(db: Connection, sessions: Sequence[SessionId], again: bool) -> None:
    """Sessions with all their rows."""
    sids = [raw(session) for session in sessions]
    async with db.transaction():
        families = sorted({r[0] for r in await fetch(db, "family_of", sids=sids)})
        family_rows: dict[bytes, list[SessionRow]] = {}
        for family in families:
            await fetch(db, "lock_family", family=family)
            family_rows[family] = [session_row(r) for r in await fetch(db, "family", family=family)]
        there = {row.session for rows in family_rows.values() for row in rows}
        if again and not there & set(sessions):
            return  # it had landed
        for session in sessions:
            if session not in there:
                raise NotFound(f"no session {session}")
        for sid, address in await fetch(db, "living", sids=sids):
            what = f"session {SessionId.of(sid)} is owned by {address}"
            raise SessionBusy(what, hint="stop that process first")
        for rows in family_rows.values():
            check_deletion(set(sessions), rows)
        await fetch(db, "delete_sessions", sids=sids)
        for family in families:
            await fetch(db, "delete_family_blobs", family=family)
        fault("delete.sent")


async def sweep(db: Connection, batch: Sweep) -> bool:
    """One batch of a collection, if nothing has come to count on what it removes."""
    async with db.transaction():
        family = raw(batch.family)
        await fetch(db, "lock_family", family=family)
        rows = [session_row(r) for r in await fetch(db, "family", family=family)]
        if {(row.session, row.commit_n) for row in rows} != set(batch.seen):
            return False
        await fetch(db, "sweep", **_sweep_values(batch))
        fault("collect.sent")
    return True


def _sweep_values(batch: Sweep) -> dict[str, Any]:
    return {
        "family": raw(batch.family), "floor_sid": [raw(s) for s, _ in batch.floors],
        "floor": [floor for _, floor in batch.floors], **_spans("journal", batch.journal),
        **_spans("events", batch.events), "ckp": [raw(c) for c in batch.checkpoints],
        "delta_channel": [channel for channel, _ in batch.deltas],
        **_spans("delta", [span for _, span in batch.deltas]), "hashes": list(batch.blobs),
        "aids": [raw(artifact) for artifact in batch.artifacts],
    }  # fmt: skip


def _spans(name: str, spans: Sequence[Span]) -> dict[str, list[Any]]:
    return {
        f"{name}_sid": [raw(s.session) for s in spans], f"{name}_lo": [s.lo for s in spans],
        f"{name}_hi": [_END if s.hi is None else s.hi for s in spans],
    }  # fmt: skip

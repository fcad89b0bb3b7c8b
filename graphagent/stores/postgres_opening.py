"""What a takeover returns, from the one row that the database gives."""

from __future__ import annotations

from graphagent.ids import SessionId
from graphagent.snapshot import CheckpointRow, Opened, SessionRow
from graphagent.stores.postgres_driver import Connection
from graphagent.stores.postgres_rows import checkpoint_row, input_row, interrupt_row, session_row
from graphagent.stores.postgres_statements import fetch
from graphagent.stores.rows import Damage, Row, effect_rows, raw
from graphagent.stores.rules import with_carried


async def opened(db: Connection, session: SessionId, found: Row) -> Opened:
    """The row of `take_over`, checked. Rows that a fork carries are read beside it: none of them changes any more."""
    stored, head, journal, untaken, asked, last_event = found
    row = session_row(stored)
    checkpoint = await _head(db, row, head)
    rows = effect_rows(journal)
    carried = row.carried
    if carried is not None and carried.superstep == row.head_superstep:
        k = carried.superstep
        there = {
            source: effect_rows(await fetch(db, "effects", sid=raw(source), lo=k, hi=k + 1))
            for source, _ in carried.sources
        }
        rows = with_carried(rows, carried, there)
    inputs = tuple(input_row(r) for r in untaken)
    in_order = [row.taken_n, *(i.n for i in inputs)] == list(range(row.taken_n, row.input_n + 1))
    if last_event not in (None, row.event_n) or not in_order or row.floor_superstep > row.head_superstep:
        raise Damage(f"the counters of session {session} disagree with its events and inputs")
    return Opened(row, checkpoint, tuple(rows), inputs, tuple(interrupt_row(r) for r in asked))


async def _head(db: Connection, row: SessionRow, head: Row | None) -> CheckpointRow:
    """The head checkpoint; the authority row must agree with it."""
    try:
        if head is None:
            raise Damage(f"the head of session {row.session}, checkpoint {row.head}, is missing", checkpoint=row.head)
        checkpoint = checkpoint_row(head)
    except Damage as damage:
        damage.hint = await _last_good(db, row)
        raise
    if checkpoint.snapshot != row.head_superstep or checkpoint.digest != row.head_digest:
        raise Damage(f"the row of session {row.session} disagrees with its head, {row.head}", checkpoint=row.head)
    return checkpoint


async def _last_good(db: Connection, row: SessionRow) -> str | None:
    """What to do about a damaged head."""
    for span in reversed(row.spans()):
        hi = row.head_superstep if span.hi is None else span.hi
        for found in await fetch(db, "newest_checkpoints", sid=raw(span.session), lo=span.lo, hi=hi, limit=100):
            try:
                good = checkpoint_row(found)
            except Damage:
                continue
            if good.checkpoint != row.head:
                return f"the last good one is {good.checkpoint} (snapshot {good.snapshot}); fork the session there"
    return None

"""The supersteps of a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphagent.codec import show_digest
from graphagent.engine.spending import of_rows
from graphagent.ids import InterruptId, RunId
from graphagent.session.documents.changes import Values, changes_of
from graphagent.session.documents.common import usage_of
from graphagent.session.documents.events import event_data, events_by_superstep
from graphagent.session.documents.page import Page, Record, State, interrupt_id
from graphagent.session.documents.part import time_text
from graphagent.session.documents.parts import Change, Superstep, Token
from graphagent.session.documents.tasks import tasks_of
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


async def supersteps_of(
    host: Host, row: SessionRow, page: Page, *, values: bool, events: bool = False
) -> list[Superstep]:
    """The documents of a page's supersteps.

    Args:
        values: Also what the channels were and became.
        events: Also their events.
    """
    changes = [changes_of(record) for record in page.records]
    if values and page.records:
        reader = Values(host.store, row)
        await reader.read(page.records, changes)
        changes = [[await reader.fill(r, c) for c in found] for r, found in zip(page.records, changes, strict=True)]
    parts = [superstep_part(r, found) for r, found in zip(page.records, changes, strict=True)]
    if events and parts:
        found = await events_by_superstep(host, row, parts[0].superstep, parts[-1].superstep + 1)
        parts = [replace(part, events=[event_data(e) for e in found[part.superstep]]) for part in parts]
    return parts


def superstep_part(record: Record, changes: list[Change]) -> Superstep:
    """The document of one superstep. One without tasks takes no time: its start is its commit."""
    row, tasks = record.checkpoint, tasks_of(record)
    assert row.parent is not None
    assert row.kind != "genesis"
    ends = [offset + length for offset, length in record.body.get("at", [])]
    wall = max([*ends, *(t.wall_ms or 0 for t in tasks)], default=0)
    return Superstep(
        row.superstep, row.kind, row.snapshot, row.checkpoint, row.parent, show_digest(row.digest), record.session,
        None if record.after.run is None else RunId(record.after.run),
        time_text(row.opened_at if row.kind == "superstep" else row.committed_at), time_text(row.committed_at), wall,
        tasks, changes, tokens_of(record.after), opened_in(record), list(record.forks),
        usage_of(of_rows(record.journal)),
    )  # fmt: skip


def tokens_of(state: State) -> list[Token]:
    """The tokens that are due in a state."""
    names = state.graph.nodes
    return [Token(names[t.node].name, [names[s].name for s in t.sources]) for t in state.control.due]


def opened_in(record: Record) -> list[InterruptId]:
    """The questions that a superstep raised: of nodes that parked, and of tasks that asked while they ran."""
    session, k = record.session, record.superstep
    parked = [
        interrupt_id(session, k, path, attempt, 0)
        for path, attempt, status, _, own in record.body.get("tasks", [])
        if status == "waiting" and any(kind == "x.interrupt.opened" for kind, _ in own)
    ]
    asked = [interrupt_id(session, k, r.path, r.attempt, r.ordinal) for r in record.journal if r.kind == "interrupt"]
    return parked + asked

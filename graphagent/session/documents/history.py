"""The `history` document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode
from graphagent.engine.eventlog import notes_in, open_in
from graphagent.session.documents.common import graph_ref, head_of, origin_of
from graphagent.session.documents.forms import HistoryDocument, OpenSuperstep
from graphagent.session.documents.page import read_page, states_of
from graphagent.session.documents.supersteps import supersteps_of
from graphagent.session.documents.tasks import Place, open_tasks
from graphagent.session.documents.turns import turns_in
from graphagent.session.operations import open_interrupts
from graphagent.session.reading import floor_of
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


async def history_document(
    host: Host, row: SessionRow, *, values: bool = False, since: int = 0, limit: int = 100, own: bool = False,
    events: bool = False,
) -> HistoryDocument:  # fmt: skip
    """The supersteps of a session.

    Args:
        values: Also what the channels were and became.
        since: The first superstep; those whose journal was collected are left out.
        own: Leave out what a fork inherited.
        events: Also the events of each superstep.
    """
    floor = await floor_of(host.store, row)
    lo = max(since, floor, row.forked_at or 0 if own else 0)
    page = await read_page(host, row, lo, limit)
    last = page.records[-1].superstep if page.records else lo
    return HistoryDocument(
        row.session, row.name, graph_ref(row, host.settings.root), row.status, row.reason, origin_of(row),
        head_of(row), floor, await supersteps_of(host, row, page, values=values, events=events),
        None if page.more else await open_superstep(host, row), str(last + 1) if page.more else None,
    )  # fmt: skip


async def open_superstep(host: Host, row: SessionRow) -> OpenSuperstep | None:
    """The superstep after the head, if it has begun: something of it is in the journal, or it parked."""
    spans = row.spans(row.head_superstep)
    journal = await host.store.effects(spans)
    parked = [decode(b.body) for b in await host.store.events(spans)]
    assert row.head is not None
    state = (await states_of(host, row, [await host.store.checkpoint(row.head)]))[0]
    errors = _errors(parked, row.status)
    if not state.control.due or not (journal or errors or row.status == "running"):
        return None
    place = Place(row.session, row.head_superstep, state, journal)
    asked = await host.store.interrupts(row.session, status=None)
    waiting = {r.path for r in asked if r.status == "open" and r.superstep == row.head_superstep}
    for child in await host.store.children(row.session):
        if child.caller_path is not None and child.status == "waiting" and await open_interrupts(host, child.session):
            waiting.add(child.caller_path)
    said = [one for body in parked[-1:] for one in (*notes_in(body), *open_in(body))]
    turns = turns_in(said, row.session, row.head_superstep)
    tasks = open_tasks(place, row.status, asked, waiting, errors)
    return OpenSuperstep(row.head_superstep, [replace(task, turns=turns.get(task.task, [])) for task in tasks])


def _errors(parked: list[Any], status: str) -> dict[str, Mapping[str, Any]]:
    """By path, the errors of the tasks with which the session failed the last time. The one that ended the run stands
    there whole, also where it came up at the barrier."""
    if status != "failed" or not parked:
        return {}
    errors = {task[0]: task[3]["error"] for task in parked[-1].get("tasks", []) if "error" in task[3]}
    ended = [data["error"] for kind, data in parked[-1].get("closing", []) if kind == "RunError"]
    return {**errors, **{error["node"]: error for error in ended if error["node"] is not None}}

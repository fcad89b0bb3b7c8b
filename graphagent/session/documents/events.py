"""Events as plain data: a line of `--jsonl`, and what a superstep of a history holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphagent.events import Event
from graphagent.session.documents.part import plain, time_text
from graphagent.session.reading import read_batches
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host

FIELDS = ("kind", "seq", "event_id", "session", "run", "superstep", "step", "node", "task", "attempt")


def event_data(event: Event) -> dict[str, Any]:
    """An event as plain data, in the order of its fields."""
    found = {name: plain(getattr(event, name)) for name in FIELDS}
    return {**found, "time": time_text(event.time), "data": dict(event.data)}


async def events_by_superstep(host: Host, row: SessionRow, lo: int, hi: int) -> dict[int, list[Event]]:
    """The committed events of supersteps lo <= k < hi of a session's line, those that parked it included. Events of the
    run stand with the superstep that they were committed with."""
    graph = (await host.plan_of(row)).graph
    out: dict[int, list[Event]] = {k: [] for k in range(lo, hi)}
    for superstep, events in await read_batches(host.store, row, graph, lo=lo, hi=hi):
        out[superstep] += events
    return out

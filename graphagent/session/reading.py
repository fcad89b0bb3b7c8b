"""Reading a session without owning it: events, errors, checkpoints by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphagent.codec import decode
from graphagent.engine.eventlog import Place, expand
from graphagent.errors import NotFound
from graphagent.events import Event
from graphagent.graph.plan import GraphPlan
from graphagent.ports import Store
from graphagent.snapshot import CheckpointRow, SessionRow


async def last_error(store: Store, row: SessionRow) -> dict[str, Any] | None:
    """The error record with which the session's newest run ended, if it did."""
    for lo in (max(row.head_superstep - 1, 0), 0):  # inputs that change nothing may stand behind it
        for batch in reversed(await store.events(row.spans(lo))):
            tree = decode(batch.body)
            for kind, data in reversed([*tree.get("end", []), *tree.get("closing", [])]):
                if kind == "RunError":
                    error: dict[str, Any] = {**data["error"], "superstep": batch.superstep}
                    return error
    return None


async def checkpoint_at(store: Store, row: SessionRow, snapshot: int) -> CheckpointRow:
    """The checkpoint that holds snapshot `snapshot` of this session's line.

    Raises:
        NotFound: the session has no such snapshot.
    """
    found = await store.checkpoints(row.spans(snapshot - 1, snapshot), limit=1)
    if not found or found[0].snapshot != snapshot:
        message = f"{row.session} has no snapshot {snapshot}; the newest is {row.head_superstep}"
        if 0 <= snapshot < await floor_of(store, row):
            message = f"snapshot {snapshot} of {row.session} was collected"
        raise NotFound(message, hint=f"graphagent history {row.session}")
    return found[0]


def shared_until(a: SessionRow, a_at: int, b: SessionRow, b_at: int) -> int | None:
    """The newest snapshot that both lines went through; None if they don't have one in common."""
    shared = None
    for one, two in zip(a.spans(-1, a_at), b.spans(-1, b_at), strict=False):
        if one.session != two.session:
            break
        ends = [at if span.hi is None else span.hi for span, at in ((one, a_at), (two, b_at))]
        shared = min(ends)
        if ends[0] != ends[1]:
            break
    return shared


async def floor_of(store: Store, row: SessionRow) -> int:
    """The first superstep of this session's line from which on all of it can be replayed."""
    floor = row.floor_superstep
    for span in row.spans()[:-1]:
        trimmed = (await store.session(span.session)).floor_superstep
        if trimmed > span.lo:
            floor = max(floor, trimmed if span.hi is None else min(trimmed, span.hi))
    return floor


async def read_events(
    store: Store, row: SessionRow, graph: GraphPlan, *, lo: int = 0, hi: int | None = None
) -> list[Event]:
    """The committed events of supersteps lo <= k < hi, in order."""
    return [event for _, events in await read_batches(store, row, graph, lo=lo, hi=hi) for event in events]


async def read_batches(
    store: Store, row: SessionRow, graph: GraphPlan, *, lo: int = 0, hi: int | None = None
) -> list[tuple[int, list[Event]]]:
    """The same by superstep; one that was parked has several entries."""
    spans = row.spans(lo, hi)
    rows = await store.checkpoints(row.spans(lo - 1, hi), limit=1_000_000)
    by_superstep: Mapping[int, CheckpointRow] = {c.superstep: c for c in rows}
    out: list[tuple[int, list[Event]]] = []
    for batch in await store.events(spans):
        parked = decode(batch.body).get("parked", False)
        checkpoint = None if parked else by_superstep.get(batch.superstep)
        before = by_superstep.get(batch.superstep - 1)
        opened_at = before.committed_at if before else batch.at
        events = expand(batch, Place(owner(row, batch.superstep), graph, checkpoint, opened_at))
        out.append((batch.superstep, events))
    return out


def owner(row: SessionRow, superstep: int) -> Any:
    """The session of this line that wrote a superstep."""
    spans: Sequence[Any] = row.spans(superstep, superstep + 1)
    return spans[-1].session if spans else row.session

"""What documents cost: a fixed number of reads, however long the history is."""

from __future__ import annotations

from typing import Any, cast

from graphagent.ids import SessionId
from graphagent.session.documents import history_document, run_document, show_document
from graphagent.session.documents.page import node_name
from tests.unit.session.documents.test_run import LOOP
from tests.unit.session.documents.world import CountingStore, World, on_stores


async def reads(world: World, session: SessionId) -> list[int]:
    """How many reads a page of history, a state and the run take."""
    host = world.new_host()
    row = await world.store.session(session)
    await host.plan_of(row)
    counting = CountingStore(world.store)
    host.store = cast(Any, counting)
    out = []
    for read in (
        history_document(host, row, values=True, limit=5),
        history_document(host, row, values=True, since=row.head_superstep - 5),
        show_document(host, row, row.head_superstep - 1),
        run_document(host, row),
    ):
        counting.calls = 0
        await read
        out.append(counting.calls)
    return out


@on_stores
async def test_reads_do_not_grow_with_the_history(world: World) -> None:
    short = await reads(world, (await world.start(LOOP, {"n": 8})).row.session)
    long = await reads(world, (await world.start(LOOP, {"n": 200})).row.session)
    assert long == short
    assert max(long) <= 12


def test_the_node_of_a_path() -> None:
    assert [node_name(p) for p in ("write", "each[2]", "write/4.0", "each[2]/0.1")] == [
        "write",
        "each",
        "write",
        "each",
    ]

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.session.exporting import archive_bytes, export_session
from graphagent.session.importing import import_session
from graphagent.session.retention import collect
from graphagent.session.retention_rules import Retention
from graphagent.session.verifying import verify_store
from graphagent.snapshot import SessionQuery
from graphagent.stores.postgres import PostgresStore
from tests.contract.keeping import KEEPING
from tests.contract.store import CASES, Case, HandClock, World, checkpoint_row, run_input, session_row
from tests.corpus.sessions import FOLDER, host_on


class PostgresWorld:
    def __init__(self, url: str) -> None:
        self.clock = HandClock()
        self.url = url
        self.opened: list[PostgresStore] = []

    async def open(self) -> Store:
        self.opened.append(await PostgresStore.open(self.url, clock=self.clock))
        return self.opened[-1]

    async def die(self, store: Store, worker: WorkerId) -> None:
        # A process that dies closes its sockets; what a real kill leaves behind is tested beside the store.
        await store.aclose()


def test_living_workers_are_counted(postgres: str) -> None:
    """Those that have taken a session over; one that has ended is one less."""

    async def case(world: World) -> None:
        stores = [await world.open() for _ in range(3)]
        assert await stores[0].workers() == 1
        rows = [session_row(number) for number in range(3)]
        for number, (store, row) in enumerate(zip(stores, rows, strict=True)):
            await store.create(row, checkpoint_row(row, -1), (), [run_input()])
            await store.takeover(row.session, WorkerId.of(bytes([number] * 16)))
        assert [await store.workers() for store in stores] == [3, 3, 3]
        await stores[2].aclose()
        assert await stores[0].workers() == 2

    concurrency.run_sync(run, case, PostgresWorld(postgres))


async def run(case: Case, world: PostgresWorld) -> None:
    try:
        await case(world)
    finally:
        for store in world.opened:
            await store.aclose()


@pytest.fixture
def place(postgres_store: Callable[[], str]) -> str:
    return postgres_store()


@pytest.mark.parametrize("case", [*CASES, *KEEPING], ids=lambda case: case.__name__)
def test_postgres_store(case: Case, place: str) -> None:
    concurrency.run_sync(run, case, PostgresWorld(place))


def test_recorded_sessions_are_the_same_here(place: str) -> None:
    """Every store gives the bytes that it was given; what is past its time is trimmed as elsewhere."""

    async def main() -> None:
        store = await PostgresStore.open(place)
        host = host_on(store)
        for file in sorted(FOLDER.glob("*.gasession")):
            row = await import_session(host, file)
            assert archive_bytes(await export_session(host, row)) == file.read_bytes()
            twin = await import_session(host, file, new_ids=True)
            assert (await ops.replay(host, twin.session)).identical
        assert (await verify_store(store)).problems == []
        waiting = {e.row.family for e in await store.sessions(SessionQuery(status="waiting", children=True))}
        found = await collect(store, host.clock, Retention(0))
        left = await store.sessions(SessionQuery(children=True))
        assert {e.row.family for e in left} == waiting
        assert found.deleted
        assert found.skipped == []
        assert (await verify_store(store)).problems == []
        await store.aclose()

    concurrency.run_sync(main)


def test_the_state_of_a_database(place: str) -> None:
    async def main() -> None:
        state = await PostgresStore.inspect(place)
        assert (state.schema, state.pending, state.problems) == (state.newest, (), ())
        assert state.store_id

    concurrency.run_sync(main)


def test_an_input_wakes_other_processes(place: str) -> None:
    async def main() -> None:
        world = PostgresWorld(place)
        store, other = await world.open(), await world.open()
        row = session_row()
        await store.create(row, checkpoint_row(row, -1), (), ())
        woken: list[str] = []

        async def wait() -> None:
            await other.woken()
            woken.append("yes")

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                with trio.fail_after(20):
                    while not woken:  # it may not listen yet
                        await store.accept(row.session, run_input(f"m{trio.current_time()}"))
                        await trio.sleep(0.1)
        finally:
            for each in world.opened:
                await each.aclose()

    concurrency.run_sync(main)

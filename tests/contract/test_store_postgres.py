from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.stores.postgres import PostgresStore
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.keeping import KEEPING
from tests.contract.store import CASES, Case, HandClock, checkpoint_row, run_input, session_row


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


async def run(case: Case, world: PostgresWorld) -> None:
    try:
        await case(world)
    finally:
        for store in world.opened:
            await store.aclose()


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database("contract")


@pytest.fixture
def place(postgres_server: PostgresServer, database: str) -> Iterator[str]:
    """A database with an empty store, which is quicker to have than a new one."""
    yield database
    tables = "sessions, checkpoints, blobs, deltas, events, effects, inputs, interrupts, cache, workers"
    postgres_server.run_sql(f"set search_path = graphagent; truncate {tables}", "contract")


@pytest.mark.parametrize("case", [*CASES, *KEEPING], ids=lambda case: case.__name__)
def test_postgres_store(case: Case, place: str) -> None:
    concurrency.run_sync(run, case, PostgresWorld(place))


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

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.stores.postgres import PostgresStore
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.store import CASES, Case, HandClock


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_postgres_store(case: Case, place: str) -> None:
    concurrency.run_sync(run, case, PostgresWorld(place))

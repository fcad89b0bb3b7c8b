from __future__ import annotations

import pytest

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.stores.postgres import PostgresStore
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_postgres_store(case: Case, postgres: str) -> None:
    concurrency.run_sync(run, case, PostgresWorld(postgres))

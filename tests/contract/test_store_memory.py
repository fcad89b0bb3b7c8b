from __future__ import annotations

import pytest
import trio

from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.stores.memory import MemoryStore
from tests.contract.keeping import KEEPING
from tests.contract.store import CASES, Case, HandClock


class MemoryWorld:
    def __init__(self) -> None:
        self.clock = HandClock()
        self._store = MemoryStore(clock=self.clock)

    async def open(self) -> Store:
        return self._store

    async def die(self, store: Store, worker: WorkerId) -> None:
        self._store.worker_died(worker)


@pytest.mark.parametrize("case", [*CASES, *KEEPING], ids=lambda case: case.__name__)
def test_memory_store(case: Case) -> None:
    trio.run(case, MemoryWorld())

from __future__ import annotations

import math
from pathlib import Path

import pytest
import trio

from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.stores.sqlite import SqliteStore
from tests.contract.keeping import KEEPING
from tests.contract.store import CASES, Case, HandClock


class SqliteWorld:
    def __init__(self, folder: Path, on_loop_s: float) -> None:
        self.clock = HandClock()
        self.path = folder / "sessions.db"
        self.opened: list[SqliteStore] = []
        self._on_loop_s = on_loop_s

    async def open(self) -> Store:
        self.opened.append(await SqliteStore.open(self.path, clock=self.clock, on_loop_s=self._on_loop_s))
        return self.opened[-1]

    async def die(self, store: Store, worker: WorkerId) -> None:
        # A process that dies closes its files; what a real kill leaves behind is tested beside the store.
        await store.aclose()


async def run(case: Case, world: SqliteWorld) -> None:
    try:
        await case(world)
    finally:
        for store in world.opened:
            await store.aclose()


@pytest.mark.parametrize("on_loop_s", [0.0, math.inf], ids=["thread", "loop"])
@pytest.mark.parametrize("case", [*CASES, *KEEPING], ids=lambda case: case.__name__)
def test_sqlite_store(case: Case, on_loop_s: float, tmp_path: Path) -> None:
    trio.run(run, case, SqliteWorld(tmp_path, on_loop_s))
    assert {p.name for p in tmp_path.iterdir()} <= {"sessions.db"}

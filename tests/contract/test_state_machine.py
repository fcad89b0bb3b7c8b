"""The state machine on every store, in both modes. A store joins by one line in `PLACES`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.snapshot import Mode
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.contract.state_machine import Place, Sessions


class MemoryPlace:
    def __init__(self, _: Path) -> None:
        self._store = MemoryStore()

    async def open(self) -> Store:
        return self._store

    async def die(self, _: Store, worker: WorkerId) -> None:
        self._store.worker_died(worker)

    async def presume_dead(self, worker: WorkerId) -> None:
        self._store.worker_died(worker)


class SqlitePlace:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "sessions.db"

    async def open(self) -> Store:
        # What a power cut does is tested beside the store.
        return await SqliteStore.open(self._file, synchronous="normal", on_loop_s=math.inf)

    async def die(self, store: Store, _: WorkerId) -> None:
        await store.aclose()

    async def presume_dead(self, worker: WorkerId) -> None:
        for lock in self._file.parent.glob(f"*.worker-{worker}"):
            lock.unlink()


PLACES: dict[str, Callable[[Path], Place]] = {"memory": MemoryPlace, "sqlite": SqlitePlace}


def play(place: str, mode: Mode, examples: int, steps: int) -> None:
    machine = type("Machine", (Sessions,), {"place_of": staticmethod(PLACES[place]), "mode": mode})
    settings = hypothesis.settings(max_examples=examples, stateful_step_count=steps, print_blob=True)
    run_state_machine_as_test(machine, settings=settings)


@pytest.mark.parametrize("mode", ["strict", "pipelined"])
@pytest.mark.parametrize("place", PLACES)
def test_sessions_do_what_the_model_does(place: str, mode: Mode) -> None:
    play(place, mode, examples=12 if place == "memory" else 6, steps=20)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["strict", "pipelined"])
@pytest.mark.parametrize("place", PLACES)
def test_sessions_do_what_the_model_does_at_length(place: str, mode: Mode) -> None:
    play(place, mode, examples=500, steps=50)

"""The state machine on every store, in both modes."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
import trio
import trio.testing
from hypothesis.stateful import run_state_machine_as_test

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.ports import Store
from graphagent.snapshot import Mode
from graphagent.stores.memory import MemoryStore
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.sqlite import SqliteStore
from tests.contract.state_machine import Place, Sessions
from tests.servers import presume_dead

T = TypeVar("T")


class LocalPlace:
    """Where nobody but this process is waited for."""

    def run(self, afn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Time runs faster; it would spin while a store's threads work if it jumped."""
        return trio.run(afn, *args, clock=trio.testing.MockClock(rate=100))

    def close(self) -> None:
        pass


class MemoryPlace(LocalPlace):
    def __init__(self) -> None:
        self._store = MemoryStore()

    async def open(self) -> Store:
        return self._store

    async def die(self, _: Store, worker: WorkerId) -> None:
        self._store.worker_died(worker)

    async def presume_dead(self, worker: WorkerId) -> None:
        self._store.worker_died(worker)


class SqlitePlace(LocalPlace):
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


class PostgresPlace:
    """A database whose store is empty. Its driver needs a loop that stays, on which time passes as it does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = concurrency.SyncRunner()

    def run(self, afn: Callable[..., Awaitable[T]], *args: Any) -> T:
        return self._runner.run(afn, *args)

    def close(self) -> None:
        self._runner.close()

    async def open(self) -> Store:
        return await PostgresStore.open(self._url)

    async def die(self, store: Store, _: WorkerId) -> None:
        await store.aclose()

    async def presume_dead(self, worker: WorkerId) -> None:
        await presume_dead(self._url, worker)


PLACES = ("memory", "sqlite", "postgres")
MODES = ("strict", "pipelined")
EXAMPLES = {"memory": (12, 500), "sqlite": (6, 500), "postgres": (3, 100)}
"""In a run of all tests, and in a long one."""


@pytest.fixture(params=PLACES)
def place_of(request: pytest.FixtureRequest) -> Callable[[Path], Place]:
    """Makes a place for one example, given an empty folder."""
    if request.param != "postgres":
        return SqlitePlace if request.param == "sqlite" else lambda _: MemoryPlace()
    empty: Callable[[], str] = request.getfixturevalue("postgres_store")
    return lambda _: PostgresPlace(empty())


def play(request: pytest.FixtureRequest, mode: Mode, *, long: bool) -> None:
    place_of = request.getfixturevalue("place_of")
    machine = type("Machine", (Sessions,), {"place_of": staticmethod(place_of), "mode": mode})
    settings = hypothesis.settings(
        max_examples=EXAMPLES[request.node.callspec.params["place_of"]][long],
        stateful_step_count=50 if long else 20, print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=settings)


@pytest.mark.usefixtures("place_of")
@pytest.mark.parametrize("mode", MODES)
def test_sessions_do_what_the_model_does(request: pytest.FixtureRequest, mode: Mode) -> None:
    play(request, mode, long=False)


@pytest.mark.long
@pytest.mark.usefixtures("place_of")
@pytest.mark.parametrize("mode", MODES)
def test_sessions_do_what_the_model_does_at_length(request: pytest.FixtureRequest, mode: Mode) -> None:
    play(request, mode, long=True)

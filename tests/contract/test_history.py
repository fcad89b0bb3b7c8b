"""Many clients of one store at once: the commits form one chain, and everybody heard the truth about it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

from graphagent import concurrency
from graphagent.ids import WorkerId
from graphagent.stores.memory import MemoryStore
from tests.contract.history import Call, Clients, begin, check, clients_of, open_store

ROOT = Path(__file__).parents[2]


def eventful(ends: Counter[str], but: str = "") -> None:
    """Clients did get into each other's way. A short fight may go by without one of these ends."""
    for end in ("commit ok", "commit unknown", "commit fail", "input ok", "input unknown", "answer ok", "answer fail"):
        assert ends[end] or end == but, f"no {end}: {ends}"


@pytest.mark.parametrize("seed", range(5))
def test_clients_of_a_store_in_memory(seed: int) -> None:
    async def main() -> Counter[str]:
        store, calls = MemoryStore(), list[Call]()

        async def rob(worker: WorkerId) -> None:
            store.worker_died(worker)

        await begin(store)
        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                chance = random.Random(f"{seed} {name}")
                nursery.start_soon(Clients(store, name, chance, rob, calls).run, 40)
        return await check(store, calls)

    eventful(trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)))


async def check_store(place: str, calls: list[Call]) -> Counter[str]:
    store = await open_store(place)
    try:
        return await check(store, calls)
    finally:
        await store.aclose()


def test_clients_of_a_file_in_one_process(tmp_path: Path) -> None:
    place, calls = str(tmp_path / "sessions.db"), list[Call]()

    async def main() -> None:
        async def one(seed: int, name: str) -> None:
            calls.extend(await clients_of(place, seed, name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, 1, "a")
            nursery.start_soon(one, 2, "b")

    trio.run(main)
    eventful(trio.run(check_store, place, calls))


def fight(place: str, seeds: range, seconds: float = 0) -> Counter[str]:
    """Several processes on one store."""
    program = [sys.executable, "-m", "tests.contract.history", place]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [*program, str(seed), f"p{seed}", str(seconds)], cwd=ROOT, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True,
                )
            )
            for seed in seeds
        ]  # fmt: skip
        for process in processes:
            stack.callback(process.kill)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        with ThreadPoolExecutor() as threads:  # one that isn't read from can't end
            told = list(threads.map(lambda process: process.communicate(timeout=seconds + 100)[0], processes))
    assert [process.returncode for process in processes] == [0] * len(processes)
    return concurrency.run_sync(check_store, place, [Call(**call) for text in told for call in json.loads(text)])


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store for several processes."""
    if request.param == "sqlite":
        return str(tmp_path / "sessions.db")
    url: str = request.getfixturevalue("postgres_store")()
    return url


def test_two_processes_fight_for_a_session(place: str) -> None:
    eventful(fight(place, range(2), seconds=3), but="commit fail")


@pytest.mark.long
def test_two_processes_fight_for_a_minute(place: str) -> None:
    eventful(fight(place, range(2), seconds=60))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_three_processes_fight_for_a_session(place: str, seed: int) -> None:
    eventful(fight(place, range(3 * seed, 3 * seed + 3)), but="commit fail")

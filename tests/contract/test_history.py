"""Many clients of one store at once: the commits form one chain, and everybody heard the truth about it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

from graphagent.ids import WorkerId
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.contract.history import Call, Clients, begin, check, clients_of_a_file

ROOT = Path(__file__).parents[2]


def eventful(ends: Counter[str]) -> None:
    """Clients did get into each other's way."""
    for end in ("commit ok", "commit unknown", "commit fail", "input ok", "input unknown", "answer ok", "answer fail"):
        assert ends[end], f"no {end}: {ends}"


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


async def check_file(file: Path, calls: list[Call]) -> Counter[str]:
    store = await SqliteStore.open(file)
    try:
        return await check(store, calls)
    finally:
        await store.aclose()


def test_clients_of_a_file_in_one_process(tmp_path: Path) -> None:
    file, calls = tmp_path / "sessions.db", list[Call]()

    async def main() -> None:
        async def one(seed: int, name: str) -> None:
            calls.extend(await clients_of_a_file(file, seed, name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, 1, "a")
            nursery.start_soon(one, 2, "b")

    trio.run(main)
    eventful(trio.run(check_file, file, calls))


def fight(file: Path, seeds: range) -> Counter[str]:
    """Several processes on one file."""
    commands = [[sys.executable, "-m", "tests.contract.history", str(file), str(seed), f"p{seed}"] for seed in seeds]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for command in commands
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return trio.run(check_file, file, [Call(**call) for text in told for call in json.loads(text)])


def test_two_processes_on_a_file(tmp_path: Path) -> None:
    eventful(fight(tmp_path / "sessions.db", range(2)))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_three_processes_on_a_file(tmp_path: Path, seed: int) -> None:
    eventful(fight(tmp_path / "sessions.db", range(3 * seed, 3 * seed + 3)))

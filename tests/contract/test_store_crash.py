"""Processes that are killed: what was acknowledged is there, nothing in part, and the next owner starts at once."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from graphagent.errors import SessionBusy
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import BOB, next_commit
from tests.unit.stores.victim import ROW, STEPS, landed

ROOT = Path(__file__).parents[2]
POINTS = {
    "takeover.before": ("takeover", False), "takeover.after": ("takeover", True),
    "append.before": ("append", False), "append.after": ("append", True),
    "commit.before": ("commit", False), "commit.sent": ("commit", False), "commit.after": ("commit", True),
    "input.before": ("input", False), "input.after": ("input", True),
    "answer.before": ("answer", False), "answer.after": ("answer", True),
    "fork.before": ("fork", False), "fork.row": ("fork", False), "fork.row:2": ("fork", False),
    "fork.sent": ("fork", False), "fork.after": ("fork", True), "release.before": ("release", False),
}  # fmt: skip
"""Point, with the hit if it isn't the first: the step in which it kills, and whether that step has landed."""


def victim(path: Path, *arguments: str, fault: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "GRAPHAGENT_FAULT": fault}
    command = [sys.executable, "-m", "tests.unit.stores.victim", str(path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


async def check(path: Path, step: str, step_landed: bool) -> None:
    store = await SqliteStore.open(path)
    for name in STEPS:
        before = list(STEPS).index(name) < list(STEPS).index(step)
        assert await landed(store, name) is (before or (name == step and step_landed)), name
    opened = await store.takeover(ROW.session, BOB)  # no waiting: whoever held the lock is dead
    await store.commit(next_commit(opened.row, opened.row.head_superstep))
    await store.aclose()


def test_a_kill_at_any_point_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with ExitStack() as stack:
        running = {
            p: stack.enter_context(victim(tmp_path / f"{p}.db", fault=f"{p if ':' in p else p + ':1'}:kill"))
            for p in POINTS
        }
        printed = {p: process.communicate(timeout=60)[0].split() for p, process in running.items()}
    for point, (step, step_landed) in POINTS.items():
        assert running[point].returncode == -9, point
        assert printed[point] == list(STEPS)[: list(STEPS).index(step)], point
        trio.run(check, tmp_path / f"{point}.db", step, step_landed)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{p}.db" for p in POINTS)


def test_an_owner_that_lives_is_named_and_one_that_is_killed_is_replaced_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        with pytest.raises(SessionBusy, match=f"process {process.pid}"):
            await store.takeover(ROW.session, BOB)
        process.kill()
        process.wait()
        assert (await store.takeover(ROW.session, BOB)).row.owner == BOB
        await store.aclose()

    with victim(tmp_path / "s.db", "stay") as process:
        assert process.stdout is not None
        while process.stdout.readline() != "stays\n":
            pass
        trio.run(main)
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"]


def test_an_interpreter_ends_without_closing_its_store(tmp_path: Path) -> None:
    with victim(tmp_path / "s.db") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.split() == list(STEPS)

    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        for name in STEPS:
            assert await landed(store, name)
        await store.aclose()

    trio.run(main)
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"]

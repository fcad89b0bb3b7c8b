"""One owner of a session: two processes on one file, a stopped one, a dead one, and one that lost its lock."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.acceptance.shop import Shop, document

GRAPH = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: first
    nodes:
      first: { kind: code, python: "shop_floor:first", writes: { log: "${ [out] }" }, next: hold }
      hold: { kind: code, python: "shop_floor:hold", writes: { log: "${ [out] }" }, next: end }
"""
FLOOR = """
    def first():
        return note("first")

    def hold():
        note("hold")
        while not (HERE / "go").exists():
            time.sleep(0.01)
        return "held"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, GRAPH, FLOOR)


@pytest.fixture
def owner(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """A process inside of `hold`."""
    process = shop.spawn("run", shop.graph.name, "--seed", "1")
    until(lambda: shop.calls()["hold"] == 1, process)
    yield process
    process.kill()
    process.communicate()


def until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def dump(file: Path) -> list[Any]:
    """All rows of all tables."""
    db = apsw.Connection(str(file))
    try:
        tables = [name for (name,) in db.execute("select name from sqlite_schema where type = 'table' order by name")]
        return [(name, list(db.execute(f"select * from {name}"))) for name in tables]
    finally:
        db.close()


def finish(shop: Shop) -> None:
    """Resume to the end."""
    (shop.folder / "go").touch()
    code, run = shop.do("resume", "@last")
    assert (code, run.get("outputs")) == (0, {"log": ["first", "held"]}), run["told"]


def test_a_stopped_owner_is_not_robbed_and_a_dead_one_is_succeeded_at_once(
    shop: Shop, owner: subprocess.Popen[str]
) -> None:
    code, refused = shop.do("resume", "@last")
    assert (code, str(owner.pid) in refused["told"]) == (7, True), refused
    os.kill(owner.pid, signal.SIGSTOP)
    before = dump(shop.store)
    code, refused = shop.do("resume", "@last")
    assert code == 7, "who is stopped may wake up again"
    assert dump(shop.store) == before, "a refused takeover leaves no trace"
    owner.kill()
    owner.wait()
    finish(shop)
    assert shop.calls() == {"first": 1, "hold": 2}


def test_an_owner_that_wakes_up_writes_nothing(shop: Shop, owner: subprocess.Popen[str]) -> None:
    """Somebody removed its lock file, so another process took over: the epoch in every write keeps it out."""
    os.kill(owner.pid, signal.SIGSTOP)
    for lock in shop.store.parent.glob("*.worker-*"):
        lock.unlink()
    finish(shop)
    before = dump(shop.store)
    os.kill(owner.pid, signal.SIGCONT)
    out, err = owner.communicate(timeout=30)
    told = document(out, err)
    assert owner.returncode not in (0, 4), told
    assert "no longer owned here" in told["told"], told
    assert dump(shop.store) == before, "a fenced write left a row"


def test_two_sessions_of_two_processes_run_side_by_side(shop: Shop, owner: subprocess.Popen[str]) -> None:
    other = shop.spawn("run", shop.graph.name, "--seed", "2")
    until(lambda: shop.calls()["hold"] == 2, other)
    (shop.folder / "go").touch()
    for process in (owner, other):
        out, err = process.communicate(timeout=30)
        assert document(out, err).get("outputs") == {"log": ["first", "held"]}, err
    assert shop.calls() == {"first": 2, "hold": 2}


def test_lock_files_of_the_dead_are_swept(shop: Shop, owner: subprocess.Popen[str]) -> None:
    assert len(list(shop.store.parent.glob("*.worker-*"))) == 1
    owner.kill()
    owner.wait()
    finish(shop)
    assert list(shop.store.parent.glob("*.worker-*")) == []

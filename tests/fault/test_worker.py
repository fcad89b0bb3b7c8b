"""`graphagent worker`: what others left is run on, timers are fired, and SIGTERM loses nothing."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.shop import Shop

GRAPH = """
    inputs: { name: str }
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: first
    nodes:
      first: { kind: code, python: "shop_floor:first", with: { name: "${ inputs.name }" }, writes: { log: "${ [out] }" }, next: [{ when: "inputs.name == 'timer'", to: nap }, { when: "inputs.name == 'ask'", to: ask }, { to: hold }] }
      nap: { kind: wait, for: 1200ms, next: hold }
      ask: { kind: human, mode: approve, prompt: Go on?, timeout: 1200ms, on_error: hold, next: hold }
      hold: { kind: code, python: "shop_floor:hold", effects: write, with: { name: "${ inputs.name }" }, writes: { log: "${ [out] }" }, next: last }
      last: { kind: code, python: "shop_floor:last", with: { name: "${ inputs.name }" }, writes: { log: "${ [out] }" }, next: end }
"""
FLOOR = """
    def first(name):
        return note("first-" + name)

    def hold(name):
        note("hold-" + name)
        while name == "slow" and not (HERE / "go").exists():
            time.sleep(0.01)
        return "held"

    def last(name):
        note("last-" + name)
        while name == "late" and not (HERE / "go").exists():
            time.sleep(0.01)
        return "last"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, GRAPH, FLOOR)


@pytest.fixture
def workers(shop: Shop) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a worker that is ready when it is given out."""
    started = []

    def start(*flags: str) -> subprocess.Popen[str]:
        process = shop.spawn("worker", *flags)
        started.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "ready" in line, line + process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def status(shop: Shop) -> list[tuple[str, str | None]]:
    return [(row.status, row.reason) for row in shop.rows()]


def test_an_abandoned_run_is_run_on(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    owner = shop.spawn("run", shop.graph.name, "-i", "name=late")
    wait_for(lambda: shop.calls()["last-late"] == 1)
    workers()
    time.sleep(1.5)
    assert shop.calls()["last-late"] == 1  # its owner is alive
    owner.kill()
    owner.communicate()
    (shop.folder / "go").touch()
    wait_for(lambda: status(shop) == [("done", None)])
    assert shop.calls() == {"first-late": 1, "hold-late": 1, "last-late": 2}


def test_timers_fire_without_anybody_else(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    """Those that were there when the worker came, and those that begin while it runs."""
    assert shop.run("-i", "name=ask")[0] == 4
    workers()
    wait_for(lambda: status(shop) == [("done", None)])
    assert shop.run("-i", "name=ask")[0] == 4
    wait_for(lambda: status(shop) == [("done", None)] * 2)
    assert shop.calls()["hold-ask"] == 2


def test_an_answer_is_taken_by_the_worker(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    graph = shop.graph.read_text().replace("timeout: 1200ms, on_error: hold, ", "")
    shop.graph.write_text(graph)
    assert shop.run("-i", "name=ask")[0] == 4
    workers()
    time.sleep(1.2)
    assert status(shop) == [("waiting", "interrupt")]
    assert shop.do("answer", "@last", "--approve", "--no-wait")[0] == 0
    wait_for(lambda: status(shop) == [("done", None)])


def test_term_lets_open_supersteps_end_and_gives_the_rest_back(
    shop: Shop, workers: Callable[..., subprocess.Popen[str]]
) -> None:
    """The write under way is finished, the superstep behind it isn't begun, and the next worker goes on at once.

    Two signals at once are one wish: `timeout` sends its own to the command and to its group.
    """
    assert shop.run("-i", "name=slow", fault="commit.after:2:kill")[0] == -signal.SIGKILL
    first = workers()
    wait_for(lambda: shop.calls()["hold-slow"] == 1)
    for _ in range(2):
        first.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    time.sleep(0.5)
    assert first.poll() is None
    (shop.folder / "go").touch()
    assert first.wait(30) == 0
    assert shop.calls()["hold-slow"] == 1
    assert shop.calls()["last-slow"] == 0
    assert status(shop) == [("running", None)]
    workers()
    wait_for(lambda: status(shop) == [("done", None)])
    assert shop.calls() == {"first-slow": 1, "hold-slow": 1, "last-slow": 1}


def test_a_second_term_stops_now_and_nothing_is_lost(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    assert shop.run("-i", "name=late", fault="commit.after:3:kill")[0] == -signal.SIGKILL
    first = workers()
    wait_for(lambda: shop.calls()["last-late"] == 1)
    for _ in range(2):
        first.send_signal(signal.SIGTERM)
        time.sleep(0.8)
    (shop.folder / "go").touch()  # a thread can't be stopped
    assert first.wait(30) == 0
    workers()
    wait_for(lambda: status(shop) == [("done", None)])
    assert shop.calls()["hold-late"] == 1


def test_a_worker_tells_what_its_tables_hold(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    worker = workers()
    worker.send_signal(signal.SIGUSR1)
    names = ("sessions", "messages", "context", "cache", "sub_agent_contexts")
    assert told(worker, *(f"{name}: entries 0, bytes 0, hits 0" for name in names))
    assert worker.poll() is None


def test_one_file_has_one_server(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    first = workers()
    code, said = shop.do("worker")
    assert code == 7
    assert f"served by process {first.pid}" in said["error"]["message"]
    first.kill()
    first.communicate()
    workers()


def test_only_sessions_of_a_graph(shop: Shop, workers: Callable[..., subprocess.Popen[str]]) -> None:
    assert shop.run("-i", "name=ask")[0] == 4
    workers("--graph", "other")
    time.sleep(3)
    assert status(shop) == [("waiting", "interrupt")]


STUBBORN = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: node
    nodes:
      node: { kind: code, python: "shop_floor:node", timeout: 200ms, writes: { log: "${ [out] }" }, on_error: [{ to: end, writes: { log: "${ [error.kind] }" } }], next: end }
"""
BLOCKS = """
    async def node():
        note("node")
        while not (HERE / "go").exists():
            pass
        return "late"
"""
SWALLOWS = """
    import asyncio

    async def node():
        note("node")
        while not (HERE / "go").exists():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                note("swallowed")
        note("late")
        return "late"
"""


def told(process: subprocess.Popen[str], *what: str) -> list[str]:
    """What a worker says until each of these was said."""
    assert process.stderr is not None
    guard = threading.Timer(60, process.kill)
    guard.start()
    lines = []
    try:
        for line in process.stderr:
            lines.append(line.rstrip())
            if all(any(each in line for line in lines) for each in what):
                return lines
    finally:
        guard.cancel()
    raise AssertionError(f"it never said {what!r}: {lines}")


def outputs(shop: Shop) -> object:
    """Of the only session, which has ended; it replays."""
    code, replayed = shop.do("replay", "@last")
    assert code == 0, replayed
    code, shown = shop.do("show", "@last", "--channel", "log")
    assert code == 0, shown
    return shown["value"]


def abandoned(tmp_path: Path, node: str) -> Shop:
    """A shop with a session whose process died before its only node began."""
    shop = Shop(tmp_path, STUBBORN, node)
    assert shop.run(fault="commit.after:1:kill")[0] == -signal.SIGKILL
    return shop


def test_what_blocks_the_loop_is_told_and_its_late_result_dropped(tmp_path: Path) -> None:
    shop = abandoned(tmp_path, BLOCKS)
    process = shop.spawn("worker")
    try:
        said = told(process, "a node's function")
        assert any("in node" in line for line in said), said
        assert any("shop_floor.py" in line for line in said), said
        (shop.folder / "go").touch()
        told(process, ": done", "nothing went on for")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    assert outputs(shop) == ["timeout"]
    assert shop.calls() == {"node": 1}


def test_what_swallows_its_cancellation_is_abandoned(tmp_path: Path) -> None:
    """The session goes on without it, and the worker ends without it."""
    shop = abandoned(tmp_path, SWALLOWS)
    process = shop.spawn("worker")
    try:
        told(process, ": done")
        assert shop.calls() == {"node": 1, "swallowed": 1}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    assert outputs(shop) == ["timeout"]
    assert shop.calls()["late"] == 0

"""Workers are replaced while there is work for them: SIGTERM loses nothing, repeats nothing, and holds up nothing."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.new import NewSession
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.session.verifying import verify_store
from graphagent.snapshot import SessionQuery
from tests.acceptance.shop import Shop
from tests.fault.test_worker import wait_for

GRAPH = """
    inputs: { name: str }
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: a
    defaults: { timeout: 30s }
    nodes:
      a: { kind: code, python: "shop_floor:read", with: { name: "${ inputs.name + '-a' }" }, writes: { log: "${ [out] }" }, next: b }
      b: { kind: code, python: "shop_floor:write", effects: write, with: { name: "${ inputs.name + '-b' }" }, writes: { log: "${ [out] }" }, next: [c, d] }
      c: { kind: code, python: "shop_floor:write", effects: write, with: { name: "${ inputs.name + '-c' }" }, writes: { log: "${ [out] }" }, next: e }
      d: { kind: code, python: "shop_floor:read", with: { name: "${ inputs.name + '-d' }" }, writes: { log: "${ [out] }" }, next: e }
      e: { kind: code, join: all, python: "shop_floor:write", effects: write, with: { name: "${ inputs.name + '-e' }" }, writes: { log: "${ [out] }" }, next: end }
"""
FLOOR = """
    async def read(name):
        import asyncio
        await asyncio.sleep(0.02)
        return note(name)

    def write(name):
        time.sleep(0.1)
        return note(name)
"""
NODES = "abcde"
WAVES, SESSIONS = 3, 8


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    url = request.getfixturevalue("postgres_store")() if request.param == "postgres" else None
    return Shop(tmp_path, GRAPH, FLOOR, postgres=url)


@pytest.fixture
def worker(shop: Shop) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a worker that is ready when it is given out."""
    with ExitStack() as stack:

        def start() -> subprocess.Popen[str]:
            process = stack.enter_context(shop.spawn("worker", "--slots", "4"))
            stack.callback(process.kill)
            assert process.stderr is not None
            assert "ready" in process.stderr.readline()
            return process

        yield start


def bring(shop: Shop, wave: int) -> None:
    """Sessions that nobody runs yet."""
    plan = read_graph_file(shop.graph).compiled()

    async def create(store: Store) -> None:
        host = Host(Settings(shop.folder, store.name), store, SystemClock(), Models(Settings(shop.folder, ""), {}))
        for number in range(SESSIONS):
            options = ops.Options(seed=wave * SESSIONS + number)
            inputs = {"name": f"{wave}.{number}"}
            await host.create(NewSession(plan, ops.seed_of(options)), [ops.run_input(plan, inputs, options)])

    shop.stored(create)


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "error" not in told, told


def test_workers_are_replaced_under_load(shop: Shop, worker: Callable[[], subprocess.Popen[str]]) -> None:
    """Of Postgres the next worker is there before the last one goes; a file has one at a time."""
    running = worker()
    for wave in range(WAVES):
        successor = worker() if shop.postgres else None
        bring(shop, wave)
        wait_for(lambda wave=wave: any(call.startswith(f"{wave}.") for call in shop.calls()))  # type: ignore[misc]
        stop(running)
        left = [row for row in shop.rows() if row.owner is not None]
        assert successor or left == [], "a session wasn't given back"
        running = successor or worker()
    wait_for(lambda: {row.status for row in shop.rows()} == {"done"}, 60)
    stop(running)
    rows = shop.rows()
    assert len(rows) == WAVES * SESSIONS
    names = [f"{wave}.{number}" for wave in range(WAVES) for number in range(SESSIONS)]
    assert shop.calls() == {f"{name}-{node}": 1 for name in names for node in NODES}
    assert any(row.epoch > 1 for row in rows), "no session was ever handed over"
    assert {row.attempts for row in rows} == {0}

    async def whole(store: Store) -> None:
        host = Host(Settings(shop.folder, store.name), store, SystemClock(), Models(Settings(shop.folder, ""), {}))
        assert (await verify_store(store)).problems == []
        for entry in await store.sessions(SessionQuery(limit=100)):
            assert (await ops.replay(host, entry.row.session)).identical

    shop.stored(whole)

"""The command line on a Postgres store: nothing is different but where sessions are, also when a process dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

import graphagent as ga
from graphagent.testing.services.postgres import PostgresServer
from tests.acceptance.pages import ROOT, follow
from tests.acceptance.shop import Shop
from tests.acceptance.test_crash import ASK, FLOOR, LATE, ORDER, goes_on
from tests.contract.proxy import Proxy

WAIT = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: look
    nodes:
      look: { kind: code, python: "shop_floor:look", writes: { log: "${ [out] }" }, next: hold }
      hold: { kind: code, python: "shop_floor:hold", writes: { log: "${ [out] }" }, next: end }
"""
HOLD = """
    def hold():
        note("hold")
        while not (HERE / "go").exists():
            time.sleep(0.01)
        return "hold"
"""


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digest of the undisturbed run on SQLite."""
    shop = Shop(tmp_path_factory.mktemp("golden"), ORDER, FLOOR)
    assert shop.run()[0] == 0
    return shop.digest()


@pytest.mark.parametrize(
    ("fault", "again"),
    [("commit.before:2:kill", "look"), ("commit.after:2:kill", None), ("append.after:1:kill", "slow")],
)
def test_a_killed_run_goes_on(tmp_path: Path, postgres: str, golden: bytes, fault: str, again: str | None) -> None:
    shop = Shop(tmp_path, ORDER, FLOOR, postgres=postgres)
    goes_on(shop, golden, fault, again)
    assert not shop.store.exists()


def test_an_owner_that_lives_keeps_its_session_and_one_that_is_killed_is_replaced_at_once(
    tmp_path: Path, postgres: str
) -> None:
    shop = Shop(tmp_path, WAIT, FLOOR + HOLD, postgres=postgres)
    with shop.spawn("run", shop.graph.name, "--seed", "1") as owner:
        deadline = time.monotonic() + 30
        while "hold" not in shop.calls():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        code, refused = shop.do("resume", "@last")
        assert (code, refused["error"]["kind"]) == (7, "session_busy")
        assert f"process {owner.pid}" in refused["told"]
        owner.kill()
        owner.communicate()
    (tmp_path / "go").touch()
    code, run = shop.do("resume", "@last")
    assert (code, run["outputs"]) == (0, {"log": ["look", "hold"]}), run["told"]
    assert shop.calls() == {"look": 1, "hold": 2}


def test_answer_history_replay_and_fork(tmp_path: Path, postgres: str) -> None:
    shop = Shop(tmp_path, ASK.replace("TIMEOUT", "1h"), FLOOR + LATE, postgres=postgres)
    code, run = shop.run()
    assert (code, run["status"], len(run["interrupts"])) == (4, "waiting", 1)
    assert shop.do("fork", "@last", "--at", "last", "--name", "other")[0] == 0
    code, run = shop.do("answer", run["interrupts"][0]["id"], "--approve")
    assert (code, run["outputs"]) == (0, {"log": ["look", "approve", "last"]})
    code, history = shop.do("history", run["session"])
    assert (code, len(history["supersteps"])) == (0, 6)
    code, replay = shop.do("replay", run["session"])
    assert (code, replay["identical"]) == (0, True)
    assert shop.do("resume", shop.rows()[1].session)[0] == 4
    assert len(shop.rows()) == 2


def test_one_graph_has_one_digest_on_every_store(tmp_path: Path, postgres: str) -> None:
    """Also a project that is used from several loops, one after the other: each call below has its own."""
    graph = tmp_path / "count.graph.yaml"
    graph.write_text(
        "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: count }\n"
        "outputs: { log: 'list[int]', n: int }\n"
        "channels:\n  log: { type: 'list[int]', reducer: append }\n  n: { type: int, default: 0 }\n"
        "start: add\nnodes:\n"
        "  add: { kind: set, writes: { log: '${ [n] }', n: '${ n + 1 }' },"
        " next: [{ when: 'n < 30', to: add }, { to: end }] }\n"
    )
    digests = {}
    for store in ("memory:", str(tmp_path / "s.db"), postgres):
        project = ga.Project(tmp_path, store=store)
        first = ga.load(graph).run(project=project, options=ga.RunOptions(seed=7))
        second = ga.load(graph).run(project=project, options=ga.RunOptions(seed=7, durability="pipelined"))
        assert first.outputs == second.outputs == {"log": list(range(30)), "n": 30}
        for mode, run in (("strict", first), ("pipelined", second)):
            session = project.session(run.session.id)
            digests[store, mode] = [step.digest for step in session.history().supersteps]
            assert session.replay().identical
        project.close()
    assert len({tuple(found) for found in digests.values()}) == 1
    assert len(digests[postgres, "strict"]) > 30


def test_a_superstep_with_effects_is_one_round_trip_however_far_the_server_is(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Replies come later than journal rows are appended ahead of their barrier."""
    (tmp_path / "steps.py").write_text("def step(n): return n + 1\n")
    graph = tmp_path / "count.graph.yaml"
    graph.write_text(
        "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: count }\n"
        "inputs: { to: int }\noutputs: { n: int }\nchannels: { n: { type: int, default: 0 } }\n"
        "limits: { supersteps: 50 }\nstart: add\nnodes:\n"
        "  add: { kind: code, python: 'steps:step', with: { n: '${n}' }, writes: { n: '${out}' },"
        " next: [{ when: 'n < inputs.to', to: add }, { to: end }] }\n"
    )
    with Proxy(postgres_server.port) as proxy:
        proxy.delay_s = 0.012
        project = ga.Project(tmp_path, store=proxy.url(postgres))

        async def run() -> list[int]:
            sent = []
            for to in (4, 4, 14):  # the first one prepares the statements
                before = proxy.messages["S"] + proxy.messages["Q"]
                assert (await ga.load(graph).arun(project=project, to=to)).outputs == {"n": to}
                sent.append(proxy.messages["S"] + proxy.messages["Q"] - before)
            await project.aclose()
            return sent

        _, few, many = asyncio.run(run())
    assert many - few in (10, 11)  # a lease may have been renewed meanwhile


def test_without_the_driver_the_command_that_brings_it_is_named(tmp_path: Path) -> None:
    program = "import sys; sys.modules['asyncpg'] = None; from graphagent.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--store", "postgresql://host/db", "sessions"], cwd=tmp_path, text=True,
        capture_output=True, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "")
    assert "asyncpg is not installed" in done.stderr
    assert "pip install 'graphagent[postgres]'" in done.stderr


def test_the_page(tmp_path: Path, postgres: str) -> None:
    """`edit` sees files and commands, not what they print, so the URL is put back there."""
    page = (ROOT / "docs" / "howto" / "postgres.md").read_text(encoding="utf-8")
    here = tmp_path / "postgres.md"
    here.write_text(page.replace("postgresql://graphagent@localhost/agents", postgres), encoding="utf-8")
    assert follow(here, tmp_path, {}) == 5

"""The order in which tasks finish is no part of a result: one seed and one script give one digest, on every store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio
import trio.testing

from graphagent import concurrency
from graphagent.codec import encode
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import validate_text
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.session.operations import Options
from graphagent.session.services import Models, SystemClock
from graphagent.session.settings import Settings
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore

SHUFFLES = 1_000
FUNCTIONS = """
import random
import trio
from graphagent.errors import NodeError
from graphagent.marks import trio_node

CHANCE = random.Random(0)

@trio_node
async def work(x):
    await trio.sleep(CHANCE.random() / 100)
    return x

@trio_node
async def stubborn(context, x):
    await trio.sleep(CHANCE.random() / 100)
    got = await context.effect("inner", work, x)
    context.emit("tried", {"attempt": context.attempt, "chance": context.random.random()})
    if context.attempt == 0:
        raise NodeError("not at first", kind="unavailable")
    return [got, str(context.uuid()), context.random.random()]

@trio_node
async def picky(x):
    await trio.sleep(CHANCE.random() / 100)
    if x % 3 == 1:
        raise NodeError(f"{x} isn't liked", kind="tool_failed")
    return x / 10

@trio_node
async def boom(x):
    await trio.sleep(CHANCE.random() / 100)
    raise ValueError(x)
"""
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: shuffled }
outputs: { log: "list[any]", total: float, chat: any, wrong: "list[str]" }
channels:
  log: { type: "list[any]", reducer: append }
  words: { type: "list[str]", reducer: union }
  total: { type: float, reducer: sum }
  found: { type: "dict[str, any]", reducer: merge }
  chat: { type: "list[Message]", reducer: messages }
  wrong: { type: "list[str]", reducer: append }
  rounds: { type: int, reducer: sum }
start: split
nodes:
  split: { kind: set, writes: { rounds: 1 }, next: [a, b, each, child, bad, worse] }
  a: { kind: code, python: "fns:work", with: { x: 0.1 }, writes: { log: "${ [out] }", total: "${ out }", words: [one, two], found: { k: a }, chat: [{ role: user, content: a }] }, next: join }
  b: { kind: code, python: "fns:stubborn", with: { x: 0.2 }, retry: { max: 2, delay: 1ms }, writes: { log: "${ out }", total: 0.2, words: [two, three], found: { k: b }, chat: [{ role: user, content: b }] }, next: join }
  each:
    kind: map
    over: "[0, 1, 2]"
    need: { at_least: 0.5 }
    concurrency: 2
    do: { kind: code, python: "fns:picky", with: { x: "${ item }" } }
    writes: { log: "${ results }", total: "${ sum(results) }", wrong: "${ [e.error.message for e in errors] }" }
    next: join
  child: { kind: graph, graph: sub, with: { x: "${ rounds }" }, writes: { log: "${ out.log }" }, next: join }
  bad: { kind: code, python: "fns:boom", with: { x: first }, next: join, on_error: handler }
  worse: { kind: code, python: "fns:boom", with: { x: second }, next: join, on_error: handler }
  handler: { kind: set, join: any, writes: { wrong: "${ [error.message] }" }, next: join }
  join: { kind: router, join: all, next: end }
graphs:
  sub:
    inputs: { x: int }
    outputs: { log: "list[any]" }
    channels: { log: { type: "list[any]", reducer: append } }
    start: [p, q]
    nodes:
      p: { kind: code, python: "fns:work", with: { x: "${ inputs.x }" }, writes: { log: "${ [out] }" }, next: end }
      q: { kind: code, python: "fns:work", with: { x: q }, writes: { log: "${ [out] }" }, next: end }
"""


def project(folder: Path) -> Plan:
    (folder / "fns.py").write_text(FUNCTIONS)
    files = ProjectFolder(folder)
    spec, found, _ = validate_text(GRAPH, "shuffled.graph.yaml", files)
    assert spec is not None, found
    return compile_spec(spec, files.template)


def host_of(store: Store, folder: Path) -> Host:
    settings = Settings(folder, "memory:")
    return Host(settings, store, SystemClock(), Models(settings, {}))


async def one_run(host: Host, plan: Plan, shuffle: int) -> tuple[SessionId, list[bytes], Any]:
    """Session, digests and outputs of a run whose tasks take other times in each shuffle."""
    chance = host.services_of(host.know(plan)).function("fns:work").__globals__["CHANCE"]
    chance.seed(shuffle)
    outcome = await ops.start(host, plan, {}, Options(seed=7))
    assert outcome.row.status == "done", outcome.error
    rows = await host.store.checkpoints(outcome.row.spans(), limit=1_000)
    return outcome.row.session, [row.digest for row in rows], outcome.outputs


def test_completion_order_is_no_part_of_a_result(tmp_path: Path) -> None:
    plan = project(tmp_path)

    async def main() -> None:
        first: list[bytes] = []
        orders = set()
        for shuffle in range(SHUFFLES):
            if shuffle % 100 == 0:
                host = host_of(MemoryStore(), tmp_path)
            session, digests, outputs = await one_run(host, plan, shuffle)
            first = first or digests
            assert digests == first, f"shuffle {shuffle}: {outputs}"
            if shuffle < 20:
                effects = await host.store.effects((await host.store.session(session)).spans(2, 3))
                orders.add(tuple(row.path for row in sorted(effects, key=lambda row: row.ended_at or 0)))
                assert (await ops.replay(host, session)).identical
        assert len(orders) > 10  # the tasks did finish in other orders

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_stores_agree(tmp_path: Path) -> None:
    """The same digests from memory and SQLite, and undisturbed by other sessions running at the same time."""
    plan = project(tmp_path)

    async def main() -> None:
        host = host_of(MemoryStore(), tmp_path)
        _, expected, outputs = await one_run(host, plan, 1)
        (tmp_path / "db").mkdir()
        store = await SqliteStore.open(tmp_path / "db" / "sessions.db", synchronous="normal")
        try:
            filed = host_of(store, tmp_path)
            results: list[tuple[SessionId, list[bytes], Any]] = []

            async def run(shuffle: int) -> None:
                results.append(await one_run(filed, plan, shuffle))

            async with trio.open_nursery() as nursery:
                for shuffle in range(4):
                    nursery.start_soon(run, shuffle)
            for session, digests, got in results:
                assert digests == expected
                assert encode(got) == encode(outputs)
                assert (await ops.replay(filed, session)).identical
        finally:
            await store.aclose()

    concurrency.run_sync(main)

"""What a superstep costs in counts, which don't drift: syncs, round trips, rows and bytes. Nothing is timed."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio
from trio.testing import MockClock

from graphagent import concurrency
from graphagent.engine.commits import MOST_COMMITS
from graphagent.llm.scripted import ScriptedModel
from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.sqlite import SqliteStore
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.proxy import Proxy
from tests.unit.session.documents.world import MODULE, StillClock, World
from tests.unit.stores.disk import Disk

LICENSE = Path(__file__).parents[2] / "LICENSE"
LOOP = """
    inputs: { n: int }
    channels: { i: { type: int, default: 0 } }
    limits: { supersteps: 100000 }
    start: tick
    nodes: { tick: { kind: set, writes: { i: "${ i + 1 }" }, next: [{ when: i < inputs.n, to: tick }, { to: end }] } }
"""
ANSWERS = """
    inputs: { n: int }
    models: { main: scripted/main }
    channels: { i: { type: int, default: 0 }, said: str }
    limits: { supersteps: 100000 }
    start: say
    nodes:
      say:
        kind: llm
        model: main
        prompt: "Number {{ i }}"
        with: { i: "${ i }" }
        writes: { said: "${ out.text }", i: "${ i + 1 }" }
        next: [{ when: i < inputs.n, to: say }, { to: end }]
"""
TURNS = """
    inputs: { n: int }
    models: { main: scripted/main }
    types: { Line: { role: str, content: str } }
    channels:
      i: { type: int, default: 0 }
      talk: { type: "list[Line]", reducer: append }
      plan: { type: str, default: "look, then answer" }
      user: { type: str, default: "ada" }
      place: { type: str, default: "Lisbon" }
      seen: { type: "list[str]", reducer: append }
      mood: { type: str, default: "calm" }
      found: str
    limits: { supersteps: 100000 }
    start: look
    nodes:
      look: { kind: code, python: "fns:look", effects: read, with: { i: "${ i }" }, writes: { found: "${ out }" }, next: say }
      say:
        kind: llm
        model: main
        prompt: "Number {{ i }}"
        with: { i: "${ i }" }
        writes: { talk: "${ [{'role': 'assistant', 'content': out.text}] }", i: "${ i + 1 }" }
        next: [{ when: i < inputs.n, to: look }, { to: end }]
"""
TALK = """
    inputs: { text: str }
    types: { Line: { role: str, content: str } }
    channels: { talk: { type: "list[Line]", reducer: append, scope: session } }
    start: say
    nodes:
      say:
        kind: set
        writes: { talk: "${ [{'role': 'user', 'content': inputs.text}, {'role': 'assistant', 'content': inputs.text}] }" }
        next: end
"""
BUDGETS = {"one channel": (LOOP, 0, 460, 1_300), "an answer": (ANSWERS, 900, 2_100, 2_500),
           "a turn": (TURNS, 2_000, 5_000, 7_000)}  # fmt: skip
"""By name: graph, length of a model's answer, bytes in SQLite and in Postgres. A turn is two supersteps. An answer is
stored twice: as what its call gave, and as the value of a channel."""
SLACK = 1.2
WORDS = LICENSE.read_text(encoding="utf-8").split()
ON_LOOP_S = pytest.mark.parametrize("on_loop_s", [math.inf, 0.0], ids=["on the loop", "in the thread"])


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.unregister()


@asynccontextmanager
async def hosted(folder: Path, store: Store, answer: int = 0) -> AsyncIterator[World]:
    """A world whose model answers with so many characters, no two times the same."""
    rng = random.Random(1)
    world = World(folder, store, StillClock())
    world.models["main"] = ScriptedModel([text(rng, answer) for _ in range(700)])
    world.functions("def look(i):\n    return f'what was found is {i * 7919}'\n")
    world.host = world.new_host()
    try:
        yield world
    finally:
        await store.aclose()
        sys.modules.pop(MODULE, None)


def text(rng: random.Random, length: int) -> str:
    """Words in an order that nobody knows; they can be packed to about a half, as English can."""
    words: list[str] = []
    while sum(len(word) + 1 for word in words) < length:
        words.append(rng.choice(WORDS))
    return " ".join(words)[:length]


async def run(world: World, graph: str, n: int, **options: Any) -> None:
    """A run in a session of its own."""
    world.clock.skip(1_000_000)
    outcome = await world.start(graph, {"n": n}, **options)
    assert outcome.row.status == "done", outcome.error


# ---- syncs and round trips -------------------------------------------------------------------------------------------


@ON_LOOP_S
def test_a_strict_superstep_costs_one_sync(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    """Folding the log costs a sync of it, and one more of its new beginning."""

    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        async with hosted(tmp_path, store) as world:
            counts = []
            for n in (10, 310):
                syncs, folds = disk.syncs, disk.folds
                await run(world, LOOP, n)
                counts.append((disk.syncs - syncs, disk.folds - folds))
            (few, _), (many, folds) = counts
            assert folds
            assert 300 <= many - few <= 300 + 2 * (folds + 1)

    trio.run(main)


@ON_LOOP_S
def test_a_hundred_sessions_share_their_syncs(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        async with hosted(tmp_path, store) as world:
            plan = world.plan(LOOP)
            before = disk.syncs
            async with trio.open_nursery() as nursery:
                for seed in range(100):
                    nursery.start_soon(ops.start, world.host, plan, {"n": 20}, ops.Options(seed=seed))
            assert disk.syncs - before <= 0.1 * 100 * 20

    trio.run(main)


def test_a_pipelined_superstep_costs_a_part_of_a_sync(disk: Disk, tmp_path: Path) -> None:
    """As many supersteps as a queue takes share one, where the disk isn't waited for: no time passes here."""

    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=math.inf)
        async with hosted(tmp_path, store) as world:
            counts = []
            for n in (8, 168):
                before = disk.syncs
                await run(world, LOOP, n, durability="pipelined")
                counts.append(disk.syncs - before)
            assert counts[1] - counts[0] == 160 / MOST_COMMITS

    trio.run(main, clock=MockClock())


def test_a_superstep_is_one_round_trip_to_postgres(
    postgres_server: PostgresServer, postgres: str, tmp_path: Path
) -> None:
    async def main() -> None:
        with Proxy(postgres_server.port) as proxy:
            async with hosted(tmp_path, await PostgresStore.open(proxy.url(postgres))) as world:
                await run(world, LOOP, 20)  # each connection has prepared its statements
                sent = []
                for n in (20, 120):
                    before = proxy.messages.copy()
                    await run(world, LOOP, n)
                    sent.append(proxy.messages - before)
                assert sent[1] - sent[0] == Counter({"B": 100, "E": 100, "S": 100})

    concurrency.run_sync(main)


# ---- rows and bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUDGETS)
def test_rows_of_sqlite_fit_their_budget(name: str, tmp_path: Path) -> None:
    graph, answer, budget, _ = BUDGETS[name]
    file = tmp_path / "s.db"

    async def main() -> None:
        async with hosted(tmp_path, await SqliteStore.open(file), answer) as world:
            got = await grown(world, graph, lambda: folded(file))
            print("GOT", name, got, budget)
            assert got <= budget * SLACK

    trio.run(main)


@pytest.mark.parametrize("name", BUDGETS)
def test_rows_of_postgres_fit_their_budget(
    name: str, postgres_server: PostgresServer, postgres: str, tmp_path: Path
) -> None:
    graph, answer, _, budget = BUDGETS[name]
    database = postgres.rpartition("/")[2]
    sizes = "select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relnamespace = 'graphagent'::regnamespace"

    def size() -> int:
        postgres_server.run_sql("vacuum full", database)
        return int(postgres_server.run_sql(sizes, database))

    async def main() -> None:
        async with hosted(tmp_path, await PostgresStore.open(postgres), answer) as world:
            got = await grown(world, graph, size)
            print("GOT", name, got, budget)
            assert got <= budget * SLACK

    concurrency.run_sync(main)


async def grown(world: World, graph: str, size: Callable[[], int]) -> float:
    """By how many bytes a superstep of a long run makes the store grow."""
    await run(world, graph, 20)
    before = size()
    await run(world, graph, 600)
    return (size() - before) / 600


def folded(file: Path) -> int:
    """The size of a file once its log is folded in."""
    connection = apsw.Connection(str(file))
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    return file.stat().st_size


def test_a_superstep_writes_one_row_of_each_kind(tmp_path: Path) -> None:
    file = tmp_path / "s.db"

    async def main() -> None:
        async with hosted(tmp_path, await SqliteStore.open(file)) as world:
            counts = []
            for n in (10, 60):
                before = rows(file)
                await run(world, LOOP, n)
                counts.append(rows(file) - before)
            assert counts[1] - counts[0] == Counter(checkpoints=50, events=50)

    trio.run(main)


def rows(file: Path) -> Counter[str]:
    """How many rows each table has."""
    connection = apsw.Connection(str(file))
    names = [name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")]
    found = Counter({name: next(connection.execute(f"select count(*) from {name}"))[0] for name in names})
    connection.close()
    return found


def test_a_conversation_of_a_thousand_turns_stays_small(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    rng = random.Random(2)

    async def main() -> None:
        async with hosted(tmp_path, await SqliteStore.open(tmp_path / "empty.db")):
            pass
        async with hosted(tmp_path, await SqliteStore.open(file)) as world:
            plan, options = world.plan(TALK), ops.Options(durability="pipelined")
            outcome = await ops.start(world.host, plan, {"text": text(rng, 500)}, options)
            for _ in range(999):
                world.clock.skip(1_000_000)
                await ops.run_again(world.host, outcome.row.session, {"text": text(rng, 500)})
        assert folded(file) - folded(tmp_path / "empty.db") <= 3_000_000 * SLACK

    trio.run(main)

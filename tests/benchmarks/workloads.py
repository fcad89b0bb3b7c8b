"""P1 to P8 of the performance targets, and all workloads by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import trio

from graphagent.graph.plan import Plan
from graphagent.session import operations
from graphagent.session.host import Host
from graphagent.snapshot import SessionRow
from tests.benchmarks import bare
from tests.benchmarks.agents import a1
from tests.benchmarks.drawings import d1
from tests.benchmarks.following import p9, p10
from tests.benchmarks.graphs import FAN, TALK, chain, finish, in_project, plan, resident_kb
from tests.benchmarks.measure import Figure, times
from tests.benchmarks.servers import p13
from tests.benchmarks.sizes import p11, p12

Workload = Callable[[Path, bool], list[Figure]]


def p1(folder: Path, quick: bool) -> list[Figure]:
    """A chain of supersteps in memory, one trivial node."""
    steps, rounds = (200, 3) if quick else (1000, 5)
    out: list[Figure] = []
    kinds = {"pure": ("inc", "pure", 8), "trio": ("inc_trio", "read", 8), "asyncio": ("inc_async", "read", 45)}
    for name, (function, effects, target) in kinds.items():
        graph = chain(folder, function, effects)

        async def work(host: Host, graph: Plan = graph, name: str = name, target: float = target) -> list[Figure]:
            values = await times(lambda: finish(host, graph, {"n": steps}), rounds, per=steps)
            return [Figure("P1", f"chain of {steps:,}, {name} node, a superstep", "us", values, target)]

        out += in_project(work, folder, guest=name == "asyncio")
    return out


def p2(folder: Path, quick: bool) -> list[Figure]:
    """A fan-out and its join."""
    graph = plan(folder, FAN)
    sizes = (100,) if quick else (10, 100, 1000)

    async def work(host: Host) -> list[Figure]:
        out = []
        for size in sizes:
            values = await times(lambda size=size: finish(host, graph, {"items": list(range(size))}), 5, per=size)  # type: ignore[misc]
            out.append(
                Figure("P2", f"map over {size:,} pure items, an item", "us", values, 9 if size == 1000 else None)
            )
        return out

    return in_project(work, folder, guest=False)


def p3(folder: Path, quick: bool) -> list[Figure]:
    """The chain with SQLite, every superstep durable; then many sessions at once."""
    steps, sessions = (100, 20) if quick else (1000, 100)
    graph = chain(folder)

    async def work(host: Host) -> list[Figure]:
        one = await times(lambda: finish(host, graph, {"n": steps}), 3, per=steps)
        behind = operations.Options(durability="pipelined")
        queued = await times(lambda: finish(host, graph, {"n": steps}, behind), 3, per=steps)

        async def many() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(sessions):
                    nursery.start_soon(finish, host, graph, {"n": 20})

        all_ = await times(many, 3, per=sessions * 20)
        ratios = [value / bare.median(alone) for value in one]
        return [
            Figure("P3", f"chain of {steps:,}, SQLite, strict, a superstep", "us", one),
            Figure("P3", "the same over a bare commit", "x", ratios, 1.6),
            Figure("P3p", f"chain of {steps:,}, SQLite, pipelined, a superstep", "us", queued, 40),
            Figure("P3", f"{sessions} sessions at once, SQLite, a superstep", "us", all_),
        ]

    alone = bare.commits(folder)
    floors = [
        Figure("P3", "bare: one commit of a row of 500 bytes", "us", alone),
        Figure("P3p", "bare: a row of one commit of 8", "us", bare.commits(folder, rows=8)),
    ]
    return [*floors, *in_project(work, folder, str(folder / "p3.db"))]


def p4(folder: Path, quick: bool) -> list[Figure]:
    """A conversation: one run a turn, two messages of 500 bytes a turn."""
    turns = 100 if quick else 1000
    graph = plan(folder, TALK)
    store = folder / "p4.db"

    async def work(host: Host) -> list[Figure]:
        spent = []
        text = "the quick brown fox jumps over it " * 15
        outcome = await finish(host, graph, {"text": text[:500], "n": 0})
        began = time.perf_counter()
        for n in range(1, turns):
            started = time.perf_counter()
            said = f"{n} " + os.urandom(245).hex()
            await operations.run_again(host, outcome.row.session, {"text": said, "n": n})
            spent.append((time.perf_counter() - started) * 1e3)
        whole = time.perf_counter() - began
        tenth = max(turns // 10, 1)
        first, last = sorted(spent[:tenth])[tenth // 2], sorted(spent[-tenth:])[tenth // 2]
        return [
            Figure("P4", f"conversation of {turns:,} turns, in all", "s", [whole], 0.4),
            Figure("P4", "last tenth of turns over the first", "x", [last / first], 1.3),
        ]

    floor = Figure("P4", "bare: one commit of a row of 1,000 bytes", "us", bare.commits(folder, size=1000))
    out = [floor, *in_project(work, folder, str(store))]
    size = sum(f.stat().st_size for f in folder.glob("p4.db*")) / 1e6
    return [*out, Figure("P4", "database, write-ahead log folded in", "MB", [size], 3)]


def _run_of(length: int, folder: Path) -> tuple[Path, SessionRow]:
    """A session of that many checkpoints in a file of its own."""
    store = folder / f"p5-{length}.db"
    graph = chain(folder)
    rows: list[SessionRow] = []

    async def work(host: Host) -> list[Figure]:
        options = operations.Options(until_snapshot=length)
        rows.append((await operations.start(host, graph, {"n": 10 * length}, options)).row)
        return []

    in_project(work, folder, str(store))
    return store, rows[0]


def p5(folder: Path, quick: bool) -> list[Figure]:
    """Reconnect, load the head, one superstep."""
    out = [Figure("P5", "bare: open a file, read a row, commit one", "ms", bare.reopened(folder))]
    for length in (1000,) if quick else (100, 1000, 10_000):
        store, row = _run_of(length, folder)
        values: list[float] = []
        for i in range(10):

            async def work(
                host: Host, i: int = i, length: int = length, row: SessionRow = row, values: list[float] = values
            ) -> list[Figure]:
                await host.store.session(row.session)
                options = operations.Options(until_snapshot=length + i + 1)
                started = time.perf_counter()
                await operations.resume(host, row.session, options)
                values.append((time.perf_counter() - started) * 1e3)
                return []

            in_project(work, folder, str(store))
        out.append(Figure("P5", f"resume and one superstep at {length:,} checkpoints", "ms", values, 1.2))
    return out


def p6(folder: Path, quick: bool) -> list[Figure]:
    """List 1,000 checkpoints; fork in the middle."""
    length = 200 if quick else 1000
    store, row = _run_of(length, folder)

    async def work(host: Host) -> list[Figure]:
        listed = await times(lambda: host.store.checkpoints(row.spans(), limit=length), 10, scale=1e3)
        forked = await times(lambda: operations.fork(host, row.session, length // 2), 20, scale=1e3)
        return [
            Figure("P6", f"bare: read {length:,} rows of 500 bytes", "ms", bare.read(folder, length)),
            Figure("P6", f"list {length:,} checkpoints", "ms", listed, 10),
            Figure("P6", "bare: one commit of a row of 500 bytes", "ms", [us / 1e3 for us in bare.commits(folder)]),
            Figure("P6", "fork in the middle", "ms", forked, 0.4),
        ]

    return in_project(work, folder, str(store))


def p7(folder: Path, quick: bool) -> list[Figure]:
    """Cold starts, in fresh processes."""
    nodes = "\n".join(f"  n{i}: {{ kind: set, next: n{i + 1} }}" for i in range(29))
    head = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: thirty }\nstart: n0\nnodes:\n"
    file = folder / "thirty.graph.yaml"
    file.write_text(f"{head}{nodes}\n  n29: {{ kind: set, next: end }}\n")
    commands = {
        "bare Python": (["-c", "pass"], None),
        "import graphagent": (["-c", "import graphagent"], 60.0),
        "graphagent --help": (["-m", "graphagent", "--help"], 200.0),
        "graphagent validate of 30 nodes": (["-m", "graphagent", "validate", str(file)], 350.0),
    }
    out = []
    for what, (arguments, target) in commands.items():
        values = []
        for _ in range(3 if quick else 7):
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            values.append((time.perf_counter() - started) * 1e3)
        out.append(Figure("P7", what, "ms", values, target))
    return out


def p8(folder: Path, quick: bool) -> list[Figure]:
    """Many short runs at once, nodes that yield."""
    runs = 100 if quick else 1000
    graph = chain(folder, "breathe", "read")

    async def work(host: Host) -> list[Figure]:
        async def all_runs() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(runs):
                    nursery.start_soon(finish, host, graph, {"n": 5})

        before = resident_kb()
        values = await times(all_runs, 3, scale=1)
        grown = max(resident_kb() - before, 0) / runs
        return [
            Figure("P8", f"{runs:,} runs of 5 supersteps at once", "runs/s", [runs / v for v in values], 12000, True),
            Figure("P8", "memory a session, still in the store", "KB", [grown], 12),
        ]

    return in_project(work, folder)


ALL: dict[str, Workload] = {
    "P1": p1, "P2": p2, "P3": p3, "P4": p4, "P5": p5, "P6": p6, "P7": p7, "P8": p8, "P9": p9,
    "P10": p10, "P11": p11, "P12": p12, "P13": p13, "A1": a1, "D1": d1,
}  # fmt: skip

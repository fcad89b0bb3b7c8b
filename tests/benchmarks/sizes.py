"""P11 and P12: graphs of many nodes, maps over many items."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import trio

from graphagent.graph.compile import compile_spec
from graphagent.graph.validate import check_text
from graphagent.session.graph_file import read_graph_file
from graphagent.session.project import Project
from tests.benchmarks.graphs import FAN, finish, plan, resident_kb
from tests.benchmarks.measure import Figure, times

ROOT = Path(__file__).parents[2]
HEAD = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: many }
channels: { count: { type: int, default: 0 } }
start: n0
nodes:
"""


def many_nodes(count: int) -> str:
    """A graph in one long line, whose every third node may skip the next one."""
    rows = []
    for i in range(count - 1):
        to = f"n{i + 1}"
        if i % 3 == 0 and i + 2 < count:
            to = f"[{{ when: count < {i}, to: n{i + 2} }}, {{ to: n{i + 1} }}]"
        writes = 'writes: { count: "${ count + 1 }" }, ' if i % 2 == 0 else ""
        rows.append(f"  n{i}: {{ kind: set, {writes}next: {to} }}\n")
    return f"{HEAD}{''.join(rows)}  n{count - 1}: {{ kind: set, next: end }}\n"


def p11(folder: Path, quick: bool) -> list[Figure]:
    """Reading, all checks and compiling."""
    out = []
    for count, target in ((1_000, 0.5),) if quick else ((1_000, 0.5), (10_000, 5.0)):
        text, values = many_nodes(count), []
        for _ in range(1 if quick else 3):
            started = time.perf_counter()
            checked = check_text(text, "many.graph.yaml")
            assert checked.spec is not None
            assert len(compile_spec(checked.spec, lambda file: None).graph.nodes) == count
            values.append(time.perf_counter() - started)
        out.append(Figure("P11", f"read, check and compile {count:,} nodes", "s", values, target))
    return [*out, *(_loading(file) for file in sorted((ROOT / "examples").rglob("*.graph.yaml")))]


def _loading(file: Path) -> Figure:
    values = []
    for i in range(6):
        started = time.perf_counter()
        read_graph_file(file).compiled()
        if i:
            values.append((time.perf_counter() - started) * 1e3)
    return Figure("P11", f"load {file.name}", "ms", values, 20)


def p12(folder: Path, quick: bool) -> list[Figure]:
    """A map over many items."""
    graph = plan(folder, FAN.replace("concurrency: 1000", "concurrency: 64"))
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)

    async def run() -> list[Figure]:
        project = Project(folder, store="memory:")
        out = []
        try:
            host = await project.host()
            for size in sizes:
                items = list(range(size))
                gc.collect()
                before = resident_kb()
                values = await times(lambda items=items: finish(host, graph, {"items": items}), 3, per=size)  # type: ignore[misc]
                out.append(Figure("P12", f"map over {size:,} items, 64 at once, an item", "us", values))
            grown = (resident_kb() - before) * 1024 / size
            return [*out, Figure("P12", f"memory after 4 runs with {size:,} items, an item", "B", [grown], 4 * 2048)]
        finally:
            await project.aclose()

    return trio.run(run)

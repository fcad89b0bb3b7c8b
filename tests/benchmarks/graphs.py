"""The small graphs of the workloads, the functions that they call, and running them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

import graphagent
from graphagent import concurrency
from graphagent.graph.plan import Plan
from graphagent.session import operations
from graphagent.session.host import Host
from graphagent.session.project import Project
from tests.benchmarks.measure import Figure

FUNCTIONS = """
import asyncio

def inc(x):
    return x + 1

async def inc_async(x):
    return x + 1

async def inc_trio(x):
    return x + 1

inc_trio.__graphagent_trio__ = True

def add_one(x: int) -> int:
    return x + 1

def same(item):
    return item

async def breathe(x):
    await asyncio.sleep(0)
    return x + 1

def turn(n, text):
    return [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
"""

CHAIN = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: chain }}
inputs: {{ n: int }}
outputs: {{ count: int }}
limits: {{ supersteps: 1000000 }}
channels: {{ count: {{ type: int, default: 0 }} }}
start: tick
nodes:
  tick:
    kind: code
    python: bench_functions:{function}
    effects: {effects}
    with: {{ x: "${{ count }}" }}
    returns: int
    writes: {{ count: "${{ out }}" }}
    next: [{{ when: count < inputs.n, to: tick }}, {{ to: end }}]
"""

FAN = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: fan }
inputs: { items: "list[int]" }
outputs: { done: "list[int]" }
limits: { map_items: 100000 }
channels: { done: { type: "list[int]", reducer: append } }
start: each
nodes:
  each:
    kind: map
    over: inputs.items
    concurrency: 1000
    do: { kind: code, python: "bench_functions:same", effects: pure, with: { item: "${ item }" }, returns: int }
    writes: { done: "${ results }" }
    next: end
"""

TALK = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: talk }
inputs: { text: str, n: int }
outputs: { turns: int }
types: { Line: { role: str, content: str } }
channels:
  talk: { type: "list[Line]", reducer: append, scope: session }
start: say
nodes:
  say:
    kind: code
    python: bench_functions:turn
    effects: pure
    with: { n: "${ inputs.n }", text: "${ inputs.text }" }
    returns: "list[Line]"
    writes: { talk: "${ out }" }
    next: end
result: { turns: "${ len(talk) }" }
"""


def plan(folder: Path, text: str) -> Plan:
    """The plan of a workload, with its functions beside it in `folder`."""
    (folder / "bench_functions.py").write_text(FUNCTIONS)
    file = folder / "bench.graph.yaml"
    file.write_text(text)
    return graphagent.load(file).compile()


def chain(folder: Path, function: str = "inc", effects: str = "pure") -> Plan:
    """The chain with one trivial node."""
    return plan(folder, CHAIN.format(function=function, effects=effects))


async def finish(
    host: Host, graph: Plan, inputs: dict[str, Any], options: operations.Options = operations.DEFAULTS
) -> operations.Outcome:
    """One run in a new session, which has to end as done."""
    outcome = await operations.start(host, graph, inputs, options)
    assert outcome.row.status == "done", outcome.error
    return outcome


def in_project(
    work: Callable[[Host], Awaitable[list[Figure]]], folder: Path, store: str = "memory:", *, guest: bool = True
) -> list[Figure]:
    """Run `work` with a fresh project: as trio's guest on asyncio, or on plain trio."""

    async def run() -> list[Figure]:
        project = Project(folder, store=store)
        try:
            return await work(await project.host())
        finally:
            await project.aclose()

    return concurrency.run_sync(run) if guest else trio.run(run)


def resident_kb() -> float:
    """Memory of this process, in KB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024

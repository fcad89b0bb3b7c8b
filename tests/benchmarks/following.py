"""P9 and P10: a run whose every event is read, and a run that is replayed."""

from __future__ import annotations

import time
from pathlib import Path

import trio

from graphagent.session import operations
from graphagent.session.observer import Observer
from graphagent.session.project import Project
from tests.benchmarks import bare
from tests.benchmarks.graphs import chain, finish
from tests.benchmarks.measure import Figure, times

BARE = "bare: a small JSON text written, hashed, read"


def p9(folder: Path, quick: bool) -> list[Figure]:
    """The chain of P1, and how much more it costs with a consumer of every event."""
    steps, rounds = (200, 3) if quick else (1000, 5)
    graph = chain(folder)

    async def run() -> list[Figure]:
        project = Project(folder, store="memory:")
        try:
            host = await project.host()
            seen: list[object] = []

            async def watched() -> None:
                seen.clear()
                await operations.start(host, graph, {"n": steps}, observer=Observer(seen.append))

            alone = await times(lambda: finish(host, graph, {"n": steps}), rounds, per=steps)
            with_events = await times(watched, rounds, per=steps)
            assert len(seen) > steps
            more = [b - a for a, b in zip(sorted(alone), sorted(with_events), strict=True)]
            what = f"a consumer of {len(seen) / steps:.0f} events a superstep, more"
            return [Figure("P9", BARE, "us", bare.encodings()), Figure("P9", what, "us", more, 3)]
        finally:
            await project.aclose()

    return trio.run(run)


def p10(folder: Path, quick: bool) -> list[Figure]:
    """Replay of the chain in `verify` mode."""
    steps, rounds = (200, 2) if quick else (2000, 3)
    graph = chain(folder)

    async def run() -> list[Figure]:
        project = Project(folder, store="memory:")
        try:
            host = await project.host()
            row = (await finish(host, graph, {"n": steps})).row
            values = []
            for _ in range(rounds):
                started = time.perf_counter()
                report = await operations.replay(host, row.session)
                assert report.first_difference is None
                values.append(len(report.supersteps) / (time.perf_counter() - started))
            floor = Figure("P10", BARE, "us", bare.encodings())
            return [floor, Figure("P10", f"replay of {steps:,} supersteps, verified", "steps/s", values, 15_000, True)]
        finally:
            await project.aclose()

    return trio.run(run)

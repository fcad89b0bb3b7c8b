"""P13: the chain on a real Postgres server, one session and 32 at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import asyncpg
import trio

from graphagent.concurrency import aio
from graphagent.session.host import Host
from graphagent.testing.services.postgres import PostgresServer
from tests.benchmarks.graphs import chain, finish, in_project
from tests.benchmarks.measure import Figure, times

SESSIONS = 32


def p13(folder: Path, quick: bool) -> list[Figure]:
    """Every superstep durable: one session; then many, whose commits the server flushes together."""
    steps, rounds = (100, 2) if quick else (500, 3)
    graph = chain(folder)
    with PostgresServer() as server:
        url = server.create_database("bench")

        async def work(host: Host) -> list[Figure]:
            bare = await aio(inserts, url, steps)
            one = await times(lambda: finish(host, graph, {"n": steps}), rounds, per=steps)

            async def many() -> None:
                async with trio.open_nursery() as nursery:
                    for _ in range(SESSIONS):
                        nursery.start_soon(finish, host, graph, {"n": steps // 5})

            all_ = await times(many, rounds, per=SESSIONS * (steps // 5))
            median = sorted(bare)[len(bare) // 2]
            return [
                Figure("P13", "bare: one insert of 500 bytes", "us", bare),
                Figure("P13", f"chain of {steps:,}, Postgres, strict, a superstep", "us", one),
                Figure("P13", "the same over a bare insert", "x", [value / median for value in one]),
                Figure("P13", f"{SESSIONS} sessions at once, Postgres, a superstep", "us", all_),
            ]

        return in_project(work, folder, url)


async def inserts(url: str, count: int) -> list[float]:
    """Times of single durable inserts, in microseconds."""
    db = await asyncpg.connect(url)
    try:
        await db.execute("create table bare (a bigserial primary key, b bytea)")
        out = []
        for _ in range(count):
            started = time.perf_counter()
            await db.execute("insert into bare (b) values ($1)", os.urandom(500))
            out.append((time.perf_counter() - started) * 1e6)
        return out
    finally:
        await db.close()

"""Real servers of a test run: each starts when the first test asks for it, once in a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from graphagent.concurrency import aio
from graphagent.ids import WorkerId
from graphagent.testing.services.postgres import PostgresServer
from graphagent.testing.services.valkey import ValkeyServer

_numbers = count(1)
_free: list[str] = []
_TABLES = (
    "sessions", "checkpoints", "blobs", "deltas", "events", "effects", "inputs", "interrupts", "cache", "workers",
    "artifacts",
)  # fmt: skip


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres server. Tests that stop it have one of their own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database of its own, without a store in it."""
    if not _free:
        name = f"test_{next(_numbers)}"
        postgres_server.create_database(name)
        _free.append(name)
    name = _free.pop()
    yield postgres_server.url(name)
    # To clear one takes a tenth of the time that making one does.
    ended = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    postgres_server.run_sql(f"alter database {name} reset all; {ended}")
    postgres_server.run_sql("drop schema if exists graphagent cascade", name)
    _free.append(name)


@pytest.fixture(scope="session")
def _store(postgres_server: PostgresServer) -> str:
    """A database for stores that are opened in it and emptied, one after the other."""
    return postgres_server.create_database("store")


@pytest.fixture
def postgres_store(postgres_server: PostgresServer, _store: str) -> Callable[[], str]:
    """Called, it gives the URL of a database whose store, if one was opened there, is empty: quicker than a new one."""
    delete = "; ".join(f"delete from graphagent.{table}" for table in _TABLES)
    emptied = f"do $$ begin if to_regnamespace('graphagent') is not null then {delete}; end if; end $$"

    def empty() -> str:
        postgres_server.run_sql(emptied, "store")
        return _store

    return empty


async def presume_dead(url: str, worker: WorkerId) -> None:
    """Let others take over what this worker of a store in Postgres owns, though it lives: its lease is gone."""
    await _run(url, "delete from graphagent.workers where worker = $1", worker.raw)


async def cut_off(url: str, worker: WorkerId) -> None:
    """End the connection by which this worker is alive. It makes a new one, unless others are quicker."""
    lock = "(classid::bigint << 32) | objid::bigint = graphagent.ga_lock($1)"
    await _run(
        url, f"select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and {lock}", worker.raw
    )


async def _run(url: str, sql: str, *values: object) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(sql, *values)
        finally:
            await connection.close()

    await aio(run)


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A server that speaks the protocol of Redis, for this test alone."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="session")
def mcp_url() -> Iterator[str]:
    """The URL of an MCP server that speaks streamable HTTP. Tests that end it have one of their own."""
    with mcp_over_http() as url:
        yield url


@contextmanager
def mcp_over_http() -> Iterator[str]:
    """A server in a process of its own; it ends with the block."""
    command = [sys.executable, "-m", "tests.mcp_server", "--http"]
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.communicate()

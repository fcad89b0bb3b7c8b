"""Real servers of a test run: each starts when the first test asks for it, once in a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from graphagent.testing.services.postgres import PostgresServer
from graphagent.testing.services.valkey import ValkeyServer

_numbers = count(1)
_free: list[str] = []


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

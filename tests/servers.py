"""Real servers of a test run: each starts when the first test asks for it, once in a process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from graphagent.testing.services.postgres import PostgresServer

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres server. Tests that stop it have one of their own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """The URL of a fresh database."""
    return postgres_server.create_database(f"test_{next(_numbers)}")

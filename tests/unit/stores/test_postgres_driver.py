from __future__ import annotations

import asyncpg
import pytest

from graphagent.errors import (
    GraphAgentError,
    InputInvalid,
    StoreCorrupt,
    StoreFull,
    StoreReadonly,
    StoreUnavailable,
)
from graphagent.stores.postgres_driver import Again, Away, Slow, explained, keeps
from graphagent.stores.rows import Damage


def of_server(state: str) -> Exception:
    error: Exception = asyncpg.PostgresError.new({"C": state, "M": "what it says", "S": "ERROR"})
    return error


@pytest.mark.parametrize(
    ("state", "kind", "usable"),
    [
        ("40001", Again, True),
        ("40P01", Again, True),
        ("57P01", Away, False),
        ("57P03", Away, False),
        ("57014", Slow, False),
        ("08006", Away, False),
        ("53300", Away, True),
        ("53100", StoreFull, True),
        ("25006", StoreReadonly, True),
        ("22021", InputInvalid, True),
        ("XX001", StoreCorrupt, True),
        ("42P01", StoreCorrupt, True),
        ("42501", StoreUnavailable, True),
        ("28P01", StoreUnavailable, True),
        ("XX000", StoreUnavailable, True),
    ],
)
def test_errors_of_the_server(state: str, kind: type[GraphAgentError], usable: bool) -> None:
    found = explained(of_server(state), "postgresql://host/db")
    assert type(found) is kind
    assert "what it says" in str(found) or kind is StoreFull
    assert keeps(of_server(state)) is usable


@pytest.mark.parametrize(
    "error", [EOFError(), ConnectionRefusedError("no"), asyncpg.InterfaceError("connection is closed")]
)
def test_a_connection_that_is_lost_is_away(error: Exception) -> None:
    found = explained(error, "postgresql://host/db")
    assert type(found) is Away
    assert "postgresql://host/db can't be reached" in str(found)
    assert not keeps(error)
    assert type(explained(TimeoutError(), "db")) is Slow
    assert not keeps(TimeoutError())


def test_damage_names_its_checkpoint_and_an_error_of_ours_stays() -> None:
    found = explained(Damage("row 1", checkpoint="ckp_1"), "db")
    assert isinstance(found, StoreCorrupt)
    assert (found.checkpoint, str(found)) == ("ckp_1", "db: row 1")
    for error in (ValueError("x"), asyncpg.DataError("invalid input")):
        assert explained(error, "db") is error

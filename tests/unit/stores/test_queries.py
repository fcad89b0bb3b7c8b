from __future__ import annotations

import re
from pathlib import Path

from graphagent.codec import digest
from graphagent.stores.queries import migrations, queries

STORES = Path(__file__).parents[3] / "graphagent" / "stores"


def test_queries_have_a_name_and_no_comment() -> None:
    found = queries("sqlite")
    assert found["session"] == "select * from sessions where sid = ?1"
    assert not any(text.startswith("--") or text.endswith(";") or not text for text in found.values())


def test_parts_stand_in_the_queries_that_name_them() -> None:
    found = queries("postgres")
    assert "journal_rows" not in found
    assert all("insert into effects" in found[name] for name in ("commit_bodies", "append"))
    assert not any("{" in text for text in found.values())


def test_every_query_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in STORES.glob("*.py"))
    used = set(re.findall(r'"(\w+)"', code))
    assert queries("sqlite").keys() - used == set()


def test_migrations_are_numbered_from_one() -> None:
    first = migrations("sqlite")[0]
    assert (first.version, first.name) == (1, "first")
    assert first.checksum == digest(first.text.encode())
    assert [m.version for m in migrations("sqlite")] == list(range(1, len(migrations("sqlite")) + 1))


def test_no_python_of_the_stores_imports_the_interpreters_sqlite() -> None:
    for path in STORES.glob("*.py"):
        assert "import sqlite3" not in path.read_text(encoding="utf-8")

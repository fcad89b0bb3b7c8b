"""The named queries of Postgres: `:name` in their text becomes a numbered parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphagent.stores.queries import queries

_PARAMETER = re.compile(r"(?<!:):([a-z][a-z_]*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with `$1`, `$2`, ... and which value goes where."""

    text: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Statement:
        """The statement of a text with names."""
        numbers: dict[str, int] = {}
        numbered = _PARAMETER.sub(lambda m: f"${numbers.setdefault(m[1], len(numbers) + 1)}", text)
        return cls(numbered, tuple(numbers))

    def values(self, named: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their numbers."""
        return [named[name] for name in self.names]


SQL: Mapping[str, Statement] = {name: Statement.parse(text) for name, text in queries("postgres").items()}


async def fetch(connection: Any, name: str, /, **named: Any) -> list[Any]:
    """All rows of a query."""
    statement = SQL[name]
    rows: list[Any] = await connection.fetch(statement.text, *statement.values(named))
    return rows


async def fetch_row(connection: Any, name: str, /, **named: Any) -> Any:
    """The first row of a query; None if there is none."""
    statement = SQL[name]
    return await connection.fetchrow(statement.text, *statement.values(named))


async def fetch_value(connection: Any, name: str, /, **named: Any) -> Any:
    """The first column of the first row."""
    row = await fetch_row(connection, name, **named)
    return None if row is None else row[0]

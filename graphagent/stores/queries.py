"""SQL that stays SQL: named queries and numbered migrations, read from `.sql` files.

A query begins with a line `-- name: NAME`; comment lines below it describe it. What several queries of a file have in
common begins with `-- part: NAME`, and stands in them as `{NAME}`. Files whose names begin with four digits are
migrations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from graphagent.codec import digest

_NAME = re.compile(r"^-- (name|part): (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_MIGRATION = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. Its text never changes once it is released."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> bytes:
        return digest(self.text.encode())


def _texts(dialect: str) -> list[tuple[str, str]]:
    folder = files("graphagent.stores") / "sql" / dialect
    return sorted((f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".sql"))


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """All named queries of a dialect, without their comments."""
    found: dict[str, str] = {}
    for file, whole in _texts(dialect):
        if _MIGRATION.fullmatch(file):
            continue
        _, *pieces = _NAME.split(whole)
        parts: dict[str, str] = {}
        for what, name, body in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            if name in found or name in parts:
                raise ValueError(f"{file}: {what} {name!r} is there twice")
            text = _COMMENT.sub("", body).strip()
            for part, shared in parts.items():
                text = text.replace(f"{{{part}}}", shared)
            (parts if what == "part" else found)[name] = text
    return MappingProxyType(found)


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """All migrations of a dialect, by number, without a gap."""
    found = [
        Migration(int(match[1]), match[2], text)
        for file, text in _texts(dialect)
        if (match := _MIGRATION.fullmatch(file))
    ]
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{dialect}: the migrations aren't numbered 1, 2, 3, ...")
    return tuple(found)

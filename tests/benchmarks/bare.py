"""Bare primitives of this machine, beside which a figure means something on any other one."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

median = statistics.median


@contextmanager
def database(folder: Path, name: str = "bare.db") -> Iterator[apsw.Connection]:
    """A durable SQLite database of one table."""
    db = apsw.Connection(str(folder / name))
    for statement in ("journal_mode = wal", "synchronous = full"):
        db.execute(f"pragma {statement}")
    db.execute("create table if not exists t (a integer primary key, b)")
    try:
        yield db
    finally:
        db.close()


def insert(db: apsw.Connection, rows: int, size: int) -> None:
    """One commit."""
    db.execute("begin immediate")
    db.executemany("insert into t (b) values (?)", [(os.urandom(size),) for _ in range(rows)])
    db.execute("commit")


def commits(folder: Path, *, count: int = 200, rows: int = 1, size: int = 500) -> list[float]:
    """Times of a row in single durable commits, in microseconds."""
    out = []
    with database(folder) as db:
        for _ in range(count):
            started = time.perf_counter()
            insert(db, rows, size)
            out.append((time.perf_counter() - started) * 1e6 / rows)
    return out


def reopened(folder: Path, count: int = 20) -> list[float]:
    """Times of opening a database, reading a row and committing one, in milliseconds."""
    out = []
    with database(folder, "reopened.db") as kept:
        insert(kept, 1, 500)
        for _ in range(count):
            started = time.perf_counter()
            with database(folder, "reopened.db") as db:
                list(db.execute("select * from t where a = 1"))
                insert(db, 1, 500)
            out.append((time.perf_counter() - started) * 1e3)
    return out


def read(folder: Path, rows: int, count: int = 20) -> list[float]:
    """Times of reading so many rows, in milliseconds."""
    out = []
    with database(folder, "read.db") as db:
        insert(db, rows, 500)
        for _ in range(count):
            started = time.perf_counter()
            list(db.execute("select * from t limit ?", (rows,)))
            out.append((time.perf_counter() - started) * 1e3)
    return out


def encodings(count: int = 2000, rounds: int = 5) -> list[float]:
    """Times of writing, hashing and reading a small JSON text, in microseconds."""
    manifest = {
        "channels": {"i": [299, "v", 299]},
        "control": {"due": [{"from": ["tick"], "node": "tick"}], "steps": 9},
    }
    out = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(count):
            data = json.dumps(manifest, sort_keys=True).encode()
            hashlib.sha256(data).digest()
            json.loads(data)
        out.append((time.perf_counter() - started) * 1e6 / count)
    return out

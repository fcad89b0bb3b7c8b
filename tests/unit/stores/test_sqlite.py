"""Damage: whatever bit of the file flips, a reader gets what was written or `StoreCorrupt`, never anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio

from graphagent.codec import digest, encode
from graphagent.errors import NotFound, StoreCorrupt
from graphagent.ids import CheckpointId
from graphagent.snapshot import Blob, Delta, NewFork, SessionRow
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import (
    ANN,
    artifact_row,
    batch,
    checkpoint_row,
    effect_row,
    fork_row,
    interrupt_row,
    next_commit,
    run_input,
    session_row,
    started,
)

LONG = [encode([f"{k} long text that is worth packing"] * 40) for k in range(4)]


async def filled(path: Path) -> SessionRow:
    """A store with a session that has something in every table, long and short."""
    store = await SqliteStore.open(path)
    row = (await started(store, session_row(name="n", tags=("t",)), run_input(), run_input("m2", body=LONG[0]))).row
    for k in range(4):
        fields: dict[str, Any] = {
            "events": replace(batch(k), body=LONG[k]) if k % 2 else batch(k),
            "effects": [effect_row(k), effect_row(k, 1, outcome=LONG[k], cost=b"{}", write_key=digest(b"%d" % k))],
            "deltas": [Delta("log", k, LONG[k] if k % 2 else b"[1]")],
            "blobs": [Blob(digest(LONG[k]), LONG[k]), Blob(digest(b"%d" % k), b"%d" % k)],
            "interrupts": [interrupt_row(row, f"q{k}")],
            "checkpoint": checkpoint_row(row, k, row.head, manifest=LONG[k] if k % 2 else b"{}"),
            "artifacts": [artifact_row(row, b"%d" % k)],
            "taken_n": 1,
        }
        await store.commit(next_commit(row, k, **fields))
        row = await store.session(row.session)
    await store.append(row.session, row.epoch, [effect_row(4)])
    await store.answer(interrupt_row(row, "q0").interrupt, b'"yes"', "me", [(row.session, run_input("m3"))])
    await store.aclose()
    return row


async def everything(path: Path, row: SessionRow) -> list[Any]:
    """All that can be read of the session, without what a takeover changes."""
    store = await SqliteStore.open(path)
    try:
        opened = await store.takeover(row.session, ANN)
        spans = row.spans()
        hashes = [digest(d) for d in (*LONG, b"0", b"1", b"2", b"3")]
        return [
            replace(opened, row=row), await store.blobs(row.family, hashes), await store.checkpoints(spans),
            await store.deltas(spans, "log"), await store.events(spans), await store.effects(spans),
            await store.inputs(row.session), await store.interrupts(row.session, status=None),
            await store.interrupts(status=None), await store.artifacts(row.family),
            [await store.checkpoint(row.head or CheckpointId(""))],
        ]  # fmt: skip
    finally:
        await store.aclose()


FLIP: dict[str, Callable[[Any], Any]] = {
    "BLOB": lambda value: bytes([value[0] ^ 4]) + value[1:],
    "TEXT": lambda value: chr(ord(value[0]) ^ 2) + value[1:],
    "INTEGER": lambda value: value ^ 8,
}
UNSEALED = {
    "sessions": {"name", "reason", "epoch", "owner", "attempts", "commit_n", "commit_token", "run_n", "updated_at"},
    "inputs": {"taken_by"},
}
"""Labels and counters that commits move. Those that must agree with something are compared by a takeover."""
MOVED = {("sessions", "sid"), ("deltas", "sid"), ("deltas", "channel"), ("artifacts", "family")}
"""Keys: an update moves the index along, so the row is another one's."""


def flip_columns(path: Path) -> Iterator[str]:
    """Flip a bit in one column of the last row of one table after the other; yields its name."""
    db = apsw.Connection(str(path))
    tables = ["sessions", "checkpoints", "blobs", "deltas", "events", "effects", "inputs", "interrupts", "artifacts"]
    found = [(table, column[1], column[2]) for table in tables for column in db.execute(f"pragma table_info({table})")]
    for table, column, kind in found:
        query = f"select rowid, {column} from {table} where length({column}) > 0 order by rowid desc limit 1"
        last = next(db.execute(query), None)
        if last is not None and column not in UNSEALED.get(table, ()) and (table, column) not in MOVED:
            db.execute(f"update {table} set {column} = ? where rowid = ?", (FLIP[kind](last[1]), last[0]))
            yield f"{table}.{column}"
            db.execute(f"update {table} set {column} = ? where rowid = ?", (last[1], last[0]))
    db.close()


@pytest.mark.slow
def test_a_flip_in_any_column_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    row = trio.run(filled, path)
    found: list[StoreCorrupt] = []
    missed = []
    for column in flip_columns(path):
        try:
            trio.run(everything, path, row)
            missed.append(column)
        except StoreCorrupt as error:
            found.append(error)
    assert missed == []
    assert all(str(path) in error.message and error.hint for error in found)
    assert len(found) > 75


@pytest.mark.slow
def test_a_flip_in_any_byte_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    row = trio.run(filled, path)
    good = trio.run(everything, path, row)
    whole = path.read_bytes()
    used = [place for place, byte in enumerate(whole) if byte]
    found = hidden = 0
    for place in used[:: len(used) // 100]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            got = trio.run(everything, path, row)
        except (StoreCorrupt, NotFound):
            found += 1
            continue
        # A flipped key in an index hides a row from a listing, and only that; what a run stands on is counted.
        assert got[0].checkpoint == good[0].checkpoint
        assert (got[0].journal, got[0].inputs) == (good[0].journal, good[0].inputs)
        assert all(item in all_items for some, all_items in zip(got[1:], good[1:], strict=True) for item in some)
        hidden += got != good
    assert found > 30
    assert hidden < 5


def test_a_damaged_head_names_the_last_good_checkpoint(tmp_path: Path) -> None:
    async def main() -> None:
        row = await filled(tmp_path / "s.db")
        db = apsw.Connection(str(tmp_path / "s.db"))
        db.execute("update checkpoints set manifest = x'00' where superstep >= 2")
        db.close()
        store = await SqliteStore.open(tmp_path / "s.db")
        with pytest.raises(StoreCorrupt, match=f"checkpoint {row.head}") as caught:
            await store.takeover(row.session, ANN)
        assert caught.value.checkpoint == row.head
        assert f"the last good one is {checkpoint_row(row, 1).checkpoint} (snapshot 2)" in str(caught.value.hint)
        # It was never executed, and a fork at the good one is.
        assert (await store.session(row.session)).epoch == row.epoch
        good = await store.checkpoint(checkpoint_row(row, 1).checkpoint)
        await store.fork([NewFork(fork_row(row, 2, good, 7))])
        assert (await store.takeover(session_row(7).session, ANN)).checkpoint == good
        await store.aclose()

    trio.run(main)


def test_missing_events_are_noticed(tmp_path: Path) -> None:
    async def main() -> None:
        row = await filled(tmp_path / "s.db")
        db = apsw.Connection(str(tmp_path / "s.db"))
        db.execute("delete from events where superstep = 1")
        db.close()
        store = await SqliteStore.open(tmp_path / "s.db")
        with pytest.raises(StoreCorrupt, match="events 2 to 3"):
            await store.events(row.spans())
        await store.aclose()

    trio.run(main)

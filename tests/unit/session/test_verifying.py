"""What is damaged is named: the session, the checkpoint, and what of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from graphagent import concurrency
from graphagent.codec import decode, encode
from graphagent.session.checking import Problem
from graphagent.session.verifying import Verified, verify_store
from graphagent.snapshot import SessionRow
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.corpus.sessions import answer, dived, forked, host_on, start


def verified(file: Path) -> Verified:
    async def main() -> Verified:
        store = await SqliteStore.open(file)
        try:
            return await verify_store(store)
        finally:
            await store.aclose()

    return concurrency.run_sync(main)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, SessionRow]:
    """The bytes of a store with three families, and the row of a session with long values and a segment."""
    file = tmp_path_factory.mktemp("store") / "s.db"

    async def main() -> SessionRow:
        host = host_on(await SqliteStore.open(file))
        session = await start(host, "ledger", {"rounds": 4})
        await answer(host, session)
        await forked(host)
        await dived(host)
        row = await host.store.session(session)
        await host.aclose()
        return row

    row = concurrency.run_sync(main)
    return file.read_bytes(), row


def test_a_store_without_damage_is_whole(kept: tuple[bytes, SessionRow], tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    file.write_bytes(kept[0])
    found = verified(file)
    assert found.problems == []
    assert (found.sessions, found.checkpoints > 30, found.blobs > 15) == (7, True, True)


DAMAGE = {
    "a checkpoint": ("update checkpoints set manifest = x'00' where sid = ?1 and superstep = 3", "is damaged", True),
    "a missing checkpoint": ("delete from checkpoints where sid = ?1 and superstep = 3", "superstep 3", False),
    "the head": (
        "delete from checkpoints where sid = ?1 and ckp = (select head_ckp from sessions where sid = ?1)",
        "disagrees with its head",
        True,
    ),
    "an outcome": ("update effects set outcome = x'00' where sid = ?1 and superstep = 2", "effect", False),
    "a missing effect": ("delete from effects where sid = ?1 and superstep = 2", "digest doesn't fit", True),
    "a delta": ("update deltas set items = x'00' where sid = ?1 and superstep = 1", "channel 'log'", False),
    "a missing delta": ("delete from deltas where sid = ?1 and superstep = 1", "items of channel 'log'", True),
    "events": ("update events set body = x'00' where sid = ?1 and superstep = 2", "events", False),
    "missing events": ("delete from events where sid = ?1 and superstep = 2", "events", False),
    "an input": ("update inputs set body = x'00' where sid = ?1", "input", False),
    "the row": ("update sessions set seed = x'00' where sid = ?1", "can't be listed", False),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named(what: str, kept: tuple[bytes, SessionRow], tmp_path: Path) -> None:
    data, row = kept
    statement, text, checkpoint = DAMAGE[what]
    file = tmp_path / "s.db"
    file.write_bytes(data)
    db = apsw.Connection(str(file))
    db.execute(statement, (row.session.raw,))
    assert db.changes() > 0
    db.close()
    problems = verified(file).problems
    assert problems
    assert all(p.session == row.session for p in problems if what != "the row"), problems
    assert any(text in p.what for p in problems), problems
    assert any(p.checkpoint is not None for p in problems) == checkpoint, problems


def test_a_damaged_blob_is_named_with_the_checkpoint_that_it_takes_along(
    kept: tuple[bytes, SessionRow], tmp_path: Path
) -> None:
    data, row = kept
    file = tmp_path / "s.db"
    file.write_bytes(data)
    db = apsw.Connection(str(file))
    ((hash,),) = db.execute("select hash from blobs where family = ? and codec = 1 limit 1", (row.family.raw,))
    db.execute("update blobs set data = x'00' where hash = ?", (hash,))
    db.close()
    problems = verified(file).problems
    assert Problem(row.family, f"{file}: blob {hash.hex()} is damaged") in problems
    assert any(p.session == row.session and p.checkpoint is not None for p in problems)


def forged(change: Callable[[dict[str, object]], None]) -> list[Problem]:
    """The problems of a session of which one recorded superstep was changed, seals and all."""

    async def main() -> list[Problem]:
        store = MemoryStore()
        host = host_on(store)
        session = await start(host, "ledger", {"rounds": 2})
        inner = store._sessions[session]
        first, batch = inner.events[1]
        body = decode(batch.body)
        change(body)
        inner.events[1] = (first, replace(batch, body=encode(body)))
        return (await verify_store(store)).problems

    return concurrency.run_sync(main)


def test_what_no_seal_covers_is_found_by_the_digest() -> None:
    def other_writes(body: dict[str, object]) -> None:
        body["tasks"][0][3]["writes"] = ["n"]  # type: ignore[index]

    problems = forged(other_writes)
    assert [p.what for p in problems] == ["its digest doesn't fit its record"]
    assert problems[0].superstep == 1

"""Files that no export wrote: each is refused with a reason, and nothing is stored."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.codec import decode, digest, encode
from graphagent.engine.call_ids import write_key
from graphagent.errors import ArchiveInvalid, Conflict, NotFound
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session.archive import Archive, read_archive
from graphagent.session.exporting import archive_bytes
from graphagent.session.importing import import_session
from graphagent.session.new_ids import with_new_ids
from graphagent.snapshot import Blob, EffectState, SessionCopy, SessionQuery
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.corpus.sessions import FOLDER, host_on

pytestmark = pytest.mark.slow

GOOD = (FOLDER / "dives.gasession").read_bytes()
HASH = 44


def signed(data: bytes) -> bytes:
    """The bytes with a checksum that fits."""
    return data + b"hash" + (32).to_bytes(8, "big") + digest(data)


def archive(name: str = "dives") -> Archive:
    return read_archive((FOLDER / f"{name}.gasession").read_bytes(), name)


def write(folder: Path, data: bytes) -> Path:
    file = folder / "x.gasession"
    file.write_bytes(data)
    return file


def refused(file: Path, store: Store | None = None) -> str:
    """Why a file is refused; nothing was stored."""

    async def main() -> str:
        host = host_on(store or MemoryStore())
        with pytest.raises(ArchiveInvalid) as caught:
            await import_session(host, file)
        assert await host.store.sessions(SessionQuery(children=True)) == []
        return caught.value.message

    return concurrency.run_sync(main)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is no exported session"),
        (b"%PDF-1.4 hello", "is no exported session"),
        (b"apiVersion: graphagent/v1\n", "is no exported session"),
        (GOOD.replace(b"\r\n", b"\n"), "is no exported session"),
        (GOOD[:8], "version 0"),
        (GOOD[:11] + b"\x02" + GOOD[12:], "version 2"),
        (GOOD[:12], "cut off"),
        (GOOD + b"more", "cut off"),
        (GOOD + GOOD, "cut off"),
        (GOOD[:-1], "cut off"),
        (signed(GOOD[:12]), "doesn't begin with"),
        (signed(GOOD[:-HASH] + b"blob" + b"\xff" * 8), "longer than what is left"),
        (signed(GOOD[:-HASH] + b"blob" + b"\x7f" + b"\xff" * 7 + b"x"), "longer than what is left"),
        (signed(GOOD[:-HASH] + b"bl"), "longer than what is left"),
        (signed(GOOD[:-HASH] + b"what" + bytes(8)), "wrong place"),
        (signed(GOOD[:12] + b"meta" + (10**5).to_bytes(8, "big") + b"[" * 10**5), "no export"),
        (signed(GOOD[:12] + b"meta" + (30).to_bytes(8, "big") + b"1" * 30), "no export"),
    ],
)
def test_what_is_no_export_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    assert why in refused(write(tmp_path, data))


def test_what_was_cut_or_flipped_on_the_way_is_refused(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(60):
        place = chance.randrange(12, len(GOOD))
        flipped = bytearray(GOOD)
        flipped[place] ^= 1 << chance.randrange(8)
        for data in (bytes(flipped), GOOD[:place]):
            assert "checksum doesn't fit" in refused(write(tmp_path, data))


def test_a_flip_under_a_forged_checksum_is_refused_or_harmless(tmp_path: Path) -> None:
    chance = random.Random(4)
    told: list[str] = []

    async def attempt(data: bytes) -> None:
        store = MemoryStore()
        try:
            await import_session(host_on(store), write(tmp_path, data))
        except ArchiveInvalid as error:
            told.append(error.message)
            assert await store.sessions(SessionQuery(children=True)) == []

    async def main() -> None:
        for _ in range(300):
            body = bytearray(GOOD[:-HASH])
            body[chance.randrange(12, len(body))] ^= 1 << chance.randrange(8)
            await attempt(signed(bytes(body)))

    concurrency.run_sync(main)
    assert len(told) > 250  # what is left are labels, times and other things that no digest covers


def test_special_files_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        os.mkfifo(tmp_path / "pipe")
        for file in (tmp_path / "pipe", tmp_path, tmp_path / "none", Path("/dev/zero")):
            with pytest.raises(NotFound):
                await import_session(host_on(MemoryStore()), file)

    concurrency.run_sync(main)


def changed(copy: SessionCopy, part: str, at: int, **fields: Any) -> SessionCopy:
    """A copy with one row that differs."""
    rows = list(getattr(copy, part))
    rows[at] = replace(rows[at], **fields)
    parts: dict[str, Any] = {part: tuple(rows)}
    return replace(copy, **parts)


def root(whole: Archive, change: Callable[[SessionCopy], SessionCopy]) -> Archive:
    copies = [change(c) if c.row.session == whole.root else c for c in whole.sessions]
    return replace(whole, sessions=tuple(copies))


def forged() -> dict[str, Archive]:
    """Exports that somebody changed, and signed anew."""
    whole, ledger = archive(), archive("runs_again")
    strange = SessionId.derive("x")

    def lies(part: str, at: int, **fields: Any) -> Archive:
        return root(whole, lambda copy: changed(copy, part, at, **fields))

    def row(**fields: Any) -> Archive:
        return root(whole, lambda copy: replace(copy, row=replace(copy.row, **fields)))

    manifest = decode(whole.sessions[0].checkpoints[-1].manifest)
    manifest["channels"] = {}
    return {
        "an outcome": lies("effects", 0, outcome=b'"paid 8"'),
        "a failed call": lies("effects", 0, state=EffectState.FAILED),
        "events": lies("events", 1, body=encode({**decode(whole.sessions[0].events[1].body), "tasks": []})),
        "a digest": lies("checkpoints", 2, digest=b"d" * 32),
        "a manifest": lies("checkpoints", -1, manifest=encode(manifest)),
        "no manifest": lies("checkpoints", -1, manifest=b"[]"),
        "a plan that isn't there": lies("checkpoints", 1, plan=b"p" * 32),
        "a delta": root(ledger, lambda copy: changed(copy, "deltas", 0, items=encode(["forged"] * 25))),
        "no deltas": root(ledger, lambda copy: replace(copy, deltas=())),
        "a counter": row(event_n=1),
        "inputs": row(input_n=7),
        "a head": row(head_superstep=2),
        "a floor": row(floor_superstep=99),
        "the seed": row(seed=b"another seed 123"),
        "a caller": row(caller=strange),
        "a foreign child": replace(whole, sessions=(
            *(c if c.row.session == whole.root else replace(c, row=replace(c.row, caller=strange))
              for c in whole.sessions),)),
        "no children": replace(whole, sessions=(whole.sessions[0], whole.sessions[0])),
        "another root": replace(whole, root=strange),
        "an event twice": root(whole, lambda copy: replace(copy, events=(*copy.events, copy.events[-1]))),
        "a checkpoint twice": root(whole, lambda c: replace(c, checkpoints=(*c.checkpoints, c.checkpoints[-1]))),
        "no blobs": replace(ledger, blobs=()),
        "one blob less": replace(ledger, blobs=ledger.blobs[1:]),
        "a blob that is no value": replace(whole, blobs=(*whole.blobs, Blob(digest(b"\xff"), b"\xff"))),
        "infinity": replace(whole, blobs=(*whole.blobs, Blob(digest(b"Infinity"), b"Infinity"))),
        "a foreign question": lies("effects", 0, superstep=50),
    }  # fmt: skip


@pytest.mark.parametrize("what", forged())
def test_what_somebody_changed_is_refused(what: str, tmp_path: Path) -> None:
    told = refused(write(tmp_path, archive_bytes(forged()[what])))
    assert str(tmp_path) in told


@pytest.mark.parametrize(
    ("name", "kept"),
    [("ledger.graph.yaml", True), ("a/b/x.yaml", True), ("/etc/x.yaml", False), ("../x.yaml", False),
     ("a/../../x.yaml", False), (None, False)],
)  # fmt: skip
def test_a_file_says_nothing_about_places_outside_of_the_project(name: str | None, kept: bool, tmp_path: Path) -> None:
    async def main() -> None:
        whole = root(archive("waits"), lambda copy: replace(copy, row=replace(copy.row, graph_file=name)))
        host = host_on(MemoryStore(), root=tmp_path)
        row = await import_session(host, write(tmp_path, archive_bytes(whole)))
        assert row.graph_file == (str(tmp_path / name) if kept and name else None)

    concurrency.run_sync(main)


def test_ids_in_use_are_told_and_other_ids_help(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        host = host_on(store)
        file = write(tmp_path, GOOD)
        await import_session(host, file)
        with pytest.raises(Conflict, match="is there already") as caught:
            await import_session(host, file)
        assert caught.value.hint == f"graphagent import {file} --new-ids"
        for _ in range(2):
            await import_session(host, file, new_ids=True)
        assert len(await store.sessions(SessionQuery(children=True))) == 9
        await store.aclose()

    concurrency.run_sync(main)


def test_an_open_write_keeps_its_key_or_stays_where_it_is(tmp_path: Path) -> None:
    def open_write(copy: SessionCopy) -> SessionCopy:
        at = copy.row.head_superstep
        first = next(e for e in copy.effects if e.write_key is not None)
        intent = replace(first, superstep=at, state=EffectState.INTENT, outcome=None, write_key=b"k" * 16)
        return replace(copy, effects=(*copy.effects, intent))

    async def main() -> None:
        file = write(tmp_path, archive_bytes(root(archive(), open_write)))
        with pytest.raises(Conflict, match="has no outcome"):
            await import_session(host_on(MemoryStore()), file, new_ids=True)
        host = host_on(MemoryStore())
        row = await import_session(host, file)
        assert [e.write_key for e in await host.store.effects(row.spans(row.head_superstep))] == [b"k" * 16]

    concurrency.run_sync(main)


def test_the_write_key_of_a_branch_follows_the_new_ids_as_its_tasks(tmp_path: Path) -> None:
    """All branches of a task derive their keys from its path."""
    found = archive("dived")
    copy = next(copy for copy in found.sessions if copy.row.session == found.root)
    (row,) = [e for e in copy.effects if e.write_key is not None]
    assert row.write_key == write_key(found.root, row.superstep, row.path, row.name, row.request_hash, 0)
    new = SessionId.derive("another")

    def branched(copy: SessionCopy) -> SessionCopy:
        return replace(copy, effects=tuple(replace(e, path=f"{e.path}/0.1") if e == row else e for e in copy.effects))

    moved = with_new_ids(root(found, branched), new)
    (key,) = [e.write_key for copy in moved.sessions for e in copy.effects if e.path == f"{row.path}/0.1"]
    assert key == write_key(new, row.superstep, row.path, row.name, row.request_hash, 0)


def test_write_keys_follow_the_new_ids(tmp_path: Path) -> None:
    async def main() -> None:
        host = host_on(MemoryStore())
        rows = [await import_session(host, FOLDER / "dived.gasession", new_ids=n > 0) for n in range(3)]
        keys = [[e.write_key for e in await host.store.effects(row.spans()) if e.write_key] for row in rows]
        assert all(len(found) == 1 for found in keys)
        assert len({found[0] for found in keys}) == 3

    concurrency.run_sync(main)

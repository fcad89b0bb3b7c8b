from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio

from graphagent.errors import SchemaTooNew, StoreCorrupt, StoreUnavailable
from graphagent.stores.queries import migrations
from graphagent.stores.sqlite import SqliteStore
from graphagent.stores.sqlite_file import APPLICATION_ID
from tests.contract.store import run_on, started

pytestmark = pytest.mark.slow

NEWEST = len(migrations("sqlite"))


async def opened_and_closed(path: Path, supersteps: int = 0) -> None:
    store = await SqliteStore.open(path, created_by="test 1.0")
    if supersteps:
        await run_on(store, (await started(store)).row, supersteps)
    await store.aclose()


def execute(path: Path, sql: str) -> list[Any]:
    db = apsw.Connection(str(path))
    rows = list(db.execute(sql))
    db.close()
    return rows


def test_a_new_file_is_private_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "s.db"
    trio.run(opened_and_closed, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert execute(path, "pragma application_id") == [(APPLICATION_ID,)]
    assert execute(path, "pragma journal_mode") == [("wal",)]
    meta = dict(execute(path, "select key, value from meta"))
    assert (meta["schema_version"], meta["min_reader"], meta["created_by"]) == (str(NEWEST), "1", "test 1.0")
    assert len(str(meta["store_id"])) == 32
    assert execute(path, "select version, name from migrations") == [(m.version, m.name) for m in migrations("sqlite")]


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    trio.run(opened_and_closed, path, 3)
    before = path.read_bytes()
    trio.run(opened_and_closed, path)
    assert path.read_bytes() == before


def test_several_open_a_new_file_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(opened_and_closed, tmp_path / "s.db")

    trio.run(main)
    assert execute(tmp_path / "s.db", "select count(*) from migrations") == [(NEWEST,)]


OPENING = """
import sys, time
from pathlib import Path
from graphagent.stores import sqlite_file

folder, name = Path(sys.argv[1]), sys.argv[2]
for number in range(40):
    (folder / f"{number}.{name}").touch()
    while len(list(folder.glob(f"{number}.*"))) < 3:
        pass
    tick = time.time() * 50 // 1
    while time.time() * 50 // 1 == tick:  # all at the next fiftieth of a second
        pass
    path = folder / f"{number}-sessions.db"
    sqlite_file.create_file(path)
    connection = sqlite_file.connect(path)
    sqlite_file.prepare(connection, path, "test")
    connection.close()
"""


def test_several_processes_open_a_new_file_at_once(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", OPENING, str(tmp_path), name] for name in "abc"]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        assert [process.communicate(timeout=30)[1] for process in running] == ["", "", ""]
    finally:
        for process in running:
            process.kill()


def test_every_connection_has_the_settings_it_needs(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        await started(store)
        await store.find("")
        writer = store._writer._connection
        assert writer is not None
        for db in (writer, store._readers[0]):
            for pragma in ("foreign_keys", "cell_size_check"):
                assert next(db.execute(f"pragma {pragma}"))[0] == 1
            assert next(db.execute("pragma trusted_schema"))[0] == 0
        assert next(writer.execute("pragma synchronous"))[0] == 2
        assert next(store._readers[0].execute("pragma query_only"))[0] == 1
        await store.aclose()

    trio.run(main)


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    trio.run(opened_and_closed, path)
    execute(path, "update meta set value = '99' where key in ('schema_version', 'min_reader')")
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match=f"schema 99, this one knows {NEWEST}") as caught:
        trio.run(opened_and_closed, path)
    assert "upgrade" in str(caught.value.hint)
    assert path.read_bytes() == before


def test_a_newer_store_that_this_release_may_read_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    trio.run(opened_and_closed, path)
    execute(path, f"insert into migrations values ({NEWEST + 1}, 'later', x'00', 0)")
    execute(path, f"update meta set value = '{NEWEST + 1}' where key = 'schema_version'")
    trio.run(opened_and_closed, path, 1)


def test_an_older_store_is_brought_to_this_release(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    first = migrations("sqlite")[0]
    db = apsw.Connection(str(path))
    db.execute(f"begin; {first.text}; pragma application_id={APPLICATION_ID}")
    db.execute("insert into migrations values (?, ?, ?, 0)", (1, first.name, first.checksum))
    db.execute("insert into meta values ('schema_version', '1'), ('min_reader', '1')")
    db.execute("commit")
    db.close()
    trio.run(opened_and_closed, path, 2)
    assert dict(execute(path, "select key, value from meta"))["schema_version"] == str(NEWEST)
    assert execute(path, "select head_superstep, carried from sessions") == [(2, None)]


def test_a_changed_migration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    trio.run(opened_and_closed, path)
    execute(path, "update migrations set checksum = x'00'")
    with pytest.raises(StoreCorrupt, match="migration 1"):
        trio.run(opened_and_closed, path)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    execute(path, "create table mine (a)")
    with pytest.raises(StoreCorrupt, match="another program") as caught:
        trio.run(opened_and_closed, path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert execute(path, "select name from sqlite_schema") == [("mine",)]


def test_what_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear store, " * 1000)
    with pytest.raises(StoreCorrupt, match="not a database") as caught:
        trio.run(opened_and_closed, path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == b"Dear store, " * 1000


@pytest.mark.parametrize("kept", [100, 5000, 40_000])
def test_a_cut_file_is_corrupt(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    trio.run(opened_and_closed, path, 20)
    os.truncate(path, kept)

    async def main() -> None:
        store = await SqliteStore.open(path)
        try:
            await started(store)
        finally:
            await store.aclose()

    with pytest.raises(StoreCorrupt) as caught:
        trio.run(main)
    assert str(path) in caught.value.message


def test_a_folder_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable) as caught:
        trio.run(opened_and_closed, tmp_path / "file" / "s.db")
    assert str(tmp_path / "file" / "s.db") in caught.value.message
    assert "--store" in str(caught.value.hint)


def test_a_folder_in_the_place_of_the_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        trio.run(opened_and_closed, tmp_path)

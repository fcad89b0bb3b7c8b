"""Opening: whose the database is, and what may be done with it. Damage: what is read is what was written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from graphagent import concurrency
from graphagent.codec import digest, encode
from graphagent.errors import GraphAgentError, InputInvalid, SchemaTooNew, StoreCorrupt, StoreUnavailable
from graphagent.snapshot import Blob, Delta
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.queries import migrations
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.store import ANN, batch, effect_row, interrupt_row, next_commit, run_input, started

NEWEST = str(len(migrations("postgres")))


async def open_and_close(url: str) -> None:
    await (await PostgresStore.open(url)).aclose()


class Database:
    """A database that psql changes behind a store's back."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self.url = url
        self._server, self._name = server, url.rpartition("/")[2]

    def sql(self, text: str) -> str:
        return self._server.run_sql(f"set search_path = graphagent; {text}", self._name)

    def open(self) -> None:
        concurrency.run_sync(open_and_close, self.url)


@pytest.fixture
def database(postgres_server: PostgresServer, postgres: str) -> Database:
    return Database(postgres_server, postgres)


def test_a_store_says_what_it_is_and_keeps_to_its_schema(database: Database) -> None:
    database.sql("create table public.sessions (mine text)")
    database.open()
    meta = dict(line.split("|") for line in database.sql("select key, value from meta").splitlines())
    assert (meta["schema_version"], meta["min_reader"], len(meta["store_id"])) == (NEWEST, "1", 32)
    database.open()
    assert database.sql("select value from meta where key = 'store_id'") == meta["store_id"]
    assert database.sql("select mine from public.sessions") == ""
    database.sql("drop table public.sessions")


def test_many_may_open_a_new_store_at_once(database: Database) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(open_and_close, database.url)

    concurrency.run_sync(main)
    assert database.sql("select count(*) from migrations") == NEWEST


def test_what_a_changed_or_newer_copy_wrote_is_refused(database: Database) -> None:
    database.open()
    checksum = database.sql("select checksum from migrations where version = 1")
    database.sql("update migrations set checksum = '\\x00' where version = 1")
    with pytest.raises(StoreCorrupt, match="migration 1 isn't the one of this release"):
        database.open()
    database.sql(f"update migrations set checksum = '{checksum}' where version = 1")
    database.sql("update meta set value = '9' where key = 'min_reader'")
    with pytest.raises(SchemaTooNew, match="newer release"):
        database.open()
    database.sql("update meta set value = 'x' where key = 'min_reader'")
    with pytest.raises(StoreCorrupt, match="doesn't say who can read it"):
        database.open()


def test_a_schema_of_another_program_is_left_alone(database: Database) -> None:
    database.sql("create schema graphagent; create table graphagent.theirs (n int)")
    with pytest.raises(StoreCorrupt, match="belongs to another program"):
        database.open()
    assert database.sql("select count(*) from pg_tables where schemaname = 'graphagent'") == "1"


def test_what_cannot_be_opened_is_told_without_its_password(postgres_server: PostgresServer) -> None:
    postgres_server.run_sql("create database latin encoding 'LATIN1' template template0")
    url = postgres_server.url("missing").replace("graphagent@", "graphagent:s3cret@")
    port = str(postgres_server.port)
    cases = [
        (url, "does not exist", "create the database first"),
        (url.replace(port, "1"), "can't be reached", "is the server running"),
        (url.replace("graphagent:", "nobody:"), "role", "check user and password"),
        (postgres_server.url("latin"), "LATIN1", "encoding 'UTF8'"),
    ]
    for given, message, hint in cases:
        with pytest.raises(StoreUnavailable, match=message) as caught:
            concurrency.run_sync(open_and_close, given)
        assert hint in str(caught.value.hint)
        assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_without_asyncio_below_it_says_so(postgres: str) -> None:
    with pytest.raises(GraphAgentError, match="needs asyncio"):
        trio.run(open_and_close, postgres)


TAMPERED = {
    "blobs": "data = set_byte(data, 9, (get_byte(data, 9) + 1) % 256)",
    "checkpoints": "manifest = '\\x7b7d', codec = 0",
    "deltas": "items = '\\x5b5d', codec = 0",
    "events": "body = '\\x5b5d', codec = 0",
    "effects": "outcome = '\\x31', codec = 0",
    "inputs": "principal = 'eve'",
    "interrupts": "question = '\\x7b7d', codec = 0",
    "sessions": "seed = '\\x00'",
}


def test_a_changed_row_is_never_taken_for_what_was_written(database: Database) -> None:
    data = encode("x" * 5000)

    async def main() -> None:
        store = await PostgresStore.open(database.url)
        row = (await started(store, None, run_input())).row
        await store.commit(
            next_commit(
                row, 0, events=batch(0), effects=[effect_row(1)], deltas=[Delta("log", 0, b"[1]")],
                blobs=[Blob(digest(data), data)], interrupts=[interrupt_row(row)],
            )
        )  # fmt: skip
        row = await store.session(row.session)
        reads: dict[str, Callable[[], Awaitable[Any]]] = {
            "blobs": lambda: store.blobs(row.family, [digest(data)]),
            "checkpoints": lambda: store.checkpoints(row.spans()),
            "deltas": lambda: store.deltas(row.spans(), "log"),
            "events": lambda: store.events(row.spans()),
            "effects": lambda: store.effects(row.spans()),
            "inputs": lambda: store.inputs(row.session),
            "interrupts": lambda: store.interrupts(row.session),
            "sessions": lambda: store.session(row.session),
        }
        for table, change in TAMPERED.items():
            database.sql(f"create table kept as table {table}; update {table} set {change}")
            with pytest.raises(StoreCorrupt, match="damaged") as caught:
                await reads[table]()
            assert caught.value.hint, table
            if table not in ("blobs", "deltas", "events"):  # those that a takeover doesn't read
                with pytest.raises(StoreCorrupt):
                    await store.takeover(row.session, ANN)
            database.sql(f"delete from {table}; insert into {table} table kept; drop table kept")
            await reads[table]()
        for table in ("checkpoints", "blobs"):
            database.sql(f"create table kept as table {table}; delete from {table}")
            with pytest.raises(StoreCorrupt, match="missing"):
                await (store.takeover(row.session, ANN) if table == "checkpoints" else reads[table]())
            database.sql(f"insert into {table} table kept; drop table kept")
        database.sql("update events set first = first + 1")
        with pytest.raises(StoreCorrupt, match="counters"):
            await store.takeover(row.session, ANN)
        database.sql("drop table deltas")
        with pytest.raises(StoreCorrupt, match="schema was changed"):
            await store.deltas(row.spans(), "log")
        await store.aclose()

    concurrency.run_sync(main)


def test_a_damaged_head_names_the_last_good_checkpoint(database: Database) -> None:
    async def main() -> None:
        store = await PostgresStore.open(database.url)
        row = (await started(store)).row
        for k in range(2):
            await store.commit(next_commit(row, k))
            row = await store.session(row.session)
        good = (await store.checkpoints(row.spans()))[1].checkpoint
        database.sql("update checkpoints set manifest = '\\x7b7d', codec = 0 where superstep = 1")
        with pytest.raises(StoreCorrupt) as caught:
            await store.takeover(row.session, ANN)
        assert caught.value.checkpoint == row.head
        assert good in str(caught.value.hint)
        await store.aclose()

    concurrency.run_sync(main)


def test_a_text_that_postgres_cannot_hold_is_refused(database: Database) -> None:
    async def main() -> None:
        store = await PostgresStore.open(database.url)
        row = (await started(store)).row
        with pytest.raises(GraphAgentError, match="can't be stored"):
            await store.accept(row.session, run_input("nul\0"))
        assert (await store.accept(row.session, run_input("next"))).n == 1
        with pytest.raises(InputInvalid):
            await store.takeover(row.session, ANN, run_input("nul\0"))
        await store.aclose()

    concurrency.run_sync(main)

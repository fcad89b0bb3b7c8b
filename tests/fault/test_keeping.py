"""Processes that are killed while they import, delete, collect or migrate: all of it happened, or nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from graphagent import concurrency
from graphagent.artifacts.local import LocalArtifacts
from graphagent.codec import digest
from graphagent.faults import KEEPING
from graphagent.ids import SessionId
from graphagent.ports import Clock, Store
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.session.importing import import_session
from graphagent.session.reading import floor_of
from graphagent.session.retention_rules import DAY_US
from graphagent.session.settings import beside
from graphagent.session.verifying import verify_store
from graphagent.snapshot import SessionQuery
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.postgres_url import SCHEMES
from graphagent.stores.queries import Migration, migrations
from graphagent.stores.sqlite import SqliteStore
from tests import warm
from tests.corpus.sessions import FOLDER, PROJECT, answer, host_on, start
from tests.fault.harness import ROOT


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where no store is yet: a file, or the URL of a database."""
    url: str = request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "s.db")
    return url


def killed_at(*points: str, postgres: str, more: Sequence[str] = ()) -> pytest.MarkDecorator:
    """A test for each point on both stores; on Postgres all but one only in the long run, and `more` on both."""
    cases = [("sqlite", point) for point in points] + [("postgres", postgres)]
    long = [
        (kind, point) for kind in ("sqlite", "postgres") for point in (*points, *more) if (kind, point) not in cases
    ]
    marked = [pytest.param(*case, marks=pytest.mark.long) for case in long]
    return pytest.mark.parametrize(("store", "point"), [*cases, *marked], indirect=["store"])


async def open_store(store: str, clock: Clock | None = None) -> Store:
    if store.startswith(SCHEMES):
        return await PostgresStore.open(store, clock=clock)
    return await SqliteStore.open(Path(store), clock=clock)


def graphagent(store: str, *command: str, fault: str = "") -> int:
    """The exit code of a command on a store."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
    env |= {"PYTHONPATH": str(ROOT), "GRAPHAGENT_FAULT": fault} if fault else {"PYTHONPATH": str(ROOT)}
    return warm.graphagent([*command, "--store", store], PROJECT, env).returncode


def on(store: str, afn: Callable[[Host], Any]) -> Any:
    """What a coroutine function gives on an open store, of which everything is verified."""

    async def main() -> Any:
        host = host_on(await open_store(store))
        try:
            assert (await verify_store(host.store)).problems == []
            return await afn(host)
        finally:
            await host.aclose()

    return concurrency.run_sync(main)


async def sessions(host: Host) -> list[SessionId]:
    return sorted(e.row.session for e in await host.store.sessions(SessionQuery(children=True)))


@killed_at("import.before:1", "import.rows:1", "import.rows:3", "import.sent:1", postgres="import.rows:3")
def test_a_killed_import_stored_nothing(point: str, store: str) -> None:
    file = str(FOLDER / "dived.gasession")
    assert graphagent(store, "import", file, fault=f"{point}:kill") == -9
    assert on(store, sessions) == []
    assert graphagent(store, "import", file) == 0
    assert len(on(store, sessions)) == 3


def test_an_import_that_was_killed_when_it_had_landed_is_whole(store: str) -> None:
    file = str(FOLDER / "dived.gasession")
    assert graphagent(store, "import", file, fault="import.after:1:kill") == -9
    assert len(on(store, sessions)) == 3
    assert graphagent(store, "import", file) == 7


@killed_at("delete.before", "delete.sent", "delete.after", postgres="delete.sent")
def test_a_killed_deletion_took_all_or_nothing(point: str, store: str) -> None:
    for name in ("dived", "waits"):
        assert graphagent(store, "import", str(FOLDER / f"{name}.gasession")) == 0
    both = on(store, sessions)

    async def dive(host: Host) -> SessionId:
        entries = await host.store.sessions(SessionQuery(graph="dive"))
        return entries[0].row.session

    target = on(store, dive)
    assert graphagent(store, "sessions", "delete", target, "--yes", fault=f"{point}:1:kill") == -9
    left = on(store, sessions)
    assert left == both if point != "delete.after" else len(left) == 1
    assert graphagent(store, "sessions", "delete", target, "--yes") == (0 if left == both else 2)
    assert len(on(store, sessions)) == 1


class Before:
    """A clock that is behind."""

    def __init__(self, days: int) -> None:
        self.days = days

    def now_us(self) -> int:
        from graphagent.session.services import SystemClock

        return SystemClock().now_us() - self.days * DAY_US


def old_family(store: str) -> SessionId:
    """A session that was used today, with an old fork of which much can be trimmed; the fork."""

    async def main() -> SessionId:
        past = Before(60)
        host = host_on(await open_store(store, past), past)
        first = await start(host, "ledger", {"rounds": 3})
        fork = (await ops.fork(host, first, 1)).row.session
        await ops.resume(host, fork)
        for session in (first, fork):
            await answer(host, session)
        past.days = 0
        await ops.run_again(host, first, {"rounds": 1})
        await host.aclose()
        return fork

    return concurrency.run_sync(main)


HITS = ["collect.before:1", "collect.sent:2", "collect.after:3"]
MORE = [f"collect.{when}:{hit}" for hit in (1, 2, 3, 4) for when in ("before", "sent", "after")]


@killed_at(*HITS, postgres="collect.sent:2", more=MORE)
def test_a_killed_collection_lost_nothing_and_ends_later(point: str, store: str) -> None:
    fork = old_family(store)
    assert graphagent(store, "db", "gc", "--yes", fault=f"{point}:kill") == -9

    async def whole(host: Host) -> int:
        row = await host.store.session(fork)
        assert (await ops.replay(host, fork, start_at=await floor_of(host.store, row))).identical
        again = (await ops.fork(host, fork, row.head_superstep)).row.session
        assert (await ops.resume(host, again)).row.status == "done"
        await ops.delete(host, [again])
        return row.floor_superstep

    on(store, whole)
    assert graphagent(store, "db", "gc", "--yes") == 0
    assert on(store, whole) > 0
    assert graphagent(store, "db", "verify") == 0


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("point", ["artifact.remove"])
def test_killed_while_it_removes_content_it_lost_nothing(point: str, hit: int, tmp_path: Path) -> None:
    """Content without a row goes when it is a day old; what has a row or is new stays."""
    store = str(tmp_path / "s.db")
    assert graphagent(store, "import", str(FOLDER / "waits.gasession")) == 0
    kept = LocalArtifacts(beside(Path(store)))

    async def strays(host: Host) -> list[Path]:
        (session,) = await sessions(host)
        for text in (b"one", b"two", b"new"):
            await kept.put(session, text, 9)
        await kept.put(SessionId.derive("nobody"), b"three", 9)
        files = {digest(text).hex() for text in (b"one", b"two", b"three")}
        return [path for path in beside(Path(store)).rglob("*") if path.name in files]

    old = on(store, strays)
    assert len(old) == 3
    for path in old:
        os.utime(path, (1, 1))
    assert graphagent(store, "db", "gc", "--yes", fault=f"{point}:{hit}:kill") == -9
    assert sum(path.exists() for path in old) == 4 - hit
    assert graphagent(store, "db", "gc", "--yes") == 0
    left = {path.name for path in beside(Path(store)).rglob("*") if path.is_file()}
    assert left == {digest(b"new").hex(), "lock"}
    assert graphagent(store, "db", "verify") == 0


def as_before(store: str) -> None:
    """Take the newest migrations back, so that the store is one of an earlier release."""
    first = len(dialect(store)) - 1
    statements = [
        "drop table artifacts",
        "drop index sessions_family",
        *(f"alter table sessions drop column {column}" for column in ("past", "floor_superstep")),
        f"delete from migrations where version >= {first}",
        f"update meta set value = '{first - 1}' where key = 'schema_version'",
    ]
    if store.startswith(SCHEMES):
        postgres_sql(store, "set search_path = graphagent", *statements)
        return
    db = apsw.Connection(store)
    for statement in statements:
        db.execute(statement)
    db.close()


def postgres_sql(url: str, *statements: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("; ".join(statements))
        await connection.close()

    asyncio.run(main())


def dialect(store: str) -> Sequence[Migration]:
    """The migrations of a store."""
    return migrations("postgres" if store.startswith(SCHEMES) else "sqlite")


@killed_at("migrate.before", "migrate.after", postgres="migrate.after")
def test_a_killed_migration_left_the_old_schema_and_is_done_later(point: str, store: str) -> None:
    old_family(store)
    before = on(store, sessions)
    as_before(store)
    assert graphagent(store, "db", "check") == 7
    assert graphagent(store, "sessions", fault=f"{point}:1:kill") == -9
    assert graphagent(store, "db", "check") == 7, "nothing was changed"
    assert graphagent(store, "db", "migrate") == 0
    assert graphagent(store, "db", "check") == 0
    assert on(store, sessions) == before


@killed_at("migrate.before", "migrate.after", postgres="migrate.after")
def test_a_new_store_is_made_whole_or_not_at_all(point: str, store: str) -> None:
    file = str(FOLDER / "waits.gasession")
    for hit in (1, len(dialect(store))):
        assert graphagent(store, "import", file, fault=f"{point}:{hit}:kill") == -9
    assert graphagent(store, "import", file) == 0
    assert len(on(store, sessions)) == 1


def test_every_point_is_killed_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    names = {*(p.partition(":")[0] for p in HITS), *(p for p in KEEPING if f'"{p}' in text)}
    assert names == set(KEEPING)


def test_two_imports_at_once_store_it_once(store: str) -> None:
    async def main() -> None:
        stores = [await open_store(store) for _ in range(2)]
        outcomes = []
        for opened in stores:
            try:
                await import_session(host_on(opened), FOLDER / "dived.gasession")
                outcomes.append("stored")
            except Exception as error:
                outcomes.append(type(error).__name__)
        assert sorted(outcomes) == ["Conflict", "stored"]
        for opened in stores:
            await opened.aclose()

    concurrency.run_sync(main)

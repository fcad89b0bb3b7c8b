"""What only a server can do to a store: cut, kill, restart, block. A wait is for what is seen, never for a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
import trio
import trio.testing

from graphagent import concurrency
from graphagent.concurrency import aio
from graphagent.errors import Fenced, SessionBusy, StoreReadonly, StoreReplaced, StoreUnavailable
from graphagent.ids import SessionId, WorkerId
from graphagent.session.verifying import verify_store
from graphagent.snapshot import EffectState
from graphagent.stores.postgres import PostgresStore
from graphagent.stores.postgres_rows import effects_values
from graphagent.stores.postgres_statements import SQL
from graphagent.stores.rows import raw
from graphagent.testing.services.postgres import PostgresServer
from tests.contract.proxy import Cut, Proxy
from tests.contract.store import (
    ANN,
    BOB,
    batch,
    checkpoint_row,
    effect_row,
    next_commit,
    run_input,
    session_row,
    started,
)
from tests.corpus.sessions import host_on, start

BLOCKED = """
    select pid from pg_stat_activity
     where datname = current_database() and application_name = 'graphagent' and wait_event_type = 'Lock'
"""


class Other:
    """Another client of the database, awaited from trio."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, sql: str, *values: Any) -> list[Any]:
        rows: list[Any] = await aio(self._connection.fetch, sql, *values)
        return rows

    async def blocked(self, count: int = 1, *, but: int = 0) -> int:
        """A process of a store that waits for a lock, as soon as so many do, without the one of number `but`."""
        with trio.fail_after(5):
            while True:
                await self.run("select pg_stat_clear_snapshot()")  # a transaction sees one snapshot only
                found = [pid for (pid,) in await self.run(BLOCKED) if pid != but]
                if len(found) >= count:
                    return int(found[0])
                await trio.sleep(0.002)


@asynccontextmanager
async def other(url: str) -> AsyncIterator[Other]:
    connection = await aio(lambda: asyncpg.connect(url, server_settings={"search_path": "graphagent"}))
    try:
        yield Other(connection)
    finally:
        connection.terminate()


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(url, **options)
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with PostgresServer() as server:
        yield server
    assert not server.folder.exists()


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[Proxy]:
    with Proxy(postgres_server.port) as proxy:
        yield proxy


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_a_superstep_is_one_statement_and_one_round_trip(postgres: str, proxy: Proxy) -> None:
    async def main() -> None:
        async with opened(proxy.url(postgres)) as store:
            row = (await started(store)).row
            for k in range(12):
                row = await store.session(row.session)
                commit = next_commit(row, k, events=batch(k), effects=[effect_row(k), effect_row(k, 1)], taken_n=1)
                before = proxy.messages.copy()
                await store.commit(commit)
                if k >= 2:  # each of the two connections has prepared it
                    assert proxy.messages - before == {"B": 1, "E": 1, "S": 1}
                before = proxy.messages.copy()
                await store.append(row.session, row.epoch, [effect_row(k + 1), effect_row(k + 1, 7)])
                if k >= 2:
                    assert proxy.messages - before == {"B": 1, "E": 1, "S": 1}

    concurrency.run_sync(main)


# ---- unknown outcomes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["before", "after", "middle", "half_open"])
def test_a_commit_whose_acknowledgement_is_lost_is_stored_once(postgres: str, proxy: Proxy, cut: Cut) -> None:
    async def main() -> None:
        async with opened(proxy.url(postgres), deadline_s=0.3) as store:
            row = (await started(store)).row
            for k in range(3):
                await store.commit(next_commit(row, k, events=batch(k), effects=[effect_row(k)]))
                row = await store.session(row.session)
            proxy.cut = cut
            await store.commit(next_commit(row, 3, events=batch(3), effects=[effect_row(3)]))
            assert proxy.cuts == 1
            got = await store.session(row.session)
            assert (got.commit_n, got.head_superstep, got.event_n) == (4, 4, 8)
            assert [c.superstep for c in await store.checkpoints(row.spans())] == [-1, 0, 1, 2, 3]
            assert [b.first for b in await store.events(row.spans())] == [0, 2, 4, 6]

    concurrency.run_sync(main)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_other_writes_are_sent_again_too(postgres: str, proxy: Proxy, cut: Cut) -> None:
    async def main() -> None:
        async with opened(proxy.url(postgres), deadline_s=0.3) as store:
            await store.create(session_row(9), checkpoint_row(session_row(9), -1), (), ())
            for n in (1, 2):  # the second time, all is prepared
                proxy.cut = cut if n == 2 else None
                assert await store.create(session_row(n), checkpoint_row(session_row(n), -1), (), (run_input(),))
                proxy.cut = cut if n == 2 else None
                row = (await store.takeover(session_row(n).session, ANN, run_input("more"))).row
                assert row.attempts == 1
                proxy.cut = cut if n == 2 else None
                assert (await store.accept(row.session, run_input("last"))).n == 3
                proxy.cut = cut if n == 2 else None
                await store.append(row.session, row.epoch, [effect_row()])
                assert [i.n for i in await store.inputs(row.session)] == [1, 2, 3]
                assert await store.effects(row.spans()) == [effect_row()]
            assert proxy.cuts == 4

    concurrency.run_sync(main)


def test_a_backend_that_is_terminated_during_a_commit(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            await client.run("begin")
            await client.run("select 1 from sessions for update")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.commit, next_commit(row, 0, events=batch(0)))
                pid = await client.blocked()
                await client.run(f"select pg_terminate_backend({pid})")
                await client.blocked(but=pid)
                await client.run("rollback")
            got = await store.session(row.session)
            assert (got.commit_n, got.event_n) == (1, 2)

    concurrency.run_sync(main)


def test_a_server_that_crashes_and_comes_back(own_server: PostgresServer) -> None:
    """Commits go on where they were, and the worker is alive again before somebody could take its session."""

    async def main(server: PostgresServer) -> None:
        url = server.create_database("crash")
        async with opened(url) as store, opened(url) as second:
            row = (await started(store)).row

            async def commit_on() -> None:
                nonlocal row
                for k in range(40):
                    await store.commit(next_commit(row, k, events=batch(k)))
                    row = await store.session(row.session)
                    reached.set()

            reached = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(commit_on)
                for _ in range(2):
                    await reached.wait()
                    reached = trio.Event()
                    await trio.to_thread.run_sync(server.stop)
                    await trio.sleep(0.05)
                    await trio.to_thread.run_sync(server.start)
            assert [c.superstep for c in await store.checkpoints(row.spans())] == list(range(-1, 40))
            assert [b.first for b in await store.events(row.spans())] == list(range(0, 80, 2))
            with pytest.raises(SessionBusy):
                await second.takeover(row.session, BOB)

    concurrency.run_sync(main, own_server)


def test_a_serialization_failure_is_tried_again(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            await client.run("create sequence tries")
            for state in ("40001", "40P01"):
                await client.run("alter sequence tries restart")
                await client.run(
                    "create or replace function refuse() returns trigger language plpgsql as $$ begin "
                    f"if nextval('graphagent.tries') < 4 then raise exception 'no' using errcode = '{state}'; end if; "
                    "return new; end $$"
                )
                await client.run("create or replace trigger refuse before update on sessions for each row "
                                 "execute function refuse()")  # fmt: skip
                await store.commit(next_commit(row, row.head_superstep))
                row = await store.session(row.session)
            assert row.commit_n == 2

    concurrency.run_sync(main)


# ---- cancellation ----------------------------------------------------------------------------------------------------


def test_a_cancelled_commit_is_stored_and_harms_no_connection(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            for _ in range(3):  # more often than there are connections for writes
                await client.run("begin")
                await client.run("select 1 from sessions for update")
                scope = trio.CancelScope()
                commit = next_commit(row, row.head_superstep, events=batch(row.head_superstep))

                async def cancelled(scope: trio.CancelScope = scope, commit: Any = commit) -> None:
                    with scope:
                        await store.commit(commit)

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancelled)
                    await client.blocked()
                    scope.cancel()
                    await trio.sleep(0)
                    await client.run("rollback")
                got = await store.session(row.session)
                assert got.commit_n == row.commit_n + 1
                row = got

    concurrency.run_sync(main)


def test_a_cancelled_read_leaves_no_poisoned_connection(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            for _ in range(10):  # more often than there are connections for reads
                await client.run("begin")
                await client.run("lock table sessions in access exclusive mode")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.session, row.session)
                    await client.blocked()
                    nursery.cancel_scope.cancel()
                await client.run("rollback")
                assert (await store.session(row.session)).session == row.session
                assert await store.inputs(row.session) == []

    concurrency.run_sync(main)


def test_a_wait_for_a_server_that_is_away_can_be_cancelled(own_server: PostgresServer) -> None:
    async def main(server: PostgresServer) -> None:
        async with opened(server.create_database("away")) as store:
            row = (await started(store)).row
            server.stop()
            with trio.move_on_after(0.2) as scope:
                await store.commit(next_commit(row, 0))
            assert scope.cancelled_caught
            with (
                pytest.raises(StoreUnavailable) as caught,
                trio.CancelScope(shield=True),
            ):  # what cleans up doesn't wait
                await store.commit(next_commit(row, 0))
            assert caught.value.code == "store_unavailable"
            with pytest.raises(StoreUnavailable):
                await store.release(row.session, row.epoch)
            with pytest.raises(StoreUnavailable) as caught:
                await PostgresStore.open(server.url("away"))
            assert caught.value.code == "store_unavailable"
            server.start()
            await store.commit(next_commit(row, 0))
            assert (await store.session(row.session)).commit_n == 1

    concurrency.run_sync(main, own_server)


def test_a_read_that_always_takes_too_long_ends(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as first, opened(postgres, deadline_s=0.1) as store, other(postgres) as client:
            row = (await started(first)).row
            await client.run("begin")
            await client.run("lock table sessions in access exclusive mode")
            with pytest.raises(StoreUnavailable, match=r"timeout|in time"):
                await store.session(row.session)
            await client.run("rollback")
            assert (await first.session(row.session)).epoch == 1

    concurrency.run_sync(main)


# ---- few connections -------------------------------------------------------------------------------------------------


def test_fifty_sessions_read_through_one_connection(postgres: str) -> None:
    """They wait for each other, and all of them end."""

    async def main() -> None:
        async with opened(postgres, connections=1) as store:
            host = host_on(store)
            ended: list[SessionId] = []

            async def session(number: int) -> None:
                ended.append(await start(host, "ledger", {"rounds": 2}, seed=number))

            with trio.fail_after(120):
                async with trio.open_nursery() as nursery:
                    for number in range(50):
                        nursery.start_soon(session, number)
            assert len(set(ended)) == 50
            assert {(await store.session(each)).status for each in ended} == {"waiting"}
            assert (await verify_store(store)).problems == []

    concurrency.run_sync(main)


def test_reads_wait_in_a_queue_and_commits_do_not(postgres: str) -> None:
    """The one connection for reads is held; who came first is first, and who waits too long is told so."""

    async def main() -> None:
        async with other(postgres) as client, opened(postgres, connections=1, wait_s=1.5, deadline_s=60) as store:
            row = (await started(store)).row
            order: list[int] = []

            async def hold() -> None:
                await store._server.read(lambda db: db.execute("select pg_advisory_lock_shared(7)"))

            async def read(number: int) -> None:
                async def noted(db: Any) -> None:
                    order.append(number)
                    await db.fetchval("select 1")

                await store._server.read(noted)

            await client.run("select pg_advisory_lock(7)")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold)
                await client.blocked()
                for number in range(20):
                    nursery.start_soon(read, number)
                    await trio.testing.wait_all_tasks_blocked()
                await store.commit(next_commit(row, 0))
                assert order == []
                await client.run("select pg_advisory_unlock(7)")
            assert order == list(range(20))
            await store._server.read(lambda db: db.execute("select pg_advisory_unlock_all()"))
            await client.run("select pg_advisory_lock(7)")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold)
                await client.blocked()
                with pytest.raises(StoreUnavailable, match="in use"):
                    await store.session(row.session)
                await client.run("select pg_advisory_unlock(7)")

    concurrency.run_sync(main)


# ---- ownership -------------------------------------------------------------------------------------------------------


def test_a_takeover_sees_an_append_that_it_raced_with(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            append, values = SQL["append"], {"sid": raw(row.session), "epoch": 1}
            intent = effect_row(0, effect_class="write", state=EffectState.INTENT, outcome=None, write_key=b"k" * 32)
            values |= effects_values(row.session, [intent])
            await client.run("begin")
            assert (await client.run(append.text, *append.values(values)))[0][0] == 1
            async with trio.open_nursery() as nursery:

                async def take() -> None:
                    assert (await store.takeover(row.session, ANN)).journal == (intent,)

                nursery.start_soon(take)
                await client.blocked()
                await client.run("commit")

    concurrency.run_sync(main)


def test_what_waits_behind_a_takeover_is_fenced(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            fenced = []

            async def write(what: Callable[[], Awaitable[None]]) -> None:
                with pytest.raises(Fenced):
                    await what()
                fenced.append(1)

            await client.run("begin")
            take = SQL["take_over"]
            nothing = dict.fromkeys(take.names) | {"sid": raw(row.session), "worker": raw(ANN), "again": False}
            await client.run(take.text, *take.values(nothing))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write, lambda: store.append(row.session, 1, [effect_row()]))
                await client.blocked()
                nursery.start_soon(write, lambda: store.commit(next_commit(row, 0, effects=[effect_row(0, 1)])))
                await client.blocked(2)
                await client.run("commit")
            assert (len(fenced), await store.effects(row.spans())) == (2, [])
            assert (await store.session(row.session)).commit_n == 0

    concurrency.run_sync(main)


def test_a_lease_that_has_ended_is_no_owner_and_the_old_one_is_fenced(postgres: str) -> None:
    """The process lives and holds its lock, but renews nothing: it may hang for ever."""

    async def main() -> None:
        async with opened(postgres) as first, other(postgres) as client:
            row = (await started(first)).row
            await client.run("alter database " + postgres.rpartition("/")[2] + " set graphagent.clock_offset = '14 s'")
            async with opened(postgres) as second:
                with pytest.raises(SessionBusy, match=r"process \d+ of"):
                    await second.takeover(row.session, BOB)
            await client.run("alter database " + postgres.rpartition("/")[2] + " set graphagent.clock_offset = '16 s'")
            async with opened(postgres) as third:
                assert (await third.takeover(row.session, BOB)).row.epoch == 2
                with pytest.raises(Fenced):
                    await first.commit(next_commit(row, 0))
                with pytest.raises(Fenced):
                    await first.append(row.session, row.epoch, [effect_row()])
                assert await third.effects(row.spans()) == []

    concurrency.run_sync(main)


def test_a_worker_whose_connection_is_cut_is_alive_again(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as first, opened(postgres) as second, other(postgres) as client:
            row = (await started(first)).row
            (pid,) = (await client.run("select pid from pg_locks where locktype = 'advisory'"))[0]
            await client.run(f"select pg_terminate_backend({pid})")
            with trio.fail_after(10):
                while True:
                    held = [p for (p,) in await client.run("select pid from pg_locks where locktype = 'advisory'")]
                    if held and held != [pid]:
                        break
                    await trio.sleep(0.005)
            with pytest.raises(SessionBusy):
                await second.takeover(row.session, BOB)

    concurrency.run_sync(main)


def test_two_stores_cannot_be_one_worker(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as first, opened(postgres) as second:
            row = (await started(first)).row
            with pytest.raises(SessionBusy, match="is alive elsewhere"):
                await second.takeover(row.session, ANN)

    concurrency.run_sync(main)


# ---- another server --------------------------------------------------------------------------------------------------


def test_a_server_that_only_reads(postgres: str, postgres_server: PostgresServer) -> None:
    async def main() -> None:
        async with opened(postgres) as store:
            row = (await started(store)).row
            name = postgres.rpartition("/")[2]
            postgres_server.run_sql(f"alter database {name} set default_transaction_read_only = on")
            async with opened(postgres) as standby:
                assert (await standby.session(row.session)).epoch == 1
                with pytest.raises(StoreReadonly, match="read-only"):
                    await standby.accept(row.session, run_input())

    concurrency.run_sync(main)


def test_another_store_under_the_same_name_is_not_written(postgres: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            await client.run("update meta set value = 'another' where key = 'store_id'")
            await client.run(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'graphagent'"
            )
            with pytest.raises(StoreReplaced, match="another store"):
                await store.commit(next_commit(row, 0))

    concurrency.run_sync(main)


@pytest.mark.parametrize("older", ["epoch = epoch - 1", "commit_n = commit_n - 1"])
def test_an_older_copy_is_not_written(postgres: str, older: str) -> None:
    async def main() -> None:
        async with opened(postgres) as store, other(postgres) as client:
            row = (await started(store)).row
            await store.commit(next_commit(row, 0))
            row = await store.session(row.session)
            await client.run(f"update sessions set {older}")
            with pytest.raises(StoreReplaced, match="older copy"):
                await store.commit(next_commit(row, 1))

    concurrency.run_sync(main)


def test_a_worker_can_be_several_and_a_loop_can_be_another(postgres: str) -> None:
    """A store that is kept between two loops, as a script's is."""
    store: list[PostgresStore] = []

    async def first() -> None:
        store.append(await PostgresStore.open(postgres))
        for n, worker in ((1, ANN), (2, BOB)):
            await started(store[0], session_row(n), worker=worker)

    async def second() -> None:
        for n, worker in ((1, ANN), (2, BOB)):
            assert (await store[0].takeover(session_row(n).session, worker)).row.epoch == 2
        with pytest.raises(SessionBusy):
            await store[0].takeover(session_row(1).session, WorkerId.derive("carl"))
        await store[0].aclose()
        with pytest.raises(StoreUnavailable, match="is closed"):
            await store[0].session(session_row(1).session)

    concurrency.run_sync(first)
    concurrency.run_sync(second)

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
import trio

from graphagent.codec import digest, encode
from graphagent.errors import StoreFull, StoreUnavailable
from graphagent.snapshot import Blob, SessionRow
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import batch, effect_row, next_commit, run_input, run_on, session_row, started
from tests.unit.stores.disk import Disk

LOOP, THREAD = math.inf, 0.0
both = pytest.mark.parametrize("on_loop_s", [LOOP, THREAD], ids=["loop", "thread"])


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.unregister()


@both
def test_a_commit_costs_exactly_one_sync(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        row = (await started(store)).row
        before = disk.syncs
        row = await run_on(store, row, 10)
        assert disk.syncs - before == 10
        await store.accept(row.session, run_input())
        assert disk.syncs - before == 11
        await store.accept(row.session, run_input())  # nothing changes, nothing is synced
        assert disk.syncs - before == 11
        await store.aclose()

    trio.run(main)


@both
def test_sessions_that_commit_together_share_a_sync(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        rows = [(await started(store, session_row(n))).row for n in range(1, 101)]
        before = disk.syncs

        async def five(row: SessionRow) -> None:
            for k in range(5):
                await store.commit(next_commit(row, k, commit_n=k, events=batch(k)))

        async with trio.open_nursery() as nursery:
            for row in rows:
                nursery.start_soon(five, row)
        assert disk.syncs - before < 50  # 500 supersteps: a tenth at most
        await store.aclose()

    trio.run(main)


@both
def test_a_hundred_commits_at_once_take_few_syncs(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        rows = [(await started(store, session_row(n))).row for n in range(1, 101)]
        before = disk.syncs
        async with trio.open_nursery() as nursery:
            for row in rows:
                nursery.start_soon(store.commit, next_commit(row, 0, events=batch(0)))
        assert disk.syncs - before < 20
        await store.aclose()

    trio.run(main)


@both
def test_a_failed_sync_is_settled_by_the_token(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        rows = [(await started(store, session_row(n))).row for n in (1, 2, 3)]
        disk.failing = 1
        async with trio.open_nursery() as nursery:
            for row in rows:
                nursery.start_soon(store.commit, next_commit(row, 0, events=batch(0)))
        for row in rows:
            got = await store.session(row.session)
            assert (got.head_superstep, got.event_n, got.commit_n) == (1, 2, 1)
        assert disk.failing == 0
        await run_on(store, await store.session(rows[0].session), 3)
        await store.aclose()

    trio.run(main)


@both
def test_a_creation_that_had_landed_is_still_a_creation(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        disk.failing = 1
        await started(store, None, run_input())  # asserts that it is new
        await store.aclose()

    trio.run(main)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # closing fails as well
@both
def test_a_disk_that_keeps_failing_is_reported_and_used_again_later(
    on_loop_s: float, disk: Disk, tmp_path: Path
) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        row = (await started(store)).row
        disk.failing = 1000
        commit = next_commit(row, 0, events=batch(0))
        with pytest.raises(StoreUnavailable, match="disk failed"):
            await store.commit(commit)
        disk.failing = 0
        await store.commit(commit)
        assert (await store.session(row.session)).event_n == 2
        await store.aclose()

    trio.run(main)


@both
def test_a_full_disk_loses_nothing(on_loop_s: float, disk: Disk, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", vfs=disk.name, on_loop_s=on_loop_s)
        row = await run_on(store, (await started(store)).row, 2)
        disk.full = True
        commit = next_commit(row, 2, events=batch(2))
        with pytest.raises(StoreFull) as caught:
            await store.commit(commit)
        assert caught.value.hint
        assert (await store.session(row.session)).head_superstep == 2
        disk.full = False
        await store.commit(commit)
        assert (await store.session(row.session)).head_superstep == 3
        await store.aclose()

    trio.run(main)


@both
def test_one_job_that_fails_leaves_its_group_alone(on_loop_s: float, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", on_loop_s=on_loop_s)
        rows = [(await started(store, session_row(n))).row for n in (1, 2, 3)]
        bad = effect_row(0, 1, name=object())  # no column takes it; the rows before it are rolled back
        failed: list[type] = []

        async def send(row: SessionRow, *effects: object) -> None:
            try:
                await store.commit(next_commit(row, 0, effects=[effect_row(), *effects]))
            except TypeError as error:
                failed.append(type(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, rows[0])
            nursery.start_soon(send, rows[1], bad)
            nursery.start_soon(send, rows[2])
        assert failed == [TypeError]
        heads = [(await store.session(row.session)).head_superstep for row in rows]
        assert heads == [1, 0, 1]
        assert await store.effects(rows[1].spans()) == []
        await store.aclose()

    trio.run(main)


@both
def test_a_locked_file_is_waited_for(on_loop_s: float, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", on_loop_s=on_loop_s)
        row = (await started(store)).row
        other = apsw.Connection(str(tmp_path / "s.db"))
        other.execute("begin immediate")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.commit, next_commit(row, 0))
            await trio.sleep(0.02)  # the loop isn't held up meanwhile
            assert (await store.session(row.session)).head_superstep == 0
            other.execute("rollback")
        assert (await store.session(row.session)).head_superstep == 1
        other.close()
        await store.aclose()

    trio.run(main)


def test_two_trio_runs_use_one_store(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        rows = [(await started(store, session_row(n))).row for n in range(1, 5)]

        async def run(row: SessionRow) -> None:
            await run_on(store, row, 10)

        async with trio.open_nursery() as nursery:
            for row in rows[:2]:
                nursery.start_soon(run, row)
            for row in rows[2:]:
                nursery.start_soon(trio.to_thread.run_sync, trio.run, run, row)
        assert [(await store.session(row.session)).head_superstep for row in rows] == [10] * 4
        await store.aclose()

    trio.run(main)


def test_the_log_is_folded_back(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        row = (await started(store)).row
        for k in range(60):
            events = batch(k, 1, "".join(map(chr, range(33, 127))) * 900)
            await store.commit(next_commit(row, k, commit_n=k, events=events, blobs=[]))
        size = (tmp_path / "s.db-wal").stat().st_size
        assert size < 3000 * 4096
        await store.aclose()

    trio.run(main)
    assert [p.name for p in tmp_path.iterdir()] == ["s.db"]


def test_a_deleted_or_replaced_file_takes_no_more_commits(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        row = (await started(store)).row
        (tmp_path / "s.db").rename(tmp_path / "moved.db")
        store._writer._looked_at -= 2  # as if a second had passed
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="deleted or replaced"):
                await store.commit(next_commit(row, 0))
        await store.aclose()

    trio.run(main)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        row = (await started(store)).row
        await store.aclose()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.commit(next_commit(row, 0))
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.session(row.session)

    trio.run(main)


def test_what_was_submitted_is_finished_by_closing(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", on_loop_s=THREAD)
        row = (await started(store)).row
        called = trio.Event()

        async def send() -> None:
            called.set()
            await store.commit(next_commit(row, 0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await called.wait()
            await store.aclose()
        again = await SqliteStore.open(tmp_path / "s.db")
        assert (await again.session(row.session)).head_superstep == 1
        await again.aclose()

    trio.run(main)


def test_a_heavy_commit_leaves_the_loop_free(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db", on_loop_s=LOOP)
        row = (await started(store)).row
        data = encode([str(n) * 7 for n in range(500_000)])
        rounds = 0

        async def watch() -> None:
            nonlocal rounds
            while True:
                await trio.sleep(0)
                rounds += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await store.commit(next_commit(row, 0, blobs=[Blob(digest(data), data)]))
            nursery.cancel_scope.cancel()
        assert rounds > 10
        await store.aclose()

    trio.run(main)

"""Random histories with forks and children, collected at random moments: nothing that is kept loses anything."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphagent import concurrency
from graphagent.errors import Conflict, NotFound, ReplayFloor
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session import operations as ops
from graphagent.session.gathering import gather
from graphagent.session.host import Host
from graphagent.session.importing import check_archive
from graphagent.session.loading import load_snapshot
from graphagent.session.reading import checkpoint_at, floor_of
from graphagent.session.retention import collect
from graphagent.session.retention_rules import DAY_US, Retention
from graphagent.session.verifying import verify_store
from graphagent.snapshot import SessionQuery, SessionRow
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.corpus.sessions import answer, host_on, start

STEPS = ("ledger", "dive", "fork", "again", "answer", "tag", "wait", "collect", "collect_some")
TAGS = ("forever", "short", "long")
KEPT = {"forever": None, "short": 4 * DAY_US, "long": 60 * DAY_US}
Steps = list[tuple[str, int]]


class Days:
    """A clock that moves by days, and a little at each look."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000

    def now_us(self) -> int:
        self.now += 1000
        return self.now


class Cut(Exception):
    """The process dies between two batches."""


class CutShort:
    """A store whose collection dies before its n-th batch."""

    def __init__(self, store: Store, batches: int) -> None:
        self._store, self._left = store, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def sweep(self, sweep: Any) -> bool:
        self._left -= 1
        if self._left < 0:
            raise Cut
        return await self._store.sweep(sweep)


class Life:
    """A store with sessions, and what each of their snapshots holds."""

    def __init__(self, store: Store) -> None:
        self.clock = Days()
        self.host: Host = host_on(store, self.clock)
        self.store = store
        self.known: dict[tuple[SessionId, int], Any] = {}
        self.gone = 0

    async def rows(self) -> list[SessionRow]:
        entries = await self.store.sessions(SessionQuery(children=True, limit=10_000))
        return sorted((e.row for e in entries), key=lambda row: (row.created_at, row.session))

    async def do(self, step: str, n: int) -> None:
        rows = [row for row in await self.rows() if row.caller is None]
        row = rows[n % len(rows)] if rows else None
        if step == "wait":
            self.clock.now += n % 40 * DAY_US
        elif step == "ledger":
            await start(self.host, "ledger", {"rounds": n % 5 + 1}, seed=n)
        elif step == "dive":
            await start(self.host, "dive", {"depth": n}, seed=n)
        elif step == "collect":
            await self.collect(self.store, n)
        elif step == "collect_some":
            with suppress(Cut):
                await self.collect(CutShort(self.store, n % 7), n)
        elif row is not None:
            await self.touch(step, row, n)
        await self.check()

    async def touch(self, step: str, row: SessionRow, n: int) -> None:
        """Change a session that is there."""
        if step == "fork":
            try:
                fork = (await ops.fork(self.host, row.session, n % (row.head_superstep + 1))).row.session
            except NotFound:
                return  # that snapshot was collected
            if n % 3:
                await ops.resume(self.host, fork)
        elif step == "answer" and row.reason == "interrupt":
            if not await ops.open_interrupts(self.host, row.session):
                await ops.resume(self.host, row.session)  # a fork calls its child again, which asks
            await answer(self.host, row.session)
        elif step == "tag":
            await self.store.label(row.session, None, [] if n % 4 == 3 else [TAGS[n % 4]])
        elif step == "again" and row.status == "done" and row.graph == "ledger":
            await ops.run_again(self.host, row.session, {"rounds": n % 4 + 1})

    async def collect(self, store: Any, n: int) -> None:
        before = {row.session: row for row in await self.rows()}
        rules = Retention(30 * DAY_US, 3 + n % 5, {"dive": 20 * DAY_US} if n % 2 else {}, KEPT)
        found = await collect(store, self.clock, rules)
        after = {row.session for row in await self.rows()}
        assert before.keys() - after == set(found.deleted)
        for session in found.deleted:
            family = [row for row in before.values() if row.family == before[session].family]
            assert rules.past(family, self.clock.now) == {row.session for row in family}
            assert not any(row.status in ("running", "waiting") for row in family)
            assert not any(row.updated_at >= self.clock.now - 4 * DAY_US or "forever" in row.tags for row in family)
        self.known = {key: value for key, value in self.known.items() if key[0] in after}
        self.gone += len(found.deleted) + found.checkpoints + found.blobs
        assert not any("forever" in before[session].tags for session in found.trimmed)
        again = await collect(self.store, self.clock, rules)
        if store is self.store:
            assert (again.deleted, again.trimmed, again.checkpoints, again.blobs) == ([], [], 0, 0)

    async def check(self) -> None:
        """Every snapshot that is kept holds what it held; everything replays from its floor on, and is whole."""
        for row in await self.rows():
            floor = await floor_of(self.store, row)
            plan = await self.host.plan_of(row)
            for at in range(row.head_superstep + 1):
                try:
                    checkpoint = await checkpoint_at(self.store, row, at)
                except NotFound:
                    assert at < floor
                    continue
                snapshot = await load_snapshot(self.store, row, plan.graph, checkpoint)
                held = (checkpoint.digest, snapshot.values, snapshot.control)
                assert self.known.setdefault((row.session, at), held) == held
            report = await ops.replay(self.host, row.session, start_at=floor)
            assert report.identical
            if floor > 0:
                with pytest.raises(ReplayFloor) as below:
                    await ops.replay(self.host, row.session)
                assert below.value.floor == floor
        verified = await verify_store(self.store)
        assert verified.problems == []

    async def end(self) -> None:
        """Every snapshot that is kept can be forked and run on, and every session exported."""
        for row in await self.rows():
            if row.caller is not None:
                continue
            for at in range(row.head_superstep + 1):
                try:
                    await checkpoint_at(self.store, row, at)
                except NotFound:
                    continue
                fork = (await ops.fork(self.host, row.session, at)).row.session
                await ops.resume(self.host, fork)
                floor = await floor_of(self.store, await self.store.session(fork))
                assert (await ops.replay(self.host, fork, start_at=floor)).identical
            await check_archive(await gather(self.store, row.session), "x")


async def live(store: Store, steps: Steps) -> int:
    life = Life(store)
    for step, n in steps:
        await life.do(step, n)
    await life.end()
    return life.gone


NUMBERS = st.integers(0, 1000)


@st.composite
def histories(draw: st.DrawFn) -> Steps:
    """Three times: some sessions begin and end, others change, time passes, and a collection comes, or dies."""
    steps: Steps = []
    for _ in range(3):
        steps += [(draw(st.sampled_from(["ledger", "dive"])), draw(NUMBERS)), ("answer", draw(NUMBERS))]
        steps += draw(st.lists(st.tuples(st.sampled_from(STEPS), NUMBERS), max_size=4))
        steps += [("wait", draw(st.sampled_from([3, 31, 31, 39])))]
        steps += draw(
            st.lists(st.tuples(st.sampled_from(["fork", "again", "answer", "fork", "tag"]), NUMBERS), max_size=2)
        )
        steps += [(draw(st.sampled_from(["collect", "collect", "collect_some"])), draw(NUMBERS))]
    return steps


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(histories())
def test_nothing_that_is_kept_loses_anything(steps: Steps) -> None:
    concurrency.run_sync(live, MemoryStore(), steps)


HISTORY: Steps = [
    ("ledger", 3), ("answer", 0), ("fork", 4), ("dive", 5), ("wait", 20), ("again", 0), ("fork", 7), ("wait", 20),
    ("tag", 0), ("collect", 1), ("fork", 10), ("tag", 5), ("wait", 31), ("collect_some", 1), ("collect_some", 4), ("answer", 1), ("collect", 4),
    ("ledger", 2), ("answer", 3), ("wait", 39), ("fork", 0), ("collect", 0), ("answer", 0), ("wait", 39), ("collect", 2),
]  # fmt: skip


def test_a_long_life_in_a_file(tmp_path: Path) -> None:
    async def main() -> int:
        store = await SqliteStore.open(tmp_path / "s.db")
        try:
            return await live(store, HISTORY)
        finally:
            await store.aclose()

    assert concurrency.run_sync(main) >= 8


async def forked_twice(life: Life) -> tuple[SessionRow, SessionRow, SessionRow]:
    """A session, a fork of it, and a fork of that one whose open tail begins in the other two; all are done."""
    first = await start(life.host, "ledger", {"rounds": 1})
    second = (await ops.fork(life.host, first, 1)).row.session
    await ops.resume(life.host, second)
    third = (await ops.fork(life.host, second, 3)).row.session
    await ops.resume(life.host, third)
    for session in (first, second, third):
        if (await life.store.session(session)).status == "waiting":
            await answer(life.host, session)
    return tuple([await life.store.session(session) for session in (first, second, third)])  # type: ignore[return-value]


def test_what_forks_of_forks_need_stays() -> None:
    async def main() -> None:
        life = Life(MemoryStore())
        first, second, third = await forked_twice(life)
        await life.check()
        life.clock.now += 31 * DAY_US
        await ops.run_again(life.host, first.session, {"rounds": 1})
        found = await collect(life.store, life.clock)
        assert found.trimmed == [second.session, third.session]
        assert found.checkpoints > 0
        assert (await checkpoint_at(life.store, second, 3)).snapshot == 3, "a fork was made there"
        for row in [await life.store.session(row.session) for row in (second, third)]:
            assert await floor_of(life.store, row) == row.head_superstep
        assert await floor_of(life.store, await life.store.session(first.session)) == 0
        await life.check()
        await life.end()

    concurrency.run_sync(main)


def test_what_a_young_fork_inherited_stays_whole() -> None:
    async def main() -> None:
        life = Life(MemoryStore())
        first, second, third = await forked_twice(life)
        life.clock.now += 31 * DAY_US
        await ops.run_again(life.host, third.session, {"rounds": 1})
        found = await collect(life.store, life.clock)
        assert (found.deleted, found.trimmed) == ([], [])
        for row in [await life.store.session(row.session) for row in (first, second, third)]:
            assert await floor_of(life.store, row) == 0
        await life.check()

    concurrency.run_sync(main)


def test_a_collection_that_lost_a_race_leaves_the_family_for_later() -> None:
    async def main() -> None:
        store = MemoryStore()
        life = Life(store)
        first, second, third = await forked_twice(life)
        life.clock.now += 31 * DAY_US
        await ops.run_again(life.host, first.session, {"rounds": 1})

        class Busy(CutShort):
            async def sweep(self, sweep: Any) -> bool:
                await ops.fork(life.host, first.session, 1)
                return await store.sweep(sweep)

        found = await collect(Busy(store, 0), life.clock)
        assert (found.skipped, found.trimmed) == ([first.session], [])
        for row in (second, third):
            assert (await store.session(row.session)).floor_superstep == 0
        await life.check()
        assert len((await collect(store, life.clock)).trimmed) == 2
        await life.check()

    concurrency.run_sync(main)


def test_a_family_with_a_new_fork_is_not_deleted() -> None:
    async def main() -> None:
        store = MemoryStore()
        life = Life(store)
        await life.do("ledger", 3)
        await life.do("answer", 0)
        await life.do("wait", 31)
        row = (await life.rows())[0]
        fork = (await ops.fork(life.host, row.session, 2)).row
        with pytest.raises(Conflict, match=fork.session):
            await store.delete([row.session])
        assert (await collect(store, life.clock)).deleted == []

    concurrency.run_sync(main)

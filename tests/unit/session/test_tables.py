"""Hot tables: bounded, least recently used, verified on read."""

from __future__ import annotations

import contextlib
from collections import OrderedDict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from graphagent.codec import digest
from graphagent.ids import SessionId
from graphagent.session.tables import Bound, Result, SubAgent, Table, Tables
from graphagent.snapshot import CachedResult, Control, Snapshot

KEYS = st.integers(0, 12)


class HandClock:
    def __init__(self) -> None:
        self.now = 0

    def now_us(self) -> int:
        return self.now


class TableMachine(RuleBasedStateMachine):
    """Whatever is done, a table does what this plain model of it does."""

    @initialize(entries=st.integers(1, 6), most=st.integers(1, 40), idle=st.none() | st.integers(1, 30))
    def begin(self, entries: int, most: int, idle: int | None) -> None:
        self.clock, self.pins = HandClock(), set[int]()
        self.bound = Bound(entries, most, idle)
        self.table: Table[int, str] = Table(self.bound, self.clock, self.pins.__contains__)
        self.model: OrderedDict[int, tuple[str, int, int, int | None]] = OrderedDict()
        """Value, size, when it was used and when it is over."""

    def over(self, key: int) -> bool:
        _, _, used, until = self.model[key]
        if until is not None and self.clock.now >= until:
            return True
        idle = self.bound.idle_us
        return idle is not None and self.clock.now - used >= idle and key not in self.pins

    @rule(key=KEYS, size=st.integers(0, 20), keeps=st.none() | st.integers(1, 40))
    def put(self, key: int, size: int, keeps: int | None) -> None:
        until = None if keeps is None else self.clock.now + keeps
        pinned = {k: v for k, v in self.model.items() if k in self.pins and k != key and not self.over(k)}
        kept = self.table.put(key, f"{key}:{size}", size, until)
        assert all(k in self.table for k in pinned), "what is pinned stays"
        full = len(pinned) >= self.bound.entries or sum(v[1] for v in pinned.values()) + size > self.bound.bytes
        assert kept is not full, "there is room unless it is pinned"
        gone = [k for k in self.model if k not in self.table]
        left = [k for k in self.table if k != key]
        self.model.pop(key, None)
        for k in gone:
            self.model.pop(k, None)
        assert set(left) == set(self.model)
        free = [k for k in self.model if k not in self.pins]
        assert [k for k in left if k not in self.pins] == free, "in the order in which they were used"
        self.model = OrderedDict((k, self.model[k]) for k in left)
        if kept:
            self.model[key] = (f"{key}:{size}", size, self.clock.now, until)

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        there = key in self.model and not self.over(key)
        hits, misses = self.table.counts.hits, self.table.counts.misses
        found = self.table.get(key)
        assert (self.table.counts.hits, self.table.counts.misses) == (hits + there, misses + (not there))
        if not there:
            assert found is None
            self.model.pop(key, None)
            return
        value, size, _, until = self.model.pop(key)
        assert found == value
        self.model[key] = (value, size, self.clock.now, until)

    @rule(key=KEYS)
    def get_a_wrong_one(self, key: int) -> None:
        wrong = self.table.counts.wrong
        there = key in self.model and not self.over(key)
        assert self.table.get(key, lambda value: False) is None
        assert self.table.counts.wrong == wrong + there
        assert key not in self.table
        self.model.pop(key, None)

    @rule(key=KEYS)
    def pin(self, key: int) -> None:
        self.pins.symmetric_difference_update({key})

    @rule(us=st.integers(1, 20))
    def wait(self, us: int) -> None:
        self.clock.now += us

    @rule(key=KEYS)
    def drop(self, key: int) -> None:
        self.table.drop(key)
        self.model.pop(key, None)

    @invariant()
    def bounded(self) -> None:
        assert list(self.table) == list(self.model)
        assert len(self.table) <= self.bound.entries
        assert self.table.bytes == sum(size for _, size, _, _ in self.model.values()) <= self.bound.bytes


TestTable = TableMachine.TestCase


def test_the_least_recently_used_goes_first() -> None:
    table: Table[str, int] = Table(Bound(3, 100), HandClock())
    for n, key in enumerate("abc"):
        table.put(key, n, 1)
    table.get("a")
    table.put("d", 3, 1)
    assert list(table) == ["c", "a", "d"]
    assert table.metrics() == {
        "entries": 3, "bytes": 3, "hits": 1, "misses": 0, "wrong": 0, "evictions": 1, "rebuilds": 0,
        "rebuild_seconds": 0.0,
    }  # fmt: skip


def test_where_all_is_pinned_nothing_new_is_kept() -> None:
    table: Table[str, int] = Table(Bound(2, 100), HandClock(), lambda key: key in "ab")
    assert table.put("a", 1, 1)
    assert table.put("b", 2, 1)
    assert not table.put("c", 3, 1)
    assert sorted(table) == ["a", "b"]


def test_rebuilding_is_counted_and_timed() -> None:
    clock = HandClock()
    table: Table[str, int] = Table(Bound(2, 100), clock)
    with contextlib.suppress(KeyError), table.rebuilding(3):
        clock.now += 1_500_000
        raise KeyError
    assert (table.metrics()["rebuilds"], table.metrics()["rebuild_seconds"]) == (3, 1.5)


def test_a_result_is_over_when_its_node_says_so_and_a_forged_one_is_none() -> None:
    clock = HandClock()
    tables = Tables(clock)
    tables.keep_result(CachedResult(b"k", b"[1]", expires_at=1_000))
    found = tables.cache.get(b"k", lambda result: result.whole)
    assert found is not None
    assert found.data == b"[1]"
    tables.cache.put(b"k", Result(b"[2]", digest(b"[1]")), 3)
    assert tables.cache.get(b"k", lambda result: result.whole) is None
    assert tables.cache.counts.wrong == 1
    tables.keep_result(CachedResult(b"k", b"[1]", expires_at=1_000))
    clock.now = 1_000
    assert tables.cache.get(b"k") is None


def test_what_belongs_to_a_running_session_stays() -> None:
    running = {SessionId.of(bytes(16))}
    tables = Tables(HandClock(), running)
    (session,) = running
    tables.context.put((session, "a"), object(), 1)
    for n in range(3_000):
        tables.context.put((f"other {n}", "a"), object(), 1)
    assert (session, "a") in tables.context
    assert len(tables.context) == tables.context.bound.entries
    tables.clear()
    assert [len(table) for table in tables.all.values()] == [0] * 5


def test_bounds_hold_under_twenty_thousand_sessions() -> None:
    running = {SessionId.of(n.to_bytes(16, "big")) for n in range(0, 20_000, 1_000)}
    tables = Tables(HandClock(), running)
    for n in range(20_000):
        name = n.to_bytes(16, "big")
        session = SessionId.of(name)
        body = b"x" * 8_192
        tables.sessions.put(session, Snapshot(n, (), (), (), Control(1, None), name, None, n, n, None), 512)
        tables.messages.put((session, name), body, len(body))
        tables.context.put((session, "a"), body, len(body))
        tables.keep_result(CachedResult(name, body, expires_at=1))
        tables.sub_agent_contexts.put(session, SubAgent(session, n, "a", "g"), 256)
    for title, table in tables.all.items():
        assert len(table) <= table.bound.entries, title
        assert table.bytes <= table.bound.bytes, title
        assert table.metrics()["evictions"] == 20_000 - len(table), title
    assert all(session in tables.sessions and (session, "a") in tables.context for session in running)
    assert len(tables.sessions) == 10_000

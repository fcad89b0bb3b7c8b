"""Redis beside a store: whatever it does, the store's answers are the same, and late by a known time at most."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio

from graphagent import concurrency
from graphagent.codec import digest
from graphagent.concurrency import aio
from graphagent.errors import StoreCorrupt
from graphagent.ids import SessionId, WorkerId
from graphagent.ports import Store
from graphagent.snapshot import Blob, NewInput
from graphagent.stores import redis as adapter
from graphagent.stores.memory import MemoryStore
from graphagent.stores.redis import Redis, RedisStore
from graphagent.testing.services.valkey import ValkeyServer
from tests.contract.store import CASES, Case, HandClock, checkpoint_row, run_input, session_row

DATA = b'"' + b"x" * 5000 + b'"'
HASH = digest(DATA)
BLOB = Blob(HASH, DATA)


class Beside:
    """Memory stores with Redis beside them: one place, several processes."""

    def __init__(self, url: str) -> None:
        self.clock, self.url = HandClock(), url
        self.inner = MemoryStore(clock=self.clock)
        self.opened: list[RedisStore] = []

    async def open(self) -> Store:
        store: Any = RedisStore(self.inner, Redis(self.url))
        self.opened.append(store)
        return store  # type: ignore[no-any-return]

    async def die(self, store: Store, worker: WorkerId) -> None:
        self.inner.worker_died(worker)

    async def stored(self) -> SessionId:
        row = session_row()
        await self.inner.create(row, checkpoint_row(row, -1), (BLOB,), ())
        return row.session

    async def aclose(self) -> None:
        for store in self.opened:
            await store.redis.aclose()


def play(test: Callable[[Beside], Awaitable[None]], url: str) -> None:
    async def run() -> None:
        world = Beside(url)
        try:
            await test(world)
        finally:
            await world.aclose()

    concurrency.run_sync(run)


@pytest.fixture(scope="module")
def one() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def shared(one: ValkeyServer) -> ValkeyServer:
    """A server that is empty, for tests that let it live."""

    async def empty() -> None:
        client = Redis(one.url)
        await aio(client._client.flushall)
        await client.aclose()

    concurrency.run_sync(empty)
    return one


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience with a machine that does a lot beside, and a rest that doesn't end by itself."""
    monkeypatch.setattr(adapter, "PATIENCE_S", 10.0)
    monkeypatch.setattr(adapter, "REST_S", 3600.0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_store_with_redis(case: Case, shared: ValkeyServer) -> None:
    play(case, shared.url)


def test_blobs_come_from_the_cache(shared: ValkeyServer) -> None:
    async def test(world: Beside) -> None:
        family, store = await world.stored(), await world.open()
        other: Any = await world.open()
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        world.inner._blobs.clear()  # only Redis knows it now
        assert await other.blobs(family, [HASH]) == {HASH: DATA}
        assert (other.redis.counts.hits, other.redis.counts.misses) == (1, 0)
        with pytest.raises(StoreCorrupt):  # and only for its own family
            await other.blobs(session_row(9).session, [HASH])

    play(test, shared.url)


@pytest.mark.parametrize("forged", [b"", b'"forged"', DATA + b" ", DATA[:-1], bytes(len(DATA))])
def test_a_forged_entry_is_a_miss(shared: ValkeyServer, forged: bytes) -> None:
    async def test(world: Beside) -> None:
        family, store = await world.stored(), await world.open()
        redis: Redis = store.redis  # type: ignore[attr-defined]
        await store.blobs(family, [HASH])
        (key,) = await aio(redis._client.keys)
        await aio(redis._client.set, key, forged)
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        assert redis.counts.forged == 1
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        assert (redis.counts.forged, redis.counts.hits) == (1, 1)  # the right one took its place

    play(test, shared.url)


def test_flushed_killed_and_back(valkey: ValkeyServer) -> None:
    async def test(world: Beside) -> None:
        family, store = await world.stored(), await world.open()
        redis: Redis = store.redis  # type: ignore[attr-defined]
        await store.blobs(family, [HASH])
        await aio(redis._client.flushall)
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        assert redis.counts.hits == 0
        valkey.stop()
        for _ in range(50):
            assert await store.blobs(family, [HASH]) == {HASH: DATA}
            await store.accept(family, run_input())
        assert redis.counts.failures == 1  # then it is left alone
        valkey.start()
        redis._rests_until = 0.0
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        assert redis.counts.hits == 1

    play(test, valkey.url)


def test_one_that_hangs_costs_its_patience_once(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(world: Beside) -> None:
        family, store = await world.stored(), await world.open()
        redis: Redis = store.redis  # type: ignore[attr-defined]
        await store.blobs(family, [HASH])
        monkeypatch.setattr(adapter, "PATIENCE_S", 0.05)
        valkey.freeze()
        try:
            for _ in range(20):
                assert await store.blobs(family, [HASH]) == {HASH: DATA}
            assert redis.counts.failures == 1
        finally:
            valkey.thaw()

    play(test, valkey.url)


def test_one_that_never_was(shared: ValkeyServer) -> None:
    async def test(world: Beside) -> None:
        family, store = await world.stored(), await world.open()
        assert await store.blobs(family, [HASH]) == {HASH: DATA}
        await store.accept(family, run_input())

    play(test, "redis://127.0.0.1:1/0")


def test_an_input_wakes_the_others(shared: ValkeyServer) -> None:
    async def test(world: Beside) -> None:
        family, store, other = await world.stored(), await world.open(), await world.open()
        woken: list[str] = []

        async def wait() -> None:
            await other.woken()
            woken.append("yes")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            with trio.fail_after(10):
                n = 0
                while not woken:  # it may not listen yet
                    n += 1
                    await store.accept(family, NewInput("event", f"m{n}", b"{}"))
                    await trio.sleep(0.05)

    play(test, shared.url)

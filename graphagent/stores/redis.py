"""Redis beside a store: a cache whose entries prove themselves, and wake-ups. Never the truth.

What is cached are blobs, under the family and the SHA-256 that name them in the store: an entry that isn't what its
name says is a miss. Wake-ups tell workers that something was accepted; they look for themselves soon anyway. So losing,
flushing, freezing or forging everything in Redis changes latency only, and by how much is bounded: a call takes at most
`PATIENCE_S`, and after one that failed Redis is left alone for `REST_S`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import trio

from graphagent.codec import digest
from graphagent.concurrency import aio
from graphagent.errors import MissingExtra
from graphagent.ids import InterruptId, SessionId
from graphagent.ports import Store
from graphagent.snapshot import InputRow, InterruptRow, NewInput
from graphagent.stores.bodies import MARK
from graphagent.stores.redis_rates import SharedRates

T = TypeVar("T")

PATIENCE_S = 0.05
REST_S = 5.0
KEEP_S = 3600
MOST_BYTES = 1 << 20
"""Larger blobs aren't cached."""
CHANNEL = "graphagent:work"


@dataclass(slots=True)
class Counts:
    """How a cache did: blobs that were there, that weren't, that were forged or damaged, and calls that failed."""

    hits: int = 0
    misses: int = 0
    forged: int = 0
    failures: int = 0


class Redis:
    """A connection to Redis, or to anything that speaks its protocol, with a breaker before it.

    Args:
        patience_s: How long a call may take.
    """

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        try:
            from redis.asyncio import Redis as Client
        except ImportError as error:
            raise MissingExtra("redis", "redis") from error
        self._patience_s = patience_s
        self._client: Any = Client.from_url(url, socket_timeout=patience_s, socket_connect_timeout=patience_s)
        self._waiting: Any = Client.from_url(url)
        self._rests_until = 0.0
        self.counts = Counts()

    async def call(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T | None:
        """The result of a call; None if it failed or took too long, or if Redis is left alone now."""
        if trio.current_time() < self._rests_until:
            return None
        try:
            with trio.fail_after(self._patience_s):
                return await aio(fn, *args)
        except Exception:  # whatever it is, the store knows the answer
            self.counts.failures += 1
            self._rests_until = trio.current_time() + REST_S
            return None

    def script(self, text: str) -> Callable[..., Awaitable[Any]]:
        """A Lua script, to be called with its keys and its arguments."""
        script = self._client.register_script(text)

        async def run(keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            return await script(keys=keys, args=arguments)

        return run

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of these keys, None for each that isn't there."""
        found = await self.call(self._client.mget, list(keys))
        return found if found is not None and len(found) == len(keys) else [None] * len(keys)

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep these values for an hour."""
        if not values:
            return

        async def fill() -> None:
            async with self._client.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(key, value, ex=KEEP_S)
                await pipe.execute()

        await self.call(fill)

    async def wake(self) -> None:
        """Tell whoever waits that there is something to do."""
        await self.call(self._client.publish, CHANNEL, b"")

    async def woken(self) -> None:
        """Return when somebody tells so; never, while Redis is away."""
        while True:
            try:
                await aio(self._listen)
                return
            except Exception:
                self.counts.failures += 1
                await trio.sleep(REST_S)

    async def _listen(self) -> None:
        async with self._waiting.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
                if message is not None:
                    return

    async def aclose(self) -> None:
        """Let go of the connections."""
        with trio.move_on_after(PATIENCE_S, shield=True):
            await aio(self._client.aclose)
            await aio(self._waiting.aclose)


class RedisStore:
    """A store with Redis beside it. All that isn't here goes straight to the store."""

    def __init__(self, store: Store, redis: Redis) -> None:
        self.store, self.redis = store, redis
        self.name = store.name
        self.rates = SharedRates(redis)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        counts, out = self.redis.counts, {}
        keys = {h: f"graphagent:blob:{family}:{h.hex()}" for h in hashes}
        cached = await self.redis.get(list(keys.values())) if keys else []
        for name, value in zip(keys, cached, strict=True):
            if value is None:
                counts.misses += 1
            elif digest(value) != name:
                counts.forged += 1
            else:
                counts.hits += 1
                out[name] = value
        missing = [h for h in keys if h not in out]
        if missing:
            found = await self.store.blobs(family, missing)
            whole = {h: data for h, data in found.items() if len(data) <= MOST_BYTES and not data.startswith(MARK)}
            await self.redis.put({keys[h]: data for h, data in whole.items()})
            out |= found
        return {h: out[h] for h in keys}

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        row = await self.store.accept(session, new)
        await self.redis.wake()
        return row

    async def answer(
        self, interrupt: InterruptId, answer: bytes, by: str | None, inputs: Sequence[tuple[SessionId, NewInput]]
    ) -> InterruptRow:
        row = await self.store.answer(interrupt, answer, by, inputs)
        await self.redis.wake()
        return row

    async def woken(self) -> None:
        async with trio.open_nursery() as nursery:

            async def first(wait: Callable[[], Awaitable[None]]) -> None:
                await wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(first, self.redis.woken)
            nursery.start_soon(first, self.store.woken)

    async def aclose(self) -> None:
        await self.redis.aclose()
        await self.store.aclose()


def beside(store: Store, url: str) -> Store:
    """The store with the Redis of this URL beside it. Raises MissingExtra."""
    return cast(Store, RedisStore(store, Redis(url)))

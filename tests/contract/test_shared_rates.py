"""The rate limit of a model that several workers keep together in Redis, on a real server."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import trio

from graphagent import concurrency
from graphagent.errors import ModelError
from graphagent.llm.capabilities import Rates
from graphagent.llm.guarded import SharedGuards
from graphagent.llm.limits import Bucket, RateLimiter
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.messages import ModelInfo, ModelRequest
from graphagent.ports import SharedBucket
from graphagent.stores.redis import Redis
from graphagent.stores.redis_rates import SharedRates
from graphagent.testing.model_server import ModelServer, Reply
from graphagent.testing.services.valkey import ValkeyServer

MINUTE_MS = 60_000
NO_LIMIT = SharedBucket(0, 0)


def limit(per_minute: int) -> SharedBucket:
    """As `llm.limits` makes it, without a clock."""
    capacity = max(per_minute / 6, 1.0)
    return SharedBucket(capacity, max(per_minute - capacity, 1.0) / 60)


def play(url: str, test: Callable[[Callable[..., SharedRates]], Awaitable[None]]) -> None:
    """Run it with a way to connect workers."""

    async def run() -> None:
        async with AsyncExitStack() as stack:

            def connect(now_ms: Callable[[], float] | None = None) -> SharedRates:
                redis = Redis(url, patience_s=60.0)  # no test may depend on how busy this machine is
                stack.push_async_callback(redis.aclose)
                return SharedRates(redis, now_ms)

            await test(connect)

    concurrency.run_sync(run)


@pytest.mark.parametrize(("per_minute", "seed"), [(3, 1), (12, 2), (60, 3), (97, 4)])
def test_no_minute_passes_more_than_the_limit(valkey: ValkeyServer, per_minute: int, seed: int) -> None:
    """Two workers ask as soon as each may, now and then later, on one clock that jumps: never more than the limit in
    any window, and not much less either."""
    chance = random.Random(seed)
    passed: list[tuple[float, int]] = []

    async def test(connect: Callable[..., SharedRates]) -> None:
        now = 1_000_000.0
        workers = [connect(lambda: now), connect(lambda: now)]
        due, asked = [now, now], set[int]()
        while now < 1_000_000 + 4 * MINUTE_MS and len(passed) < 3 * per_minute:
            which = min((0, 1), key=lambda w: due[w])
            now = max(now, due[which])
            found = await workers[which].take("m", limit(per_minute), limit(600), (1, 4))
            assert found is not None
            if found[0] == 0:
                passed.append((now, which))
            pause = chance.choice([0, 0, 0, 5_000 * chance.random()])
            due[which] = now + found[0] * 1000 + 1e-3 + pause
            asked.add(which)
            assert found[1] == len(asked), "each knows how many share the limit"

    play(valkey.url, test)
    times = [at for at, _ in passed]
    assert {w for _, w in passed} == {0, 1}
    for begin in times:
        assert sum(begin <= at < begin + MINUTE_MS - 1 for at in times) <= per_minute
    assert len(times) >= 2 * per_minute


def test_model_tokens_are_given_back_and_charged(valkey: ValkeyServer) -> None:
    """Both buckets or neither; a debit over the capacity goes when the bucket is full, and leaves it below zero."""

    async def test(connect: Callable[..., SharedRates]) -> None:
        now = 0.0
        one, two = connect(lambda: now), connect(lambda: now)
        many, bucket = limit(6_000), limit(600)  # 100 at once, 500 more over a minute
        assert (await one.take("m", many, bucket, (1, 90)) or (9,))[0] == 0
        assert (await two.take("m", many, bucket, (1, 90)) or (0,))[0] == pytest.approx(80 * 60 / 500)
        await one.settle("m", many, bucket, 90)
        assert (await two.take("m", many, bucket, (1, 250)) or (9,))[0] == 0, "it was full"
        assert (await one.take("m", many, bucket, (1, 1)) or (0,))[0] == pytest.approx(151 * 60 / 500)
        await one.settle("m", many, bucket, -10)
        assert (await two.take("m", many, bucket, (1, 1)) or (0,))[0] == pytest.approx(161 * 60 / 500)
        assert (await one.take("another", many, bucket, (1, 90)) or (9,))[0] == 0, "each model has its own"
        await one.lower("low", many, bucket, (None, 3))
        assert (await two.take("low", many, bucket, (1, 4)) or (0,))[0] == pytest.approx(60 / 500)
        now = 10 * MINUTE_MS
        assert (await two.take("m", many, bucket, (1, 100)) or (9,))[0] == 0
        now -= MINUTE_MS  # a clock that goes back gives nothing back
        assert (await two.take("m", many, bucket, (1, 1)) or (0,))[0] > 0

    play(valkey.url, test)


def test_a_closing_holds_for_all(valkey: ValkeyServer) -> None:
    """Retry-After, from the server's own answer in one worker, stops another one; where no limit is set too."""

    async def test(connect: Callable[..., SharedRates]) -> None:
        with ModelServer([Reply(status=429, retry_after="300")], then="never asked") as server:
            model = OpenAICompatibleModel(ModelInfo("m", "test"), server.base_url)
            workers = [SharedGuards(connect()).around(model, server.base_url, "secret", Rates()) for _ in range(2)]
            for worker in workers:
                with pytest.raises(ModelError) as caught:
                    async for _ in worker.stream(ModelRequest(({"role": "user", "content": "hi"},), deadline_s=20.0)):
                        pass
                assert caught.value.kind == "rate_limit"
            assert caught.value.cause == "local_limit"
            assert 280 < (caught.value.retry_after_s or 0) <= 300
            assert server.calls == 1
            await model.aclose()

    play(valkey.url, test)


def test_two_limiters_wait_for_each_other(valkey: ValkeyServer) -> None:
    """By the clock of the server: 20 at once and then eight in 4.8 s may pass in all, so the last of 22 comes late."""

    async def test(connect: Callable[..., SharedRates]) -> None:
        rates = Rates(requests=120)
        limiters = [RateLimiter(rates, "m", connect(), "m") for _ in range(2)]
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for i in range(22):
                nursery.start_soon(limiters[i % 2].enter, 1, 1_000.0)
        assert trio.current_time() - begun >= 2 / Bucket(120).rate - 0.01

    play(valkey.url, test)


def test_without_redis_each_worker_keeps_to_its_share(valkey: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    """No call fails for it, and it is said once. The share is that of so many workers as there were."""

    async def test(connect: Callable[..., SharedRates]) -> None:
        limiters = [RateLimiter(Rates(requests=6_000), "m", connect(), "m") for _ in range(2)]
        for limiter in limiters:
            await limiter.enter(1, 60.0)
        await limiters[0].enter(1, 60.0)
        valkey.stop()
        begun = trio.current_time()
        for _ in range(3):
            await limiters[0].enter(1, 60.0)
        share_s = 2 / Bucket(6_000).rate
        assert trio.current_time() - begun >= 3 * share_s - 0.01, "evenly paced, at half of the rate"
        with pytest.raises(ModelError, match="rate limit asks for a wait"):
            await limiters[0].enter(1, 0.0)

    with caplog.at_level(logging.WARNING, "graphagent"):
        play(valkey.url, test)
    said = [record.message for record in caplog.records if "Redis" in record.message]
    assert said == ["Redis doesn't answer: each worker keeps to its share of the rate limits until it does"]


def test_a_redis_that_was_poisoned_or_never_there_costs_no_call(valkey: ValkeyServer) -> None:
    """Another kind of value under the key is an error of the script, and no more than that."""

    async def test(connect: Callable[..., SharedRates]) -> None:
        rates = connect()
        name = await rates.redis.call(rates.redis._client.keys, "*")  # type: ignore[attr-defined]
        assert name == []
        await rates.take("m", limit(60), NO_LIMIT, (1, 0))
        for key in await rates.redis.call(rates.redis._client.keys, "*"):  # type: ignore[attr-defined]
            await rates.redis.call(rates.redis._client.set, key, b"poison")  # type: ignore[attr-defined]
        limiter = RateLimiter(Rates(requests=600), "m", rates, "m")
        await limiter.enter(1, 60.0)
        away = RateLimiter(Rates(tokens=60_000), "m", SharedRates(Redis("redis://127.0.0.1:1/0")), "m")
        await away.enter(10, 60.0)
        await away.settle(10, 5)
        await away.close_for(0.0)

    play(valkey.url, test)

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.errors import ModelError
from graphagent.llm.capabilities import Rates
from graphagent.llm.limits import RateLimiter
from graphagent.messages import Quota

FOREVER = 1e6
SLACK = 1e-3


def at_once(main: Callable[[], Awaitable[None]]) -> None:
    """Run on a clock that jumps to whatever is waited for."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.floats(0, 90), st.integers(1, 60)), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(0, 200), st.floats(0, 50)), max_size=3),
)
@settings(deadline=None, max_examples=60)
def test_no_minute_passes_more_requests_than_the_limit(
    limit: int, bursts: list[tuple[float, int]], closings: list[tuple[float, float]]
) -> None:
    starts = [start for start, count in bursts for _ in range(count)]
    passed: list[tuple[int, float]] = []

    async def main() -> None:
        limiter = RateLimiter(Rates(requests=limit), "m")

        async def one(i: int, start: float) -> None:
            await trio.sleep(start)
            await limiter.enter(10, FOREVER)
            passed.append((i, trio.current_time()))

        async def close(at: float, seconds: float) -> None:
            await trio.sleep(at)
            await limiter.close_for(seconds)

        async with trio.open_nursery() as nursery:
            for i, start in enumerate(starts):
                nursery.start_soon(one, i, start)
            for at, seconds in closings:
                nursery.start_soon(close, at, seconds)

    at_once(main)
    times = sorted(at for _, at in passed)
    assert len(times) == len(starts)
    for begin in times:
        assert sum(begin <= at < begin + 60 - SLACK for at in times) <= limit


@given(st.integers(60, 6000), st.lists(st.integers(1, 400), min_size=1, max_size=40), st.data())
@settings(deadline=None, max_examples=60)
def test_no_minute_passes_more_tokens_than_the_limit_and_what_one_debit_is_over(
    limit: int, debits: list[int], data: st.DataObject
) -> None:
    passed: list[tuple[float, int]] = []
    used = [data.draw(st.integers(0, debit)) for debit in debits]

    async def main() -> None:
        limiter = RateLimiter(Rates(tokens=limit), "m")
        for debit, spent in zip(debits, used, strict=True):
            await limiter.enter(debit, FOREVER)
            passed.append((trio.current_time(), spent))
            await limiter.settle(debit, spent)

    at_once(main)
    over = max(0.0, max(debits) - limit / 6)
    for begin, _ in passed:
        assert sum(n for at, n in passed if begin <= at < begin + 60 - SLACK) <= limit + over + SLACK


def test_first_come_first_served() -> None:
    order: list[int] = []

    async def main() -> None:
        limiter = RateLimiter(Rates(requests=6, tokens=600), "m")

        async def one(i: int, tokens: int) -> None:
            await limiter.enter(tokens, FOREVER)
            order.append(i)

        async with trio.open_nursery() as nursery:
            for i, tokens in enumerate((90, 500, 1, 90, 1)):
                nursery.start_soon(one, i, tokens)
                await trio.testing.wait_all_tasks_blocked()

    at_once(main)
    assert order == [0, 1, 2, 3, 4]


def test_a_wait_that_passes_the_deadline_fails_at_once_and_takes_nothing() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(requests=12), "m-1")  # two at once, then one every 6 s
        for _ in range(2):
            await limiter.enter(1, 0)
        begun = trio.current_time()
        with pytest.raises(ModelError) as caught:
            await limiter.enter(1, 5)
        assert trio.current_time() == begun
        error = caught.value
        assert (error.kind, error.cause, error.retryable) == ("rate_limit", "local_limit", False)
        assert error.message == "model 'm-1' can't be asked in time: its rate limit asks for a wait of 6 s"
        assert error.hint == "try again in 6 s"
        await limiter.enter(1, 6.1)
        assert trio.current_time() == pytest.approx(begun + 6)

    at_once(main)


def test_those_who_wait_already_count() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(requests=12), "m")
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(limiter.enter, 1, FOREVER)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(ModelError, match="a wait of 24 s"):
                await limiter.enter(1, 20)

    at_once(main)


def test_one_who_gives_up_leaves_the_place_to_the_next() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(requests=12), "m")
        for _ in range(2):
            await limiter.enter(1, 0)
        with trio.move_on_after(3):
            await limiter.enter(1, FOREVER)
        begun = trio.current_time()
        await limiter.enter(1, FOREVER)
        assert trio.current_time() - begun == pytest.approx(3)

    at_once(main)


def test_a_closing_that_comes_during_the_wait_is_kept_to() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(requests=12), "m")
        for _ in range(2):
            await limiter.enter(1, 0)
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def close() -> None:
                await trio.sleep(2)
                await limiter.close_for(30)

            nursery.start_soon(close)
            with pytest.raises(ModelError, match="rate limit asks for a wait"):
                await limiter.enter(1, 10)
            assert trio.current_time() == pytest.approx(begun + 10)
        await limiter.enter(1, FOREVER)
        assert trio.current_time() == pytest.approx(begun + 32)

    at_once(main)


def test_what_the_provider_says_only_lowers() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(requests=60), "m")  # ten at once
        await limiter.told(Quota(requests=1))
        await limiter.told(Quota(requests=500))
        await limiter.enter(1, 0)
        with pytest.raises(ModelError):
            await limiter.enter(1, 0.5)
        await limiter.told(Quota(requests=0, requests_reset_s=40))
        begun = trio.current_time()
        await limiter.enter(1, FOREVER)
        assert trio.current_time() == pytest.approx(begun + 40)

    at_once(main)


def test_each_of_three_workers_takes_a_third() -> None:
    """From the next call on; together they pass no more than the limit, and one that is left alone has all of it."""

    async def main() -> None:
        limiters = [RateLimiter(Rates(requests=180), "m") for _ in range(3)]
        times: list[float] = []

        async def work(limiter: RateLimiter) -> None:
            limiter.split(3)
            for _ in range(70):
                await limiter.enter(1, FOREVER)
                times.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for limiter in limiters:
                nursery.start_soon(work, limiter)
        times.sort()
        assert all(sum(begin <= at < begin + 60 - SLACK for at in times) <= 180 for begin in times)
        assert times[-1] - times[0] == pytest.approx((210 - 30) / 2.5, rel=0.05), "and not much less"
        limiters[0].split(1)
        begun = trio.current_time()
        for _ in range(25):
            await limiters[0].enter(1, FOREVER)
        assert trio.current_time() - begun == pytest.approx(25 / 2.5, rel=0.1)

    at_once(main)


def test_what_was_not_used_is_given_back() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(tokens=600), "m")
        await limiter.enter(100, 0)
        await limiter.settle(100, 10)
        await limiter.enter(90, 0)
        await limiter.settle(90, 190)
        with pytest.raises(ModelError):
            await limiter.enter(1, 10)

    at_once(main)


def test_without_limits_only_the_provider_stops_anybody() -> None:
    async def main() -> None:
        limiter = RateLimiter(Rates(), "m")
        for _ in range(1_000):
            await limiter.enter(100_000, 0)
        await limiter.close_for(2)
        with pytest.raises(ModelError):
            await limiter.enter(1, 1)

    at_once(main)

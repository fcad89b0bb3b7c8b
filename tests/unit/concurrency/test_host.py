from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import trio

from graphagent.concurrency import AsyncioItems, aio, in_thread, in_trio
from graphagent.concurrency.guest import host_of_run
from graphagent.errors import GraphAgentError, NodeError

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


async def plain(x: int) -> int:
    task = asyncio.current_task()
    assert task is not None
    return x


def test_aio_runs_a_coroutine_in_a_task_of_the_host_loop() -> None:
    async def main() -> list[int]:
        return [
            await aio(double, 1),
            await aio(plain, 3),
            list(await aio(lambda: asyncio.gather(plain(4)), *())) == [4],
        ]

    assert asyncio.run(in_trio(main)) == [2, 3, True]


def test_aio_in_parallel() -> None:
    async def main() -> int:
        results = []

        async def one(x: int) -> None:
            results.append(await aio(double, x))

        async with trio.open_nursery() as nursery:
            for x in range(100):
                nursery.start_soon(one, x)
        return sum(results)

    assert asyncio.run(in_trio(main)) == 9900


def test_both_loops_are_turned_only_while_that_pays() -> None:
    async def main() -> tuple[int, int]:
        guest = host_of_run.get()
        assert guest is not None
        naps = []
        for _ in range(20):
            await aio(asyncio.sleep, 0.002)
            naps.append(guest.naps)
        guest.naps = 0
        await aio(double, 1)
        await aio(asyncio.gather, *(double(x) for x in range(100)))
        assert not guest.kept_awake
        return max(naps), guest.naps

    most, after = asyncio.run(in_trio(main))
    assert most > 0, "a wait that was in vain isn't tried again at once"
    assert after == 0


def test_aio_brings_errors_back() -> None:
    async def fail(error: Exception, suspend: bool) -> None:
        if suspend:
            await asyncio.sleep(0.001)
        raise error

    async def main() -> None:
        for suspend in (True, False):
            error = KeyError("x")
            with pytest.raises(KeyError) as caught:
                await aio(fail, error, suspend)
            assert caught.value is error

    asyncio.run(in_trio(main))


def test_aio_under_plain_trio_says_what_to_do() -> None:
    async def main() -> None:
        with pytest.raises(GraphAgentError, match="needs asyncio, and this is a plain") as caught:
            await aio(double, 1)
        assert caught.value.hint is not None
        assert "graph.run(...)" in caught.value.hint

    trio.run(main)


def expiring(scope: trio.CancelScope) -> Callable[[], None]:
    """Called from asyncio, it lets the scope's time be over: once what is to be cancelled has begun."""
    token = trio.lowlevel.current_trio_token()
    return lambda: token.run_sync_soon(setattr, scope, "deadline", -math.inf)


def test_a_trio_timeout_cancels_the_asyncio_task_and_waits_for_it() -> None:
    ended = []

    async def work(begun: Callable[[], None]) -> None:
        try:
            begun()
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    async def main() -> bool:
        with trio.CancelScope() as scope:
            await aio(work, expiring(scope))
        assert ended == [True]
        return scope.cancelled_caught

    assert asyncio.run(in_trio(main))


def test_a_cancelled_scope_starts_nothing() -> None:
    started = []

    async def work() -> None:
        started.append(True)

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await aio(work)
        assert scope.cancelled_caught

    asyncio.run(in_trio(main))
    assert started == []


def test_a_result_that_came_in_spite_of_a_cancellation_isnt_lost() -> None:
    async def stubborn(begun: Callable[[], None]) -> str:
        try:
            begun()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "done anyway"
        return "unreachable"

    async def main() -> str:
        with trio.CancelScope() as scope:
            return await aio(stubborn, expiring(scope))
        return "lost"

    assert asyncio.run(in_trio(main)) == "done anyway"


def test_a_task_that_goes_on_after_its_grace_is_abandoned() -> None:
    """Its caller goes on, and the end of the loop doesn't wait for it either."""
    alive = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(0.001)
                alive.append(True)
            except asyncio.CancelledError:
                alive.clear()

    async def main() -> None:
        with trio.move_on_after(0.01) as scope:
            await aio(stubborn, grace_s=0.05)
        assert scope.cancelled_caught
        alive.clear()
        while not alive:
            await trio.sleep(0.001)

    asyncio.run(in_trio(main))


def test_a_result_within_the_grace_isnt_lost() -> None:
    async def slow_to_end(begun: Callable[[], None]) -> str:
        try:
            begun()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "done anyway"

    async def main() -> str:
        with trio.CancelScope() as scope:
            return await aio(slow_to_end, expiring(scope), grace_s=60)
        return "lost"

    assert asyncio.run(in_trio(main)) == "done anyway"


@pytest.mark.parametrize("suspend", [True, False])
def test_a_coroutine_cancelled_by_others_is_an_error(suspend: bool) -> None:
    async def work() -> None:
        if suspend:
            await asyncio.sleep(0.001)
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(NodeError, match="cancelled, and not by its caller") as caught:
            await aio(work)
        assert caught.value.kind == "cancelled"

    asyncio.run(in_trio(main))


def test_in_thread_carries_context_and_can_be_abandoned() -> None:
    def read() -> tuple[str, bool]:
        return variable.get(), threading.current_thread() is threading.main_thread()

    async def main() -> None:
        release = threading.Event()
        variable.set("set")
        assert await in_thread(read) == ("set", False)
        with trio.move_on_after(0.01) as scope:
            await in_thread(release.wait, 10)
        assert scope.cancelled_caught
        release.set()
        with trio.move_on_after(0) as scope:
            await in_thread(release.wait, 10, abandon_on_cancel=False)
        with pytest.raises(ZeroDivisionError):
            await in_thread(divmod, 1, 0)

    asyncio.run(in_trio(main))
    trio.run(main)


class Counter:
    """An asyncio generator that minds which task runs it."""

    def __init__(self, stop: int, error: Exception | None = None) -> None:
        self.stop = stop
        self.error = error
        self.log: list[object] = []

    async def items(self) -> AsyncIterator[int]:
        try:
            async with asyncio.timeout(60):  # fails when its task changes between two items
                for i in range(self.stop):
                    self.log.append(i)
                    yield i
                    await asyncio.sleep(0)
                if self.error:
                    raise self.error
        finally:
            await asyncio.sleep(0)
            self.log.append("closed")


def test_items_of_an_asyncio_generator() -> None:
    counter = Counter(5)

    async def main() -> list[int]:
        return [item async for item in AsyncioItems(counter.items())]

    assert asyncio.run(in_trio(main)) == [0, 1, 2, 3, 4]
    assert counter.log == [0, 1, 2, 3, 4, "closed"]


def test_items_are_made_only_when_wanted_and_closed_when_left() -> None:
    counter = Counter(5)

    async def main() -> None:
        async with AsyncioItems(counter.items()) as items:
            assert counter.log == []
            async for item in items:
                await trio.sleep(0.001)
                if item == 1:
                    break
            assert counter.log == [0, 1]
        assert counter.log == [0, 1, "closed"]
        assert [item async for item in items] == []

    asyncio.run(in_trio(main))


def test_an_error_of_the_generator_is_raised_at_its_place() -> None:
    counter = Counter(2, ValueError("broken"))
    seen = []

    async def main() -> None:
        async with AsyncioItems(counter.items()) as items:
            try:
                async for item in items:
                    seen.append(item)
            finally:
                seen.append(-1)  # raised by the loop, not by leaving the block

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(in_trio(main))
    assert seen == [0, 1, -1]


def test_cancelling_while_waiting_for_an_item_closes_the_generator() -> None:
    log = []

    async def slow(begun: Callable[[], None]) -> AsyncIterator[int]:
        try:
            yield 0
            begun()
            await asyncio.sleep(3600)
        finally:
            log.append("closed")

    async def main() -> None:
        with trio.CancelScope() as scope:
            async for item in AsyncioItems(slow(expiring(scope))):
                log.append(str(item))
        assert scope.cancelled_caught
        assert log == ["0", "closed"]

    asyncio.run(in_trio(main))

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
import trio

from graphagent.concurrency import Bridge, aio, in_trio, run_sync
from graphagent.errors import LoopRunning


class Source:
    """Sends 0, 1, 2, ... and remembers how it ended."""

    def __init__(self, count: int, error: Exception | None = None, pause: float = 0) -> None:
        self.count = count
        self.error = error
        self.pause = pause
        self.stopped = False
        self.log: list[object] = []

    def stop(self) -> None:
        self.stopped = True

    async def produce(self, send: Callable[[int], Awaitable[None]]) -> str:
        try:
            for i in range(self.count):
                if self.stopped:
                    await send(-1)
                    self.log.append("paused")
                    return "paused"
                await trio.sleep(self.pause)
                self.log.append(i)
                await send(i)
            if self.error:
                raise self.error
            self.log.append("done")
            return "done"
        except trio.Cancelled:
            self.log.append("cancelled")
            raise

    def polite(self) -> Bridge[int, str]:
        return Bridge(self.produce, stop=self.stop)


async def everything(source: Source) -> tuple[list[int], str]:
    async with source.polite() as bridge:
        items = [item async for item in bridge]
    return items, bridge.result


@pytest.fixture(params=["asyncio", "trio", "guest"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Runs an async function on the library of that name."""
    return {
        "asyncio": lambda afn: asyncio.run(afn()),
        "trio": trio.run,
        "guest": lambda afn: asyncio.run(in_trio(afn)),
    }[request.param]


Run = Callable[[Callable[[], Awaitable[None]]], None]


def test_all_items_and_the_result(run: Run) -> None:
    async def main() -> None:
        assert await everything(Source(3)) == ([0, 1, 2], "done")
        bare = Source(2).polite()
        assert [item async for item in bare] == [0, 1]
        assert bare.result == "done"

    run(main)


def test_the_producers_error_is_raised_at_its_place(run: Run) -> None:
    async def main() -> None:
        seen = []
        bridge = Source(2, ValueError("broken")).polite()

        async def consume() -> None:
            async for item in bridge:
                seen.append(item)

        with pytest.raises(ValueError, match="broken"):
            await consume()
        assert seen == [0, 1]
        with pytest.raises(AttributeError):
            _ = bridge.result

    run(main)


def test_leaving_a_block_early_stops_politely(run: Run) -> None:
    async def main() -> None:
        source = Source(100)
        async with source.polite() as bridge:
            async for item in bridge:
                if item == 1:
                    break
        assert source.log[-1] == "paused"
        assert bridge.result == "paused"

    run(main)


def test_leaving_early_without_a_stop_cancels(run: Run) -> None:
    async def main() -> None:
        source = Source(100)
        async with Bridge(source.produce) as bridge:
            async for _ in bridge:
                break
        assert source.log[-1] == "cancelled"

    run(main)


def test_a_break_without_a_block_stops_soon(run: Run) -> None:
    async def main() -> None:
        source = Source(100)
        bridge = source.polite()
        async for _ in bridge:
            break
        gc.collect()
        await in_trio(trio.sleep, 0.02)
        assert source.log[-1] == "paused"
        assert bridge.result == "paused"

    run(main)


def test_an_error_in_the_consumer_stops_it_and_is_kept(run: Run) -> None:
    source = Source(100)

    async def consume() -> None:
        async with source.polite() as bridge:
            async for _ in bridge:
                raise KeyError("consumer")

    async def main() -> None:
        with pytest.raises(KeyError):
            await consume()
        assert source.log[-1] == "paused"

    run(main)


def test_an_unused_bridge_starts_nothing(run: Run) -> None:
    async def main() -> None:
        source = Source(3)
        async with source.polite():
            pass
        assert source.log == []

    run(main)


def test_cancelling_the_consumer_cancels_the_producer() -> None:
    source = Source(100, pause=10)

    async def consume() -> None:
        async for _ in source.polite():
            pass

    async def on_asyncio() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await consume()
        assert source.log == ["cancelled"]

    async def on_trio() -> None:
        with trio.move_on_after(0.02) as scope:
            await consume()
        assert scope.cancelled_caught
        assert source.log == ["cancelled"]

    asyncio.run(on_asyncio())
    source.log.clear()
    trio.run(on_trio)


def test_the_loops_end_cancels_a_forgotten_producer() -> None:
    source = Source(100)
    bridge = Bridge(source.produce)

    async def main() -> None:
        iterator = aiter(bridge)
        assert await anext(iterator) == 0
        kept.append(iterator)

    kept: list[object] = []
    asyncio.run(main())
    assert source.log[-1] == "cancelled"


def test_a_script() -> None:
    bridge = Source(3).polite()
    assert list(bridge) == [0, 1, 2]
    assert bridge.result == "done"


def test_a_script_that_breaks() -> None:
    source = Source(100)
    for item in source.polite():
        if item == 1:
            break
    assert source.log[-1] == "paused"
    with Source(100).polite() as bridge:
        for _ in bridge:
            break
    assert bridge.result == "paused"


def test_a_script_that_stops_by_an_error() -> None:
    source = Source(100)

    def consume() -> None:
        with source.polite() as bridge:
            for _ in bridge:
                raise KeyError("consumer")

    with pytest.raises(KeyError):
        consume()
    assert source.log[-1] == "paused"
    with pytest.raises(ValueError, match="broken"):
        list(Source(1, ValueError("broken")).polite())


def test_a_script_may_block_inside_the_loop() -> None:
    async def double(x: int) -> int:
        return await aio(asyncio.sleep, 0, 2 * x)

    assert [run_sync(double, item) for item in Source(3).polite()] == [0, 2, 4]
    pairs = [(a, b) for a in Source(2).polite() for b in Source(2).polite()]
    assert pairs == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_plain_for_inside_a_loop_says_what_to_write() -> None:
    async def main() -> None:
        with pytest.raises(LoopRunning) as caught:
            list(Source(3).polite())
        assert caught.value.hint == "write `async for`, or `async with` and `async for`"

    asyncio.run(main())

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from graphagent import concurrency
from graphagent.concurrency import Lag, Watchdog

pytestmark = pytest.mark.slow


class Told:
    """What a watchdog tells."""

    def __init__(self) -> None:
        self.lags: list[Lag] = []
        self.first = threading.Event()
        self.over = threading.Event()

    def __call__(self, lag: Lag) -> None:
        self.lags.append(lag)
        (self.first if lag.stack else self.over).set()


def block_the_loop(until: threading.Event) -> None:
    assert until.wait(30)


async def watched(told: Told) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watchdog(told, lag_s=0.3).run)
        for _ in range(2):
            await trio.sleep(0.2)
            block_the_loop(told.first)
            told.first.clear()
            with trio.fail_after(30):
                while not told.over.is_set():
                    await trio.sleep(0.01)
            told.over.clear()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("run", [trio.run, concurrency.run_sync])
def test_each_lag_is_told_with_what_blocks_and_when_it_is_over(run: Callable[..., Any]) -> None:
    told = Told()
    run(watched, told)
    begun, ended = told.lags[0::2], told.lags[1::2]
    assert (len(begun), len(ended)) == (2, 2)
    for lag in begun:
        assert any("in block_the_loop" in line for line in lag.stack), lag.stack
        assert lag.seconds >= 0.3
    assert [lag.stack for lag in ended] == [(), ()]


def test_what_computes_in_a_thread_blocks_nothing() -> None:
    told = Told()

    def compute() -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Watchdog(told).run)
            await trio.to_thread.run_sync(compute)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert told.lags == []
    assert "graphagent-watchdog" not in [thread.name for thread in threading.enumerate()]

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trio

from graphagent.concurrency import SyncRunner, aio, blocking, in_trio, run_sync
from graphagent.errors import LoopRunning


async def double(x: int) -> int:
    await trio.sleep(0)
    return 2 * await aio(asyncio.sleep, 0, x)


class Session:
    def __init__(self, start: int) -> None:
        self.start = start

    async def aadd(self, x: int, *, times: int = 1) -> int:
        """Add."""
        return self.start + await in_trio(double, x) * times

    add = blocking(aadd)


def test_run_sync_twice() -> None:
    assert run_sync(double, 1) == 2
    assert run_sync(double, 2) == 4


def test_run_sync_in_another_thread() -> None:
    results = []
    thread = threading.Thread(target=lambda: results.append(run_sync(double, 1)))
    thread.start()
    thread.join()
    assert results == [2]


def test_errors_come_through() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_sync(fail)


def test_blocking_is_a_method_with_the_signature_of_the_async_one() -> None:
    assert Session(1).add(2, times=3) == 13
    assert Session.add.__name__ == "add"
    assert Session.add.__qualname__ == "Session.add"
    assert Session.add.__doc__ == "Add."
    assert list(inspect.signature(Session(1).add).parameters) == ["x", "times"]
    assert not inspect.iscoroutinefunction(Session.add)


def test_blocking_inside_a_running_loop_names_the_async_spelling() -> None:
    async def main() -> None:
        with pytest.raises(LoopRunning, match="inside a running event loop") as caught:
            Session(1).add(2)
        assert caught.value.hint == "write `await session.aadd(...)`"

    asyncio.run(main())
    trio.run(main)
    run_sync(main)


def test_blocking_inside_a_callback_of_a_loop() -> None:
    caught = []

    def callback() -> None:
        try:
            run_sync(double, 1)
        except LoopRunning as error:
            caught.append(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(caught) == 1


def test_a_runner_keeps_tasks_between_calls() -> None:
    with SyncRunner() as runner:
        send, receive = trio.open_memory_channel[int](0)

        async def produce() -> None:
            with send:
                for i in range(3):
                    await send.send(i)

        async def start() -> None:
            trio.lowlevel.spawn_system_task(produce)

        runner.run(start)
        assert [runner.run(receive.receive) for _ in range(3)] == [0, 1, 2]


def test_runners_of_one_thread_share_their_loop() -> None:
    async def token() -> object:
        return trio.lowlevel.current_trio_token()

    with SyncRunner() as outer:
        first = outer.run(token)
        assert run_sync(token) is first
        assert Session(1).add(2) == 5
        inner = SyncRunner()
    assert inner.run(token) is first  # the last one out ends the loop
    inner.close()
    inner.close()
    assert run_sync(token) is not first
    with pytest.raises(RuntimeError, match="the runner is closed"):
        inner.run(token)


def test_the_threads_own_current_loop_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        run_sync(double, 1)
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


INTERRUPTED = """
import asyncio, signal, sys
import trio
from graphagent.concurrency import aio, run_sync

async def main():
    try:
        print("ready", flush=True)
        await {wait}
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.01)
        print("cleaned up", flush=True)
    return "returned"

TOLD = []

async def until_told():
    while not TOLD:
        await trio.sleep(0.01)

def ask():
    TOLD.append(1)
    print("asked", flush=True)

{setup}
try:
    print(run_sync(main, on_interrupt={hook}))
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
assert signal.getsignal(signal.SIGINT) is {after}
"""


def interrupt(times: int, **parts: str) -> tuple[int, list[str], str]:
    """Exit code, lines and error output of a script that got SIGINT so many times."""
    fields = {"wait": "trio.sleep(30)", "hook": "None", "setup": "", "after": "signal.default_int_handler"}
    program = INTERRUPTED.format(**{**fields, **parts})
    root = Path(__file__).parents[3]
    child = subprocess.Popen([sys.executable, "-W", "error", "-c", program], stdout=-1, stderr=-1, text=True, cwd=root)
    assert child.stdout
    lines = [child.stdout.readline().strip()]
    for n in range(times):
        if n:  # the one before was heard
            lines.append(child.stdout.readline().strip())
        time.sleep(0.05)
        os.kill(child.pid, signal.SIGINT)
    try:
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    return child.returncode, [*lines, *out.split("\n")[:-1]], err


@pytest.mark.parametrize("wait", ["trio.sleep(30)", "aio(asyncio.sleep, 30)"])
def test_ctrl_c_cancels_and_surfaces(wait: str) -> None:
    assert interrupt(1, wait=wait) == (0, ["ready", "cleaned up", "KeyboardInterrupt"], "")


def test_ctrl_c_first_asks_then_cancels() -> None:
    assert interrupt(1, hook="ask", wait="until_told()") == (0, ["ready", "asked", "cleaned up", "returned"], "")
    expected = ["ready", "asked", "cleaned up", "KeyboardInterrupt"]
    assert interrupt(2, hook="ask") == (0, expected, "")


def test_a_signal_handler_of_the_caller_stays() -> None:
    setup = "own = lambda *_: TOLD.append(1) or print('own', flush=True)\nsignal.signal(signal.SIGINT, own)"
    expected = ["ready", "own", "cleaned up", "returned"]
    assert interrupt(1, setup=setup, after="own", wait="until_told()") == (0, expected, "")

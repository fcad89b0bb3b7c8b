"""The ways out of trio: the host's asyncio loop, and worker threads."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from types import CoroutineType, TracebackType
from typing import Any, Generic, Self, TypeVar, TypeVarTuple

import sniffio
import trio
from outcome import Outcome, capture

from graphagent.concurrency.guest import Guest, host_of_run
from graphagent.errors import GraphAgentError, NodeError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_EAGER = sys.version_info >= (3, 12)
_STEPS_BEFORE_PARKING = 3
"""How many turns of both loops a trio task waits for an asyncio one before it parks. A turn costs 5 us; when all of
trio is parked, it waits in an I/O thread, and being called back from there costs 30 to 200 us."""
_AWAKE_S = 0.0005
"""How long one task of all that wait keeps trio out of that thread: about what a commit takes on a server nearby."""
_MOST_NAPS = 63
"""So many waits park at once after those that were kept awake in vain."""


async def aio(fn: Callable[[*Ts], Awaitable[T]], *args: *Ts, grace_s: float | None = None) -> T:
    """Await `fn(*args)`, an asyncio coroutine function, on the host loop, from trio.

    It runs as an asyncio task. Cancelling the trio side cancels the task and waits for its end.

    Args:
        fn: The coroutine function.
        args: Its arguments.
        grace_s: A task that goes on for so long after its cancellation is abandoned: whatever comes of it is dropped,
            and the end of the loop doesn't wait for it either.

    Raises:
        GraphAgentError: there is no host loop, because trio was started with `trio.run`.
        NodeError: the coroutine was cancelled, and not from here.
    """
    guest = host_of_run.get()
    if guest is None:
        raise GraphAgentError(
            f"{getattr(fn, '__qualname__', fn)!r} needs asyncio, and this is a plain `trio.run`",
            hint="call it from a script (`graph.run(...)`) or from asyncio (`await graph.arun(...)`)",
        )
    await trio.lowlevel.checkpoint_if_cancelled()
    task = _start_eagerly(guest.loop, fn, args) if _EAGER else guest.loop.create_task(_coroutine(fn(*args)))
    for _ in range(_STEPS_BEFORE_PARKING):
        if task.done():
            break
        await trio.lowlevel.cancel_shielded_checkpoint()
    else:
        if not guest.kept_awake:
            await _stay_awake(guest, task)
        if not task.done():
            await _wait(guest, task, grace_s)
    if task.cancelled():
        return await _cancelled_outside(guest, task)
    return task.result()


async def _stay_awake(guest: Guest, task: asyncio.Task[Any]) -> None:
    """Turn both loops for a while, so that neither this task nor another has to be called back from a thread. Where
    that was in vain, which costs a core, it isn't tried again soon."""
    if guest.naps > 0:
        guest.naps -= 1
        return
    guest.kept_awake = True
    end = time.perf_counter() + _AWAKE_S
    try:
        while not task.done() and time.perf_counter() < end:
            await trio.lowlevel.cancel_shielded_checkpoint()
    finally:
        guest.kept_awake = False
    guest.vain = 0 if task.done() else min(2 * guest.vain + 1, _MOST_NAPS)
    guest.naps = guest.vain


def _start_eagerly(
    loop: asyncio.AbstractEventLoop, fn: Callable[[*Ts], Awaitable[T]], args: tuple[*Ts]
) -> asyncio.Task[T]:
    """A task whose first step has been run. It must find asyncio, not trio, when it asks where it is."""
    sniffio.thread_local.name = None
    try:
        return asyncio.Task(_coroutine(fn(*args)), loop=loop, eager_start=True)  # type: ignore[call-arg,unused-ignore]
    finally:
        sniffio.thread_local.name = "trio"


def _coroutine(awaitable: Awaitable[T]) -> Coroutine[Any, Any, T]:
    return awaitable if isinstance(awaitable, CoroutineType) else _awaiting(awaitable)


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _wait(guest: Guest, task: asyncio.Task[Any], grace_s: float | None) -> None:
    """Park the trio task until the asyncio task has ended or is abandoned; raises Cancelled if trio ended it."""
    me = trio.lowlevel.current_task()
    raise_cancel: Callable[[], Any] | None = None
    abandoned = False

    def wake(_: asyncio.Task[Any]) -> None:
        trio.lowlevel.reschedule(me)

    def abandon() -> None:
        nonlocal abandoned
        if not task.done():
            abandoned = True
            task.remove_done_callback(wake)
            _abandon(task)
            trio.lowlevel.reschedule(me)

    def abort(raise_it: Callable[[], Any]) -> trio.lowlevel.Abort:
        nonlocal raise_cancel
        if guest.loop.is_closed():
            return trio.lowlevel.Abort.SUCCEEDED
        raise_cancel = raise_it
        task.cancel()
        if grace_s is not None:
            guest.loop.call_later(grace_s, abandon)
        return trio.lowlevel.Abort.FAILED

    task.add_done_callback(wake)
    await trio.lowlevel.wait_task_rescheduled(abort)
    if raise_cancel is not None and (abandoned or task.cancelled()):
        raise_cancel()


def _abandon(task: asyncio.Task[Any]) -> None:
    """Let nobody wait for this task: neither its result, nor, which asyncio does for all it knows, its end."""
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    asyncio.tasks._unregister_task(task)
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def _cancelled_outside(guest: Guest, task: asyncio.Task[T]) -> T:
    if guest.loop_ends:
        # The loop is being torn down and has cancelled all of its tasks: that is a cancellation, not a failure.
        guest.end_calls()
        await trio.sleep_forever()
    try:
        return task.result()
    except asyncio.CancelledError as error:
        raise NodeError(
            "asyncio code was cancelled, and not by its caller", kind="cancelled", cause="asyncio_cancelled"
        ) from error


async def in_thread(
    fn: Callable[[*Ts], T], *args: *Ts, abandon_on_cancel: bool = True, limiter: trio.CapacityLimiter | None = None,
    late: Callable[[Outcome[T]], None] | None = None,
) -> T:  # fmt: skip
    """Run a blocking function in a worker thread, with the caller's context variables.

    A thread can't be cancelled: with `abandon_on_cancel` it is left alone, without it the cancellation waits for its
    end.

    Args:
        late: Gets how an abandoned thread ended, in trio; without it nobody learns of that.
    """
    if late is None or not abandon_on_cancel:
        return await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=abandon_on_cancel, limiter=limiter)
    token, ended, abandoned = trio.lowlevel.current_trio_token(), list[Outcome[T]](), False

    def tell() -> None:
        if ended:
            late(ended.pop())

    def run() -> None:
        ended.append(capture(fn, *args))
        if abandoned:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(tell)

    try:
        await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=limiter)
        return ended.pop().unwrap()
    except trio.Cancelled:
        abandoned = True
        tell()  # it may have ended in between
        raise


class AsyncioItems(Generic[T]):
    """Iterates an asyncio iterable from trio: `async with AsyncioItems(source) as items: async for item in items`.

    The whole source runs in one asyncio task, so that timeouts and task groups around its `yield` work. It
    advances only when an item is wanted. Leaving the block closes it; without the block, iterate to the end.
    """

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._wanted: asyncio.Future[None]
        self._given: asyncio.Future[T]

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __anext__(self) -> T:
        found: list[T] = await aio(self._take)
        if not found:
            raise StopAsyncIteration
        return found[0]

    async def aclose(self) -> None:
        """End the source, running its `finally` blocks. Does nothing if it has ended."""
        if self._task is not None and not self._task.done():
            with trio.CancelScope(shield=True):
                await aio(self._end)

    # -- the asyncio side

    async def _take(self) -> list[T]:
        """The next item in a list, or an empty list at the end."""
        if self._task is not None and self._task.done():
            return []
        loop = asyncio.get_running_loop()
        self._given = loop.create_future()
        if self._task is None:
            self._task = loop.create_task(self._pump())
        else:
            self._wanted.set_result(None)
        given = self._given
        try:
            waited: list[asyncio.Future[Any]] = [given, self._task]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._end()
            raise
        if given.done():
            return [given.result()]
        self._task.result()
        return []

    async def _pump(self) -> None:
        iterator = aiter(self._source)
        try:
            async for item in iterator:
                self._wanted = asyncio.get_running_loop().create_future()
                self._given.set_result(item)
                await self._wanted
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()

    async def _end(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # seen: an error while closing must not be reported as never retrieved

"""The one trio run that is a guest on an asyncio loop, and the way into it from asyncio.

A guest lives as long as somebody uses it: every call counts as one user, and a host task counts as one until it
is cancelled, which `asyncio.run` and its like do to all tasks when the loop ends. Calls that come even later (from
another task's `finally`) get a guest of their own that ends with them, so that nothing is ever left over.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, TypeVarTuple

import outcome
import sniffio
import trio

from graphagent.errors import GraphAgentError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

host_of_run: trio.lowlevel.RunVar[Guest | None] = trio.lowlevel.RunVar("graphagent_guest", None)
"""The guest that the current trio run is; unset under plain `trio.run`."""

_FINISH_TIMEOUT_S = 5.0


class _Thread(threading.local):
    """Trio allows one run per thread, so there is one guest per thread too."""

    guest: Guest | None = None
    ended: weakref.ref[asyncio.AbstractEventLoop] | None = None


_thread = _Thread()


async def in_trio(afn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Await `afn(*args)` in trio, from asyncio or from trio.

    On trio it is awaited in place. On asyncio it becomes a task of the loop's guest run; cancelling the caller
    cancels it and waits for its end. Context variables carry over, exceptions come back as they are.

    Raises:
        GraphAgentError: another trio run, or the guest of another open loop, occupies this thread.
    """
    if sniffio.thread_local.name == "trio":
        return await afn(*args)
    loop = asyncio.get_running_loop()
    guest = _thread.guest
    if guest is None or guest.loop is not loop or guest.nursery is None or guest.closing:
        guest = await _join(loop)
    else:
        guest.users += 1
    try:
        return await guest.call(afn, args)
    finally:
        if guest.leave():
            await guest.wait_closed()


async def _join(loop: asyncio.AbstractEventLoop) -> Guest:
    """The guest of this loop, started if need be, with the caller counted as a user."""
    while True:
        guest = _thread.guest
        if guest is None:
            guest = Guest(loop)
            guest.start()
        elif guest.loop is not loop:
            if not guest.loop.is_closed():
                raise GraphAgentError(
                    "another event loop of this thread is in use by graphagent",
                    hint="close that loop first, or run this one in a thread of its own",
                )
            guest.finish_by_hand()
            continue
        elif guest.closing:
            await asyncio.shield(guest.closed)
            continue
        guest.users += 1
        try:
            await asyncio.shield(guest.ready)
        except BaseException:
            guest.leave()
            raise
        return guest


class Guest:
    """A guest run. Everything here is called in the thread of its loop, unless said otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.users = 0
        self.calls: set[Call[Any]] = set()
        self.nursery: trio.Nursery | None = None
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.closing = False
        self.loop_ends = False
        # Of the waits in `host`: whether one is turning both loops, and how many will park at once.
        self.kept_awake = False
        self.vain = self.naps = 0
        self._failure: BaseException | None = None
        self._leave = trio.Event()
        self._tick: Callable[[], object] | None = None
        self._host: asyncio.Task[None] | None = None

    def start(self) -> None:
        try:
            # An empty context: the first caller's variables aren't those of the run.
            contextvars.Context().run(self._start_run)
        except RuntimeError as error:
            raise GraphAgentError(
                "trio already runs in this thread, and not as graphagent's guest",
                hint="await graphagent from that trio run, or run this event loop in a thread of its own",
            ) from error
        _thread.guest = self
        if _thread.ended is None or _thread.ended() is not self.loop:
            self.users += 1
            self._host = self.loop.create_task(self._stay(), name="graphagent-trio", context=contextvars.Context())

    def _start_run(self) -> None:
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._soon_threadsafe,
            run_sync_soon_not_threadsafe=self._soon,
            done_callback=self._done,
            # Trio mustn't take the wake-up descriptor: asyncio's add_signal_handler wants it, and the two collide.
            host_uses_signal_set_wakeup_fd=True,
        )

    async def _main(self) -> None:
        host_of_run.set(self)
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            if not self.ready.done():
                self.ready.set_result(None)
            await self._leave.wait()
            nursery.cancel_scope.cancel()

    async def _stay(self) -> None:
        """The host task: keeps the guest until cancelled, then lets the open calls end."""
        try:
            await asyncio.shield(self.closed)
        except asyncio.CancelledError:
            self.loop_ends = True
            _thread.ended = weakref.ref(self.loop)
            self.leave()
            await self.wait_closed()
            raise
        if self._failure is not None:
            raise self._failure

    # -- users

    async def call(self, afn: Callable[[*Ts], Awaitable[T]], args: tuple[*Ts]) -> T:
        """Run `afn(*args)` as a trio task and wait for its end, even when cancelled."""
        assert self.nursery is not None
        call = Call(self, afn, args)
        self.calls.add(call)
        self.nursery.start_soon(call.run)
        cancelled = None
        while call.outcome is None:
            call.waiter = self.loop.create_future()
            try:
                await call.waiter
            except asyncio.CancelledError as error:
                cancelled = error
                call.scope.cancel()
        if cancelled is not None and not call.failed:
            raise cancelled
        return call.outcome.unwrap()

    def leave(self) -> bool:
        """Count one user less; the last one closes the guest. Returns whether this was the last."""
        self.users -= 1
        if self.users == 0:
            self.close()
        return self.users == 0

    def close(self) -> None:
        self.closing = True
        self._leave.set()

    def end_calls(self) -> None:
        """Cancel every call, because the loop is being torn down under them."""
        self.closing = True
        if self.nursery is not None:
            self.nursery.cancel_scope.cancel()

    async def wait_closed(self) -> None:
        cancelled = None
        while not self.closed.done():
            try:
                await asyncio.shield(self.closed)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _done(self, result: outcome.Outcome[None]) -> None:
        self.closing = True
        if _thread.guest is self:
            _thread.guest = None
        if isinstance(result, outcome.Error):
            self._failure = result.error
            for call in list(self.calls):  # trio itself broke down, or a signal handler killed its main task
                call.finish(outcome.Error(result.error))
        if self.loop.is_closed():
            return
        for future in (self.ready, self.closed):
            if not future.done():
                future.set_result(None)

    # -- ticks: trio has at most one waiting at a time, kept here so that it isn't lost with its loop

    def _soon(self, tick: Callable[[], object]) -> None:
        self._tick = tick
        if not self.loop.is_closed():
            self.loop.call_soon(self._run_tick)

    def _soon_threadsafe(self, tick: Callable[[], object]) -> None:
        self._tick = tick
        try:
            self.loop.call_soon_threadsafe(self._run_tick)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def _run_tick(self) -> None:
        tick, self._tick = self._tick, None
        if tick is not None:
            tick()

    def finish_by_hand(self) -> None:
        """End a guest whose loop was closed without cancelling its tasks, so that the thread is free again."""
        if self._host is not None:
            # asyncio would report the task as destroyed while pending; it can never run again.
            self._host._log_destroy_pending = False  # type: ignore[attr-defined]
        self.end_calls()
        self.close()
        deadline = time.monotonic() + _FINISH_TIMEOUT_S
        while _thread.guest is self and time.monotonic() < deadline:
            if self._tick is None:
                time.sleep(0.0005)  # trio's I/O thread is about to deliver the next tick
            else:
                self._run_tick()
        _thread.guest = None


class Call(Generic[T]):
    """One awaited function inside the guest."""

    __slots__ = ("_afn", "_args", "_guest", "failed", "outcome", "scope", "waiter")

    def __init__(self, guest: Guest, afn: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> None:
        self._guest = guest
        self._afn = afn
        self._args = args
        self.scope = trio.CancelScope()
        self.waiter: asyncio.Future[None] | None = None
        self.outcome: outcome.Outcome[T] | None = None
        self.failed = False

    async def run(self) -> None:
        result: outcome.Outcome[T] = outcome.Error(asyncio.CancelledError())
        try:
            with self.scope:
                result = outcome.Value(await self._afn(*self._args))
        except trio.Cancelled:  # the whole guest ends
            raise
        except BaseException as error:
            self.failed = True
            result = outcome.Error(error)
        finally:
            self.finish(result)
        # Stay for another turn of both loops: when the caller comes straight back, as in a loop of calls, trio is
        # still awake. Otherwise it waits in its I/O thread, and being called back from there costs 30 to 200 us.
        await trio.lowlevel.cancel_shielded_checkpoint()

    def finish(self, result: outcome.Outcome[T]) -> None:
        self._guest.calls.discard(self)
        if self.outcome is None:
            self.outcome = result
        if self.waiter is not None and not self.waiter.done() and not self._guest.loop.is_closed():
            self.waiter.set_result(None)

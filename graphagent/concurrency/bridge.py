"""A trio producer that can be iterated from asyncio, from trio and from a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import trio

from graphagent.concurrency.guest import in_trio
from graphagent.concurrency.script import SyncRunner

T = TypeVar("T")
R = TypeVar("R")


class Bridge(Generic[T, R]):
    """Iterates what `produce(send)` sends: with `async for` on asyncio and trio, with `for` in a script.

    `produce` runs in one trio task and gets ahead by at most `ahead` items. When it raises, the iteration raises
    the same; what it returns is `result`. Between two items of a plain `for` nothing runs.

    Leaving early, by a `break` or an error, stops it: `stop` is called in trio, and the items that still come are
    dropped; without `stop`, or when the consumer was cancelled, `produce` is cancelled. After a `with` block it
    has ended.

    Args:
        produce: A coroutine function for trio; it gets an async function that sends one item.
        stop: Asks `produce` to return soon.
        ahead: How many items may wait for the consumer.
    """

    def __init__(
        self,
        produce: Callable[[Callable[[T], Awaitable[None]]], Awaitable[R]],
        *,
        stop: Callable[[], object] | None = None,
        ahead: int = 0,
    ) -> None:
        self._produce = produce
        self._stop = stop
        self._ahead = ahead
        self._items: trio.MemoryReceiveChannel[T] | None = None
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._dropping = False
        self._error: BaseException | None = None
        self._value: R
        self._runner: SyncRunner | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    @property
    def result(self) -> R:
        """What `produce` returned. Raises AttributeError while it runs, and if it never returned."""
        return self._value

    # -- asyncio and trio

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(politely=kind is None or issubclass(kind, Exception))

    async def aclose(self, *, politely: bool = True) -> None:
        """Stop the producer and wait for its end. Raises what it raises, unless that was raised before."""
        if self._items is not None:
            await in_trio(self._close, politely)

    # -- a script

    def __iter__(self) -> Iterator[T]:
        if self._runner is None:
            self._runner = SyncRunner(hint="write `async for`, or `async with` and `async for`")
        politely = False
        try:
            while found := self._runner.run(self._next):
                yield found[0]
        except GeneratorExit:  # the consumer's `break`
            politely = True
            raise
        finally:
            self.close(politely=politely)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(politely=kind is None or issubclass(kind, Exception))

    def close(self, *, politely: bool = True) -> None:
        """The blocking spelling of `aclose`."""
        runner, self._runner = self._runner, None
        if runner is not None:
            with runner:
                runner.run(self._close, politely)

    # -- in trio

    async def _next(self) -> list[T]:
        """The next item in a list, or an empty list at the end."""
        if self._items is None:
            self._items = self._start()
        try:
            return [await self._items.receive()]
        except trio.EndOfChannel:
            await self._ended.wait()
            self._raise_error()
            return []

    def _start(self) -> trio.MemoryReceiveChannel[T]:
        send, receive = trio.open_memory_channel[T](self._ahead)
        self._token = trio.lowlevel.current_trio_token()
        # A system task, since an iterator gets no nursery from its consumer. `_run` never raises into trio, and the
        # end of the run cancels it.
        trio.lowlevel.spawn_system_task(self._run, send, name="graphagent-produce", context=copy_context())
        return receive

    async def _run(self, channel: trio.MemorySendChannel[T]) -> None:
        async def send(item: T) -> None:
            if self._dropping:
                await trio.lowlevel.checkpoint()
            else:
                await channel.send(item)

        try:
            with channel, self._scope:
                self._value = await self._produce(send)
        except trio.Cancelled:  # the run ends
            raise
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def _ask_to_end(self, politely: bool) -> None:
        if self._ended.is_set() or self._dropping:
            return
        self._dropping = True
        if not politely or self._stop is None:
            self._scope.cancel()
            return
        self._stop()
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while self._items is not None:
                self._items.receive_nowait()  # lets go of a producer that waits in `send`

    async def _close(self, politely: bool) -> None:
        self._ask_to_end(politely)
        if not politely:
            self._scope.cancel()
        try:
            await self._ended.wait()
        finally:
            self._scope.cancel()
            with trio.CancelScope(shield=True):
                await self._ended.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # no cycle of traceback and frame

    def abandon(self) -> None:
        """Ask the producer to end, from any thread, also from a finalizer."""
        if self._token is not None and not self._ended.is_set():
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._ask_to_end, True)


class _Items(Generic[T]):
    """One `async for`. Being dropped is how it learns of a `break`, without the warnings of async generators."""

    def __init__(self, bridge: Bridge[T, Any]) -> None:
        self._bridge = bridge

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            found = await in_trio(self._bridge._next)
        except BaseException:
            await self._bridge.aclose(politely=False)
            raise
        if not found:
            raise StopAsyncIteration
        return found[0]

    def __del__(self) -> None:
        self._bridge.abandon()

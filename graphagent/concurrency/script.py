"""The blocking spellings: for scripts and the command line, which own no event loop."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar, TypeVarTuple

from graphagent.errors import LoopRunning

if TYPE_CHECKING:
    import asyncio
    import signal
    from types import FrameType, TracebackType

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def current_library() -> Literal["trio", "asyncio"] | None:
    """Which library runs the calling coroutine; None outside of both."""
    if "sniffio" not in sys.modules:  # trio imports it, so this is asyncio or nothing
        return "asyncio" if _asyncio_task() else None
    from sniffio import AsyncLibraryNotFoundError, current_async_library

    try:
        name = current_async_library()
    except AsyncLibraryNotFoundError:
        return None
    return "trio" if name == "trio" else "asyncio" if name == "asyncio" else None


def _asyncio_task() -> bool:
    if "asyncio" not in sys.modules:
        return False
    import asyncio

    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _loop_runs() -> bool:
    if current_library() is not None:
        return True
    if "asyncio" not in sys.modules:
        return False
    from asyncio import _get_running_loop

    return _get_running_loop() is not None  # a callback of a loop, outside of any task


def run_sync(
    afn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    name: str = "",
    on_interrupt: Callable[[], object] | None = None,
) -> T:
    """Run `afn(*args)` in trio, as the guest of an asyncio loop that lives for this call, and return its result.

    Args:
        afn: A coroutine function for trio.
        args: Its arguments.
        name: The async spelling, such as `session.arun`, for the hint of LoopRunning.
        on_interrupt: See `SyncRunner.run`.

    Raises:
        LoopRunning: an event loop already runs in this thread.
        KeyboardInterrupt: Ctrl-C; `afn` was cancelled and has ended.
    """
    with SyncRunner(hint=f"write `await {name or _spelling(afn)}(...)`") as runner:
        return runner.run(afn, *args, on_interrupt=on_interrupt)


def blocking(afn: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """The blocking spelling of an async function or method: `run = blocking(arun)`."""
    spelling = _spelling(afn)

    @functools.wraps(afn)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_sync(functools.partial(afn, *args, **kwargs), name=spelling)

    call.__name__ = afn.__name__.removeprefix("a")
    call.__qualname__ = afn.__qualname__.removesuffix(afn.__name__) + call.__name__
    return call


def _spelling(afn: Callable[..., object]) -> str:
    """How a call of it is written: `session.arun` for `Session.arun`."""
    parts = getattr(afn, "__qualname__", repr(afn)).rpartition("<locals>.")[2].split(".")
    return ".".join([*(part.lower() for part in parts[:-1]), parts[-1]])


class _Loop:
    """The event loop of one thread, shared by every runner open in it."""

    def __init__(self) -> None:
        import asyncio

        # With a factory, asyncio leaves the thread's own current loop alone.
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.users = 0


class _Thread(threading.local):
    loop: _Loop | None = None


_thread = _Thread()


class SyncRunner:
    """An event loop with a trio guest for a script, kept between calls: tasks started by one go on in the next.

    Runners of one thread share their loop, so a blocking call inside a `for event in stream` works.
    """

    def __init__(self, *, hint: str = "use the async spelling and `await` it") -> None:
        if _loop_runs():
            raise LoopRunning("a blocking call inside a running event loop", hint=hint)
        if _thread.loop is None:
            _thread.loop = _Loop()
        self._loop: _Loop | None = _thread.loop
        self._loop.users += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the loop; the last runner of the thread ends it and everything still running on it."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.users -= 1
        if loop.users == 0:
            _thread.loop = None
            loop.runner.close()

    def run(
        self,
        afn: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        on_interrupt: Callable[[], object] | None = None,
    ) -> T:
        """Run `afn(*args)` in trio and return its result.

        Ctrl-C cancels it and raises KeyboardInterrupt once it has ended. With `on_interrupt` the first Ctrl-C calls
        that function on the loop instead, and the second cancels; one more raises at once. If the caller has
        installed a SIGINT handler of its own, that one is left in place and neither happens.
        """
        if self._loop is None:
            raise RuntimeError("the runner is closed")
        from graphagent.concurrency.guest import in_trio

        loop = self._loop.runner.get_loop()
        task = _CancelOnInterrupt(loop, on_interrupt)
        return task.run(self._loop.runner, in_trio(afn, *args))


class _CancelOnInterrupt:
    """Turns SIGINT into a request, a cancellation, and at last into KeyboardInterrupt, in this order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_interrupt: Callable[[], object] | None) -> None:
        self._loop = loop
        self._steps = [self._cancel] if on_interrupt is None else [on_interrupt, self._cancel]
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    def run(self, runner: asyncio.Runner, work: Awaitable[T]) -> T:
        import asyncio
        import signal

        ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if ours:
            signal.signal(signal.SIGINT, self._handle)
        try:
            return runner.run(self._main(work))
        except asyncio.CancelledError:
            if self._cancelled:
                raise KeyboardInterrupt from None
            raise
        finally:
            if ours and signal.getsignal(signal.SIGINT) == self._handle:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    async def _main(self, work: Awaitable[T]) -> T:
        import asyncio

        self._task = asyncio.current_task()
        return await work

    def _handle(self, number: signal.Signals | int, frame: FrameType | None) -> None:
        if not self._steps:
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._steps.pop(0))

    def _cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

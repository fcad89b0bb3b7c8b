"""Says where a loop is blocked: while code neither awaits nor runs in a thread of its own, nothing else goes on."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import trio

LAG_S = 1.0
_TICK_S = 0.1
_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Lag:
    """A loop that is blocked, or was.

    Attributes:
        seconds: For how long until now.
        stack: What runs in its thread, innermost last, as a traceback shows it; empty when it is over.
    """

    seconds: float
    stack: tuple[str, ...] = ()


class Watchdog:
    """Watches the loop on which `run` is awaited.

    Args:
        tell: Is told of a lag twice: as soon as it is noticed, and when it is over. Called in a thread of its own.
        lag_s: A lag of so many seconds is noticed.
    """

    def __init__(self, tell: Callable[[Lag], None], *, lag_s: float = LAG_S) -> None:
        self._tell = tell
        self._lag_s = lag_s
        self._beats = 0
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        watched = threading.get_ident()
        thread = threading.Thread(target=self._watch, args=(watched,), name="graphagent-watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._beats += 1
                await trio.sleep(_TICK_S)
        finally:
            self._ended.set()
            thread.join()

    def _watch(self, thread: int) -> None:
        beats, lag, told = 0, 0.0, False
        looked = time.monotonic()
        while not self._ended.wait(_TICK_S):
            now = time.monotonic()
            # Where the machine slept or the process was stopped, both threads were, and nothing blocked the loop.
            lag += min(now - looked, 2 * _TICK_S)
            looked = now
            if beats != self._beats:
                if told:
                    self._tell(Lag(lag))
                beats, lag, told = self._beats, 0.0, False
            elif lag >= self._lag_s and not told:
                told = True
                self._tell(Lag(lag, _stack(thread)))


def _stack(thread: int) -> tuple[str, ...]:
    frame = sys._current_frames().get(thread)
    frames = () if frame is None else traceback.extract_stack(frame)[-_FRAMES:]
    return tuple(line for text in traceback.format_list(frames) for line in text.rstrip().splitlines())

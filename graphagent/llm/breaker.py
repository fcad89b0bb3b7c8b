"""The circuit breaker of one model: while its server is down, calls fail at once in place of waiting for it.

    closed      the last 20 outcomes within 60 s count; with 5 failures that are half of them, it opens
    open        every call fails, for 10 s, doubling to 300 s, with jitter
    half-open   one call is let through as a probe, all others still fail; it closes on success

Only `timeout` and `unavailable` are failures: a server that refuses a call is healthy.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

import trio

from graphagent.errors import ModelError

OUTCOMES = 20
WINDOW_S = 60.0
FAILURES = 5
SHARE = 0.5
FIRST_S = 10.0
LONGEST_S = 300.0
JITTER = 0.2
UNHEALTHY = frozenset({"timeout", "unavailable"})


class Breaker:
    """Knows how the last calls of one model ended.

    Args:
        name: The model, for error texts.
        chance: A number from 0 to 1, for the jitter.
    """

    def __init__(self, name: str, chance: Callable[[], float] = random.random) -> None:
        self.name, self._chance = name, chance
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=OUTCOMES)
        self._opened = 0
        """How often in a row; 0 is closed."""
        self._until = -math.inf
        self._period = 0
        """Counts openings and closings, so that a call of an earlier period says nothing about this one."""
        self._probe: Permit | None = None

    def enter(self) -> Permit:
        """Leave for one call; how it ended has to be told to the permit.

        Raises:
            ModelError: `unavailable`, cause `circuit_open`; the call isn't to be made.
        """
        permit = Permit(self, self._period)
        if self._opened:
            left = self._until - trio.current_time()
            if left > 0 or self._probe is not None:
                raise self._refusal(max(left, 0.0))
            self._probe = permit
        return permit

    def end(self, permit: Permit, healthy: bool | None) -> None:
        """The call of a permit has ended; None says nothing about the server."""
        if permit is self._probe:
            self._probe = None
            if healthy is True:
                self._opened, self._period = 0, self._period + 1
                self._outcomes.clear()
            elif healthy is False:
                self._open()
        elif healthy is not None and not self._opened and permit.period == self._period:
            now = trio.current_time()
            self._outcomes.append((now, healthy))
            recent = [good for at, good in self._outcomes if now - at <= WINDOW_S]
            failures = recent.count(False)
            if failures >= FAILURES and failures >= SHARE * len(recent):
                self._open()

    def _open(self) -> None:
        seconds = min(FIRST_S * 2.0**self._opened, LONGEST_S)
        self._opened = min(self._opened + 1, 30)
        self._period += 1
        self._until = trio.current_time() + seconds * (1 - JITTER * self._chance())

    def _refusal(self, left: float) -> ModelError:
        wait = f"it is tried again in {math.ceil(left)} s" if left else "a trial call is under way"
        return ModelError(
            f"model {self.name!r} isn't asked, since its last calls failed: {wait}",
            kind="unavailable", cause="circuit_open", retryable=False, hint="is its server running?",
        )  # fmt: skip


class Permit:
    """Leave for one call of a breaker. One that isn't told the end counts for nothing."""

    __slots__ = ("_breaker", "_ended", "period")

    def __init__(self, breaker: Breaker, period: int) -> None:
        self._breaker, self.period, self._ended = breaker, period, False

    def succeeded(self) -> None:
        """The server answered."""
        self._end(True)

    def failed(self, error: ModelError) -> None:
        """The call failed; whether the server did, is a matter of the kind."""
        self._end(error.kind not in UNHEALTHY)

    def abandoned(self) -> None:
        """Nobody waited for the end."""
        self._end(None)

    def _end(self, healthy: bool | None) -> None:
        if not self._ended:
            self._ended = True
            self._breaker.end(self, healthy)

"""Named points at which a test can make the process fail.

`fault("commit.before")` does nothing unless the environment variable `GRAPHAGENT_FAULT` arms it:
`point:hit:action`, action being `kill`, `raise`, `hang` or `sleep`; several are joined by commas. A point
is armed for its hit-th call in this process, counted from 1.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

POINTS = (
    "commit.encode", "commit.before", "commit.sent", "commit.after", "commit.ack",
    "append.before", "append.after", "intent.before", "intent.after",
    "effect.before", "effect.during", "effect.after", "task.done",
    "park.before", "park.after", "takeover.before", "takeover.after",
    "input.before", "input.after", "answer.before", "answer.after", "fork.after",
    "child.create", "child.attach", "child.outcome", "seal.k", "release.before",
)  # fmt: skip
"""Every point of this release; a test fails if one of them is never passed."""

_ARMED = os.environ.get("GRAPHAGENT_FAULT", "")
_hits: Counter[str] = Counter()


class FaultInjected(Exception):
    """Raised by a point armed with the action `raise`."""


def _act(point: str) -> None:
    _hits[point] += 1
    for spec in _ARMED.split(","):
        name, hit, action = spec.split(":")
        if name != point or int(hit) != _hits[point]:
            continue
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "raise":
            raise FaultInjected(point)
        elif action == "hang":
            time.sleep(3600)
        elif action == "sleep":
            time.sleep(0.05)


def fault(point: str) -> None:
    """Pass the named point."""
    if _ARMED:
        _act(point)

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

WRITES = ("create", "takeover", "commit", "append", "input", "answer", "fork", "release")
"""What a store writes. Each has a point before its statements, one before its COMMIT, and one after that."""
POINTS = (
    *(f"{write}.{when}" for write in WRITES for when in ("before", "sent", "after")),
    "commit.encode", "commit.ack", "intent.before", "intent.after", "effect.before", "effect.during", "effect.after",
    "artifact.write", "artifact.rename", "artifact.row", "task.done", "park.before", "park.after", "timer.fire",
    "fork.row", "child.create", "child.attach", "child.outcome",
)  # fmt: skip
"""Every point that sessions pass; a test fails if one of them is never passed."""
KEEPING = (
    *(f"{write}.{when}" for write in ("import", "delete", "collect") for when in ("before", "sent", "after")),
    "import.rows", "migrate.before", "migrate.after", "artifact.remove",
)  # fmt: skip
"""The points of what is done to stored sessions: import, deletion, each batch of a collection, each artifact that
it removes, each migration."""

_armed = os.environ.get("GRAPHAGENT_FAULT", "")
_hits: Counter[str] = Counter()


class FaultInjected(Exception):
    """Raised by a point armed with the action `raise`."""


def arm(specs: str) -> None:
    """Arm as `GRAPHAGENT_FAULT` does, and count from 1 again: for a process that was forked from a warm one."""
    global _armed
    _armed = specs
    _hits.clear()


def hits() -> dict[str, int]:
    """How often each point was passed since something was armed."""
    return dict(_hits)


def _act(point: str) -> None:
    _hits[point] += 1
    for spec in _armed.split(","):
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
    if _armed:
        _act(point)

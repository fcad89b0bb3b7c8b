"""The exit codes, each once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final


class Exit(IntEnum):
    """What a process tells the one that started it."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    WAITING = 4
    DIVERGED = 5
    LIMIT = 6
    REFUSED = 7
    INTERRUPTED = 130
    PIPE = 141


MEANING: Final[Mapping[Exit, str]] = {
    Exit.OK: "everything went well",
    Exit.FAILED: "the run failed or was cancelled",
    Exit.USAGE: "a flag, session, node or input is unknown or doesn't fit; nothing was started",
    Exit.INVALID: "the graph has errors; nothing was started",
    Exit.WAITING: "the run waits for a person, or is paused",
    Exit.DIVERGED: "the replay differs from the record, or `diff --exit-code` found a difference",
    Exit.LIMIT: "the run reached one of its limits",
    Exit.REFUSED: "refused, nothing changed: the store is unavailable or corrupt, or the session is owned elsewhere",
    Exit.INTERRUPTED: "interrupted; committed work is kept",
    Exit.PIPE: "the reader of stdout went away; the run is paused at its next barrier",
}


def exit_of(run: Mapping[str, Any]) -> Exit:
    """The exit code of a `run` document."""
    status, reason = run["status"], run["reason"]
    if status == "done":
        return Exit.OK
    if status in ("waiting", "running", "idle"):
        return Exit.WAITING
    if status in ("poisoned", "corrupt"):
        return Exit.REFUSED
    return Exit.LIMIT if reason == "limit" else Exit.FAILED

"""What one rendering may still do. Whatever a template makes is paid for, so no template can fill the memory."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from jinja2 import Undefined

from graphagent.graph.plain import MAX_RESULT, Budget, measure

OUTPUT_LIMIT: Final = 1 << 20
LOOP_LIMIT: Final = 10_000
WORK_LIMIT: Final = 16 << 20
"""Characters of all texts that filters, macros and blocks make on the way."""


class TooMuch(Exception):
    """A template passed one of its caps, or asked for what isn't there."""


_left: ContextVar[Budget] = ContextVar("left")


def fresh() -> Any:
    """Begin to count anew; returns the token for `done`."""
    return _left.set([LOOP_LIMIT + 1, WORK_LIMIT])  # the template itself is a step


def done(token: Any) -> None:
    """Stop to count."""
    _left.reset(token)


def left() -> Budget:
    """`[steps, size]` of what is left."""
    return _left.get()


def spend_steps(count: int = 1) -> None:
    """Pay for steps of loops and calls of macros."""
    budget = _left.get()
    budget[0] -= count
    if budget[0] < 0:
        raise TooMuch(f"more than {LOOP_LIMIT:,} loop steps")


def spend(size: int) -> None:
    """Pay for characters; a single text of more than 1 MiB is refused before it is made."""
    if size > MAX_RESULT:
        raise TooMuch(f"a text of more than {MAX_RESULT:,} characters")
    budget = _left.get()
    budget[1] -= size
    if budget[1] < 0:
        raise TooMuch("the template makes too much text")


def weigh(value: Any) -> None:
    """Pay for reading a value: sixteen characters or items cost one."""
    if isinstance(value, str | list | dict):
        budget = _left.get()
        budget[1] -= len(value) // 16
        if budget[1] < 0:
            raise TooMuch("the template reads too much")


def spend_value(value: Any) -> None:
    """Pay for walking over a value: what it would take as text."""
    if isinstance(value, str):
        spend(len(value))
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            if isinstance(item, Undefined):
                str(item)  # which raises, and says what is missing
        spend(measure(value, MAX_RESULT))

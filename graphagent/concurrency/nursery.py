"""A nursery whose callers see the error that a task raised, not a group around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def lone_nursery() -> AsyncIterator[trio.Nursery]:
    """A trio nursery that raises the first error as it is; further ones are its `__context__`'s notes."""
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        raise first_error(group) from None


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that explains a group: an interrupt by the user before all else, a cancellation last."""
    leaves = list(_leaves(group))
    for wanted in ((KeyboardInterrupt, SystemExit), Exception):
        for leaf in leaves:
            if isinstance(leaf, wanted):
                return leaf
    return leaves[0] if len(leaves) == 1 else group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    out: list[BaseException] = []
    for error in group.exceptions:
        out += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return out

"""Marks that an author puts on functions. Importing this imports nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

TRIO_MARK: Final = "__graphagent_trio__"

F = TypeVar("F", bound=Callable[..., object])


def trio_node(function: F) -> F:
    """Mark a coroutine function as written for trio: a `code` node awaits it inline, not on the asyncio loop."""
    setattr(function, TRIO_MARK, True)
    return function

"""Marks that an author puts on functions. Importing this imports nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

TRIO_MARK: Final = "__graphagent_trio__"

REDUCER_MARK: Final = "__graphagent_reducer__"

F = TypeVar("F", bound=Callable[..., object])


def trio_node(function: F) -> F:
    """Mark a coroutine function as written for trio: a `code` node awaits it inline, not on the asyncio loop."""
    setattr(function, TRIO_MARK, True)
    return function


def reducer(*, commutative: bool = False, ordered: bool = False) -> Callable[[F], F]:
    """Mark a pure function `fold(value, write)` as a reducer of channels, and say how it folds.

    Args:
        commutative: The order of writes doesn't matter.
        ordered: It does; writes come in plan order, then in item order.
    """

    def mark(function: F) -> F:
        setattr(function, REDUCER_MARK, "commutative" if commutative else "ordered" if ordered else "unmarked")
        return function

    return mark

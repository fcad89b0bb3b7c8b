"""Marks that an author puts on functions. Importing this imports nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

TRIO_MARK: Final = "__graphagent_trio__"

REDUCER_MARK: Final = "__graphagent_reducer__"

UPCASTER_MARK: Final = "__graphagent_upcaster__"

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


def upcaster(graph: str, channel: str, before: str, after: str) -> Callable[[F], F]:
    """Mark a function `upcast(value)` that gives a channel's value the type which it has in a newer graph.

    Args:
        graph: The name of the graph, which both have.
        before: The type that the channel had, as its author writes it: `list[str]`.
        after: The type that it has.
    """

    def mark(function: F) -> F:
        keys = getattr(function, UPCASTER_MARK, ())
        setattr(function, UPCASTER_MARK, (*keys, (graph, channel, before, after)))
        return function

    return mark

"""Comparisons as closures; the one with a constant is fast, since most guards are such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphagent.graph.expression_errors import Failure, placed
from graphagent.graph.expression_tree import Compare
from graphagent.graph.plain import COMPARISONS, Budget, contains, equal, ordered

Env = Mapping[str, Any]
Closure = Callable[[Env, Budget], Any]


def comparison(operator: str) -> Callable[[Any, Any, Budget], bool]:
    if operator in COMPARISONS:
        compare = COMPARISONS[operator]
        return lambda a, b, budget: ordered(a, b, compare, budget)
    return _OTHER_COMPARISONS[operator]


_OTHER_COMPARISONS: dict[str, Callable[[Any, Any, Budget], bool]] = {
    "==": equal,
    "!=": lambda a, b, budget: not equal(a, b, budget),
    "in": lambda a, b, budget: contains(b, a, budget),
    "not in": lambda a, b, budget: not contains(b, a, budget),
    "is": lambda a, b, budget: a is None,
    "is not": lambda a, b, budget: a is not None,
}


def compare_constant(node: Compare, left: Closure, operator: str, constant: Any) -> Closure:
    """A comparison with a constant, the usual form of a guard."""
    general = comparison(operator)
    expected = type(constant)
    fast: Callable[[Any, Any], Any] | None = COMPARISONS.get(operator)
    if operator in ("==", "!="):
        fast = _EQUALITIES[operator]
    if fast is None or constant is None or (expected is bool and operator in COMPARISONS):
        fast, expected = _EQUALITIES["=="], _Nothing
    quick = fast

    def compare(env: Env, frame: Budget) -> Any:
        value = left(env, frame)
        if type(value) is expected:
            return quick(value, constant)
        try:
            return general(value, constant, frame)
        except Failure as failure:
            raise placed(failure, node) from None

    return compare


class _Nothing:
    """The type of no value."""


_EQUALITIES: dict[str, Callable[[Any, Any], Any]] = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b}

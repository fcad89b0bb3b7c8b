"""What guards say together: whether they leave a case out, and whether an earlier one takes all of a later one.

The terms that guards compare with constants (`verdict`, `len(items)`, `run.visits.a`) are variables. Each gets the
few values at which something can change: its literals, both booleans, the constants and what lies between them.
All combinations are tried, so what is found holds for every value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Final, TypeAlias

from graphagent.graph.expression_tree import (
    Call,
    Compare,
    Constant,
    ListNode,
    Logic,
    Negative,
    Node,
    Not,
    constant_path,
)
from graphagent.graph.type_model import BOOL, FLOAT, INT, NONE, DictOf, LiteralOf, ObjectOf, Type, members

MAX_CASES: Final = 4_000
Roots: TypeAlias = Mapping[str, Type]
_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class TooMany(Exception):
    """There are more cases than can be tried."""


@dataclass(slots=True)
class _Term:
    """A variable: its constants, and whether it is used as a boolean by itself or compared with null."""

    node: Node
    constants: list[Any]
    is_bool: bool = False
    is_null: bool = False


class Guards:
    """The guards of one list of routes, None for an else.

    Args:
        guards: (text, tree) of each guard.
        roots: The types of the names that they can use.
    """

    def __init__(self, guards: Sequence[tuple[str, Node] | None], roots: Roots) -> None:
        self.guards = guards
        self.roots = roots
        self.terms: dict[str, _Term] = {}
        for guard in guards:
            if guard is not None:
                self._collect(*guard)

    def uncovered(self) -> str | None:
        """A case for which no guard is true, in words; None if there is none."""
        if any(guard is None for guard in self.guards):
            return None
        for case in self._cases():
            if not any(self._holds(i, case) for i in range(len(self.guards))):
                return self._show(case)
        return None

    def covered(self, index: int) -> bool:
        """Whether an earlier guard is true wherever this one is."""
        if any(guard is None for guard in self.guards[:index]):
            return True
        if index == 0 or self.guards[index] is None:
            return False
        found = False
        for case in self._cases():
            if self._holds(index, case):
                found = True
                if not any(self._holds(i, case) for i in range(index)):
                    return False
        return found

    # --- variables

    def _collect(self, text: str, node: Node) -> None:
        if isinstance(node, Logic):
            for value in node.values:
                self._collect(text, value)
        elif isinstance(node, Not):
            self._collect(text, node.value)
        elif isinstance(node, Constant):
            pass
        elif isinstance(node, Compare):
            for left, op, right in _steps(node):
                self._collect_step(text, left, op, right)
        else:
            self._term(text, node).is_bool = True

    def _collect_step(self, text: str, left: Node, op: str, right: Node) -> None:
        kind, node, constant = _simple(left, op, right)
        if kind == "opaque":
            self._term(text, left, right, op).is_bool = True
        elif kind != "constant":
            term = self._term(text, node)
            term.is_null |= kind == "null"
            term.constants += constant if kind == "in" else [] if kind == "null" else [constant]

    def _term(self, text: str, *parts: Any) -> _Term:
        key = _key(text, *parts)
        return self.terms.setdefault(key, _Term(parts[0], []))

    def _cases(self) -> Iterator[dict[str, Any]]:
        values = [self._values(term) for term in self.terms.values()]
        size = 1
        for found in values:
            size *= len(found)
        if size > MAX_CASES:
            raise TooMany
        for case in product(*values):
            yield dict(zip(self.terms, case, strict=True))

    def _values(self, term: _Term) -> list[Any]:
        """The values at which a term is looked at."""
        if term.is_bool and not term.constants and not term.is_null:
            return [True, False]
        declared = self._type(term.node)
        out: list[Any] = []
        null = term.is_null
        for member in members(declared) if declared is not None else ():
            if member == NONE:
                null = True
            elif isinstance(member, LiteralOf):
                out += member.values
            elif member == BOOL:
                out += [True, False]
            else:
                out += _samples(term.constants, member, isinstance(term.node, Call) and term.node.function == "len")
        if declared is None or (not out and not null):
            out += [*_samples(term.constants, None, False), *([True, False] if term.is_bool else [])]
        return _distinct([*out, *([None] if null else [])])

    def _type(self, node: Node) -> Type | None:
        if isinstance(node, Call) and node.function == "len":
            return INT
        found = constant_path(node)
        if found is None:
            return None
        root, keys = found
        return type_at(self.roots.get(root.name), keys) if root.slot is None else None

    # --- evaluation

    def _holds(self, index: int, case: Mapping[str, Any]) -> bool:
        guard = self.guards[index]
        if guard is None:
            return True
        try:
            return self._value(guard[0], guard[1], case) is True
        except TypeError:
            return True  # comparing unlike values fails the task: no route is missing for it

    def _value(self, text: str, node: Node, case: Mapping[str, Any]) -> Any:
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Not):
            return not self._value(text, node.value, case)
        if isinstance(node, Logic):
            values = (self._value(text, value, case) for value in node.values)
            return all(values) if node.operator == "and" else any(values)
        if isinstance(node, Compare):
            return all(self._step(text, *step, case) for step in _steps(node))
        return case[_key(text, node)]

    def _step(self, text: str, left: Node, op: str, right: Node, case: Mapping[str, Any]) -> bool:
        kind, node, constant = _simple(left, op, right)
        if kind == "constant":
            return bool(_compare(op, left.value, right.value))  # type: ignore[union-attr]
        if kind == "opaque":
            found = bool(case[_key(text, left, right, op)])
            return not found if op in {"!=", ">=", "<=", "not in"} else found
        value = case[_key(text, node)]
        if kind == "null":
            return (value is None) == (op in {"is", "=="})
        if kind == "in":
            return any(_same(value, item) for item in constant) == (op == "in")
        return bool(_compare(_MIRRORED[op] if isinstance(left, Constant | Negative) else op, value, constant))

    def _show(self, case: Mapping[str, Any]) -> str:
        from graphagent.graph.type_model import show_literal

        parts = []
        for key, value in case.items():
            if isinstance(value, _Other):
                continue
            if isinstance(value, bool) and self.terms[key].is_bool:
                shown = key.replace("\0", " ")
                parts.append(shown if value else f"not ({shown})" if " " in shown else f"not {shown}")
            else:
                parts.append(f"{key} == {show_literal(value)}")
        return " and ".join(parts) or "any other value"


class _Other:
    """A text that none of the constants is."""


def _simple(left: Node, op: str, right: Node) -> tuple[str, Node, Any]:
    """What sort of comparison this is, its term, and what the term is compared with."""
    fixed_left, a = _fixed(left)
    fixed_right, b = _fixed(right)
    if fixed_left and fixed_right:
        return ("constant", left, None) if isinstance(left, Constant) and isinstance(right, Constant) else (
            "opaque", left, None)  # fmt: skip
    if op in {"in", "not in"}:
        return ("in", left, b) if fixed_right and isinstance(b, list) else ("opaque", left, None)
    if fixed_right and b is None:
        return "null", left, None
    if fixed_left and a is None:
        return "null", right, None
    if fixed_right and not isinstance(b, list):
        return "compare", left, b
    if fixed_left and not isinstance(a, list):
        return "compare", right, a
    return "opaque", left, None


def _fixed(node: Node) -> tuple[bool, Any]:
    if isinstance(node, Constant):
        return True, node.value
    if isinstance(node, Negative) and isinstance(node.value, Constant) and isinstance(node.value.value, int | float):
        return True, -node.value.value
    if isinstance(node, ListNode):
        items = [_fixed(item) for item in node.items]
        if all(found for found, _ in items):
            return True, [value for _, value in items]
    return False, None


def _steps(node: Compare) -> Iterator[tuple[Node, str, Node]]:
    left = node.first
    for op, right in node.rest:
        yield left, op, right
        left = right


def _key(text: str, *parts: Any) -> str:
    """The same text for the same term; `a >= b` is the opposite of `a < b` and shares its key."""
    node = parts[0]
    if len(parts) == 1:
        return text[node.start : node.end]
    right, op = parts[1], parts[2]
    a, b = text[node.start : node.end], text[right.start : right.end]
    if op in {"==", "!="}:
        return f"{min(a, b)}\0==\0{max(a, b)}"
    if op in {">", "<="}:
        return f"{b}\0<\0{a}"
    return f"{a}\0{'in' if op in {'in', 'not in'} else '<'}\0{b}"


def _compare(op: str, a: Any, b: Any) -> Any:
    if isinstance(a, _Other):
        if op in {"<", "<=", ">", ">="}:
            raise TypeError
        return op == "!="
    if op in {"==", "!="}:
        return _same(a, b) == (op == "==")
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        raise TypeError
    return _ORDER[op](a, b)


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and type(a) is not _Other and bool(a == b)


def _samples(constants: Sequence[Any], declared: Type | None, at_least_0: bool) -> list[Any]:
    numbers = sorted({c for c in constants if isinstance(c, int | float) and not isinstance(c, bool)})
    out: list[Any] = [c for c in constants if not isinstance(c, int | float) or isinstance(c, bool)]
    if declared not in {INT, FLOAT}:
        out.append(_Other())
    if numbers and declared == INT:
        near = {int(c) + d for c in numbers for d in (-1, 0, 1)}
        return [*out, *(n for n in sorted(near) if not at_least_0 or n >= 0)]
    if numbers:
        between = [(a + b) / 2 for a, b in pairwise(numbers)]
        return [*out, numbers[0] - 1, *numbers, *between, numbers[-1] + 1]
    return out or [_Other()]


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({(type(v).__name__, v if not isinstance(v, _Other) else "other"): v for v in values}.values())


def type_at(found: Type | None, keys: Iterable[str | int]) -> Type | None:
    """The type of a part of a value, None if it isn't known."""
    for key in keys:
        if isinstance(found, ObjectOf) and isinstance(key, str):
            field = found.field(key)
            found = None if field is None else field.type
        elif isinstance(found, DictOf) and isinstance(key, str):
            found = found.value
        else:
            return None
    return found

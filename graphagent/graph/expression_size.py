"""Which expressions make data themselves, so that their result has to be measured."""

from __future__ import annotations

from graphagent.graph.expression_tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Constant,
    Index,
    Logic,
    Member,
    Name,
    Negative,
    Node,
    Not,
)

_SMALL = frozenset({
    "len", "int", "float", "bool", "hash", "sum", "abs", "round", "any", "all", "contains", "startswith", "endswith",
    "has",
})  # fmt: skip


SCALARS = frozenset({int, float, bool, type(None)})


def makes_data(node: Node) -> bool:
    """Whether the value may be a text, list or object that the expression made itself."""
    match node:
        case Constant() | Name() | Not() | Negative() | Logic() | Compare():
            return False
        case Member() | Index():
            return makes_data(node.value)
        case Binary():
            return node.operator == "+"
        case Choice():
            return makes_data(node.then) or makes_data(node.other)
        case Call() if node.function in _SMALL:
            return False
        case Call() if node.function in ("first", "last", "min", "max", "default"):
            return any(makes_data(argument) for argument in node.arguments)
        case _:
            return True

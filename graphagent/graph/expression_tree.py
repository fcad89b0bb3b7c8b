"""Expressions as trees: the closed set of things that an expression can consist of.

`expression_syntax` makes them from text. Whatever it has let through is one of these, so reading, typing and
evaluating never meet a Python syntax tree. `start` and `end` count code points of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Arithmetic = Literal["+", "-", "*", "/", "//", "%"]
Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"]


class Constant(NamedTuple):
    start: int
    end: int
    value: Scalar


class Name(NamedTuple):
    """`slot` numbers the variables of comprehensions from 0; it is None for a name from outside."""

    start: int
    end: int
    name: str
    slot: int | None = None


class Member(NamedTuple):
    """`value.name`: a key of an object."""

    start: int
    end: int
    value: Node
    name: str


class Index(NamedTuple):
    start: int
    end: int
    value: Node
    key: Node


class Slice(NamedTuple):
    start: int
    end: int
    value: Node
    lower: Node | None
    upper: Node | None


class Not(NamedTuple):
    start: int
    end: int
    value: Node


class Negative(NamedTuple):
    start: int
    end: int
    value: Node


class Logic(NamedTuple):
    start: int
    end: int
    operator: Literal["and", "or"]
    values: tuple[Node, ...]


class Binary(NamedTuple):
    start: int
    end: int
    operator: Arithmetic
    left: Node
    right: Node


class Compare(NamedTuple):
    """`first op value op value ...`; `is` and `is not` only with null."""

    start: int
    end: int
    first: Node
    rest: tuple[tuple[Comparison, Node], ...]


class Choice(NamedTuple):
    """`then if test else other`."""

    start: int
    end: int
    test: Node
    then: Node
    other: Node


class ListNode(NamedTuple):
    start: int
    end: int
    items: tuple[Node, ...]


class DictNode(NamedTuple):
    start: int
    end: int
    items: tuple[tuple[Node, Node], ...]


class Generator(NamedTuple):
    """`for target in source if test ...`; `start` and `end` are those of the target."""

    start: int
    end: int
    target: str
    slot: int
    source: Node
    tests: tuple[Node, ...]


class Comprehension(NamedTuple):
    start: int
    end: int
    item: Node
    generators: tuple[Generator, ...]


class Call(NamedTuple):
    start: int
    end: int
    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = (
    Constant | Name | Member | Index | Slice | Not | Negative | Logic | Binary | Compare | Choice | ListNode
    | DictNode | Comprehension | Call
)  # fmt: skip


def children(node: Node) -> Iterator[Node]:
    """The parts of which a node consists, in the order of the text."""
    match node:
        case Constant() | Name():
            pass
        case Member() | Not() | Negative():
            yield node.value
        case Index():
            yield from (node.value, node.key)
        case Slice():
            yield from (part for part in (node.value, node.lower, node.upper) if part is not None)
        case Logic():
            yield from node.values
        case Binary():
            yield from (node.left, node.right)
        case Compare():
            yield node.first
            yield from (value for _, value in node.rest)
        case Choice():
            yield from (node.then, node.test, node.other)
        case ListNode():
            yield from node.items
        case DictNode():
            yield from (part for pair in node.items for part in pair)
        case Comprehension():
            yield node.item
            for generator in node.generators:
                yield from (generator.source, *generator.tests)
        case Call():
            yield from node.arguments


def is_path(node: Node) -> bool:
    """Whether it is a name with keys behind it: `a`, `a.b`, `a['b'][0]`, `a[i].b`."""
    while isinstance(node, Member | Index):
        node = node.value
    return isinstance(node, Name)


def constant_path(node: Node) -> tuple[Name, tuple[str | int, ...]] | None:
    """Root and keys of a path whose keys are all constant; None for everything else."""
    keys: list[str | int] = []
    while not isinstance(node, Name):
        if isinstance(node, Member):
            keys.append(node.name)
        elif isinstance(node, Index) and isinstance(node.key, Constant) and type(node.key.value) in (str, int):
            keys.append(node.key.value)  # type: ignore[arg-type]
        else:
            return None
        node = node.value
    return node, tuple(reversed(keys))

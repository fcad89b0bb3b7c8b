"""What an expression reads, known before it is ever evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphagent.graph.expression_tree import (
    Call,
    Choice,
    Compare,
    Comprehension,
    Constant,
    Index,
    Logic,
    Member,
    Name,
    Node,
    Not,
    children,
    constant_path,
)

EACH = "[]"
"""Stands in a path for every item of a list: `[f.claim for f in findings]` reads `findings`, `[]`, `claim`."""

Keys = tuple[str | int, ...]
Fact = tuple[str, int | None, Keys]
"""A path that is known to be there and not null: name, slot of a comprehension variable, keys."""


@dataclass(frozen=True, slots=True)
class Read:
    """A path that the expression may read, from `root` on; it ends at the first key that isn't constant.

    `guarded`: it may be missing, since it stands in `has()` or `default()`, or behind a `has()` that held.
    """

    root: str
    path: Keys
    start: int
    end: int
    guarded: bool


def facts(node: Node, outcome: bool) -> frozenset[Fact]:
    """The paths that are there and not null if the test `node` came out as `outcome`."""
    match node:
        case Not():
            return facts(node.value, not outcome)
        case Logic():
            parts = [facts(value, outcome) for value in node.values]
            together = outcome == (node.operator == "and")
            return frozenset.union(*parts) if together else frozenset.intersection(*parts)
        case Call() if node.function == "has" and outcome:
            return _prefixes(node.arguments[0])
        case Compare() if len(node.rest) == 1 and node.rest[0][0] == ("is not" if outcome else "is"):
            return _prefixes(node.first)
    return frozenset()


def _prefixes(node: Node) -> frozenset[Fact]:
    found = constant_path(node)
    if found is None:
        return frozenset()
    name, keys = found
    return frozenset((name.name, name.slot, keys[:n]) for n in range(len(keys) + 1))


def reads(node: Node) -> tuple[Read, ...]:
    """All reads of an expression, in the order of the text."""
    return tuple(sorted(_Collector().walk(node, frozenset()), key=lambda read: (read.start, read.end)))


@dataclass(frozen=True, slots=True)
class _Chain:
    root: str
    keys: Keys
    end: int
    open: bool = True


class _Collector:
    """Walks one tree. `_sources` says, by slot, of which path a variable is an item; None for an unknown one."""

    def __init__(self) -> None:
        self._sources: dict[int, tuple[str, Keys] | None] = {}

    def walk(self, node: Node, known: frozenset[Fact]) -> Iterator[Read]:
        match node:
            case Name() | Member() | Index():
                yield from self._path(node, known, guarded=False)
            case Logic():
                for value in node.values:
                    yield from self.walk(value, known)
                    known |= facts(value, node.operator == "and")
            case Choice():
                yield from self.walk(node.test, known)
                yield from self.walk(node.then, known | facts(node.test, True))
                yield from self.walk(node.other, known | facts(node.test, False))
            case Call() if node.function in ("has", "default"):
                paths = node.arguments if node.function == "has" else node.arguments[:-1]
                for path in paths:
                    yield from self._path(path, known, guarded=True)
                for argument in node.arguments[len(paths) :]:
                    yield from self.walk(argument, known)
            case Comprehension():
                yield from self._comprehension(node, known)
            case _:
                for child in children(node):
                    yield from self.walk(child, known)

    def _comprehension(self, node: Comprehension, known: frozenset[Fact]) -> Iterator[Read]:
        for generator in node.generators:
            yield from self.walk(generator.source, known)
            self._sources[generator.slot] = self._source(generator.source)
            for test in generator.tests:
                yield from self.walk(test, known)
                known |= facts(test, True)
        yield from self.walk(node.item, known)

    def _source(self, node: Node) -> tuple[str, Keys] | None:
        found = constant_path(node)
        if found is None:
            return None
        name, keys = found
        base = (name.name, ()) if name.slot is None else self._sources[name.slot]
        return base and (base[0], (*base[1], *keys, EACH))

    def _path(self, node: Node, known: frozenset[Fact], *, guarded: bool) -> Iterator[Read]:
        nested: list[Node] = []
        chain = self._chain(node, nested)
        if chain is not None:
            start = _first(node)
            sure = guarded or (chain.root, None, ()) in known
            yield Read(chain.root, chain.keys, start, chain.end, sure)
        for part in nested:
            yield from self.walk(part, known)

    def _chain(self, node: Node, nested: list[Node]) -> _Chain | None:
        """The constant beginning of a path; what else is in it goes to `nested`."""
        if isinstance(node, Name):
            if node.slot is None:
                return _Chain(node.name, (), node.end)
            source = self._sources[node.slot]
            return source and _Chain(*source, node.end)
        if not isinstance(node, Member | Index):
            nested.append(node)
            return None
        chain = self._chain(node.value, nested)
        if isinstance(node, Member):
            key: str | int | None = node.name
        elif isinstance(node.key, Constant) and type(node.key.value) in (str, int):
            key = node.key.value  # type: ignore[assignment]
        else:
            key = None
            nested.append(node.key)
        if chain is None or not chain.open:
            return chain
        if key is None:
            return _Chain(chain.root, chain.keys, chain.end, open=False)
        return _Chain(chain.root, (*chain.keys, key), node.end)


def _first(node: Node) -> int:
    while isinstance(node, Member | Index):
        node = node.value
    return node.start

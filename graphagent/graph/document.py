"""A file as a tree of nodes that know their place; plain data can have the same shape."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphagent.graph.diagnostics import Diagnostic, Span, Suppression, show_path, split_lines
from graphagent.graph.offsets import offsets
from graphagent.graph.spec import Path

Plain: TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name of the file it is from."""

    text: str
    file: str


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A scalar: its `value`, and its `text` before plain ones were resolved.

    `style` is `'`, `"`, `|`, `>` or empty for a plain one. `start` and `end` are offsets in the source; -1 where
    there is none.
    """

    value: Plain
    text: str
    style: str
    span: Span
    start: int = -1
    end: int = -1

    @property
    def plain(self) -> bool:
        return self.style == ""


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A mapping from text to (key, value), in the order of the file."""

    items: Dict[str, tuple[Scalar, Node]]
    span: Span

    def get(self, key: str) -> Node | None:
        item = self.items.get(key)
        return None if item is None else item[1]


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Document:
    """A parsed file, or plain data with the same shape. `suppressions` is filled when it is checked."""

    source: Source
    root: Node | None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def start(self) -> Span:
        """The very beginning of the file."""
        return Span(self.file, 1, 1, 1, 1)

    def data(self) -> Any:
        """The whole tree as plain data."""
        return None if self.root is None else plain_data(self.root)

    def node(self, path: Path) -> Node | None:
        """The node at a path, None if there is none."""
        found = self.root
        for part in path:
            if isinstance(found, Mapping) and isinstance(part, str):
                found = found.get(part)
            elif isinstance(found, Sequence) and isinstance(part, int) and part < len(found.items):
                found = found.items[part]
            else:
                return None
        return found

    def span(self, path: Path) -> Span:
        """Where the value at a path is; where it is missing, the nearest thing around it."""
        while path:
            found = self.node(path)
            if found is not None:
                return found.span
            path = path[:-1]
        return self.root.span if self.root is not None else self.start

    def key_span(self, path: Path) -> Span:
        """Where the key at the end of a path is; for an item of a list the item itself."""
        parent = self.node(path[:-1]) if path else None
        if isinstance(parent, Mapping) and path[-1] in parent.items:
            return parent.items[str(path[-1])][0].span
        return self.span(path)

    def locate(self, scalar: Scalar, start: int, end: int) -> Span:
        """The place in the file of the characters `start` to `end` of a scalar's text."""
        if scalar.start < 0 or start > len(scalar.text):
            return scalar.span
        raw = self.source.text[scalar.start : scalar.end]
        table = offsets(raw, scalar.text, scalar.style)
        end = min(max(start, end), len(scalar.text))
        first = table[start][0]
        last = table[end - 1][1] if end > start else first
        return self._between(scalar, first, max(first, last))

    def _between(self, scalar: Scalar, first: int, last: int) -> Span:
        text = self.source.text
        line, column = _advance(text, scalar.start, scalar.start + first, *self._place_of(scalar))
        end_line, end_column = _advance(text, scalar.start + first, scalar.start + last, line, column)
        return Span(self.file, line, column, end_line, end_column)

    def _place_of(self, scalar: Scalar) -> tuple[int, int]:
        return scalar.span.line, scalar.span.column


def document_of(data: Any, spans: Dict[str, Span] | None = None, file: str = "<python>") -> Document:
    """Plain data as a document. `spans` gives places by path, `$.nodes.write`; a part without one has its parent's."""
    start = Span(file, 1, 1, 1, 1)
    return Document(Source("", file), _tree(data, (), spans or {}, start))


def _tree(value: Any, path: Path, spans: Dict[str, Span], outer: Span) -> Node:
    span = spans.get(show_path(path), outer) if spans else outer
    if isinstance(value, Dict):
        items: dict[str, tuple[Scalar, Node]] = {}
        for key, item in value.items():
            child = _tree(item, (*path, str(key)), spans, span)
            items[str(key)] = (Scalar(str(key), str(key), "'", child.span), child)
        return Mapping(items, span)
    if isinstance(value, (list, tuple)):
        return Sequence(tuple(_tree(item, (*path, i), spans, span) for i, item in enumerate(value)), span)
    if isinstance(value, str):
        return Scalar(value, value, "'", span)
    return Scalar(value, str(value), "", span)


def plain_data(node: Node) -> Any:
    """A node as plain data."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain_data(item) for item in node.items]
    return {key: plain_data(value) for key, (_, value) in node.items.items()}


def _advance(text: str, start: int, end: int, line: int, column: int) -> tuple[int, int]:
    """Line and column of offset `end`, given those of `start`."""
    parts = split_lines(text[start:end])
    return (line, column + end - start) if len(parts) == 1 else (line + len(parts) - 1, len(parts[-1]) + 1)

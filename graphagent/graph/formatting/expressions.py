"""`true`, `false` and `null` in expressions, and single quotes around their texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from graphagent.graph.document import Document, Node, Scalar
from graphagent.graph.expression_errors import ExpressionError
from graphagent.graph.expression_tokens import scan
from graphagent.graph.offsets import offsets
from graphagent.graph.reader import scalars
from graphagent.graph.spec import Path
from graphagent.graph.values import parse_value
from graphagent.graph.walker import Walker

_WORDS: Final = {"True": "true", "False": "false", "None": "null"}
Change = tuple[int, int, str]
"""Start and end of a piece of text, and what stands there instead."""


def write_expressions(document: Document) -> str:
    """The text of a document with its expressions in the one spelling; what is no expression stays as it is.

    Only places of which the whole graph agrees that they are expressions are touched: a scalar with an anchor may
    be one here and plain text there.
    """
    changes = [
        change
        for scalar, is_value in _expression_scalars(document)
        for change in _in_source(document, scalar, _changes_of(scalar.text, is_value=is_value))
    ]
    text, out, position = document.source.text, [], 0
    for start, end, instead in sorted(changes):
        out += [text[position:start], instead]
        position = end
    return "".join([*out, text[position:]])


def _expression_scalars(document: Document) -> Iterator[tuple[Scalar, bool]]:
    """Each scalar that is an expression (False) or a value that may hold some (True), and nothing else elsewhere."""
    if document.root is None:
        return
    places = _places(document)
    uses: dict[int, set[bool | None]] = {}
    found: dict[int, Scalar] = {}
    for scalar, path in scalars(document.root, ()):
        uses.setdefault(scalar.start, set()).add(places.get(path))
        found[scalar.start] = scalar
    for start, kinds in uses.items():
        kind = kinds.pop() if len(kinds) == 1 else None
        if kind is not None and isinstance(found[start].value, str | bool):
            yield found[start], kind


def _places(document: Document) -> dict[Path, bool]:
    """Path -> whether a value stands there, as the language itself reads the document."""
    places: dict[Path, bool] = {}

    class Finder(Walker):
        def read_expression(self, node: Node, path: Path) -> Any:
            places[path] = False
            return super().read_expression(node, path)

        def read_value(self, node: Node, path: Path) -> Any:
            places.update((at, True) for _, at in scalars(node, path))
            return super().read_value(node, path)

    Finder(document).read_document()
    return places


def _changes_of(text: str, *, is_value: bool) -> list[Change]:
    if not is_value:
        return _changes_in(text, 0)
    try:
        parts = list(parse_value(text).parts())
    except ExpressionError:
        return []
    return [change for _, expression, offset in parts for change in _changes_in(expression.text, offset)]


def _changes_in(expression: str, offset: int) -> list[Change]:
    try:
        tokens = scan(expression)
    except ExpressionError:
        return []
    out: list[Change] = []
    for token in tokens:
        start, end = token.start + offset, token.end + offset
        if token.kind == "name" and token.text in _WORDS:
            out.append((start, end, _WORDS[token.text]))
        elif token.kind == "string" and token.text[0] == '"' and not set(token.text) & {"'", "\\"}:
            out += [(start, start + 1, "'"), (end - 1, end, "'")]
    return out


def _in_source(document: Document, scalar: Scalar, changes: list[Change]) -> Iterator[Change]:
    """The changes as places in the file, where a single quote in single quotes is written twice."""
    if not changes:
        return
    raw = document.source.text[scalar.start : scalar.end]
    table = offsets(raw, scalar.text, scalar.style)
    for start, end, instead in changes:
        first, last = table[start][0], table[end - 1][1]
        quoted = instead.replace("'", "''") if scalar.style == "'" else instead
        yield scalar.start + first, scalar.start + last, quoted

"""A document as its author meant it, so that what a mistake breaks doesn't hide other mistakes.

Names with one likely correction are corrected and unknown keys left out, in the tree and not in the text, so that
every place stays what it is. What is still broken says which checks of the whole graph would go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from graphagent.graph import keys
from graphagent.graph.diagnostics import Diagnostic, Span
from graphagent.graph.document import Document, Mapping, Node, Scalar, Sequence
from graphagent.graph.spec import Path

STATE: Final = frozenset({"GA305", "GA306", "GA310"})
"""Checks that look at what is written on the way."""
LOCAL: Final = frozenset({"GA403", "GA404", "GA405", "GA406", "GA409", "GA411"})
"""Checks that don't report more where an edge is missing."""
_ROUTING: Final = frozenset({"next", "on_error", "join", "on_update", "interrupt", "kind"})
_WRITING: Final = frozenset({"writes", "tool_writes", "history", "delegates"})
_KNOWN: Final = frozenset(keys.NODE).union(*keys.KINDS.values())
_HARMLESS: Final = frozenset({"metadata", "types", "models", "tools", "prompts", "secrets", "imports", "graphs"})


def healed(document: Document, found: Iterable[Diagnostic]) -> Document:
    """The document without the mistakes that these findings know how to correct."""
    edits: dict[Span, str] = {}
    dropped: set[Span] = set()
    for item in found:
        if item.fix is not None and len(item.fix.edits) == 1:
            edits[item.fix.edits[0].span] = item.fix.edits[0].text
        elif item.code == "GA004":
            dropped.add(item.span)
    root = None if document.root is None else _healed(document.root, edits, dropped)
    return Document(document.source, root)


def _healed(node: Node, edits: dict[Span, str], dropped: set[Span]) -> Node:
    if isinstance(node, Scalar):
        return _renamed(node, edits)
    if isinstance(node, Sequence):
        return Sequence(tuple(_healed(item, edits, dropped) for item in node.items), node.span)
    items: dict[str, tuple[Scalar, Node]] = {}
    for name, (key, value) in node.items.items():
        new = _renamed(key, edits)
        if new is not key and new.text in node.items:
            new = key
        if key.span not in dropped:
            items[new.text if new is not key else name] = (new, _healed(value, edits, dropped))
    return Mapping(items, node.span)


def _renamed(node: Scalar, edits: dict[Span, str]) -> Scalar:
    text = edits.get(node.span)
    return node if text is None else Scalar(text, text, "'", node.span)


def unsafe(document: Document, broken: Iterable[Path], own: Path, codes: Iterable[str]) -> set[str]:
    """Which checks of a graph would go wrong, since these paths are broken.

    Args:
        document: The document.
        broken: Paths of what couldn't be read.
        own: The path of the graph.
        codes: All checks of whole graphs.
    """
    out: set[str] = set()
    for path in broken:
        if (own or path[:1] != ("graphs",)) and path[: len(own)] == own:
            out |= _hit(document, path[len(own) :], own, set(codes))
    return out


def _hit(document: Document, path: Path, own: Path, everything: set[str]) -> set[str]:
    head = path[0] if path else None
    if head in _HARMLESS or head == "inputs":
        return set()
    if head in ("outputs", "result", "channels") and len(path) > 1:
        return set(STATE)
    if head == "limits":
        return {"GA405", "GA411", "GA416"}
    if head != "nodes" or len(path) < 2:
        return everything
    if len(path) == 2:  # a key of the node is missing
        node = document.node((*own, *path))
        known = isinstance(node, Mapping) and "next" in node.items and "kind" in node.items
        return set() if known else everything
    if path[2] in _ROUTING:
        return everything
    return set(STATE) if path[2] in _WRITING else set()


def hints_at_routes(document: Document, broken: Iterable[Path], own: Path, nodes: Iterable[str]) -> bool:
    """Whether an unknown key of a node names another node: then it may have been meant as a route."""
    names = set(nodes)
    for path in broken:
        if path[: len(own) + 1] == (*own, "nodes") and len(path) == len(own) + 3:
            found = document.node(path)
            if found is not None and path[-1] not in _KNOWN and names & set(_texts(found)):
                return True
    return False


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    else:
        items = node.items if isinstance(node, Sequence) else [value for _, value in node.items.values()]
        for item in items:
            yield from _texts(item)


def duplicates(document: Document) -> Iterator[Path]:
    """The paths of keys that are there twice; the second one was dropped. An empty path stands for other mistakes."""
    for item in document.diagnostics:
        if item.severity != "error":
            continue
        first = item.notes[0].span if item.code == "GA003" and item.notes else None
        path = None if first is None or document.root is None else _path_of(document.root, first, ())
        yield path if path is not None else ()


def _path_of(node: Node, key: Span, path: Path) -> Path | None:
    if isinstance(node, Scalar):
        return None
    parts: Iterable[tuple[str | int, Scalar | None, Node]] = (
        [(i, None, item) for i, item in enumerate(node.items)] if isinstance(node, Sequence)
        else [(name, found, value) for name, (found, value) in node.items.items()]
    )  # fmt: skip
    for name, found, value in parts:
        if found is not None and found.span == key:
            return (*path, name)
        below = _path_of(value, key, (*path, name))
        if below is not None:
            return below
    return None

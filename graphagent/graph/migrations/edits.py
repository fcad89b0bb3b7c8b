"""Changes at places of a tree, for the steps of migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphagent.graph.formatting.tree import Branch, Entry, Node, Tree

Change = Callable[[Entry], Entry]


def edit_entries(tree: Tree, place: Sequence[str], change: Change) -> Tree:
    """The tree with the entries at a place changed.

    Args:
        tree: Is left as it is.
        place: Keys from the root; `*` stands for every key, and every item of a list.
        change: From an entry to the one that stands there instead. What it keeps of `before` and `beside` are the
            comments that are kept.
    """
    if tree.root is None:
        return tree
    return replace(tree, root=replace(tree.root, value=_edit(tree.root.value, place, change)))


def _edit(node: Node, place: Sequence[str], change: Change) -> Node:
    if not isinstance(node, Branch) or not place:
        return node
    entries = tuple(_edit_entry(entry, place, change) for entry in node.entries)
    return replace(node, entries=entries)


def _edit_entry(entry: Entry, place: Sequence[str], change: Change) -> Entry:
    name, *rest = place
    if name != "*" and (entry.key is None or entry.key.text != name):
        return entry
    return replace(entry, value=_edit(entry.value, rest, change)) if rest else change(entry)

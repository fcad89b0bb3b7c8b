"""Two steps of a language that never was: they show what a real one may rely on."""

from __future__ import annotations

from dataclasses import replace

from graphagent.graph.formatting.tree import Branch, Comment, Entry, Leaf, Tree
from graphagent.graph.migrations.chain import DECIDE, Step
from graphagent.graph.migrations.edits import edit_entries


def renamed(entry: Entry, **names: str) -> Entry:
    """The entry with another key, if its key is one of `names`."""
    new = names.get(entry.key.text) if entry.key is not None else None
    return entry if new is None or entry.key is None else replace(entry, key=replace(entry.key, raw=new, text=new))


def beta_to_v0(tree: Tree) -> Tree:
    """`state` is called `channels`."""
    return edit_entries(tree, ("*",), lambda entry: renamed(entry, state="channels"))


def v0_to_v1(tree: Tree) -> Tree:
    """`then` is called `next`, a list of channels becomes a mapping, and `priority` is a person's decision."""
    tree = edit_entries(tree, ("nodes", "*", "*"), lambda entry: renamed(entry, then="next"))
    tree = edit_entries(tree, ("nodes", "*", "priority"), undecided)
    return edit_entries(tree, ("channels",), typed)


def undecided(entry: Entry) -> Entry:
    """Marks what has no meaning any more."""
    mark = Comment(f"{DECIDE}`priority` is gone: order the nodes, or remove it")
    return replace(renamed(entry, priority="description"), before=(*entry.before, mark))


def typed(entry: Entry) -> Entry:
    """`[a, b]` as `{ a: any, b: any }`, with the comments of the items."""
    assert isinstance(entry.value, Branch)
    entries = tuple(
        replace(item, key=item.value, value=Leaf("any", "any"))
        for item in entry.value.entries
        if isinstance(item.value, Leaf)
    )
    return replace(entry, value=replace(entry.value, is_mapping=True, entries=entries))


STEPS = (Step("graphagent/beta", "graphagent/v0", beta_to_v0), Step("graphagent/v0", "graphagent/v1", v0_to_v1))

"""A YAML file as its author wrote it: order, comments, blank lines, anchors and the style of each scalar.

The tree of `document.py` says what a file means; this one also keeps what people see. It is frozen: a change makes
a new tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on lines of its own. `spaced`: a blank line stands above it."""

    text: str
    spaced: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """A comment behind something on a line.

    `column` is where it begins, from 0, and `gap` how many columns it keeps from what stands before it. `aligned`:
    another comment of the file begins in the same column.
    """

    text: str
    column: int = 0
    gap: int = 2
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an alias.

    `raw` is how it is written, without its anchor; `text` what that stands for; `style` one of `'`, `"`, `|`, `>`,
    `*` for an alias, or empty for a plain one.
    """

    raw: str
    text: str
    style: str = ""
    anchor: str = ""

    @property
    def empty(self) -> bool:
        """Nothing at all, which is null."""
        return self.style == "" and self.raw == ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A mapping or a list. `after` are comments below its entries.

    `brackets`: it is written in them; `flow`: and on one line.
    """

    is_mapping: bool
    entries: tuple[Entry, ...] = ()
    flow: bool = False
    anchor: str = ""
    after: tuple[Comment, ...] = ()
    brackets: bool = False


Node: TypeAlias = Leaf | Branch


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value, or an item of a list (no key).

    `before` are comments above it, `beside` those on its line; `spaced`: a blank line stands right above it.
    `column` is where the value begins if that is on the line of the key, and `gap` the columns between them.
    """

    key: Leaf | None
    value: Node
    before: tuple[Comment, ...] = ()
    beside: tuple[Beside, ...] = ()
    spaced: bool = False
    column: int = -1
    gap: int = 1


@dataclass(frozen=True, slots=True)
class Tree:
    """A file. `head` are the lines up to `---`, if it has one; `after` the comments at its end."""

    root: Entry | None
    head: tuple[str, ...] = ()
    after: tuple[Comment, ...] = ()

    def comments(self) -> Iterator[str]:
        """All comments, in the order of the file."""
        yield from (line for line in self.head if line.lstrip().startswith("#"))
        if self.root is not None:
            yield from _comments(self.root)
        yield from (comment.text for comment in self.after)


def _comments(entry: Entry) -> Iterator[str]:
    yield from (comment.text for comment in entry.before)
    yield from (comment.text for comment in entry.beside)
    if isinstance(entry.value, Branch):
        for inner in entry.value.entries:
            yield from _comments(inner)
        yield from (comment.text for comment in entry.value.after)

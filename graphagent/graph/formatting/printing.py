"""From the tree to text in the one style: two columns of indentation, `{ a: b }`, quotes only where needed.

A mapping or list that its author wrote in brackets on one line stays so while the line has at most 120 columns; one
that was broken over several lines, or is longer, is printed in block style. So is a mapping of types in which
`list[str]` would need quotes for the brackets alone, unless it is a node, which may always have a line of its own.
Where a comment silences a finding on the line, the line stays one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from graphagent.graph.diagnostics import display_width
from graphagent.graph.formatting.scalars import key_text, lines_of, one_line, plain_reads_back
from graphagent.graph.formatting.tree import Beside, Branch, Comment, Entry, Leaf, Node, Tree
from graphagent.graph.suppressions import SILENCING

WIDTH: Final = 120
INDENT: Final = 2
_ANY_WIDTH: Final = 1 << 30
_NODE_KEY: Final = "kind"
_TYPE: Final = re.compile(r"(?:[\w.:]+ *\| *)*(?:list|dict|Literal)\[.*")


def print_tree(tree: Tree, *, in_brackets: bool = False) -> str:
    """The text of a tree; it ends with a line break unless it is empty.

    Args:
        in_brackets: Whatever stands in brackets stays there if it can, in lines of any length: for what would be
            too big in block style.
    """
    printer = _Printer(_ANY_WIDTH if in_brackets else WIDTH)
    printer.lines += tree.head
    if tree.root is not None:
        printer.root(_one_line_each(tree.root) if in_brackets else tree.root)
    printer.comments(tree.after, 0)
    return "".join(line + "\n" for line in printer.lines)


class _Printer:
    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []

    def blank(self, wanted: bool) -> None:
        """A blank line, where there isn't one and it isn't the first."""
        if wanted and self.lines and self.lines[-1]:
            self.lines.append("")

    def comments(self, comments: Iterable[Comment], indent: int, *, tight: bool = False) -> None:
        """Comments on lines of their own; with `tight` no blank line above the first."""
        for i, comment in enumerate(comments):
            self.blank(comment.spaced and not (tight and i == 0))
            self.lines.append(" " * indent + comment.text)

    def root(self, entry: Entry) -> None:
        self.comments(entry.before, 0)
        node = entry.value
        if isinstance(node, Branch) and flow_text(node, self.width) is None:
            self.comments((Comment(item.text) for item in entry.beside), 0)
            if node.anchor:
                self.lines.append(f"&{node.anchor}")
            self.block(node, 0, "")
        else:
            self.value(entry, "", 0, 0)

    def block(self, branch: Branch, indent: int, lead: str) -> None:
        """The entries of a branch in block style; `lead` stands before the first instead of its indentation."""
        starts = _value_columns(branch, indent)
        outer = len(lead) - len(lead.lstrip(" ")) if lead else indent
        for i, entry in enumerate(branch.entries):
            first = i == 0 and bool(lead)
            self.comments(entry.before, outer if first else indent, tight=i == 0)
            self.blank(entry.spaced and (i > 0 or bool(entry.before)))
            head = lead if first else " " * indent
            head += "-" if entry.key is None else key_text(entry.key, flow=False)
            self.value(entry, head, indent, outer if first else indent, starts[i])
        self.comments(branch.after, indent)

    def value(self, entry: Entry, head: str, indent: int, outer: int, column: int = 0) -> None:
        """An entry whose line begins with `head`. Comments that need a line of their own stand above, at `outer`."""
        node = entry.value
        anchor = f"&{node.anchor}" if node.anchor else ""
        if isinstance(node, Branch):
            width = _ANY_WIDTH if _holds_back(entry) else self.width
            text = flow_text(node, width - display_width(head) - 1)
            if text is None:
                self.branch(entry, node, head, indent, outer)
                return
        else:
            text = one_line(node, flow=False)
        if text is not None:
            parts = [part for part in (anchor, text) if part]
            space = " " * max(1, column - display_width(head)) if parts and head else ""
            self.line(head + space + " ".join(parts), entry.beside, outer)
            return
        assert isinstance(node, Leaf)
        first, *rest = lines_of(node, indent + INDENT)
        start = " ".join(part for part in (head, anchor, first) if part)
        if node.style in {"|", ">"}:
            self.line(start, entry.beside, outer)
            self.lines += rest
        else:
            above, beside = _split(entry.beside)
            self.comments(above, outer)
            self.lines += [start, *rest[:-1]]
            self.line(rest[-1] if rest else self.lines.pop(), beside, outer)

    def branch(self, entry: Entry, node: Branch, head: str, indent: int, outer: int) -> None:
        compact = entry.key is None and not node.anchor and not entry.beside
        if compact:
            self.block(node, indent + INDENT, head + " ")
            return
        beside = entry.beside
        if node.flow:  # they stood far to the right, behind the brackets
            beside = tuple(replace(comment, gap=INDENT, aligned=False) for comment in beside)
        self.line(head + (f" &{node.anchor}" if node.anchor else ""), beside, outer)
        self.block(node, indent + INDENT, "")

    def line(self, text: str, beside: Sequence[Beside], outer: int) -> None:
        """A line with a comment behind it; if there are several, the others stand above."""
        above, last = _split(beside)
        self.comments(above, outer)
        for comment in last:
            width = display_width(text)
            kept = comment.column if comment.aligned or comment.gap > INDENT else 0
            text += " " * (max(kept, width + INDENT) - width if text else 0) + comment.text
        self.lines.append(text)


def _holds_back(entry: Entry) -> bool:
    """Whether a comment silences a finding on the line of an entry, which must stay one line then."""
    texts = [*(comment.text for comment in entry.before), *(comment.text for comment in entry.beside)]
    return any(map(SILENCING.match, texts))


def _one_line_each(entry: Entry) -> Entry:
    """An entry in which brackets that were broken over several lines are taken for those on one line."""
    node = entry.value
    if isinstance(node, Leaf):
        return entry
    entries = tuple(map(_one_line_each, node.entries))
    return replace(entry, value=replace(node, entries=entries, flow=node.brackets))


def _split(beside: Sequence[Beside]) -> tuple[list[Comment], Sequence[Beside]]:
    return [Comment(item.text) for item in beside[:-1]], beside[-1:]


def flow_text(node: Node, width: int) -> str | None:
    """A branch in brackets with its anchor left out, or a leaf; None if it is to be printed in block style."""
    text = _flow(node, width)
    if text is None or not (isinstance(node, Branch) and node.entries):
        return text
    anchor = len(node.anchor) + 2 if node.anchor else 0
    if display_width(text) + anchor > width or (width <= WIDTH and wants_block(node)):
        return None
    return text


def _flow(node: Node, width: int) -> str | None:
    """As `flow_text`, but it gives up only where what is inside has more than `width` characters without brackets."""
    if isinstance(node, Leaf):
        return one_line(node, flow=True)
    if node.after or any(entry.before or entry.beside for entry in node.entries) or (node.entries and not node.flow):
        return None
    parts = []
    for entry in node.entries:
        part = _flow_entry(entry, width)
        if part is None or width < len(part):
            return None
        parts.append(part)
        width -= len(part)
    inside = ", ".join(parts)
    if not node.is_mapping:
        return f"[{inside}]"
    return f"{{ {inside} }}" if inside else "{}"


def _flow_entry(entry: Entry, width: int) -> str | None:
    value = _flow(entry.value, width)
    if value is None:
        return None
    if entry.value.anchor:
        value = f"&{entry.value.anchor} {value}".rstrip()
    if entry.key is None:
        return value
    key = key_text(entry.key, flow=True)
    return f"{key} {value}" if value else key.removesuffix(":").rstrip()


def wants_block(branch: Branch) -> bool:
    """Whether a flow mapping is one of types that need their quotes only because of its braces, or holds one."""
    if branch.is_mapping and any(entry.key and entry.key.text == _NODE_KEY for entry in branch.entries):
        return False
    for entry in branch.entries:
        value = entry.value
        if isinstance(value, Branch):
            if wants_block(value):
                return True
        elif (
            branch.is_mapping
            and value.style in {"'", '"'}
            and _TYPE.fullmatch(value.text)
            and plain_reads_back(value.text, flow=False)
        ):
            return True
    return False


def _value_columns(branch: Branch, indent: int) -> list[int]:
    """Where the values of entries begin that their author has aligned; 0 for one column behind the key."""
    out = [0] * len(branch.entries)
    heads = [0 if e.key is None else indent + display_width(key_text(e.key, flow=False)) for e in branch.entries]
    fits = [_on_one_line(entry, head) for entry, head in zip(branch.entries, heads, strict=True)]
    start = 0
    for end in range(1, len(out) + 1):
        if end < len(out) and _follows(branch.entries[end - 1], branch.entries[end]) and fits[end - 1] and fits[end]:
            continue
        group = branch.entries[start:end]
        column = max(heads[start:end]) + 1
        if len(group) > 1 and any(entry.gap > 1 for entry in group) and _all_fit(group, column):
            out[start:end] = [column] * len(group)
        start = end
    return out


def _follows(above: Entry, entry: Entry) -> bool:
    """Whether an entry is aligned with the one above, without a blank line between."""
    if entry.spaced or any(comment.spaced for comment in entry.before):
        return False
    return entry.column >= 0 and above.column == entry.column


def _on_one_line(entry: Entry, head: int) -> bool:
    if isinstance(entry.value, Branch):
        return flow_text(entry.value, WIDTH - head - 1) is not None
    return one_line(entry.value, flow=False) is not None


def _all_fit(group: Sequence[Entry], column: int) -> bool:
    return all(not isinstance(e.value, Branch) or flow_text(e.value, WIDTH - column) is not None for e in group)

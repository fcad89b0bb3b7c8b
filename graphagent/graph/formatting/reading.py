"""From YAML text to the tree that keeps comments, by the events of the parser and what stands between them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from graphagent.graph.diagnostics import display_width
from graphagent.graph.formatting.tree import Beside, Branch, Comment, Entry, Leaf, Node, Tree

_COMMENT: Final = re.compile("#[^\n]*")
_BREAKS: Final = dict.fromkeys(map(ord, "\x85\u2028\u2029"), "\n")
"""What YAML takes for the end of a line besides `\\n`; of one character too, so places stay what they are."""
_ANCHOR: Final = re.compile(r"&[^\s\[\]{},]+")
_BETWEEN: Final = re.compile(r"(?:\s+|(?<=\s)#[^\n]*)*")
_HEADER: Final = re.compile(r"[|>][0-9+-]*")
_PENDING_ITEM: Final = re.compile(r"(?:^|\s)[-?]\s*$")
_OPENING: Final = re.compile(r"[\s?-]*")


def read_tree(text: str) -> Tree:
    """The tree of a text that `parse_yaml` reads without findings; its lines end with `\\n`."""
    import yaml

    reader = _Reader(text)
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        reader.take(event)
    return reader.tree()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A comment on a line of its own, whose place in the tree isn't known yet."""

    comment: Comment
    column: int
    at: int


@dataclass(slots=True)
class _Entry:
    key: Leaf | None
    value: _Branch | Leaf | None = None
    before: list[Comment] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    spaced: bool = False
    key_line: int = -1
    key_end: int = -1
    column: int = -1
    gap: int = 1


@dataclass(slots=True)
class _Branch:
    is_mapping: bool
    brackets: bool
    flow: bool
    anchor: str
    line: int
    column: int
    entries: list[_Entry] = field(default_factory=list)
    after: list[Comment] = field(default_factory=list)


class _Reader:
    """Takes events in order.

    Attributes:
        lines: The text with `\n` at the end of every line.
        position: Up to here the text has been searched for comments.
        waiting: Comments on own lines since the last event.
        passed: Where the comments since the last scalar are.
        next_beside: Comments behind a `-` or `?` whose entry hasn't come yet.
        last: The entry that was touched last.
        kept: Blank lines before this offset are part of a block scalar.
    """

    def __init__(self, text: str) -> None:
        self.text, self.lines = text, text.translate(_BREAKS)
        self.position = self.kept = 0
        self.head: tuple[str, ...] = ()
        self.root: _Entry | None = None
        self.last: _Entry | None = None
        self.stack: list[tuple[_Branch, _Entry]] = []
        self.waiting: list[_Waiting] = []
        self.passed: list[tuple[int, int]] = []
        self.next_beside: list[Beside] = []
        self.beside_columns: Counter[int] = Counter()

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            if event.explicit:
                self.position = event.end_mark.index
                lines = self.lines[: self.position].split("\n")
                self.head = tuple(line.rstrip() for line in lines if line.strip())
        elif kind == "StreamEndEvent":
            self.find_comments(len(self.text))
        elif kind in {"ScalarEvent", "AliasEvent"}:
            self.find_comments(event.start_mark.index)
            self.leaf(event, "*" if kind == "AliasEvent" else event.style or "")
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            self.find_comments(event.start_mark.index)
            self.open(event, kind == "MappingStartEvent")
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self.find_comments(event.start_mark.index)
            self.close(event)

    def tree(self) -> Tree:
        after = tuple(waiting.comment for waiting in self.waiting)
        return Tree(None if self.root is None else self.entry(self.root), self.head, after)

    # --- comments

    def find_comments(self, until: int) -> None:
        """Gives every comment before `until` to an entry, or keeps it until its entry comes."""
        while (match := _COMMENT.search(self.lines, self.position, until)) is not None:
            start = match.start()
            line_start = self.lines.rfind("\n", 0, start) + 1
            before = self.lines[line_start:start]
            text = match[0].rstrip()
            if not before.strip():
                comment = Comment(text, self.blank_above(line_start))
                self.waiting.append(_Waiting(comment, display_width(before), start))
            else:
                beside = self.beside(text, before)
                passed = self.lines[max(self.position, line_start) : start]
                if self.last is None or _PENDING_ITEM.search(passed):
                    self.next_beside.append(beside)
                else:
                    self.last.beside.append(beside)
            self.position = match.end()
            self.passed.append(match.span())
        self.position = max(self.position, until)

    def beside(self, text: str, before: str) -> Beside:
        found = Beside(text, display_width(before), display_width(before) - display_width(before.rstrip()))
        self.beside_columns[found.column] += 1
        return found

    def blank_above(self, line_start: int) -> bool:
        if line_start == 0:
            return False
        above = self.lines.rfind("\n", 0, line_start - 1) + 1
        return above >= self.kept and not self.lines[above:line_start].strip()

    # --- entries

    def leaf(self, event: Any, style: str) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        anchor, inner, begins = "", [], start
        match = _ANCHOR.match(self.lines, start, end) if style != "*" else None
        if match is not None:
            anchor = match[0][1:]
            between = _BETWEEN.match(self.lines, match.end(), end)
            assert between is not None
            inner = [Beside(found[0].rstrip()) for found in _COMMENT.finditer(between[0])]
            begins = between.end()
        raw = self.text[begins:end]
        if style in {"|", ">"}:
            header = _HEADER.match(raw)
            assert header is not None
            first = self.lines[begins:end].split("\n", 1)[0]
            comment = _COMMENT.match(first[header.end() :].lstrip())
            if comment is not None:
                at = self.lines.index(comment[0], begins)
                inner.append(self.beside(comment[0].rstrip(), self.lines[self.lines.rfind("\n", 0, at) + 1 : at]))
            if "+" in header[0]:
                self.kept = end
        found = Leaf(raw, raw if style == "*" else event.value, style, anchor)
        self.put(found, event)
        if self.last is not None:
            self.last.beside += inner
        self.position = max(self.position, end)
        self.passed.clear()

    def open(self, event: Any, is_mapping: bool) -> None:
        flow, mark = bool(event.flow_style), event.start_mark
        branch = _Branch(is_mapping, flow, flow, event.anchor or "", mark.line, mark.column)
        if event.anchor and not flow:
            branch.column = -1  # known with the first entry
        entry = self.put(branch, event)
        self.stack.append((branch, entry))

    def close(self, event: Any) -> None:
        branch, owner = self.stack.pop()
        if branch.flow:
            comments = [waiting.comment for waiting in self.waiting]
            (branch.after if branch.entries else owner.before).extend(comments)
            self.waiting.clear()
            branch.flow = event.end_mark.line == branch.line
            self.last = owner
            return
        outer = self.stack[-1][0] if self.stack else None
        least = branch.column if outer is None else max(branch.column, outer.column + outer.is_mapping)
        while self.waiting and (outer is None or self.waiting[0].column >= least):
            branch.after.append(self.waiting.pop(0).comment)

    def put(self, node: _Branch | Leaf, event: Any) -> _Entry:
        """Puts a node where it belongs: it begins an entry, or is the value of one."""
        mark = event.start_mark
        if not self.stack:
            entry = self.root = self.begin(None, event)
        else:
            top = self.stack[-1][0]
            pending = top.entries[-1] if top.entries else None
            if top.is_mapping and (pending is None or pending.value is not None):
                assert isinstance(node, Leaf)  # `parse_yaml` has refused other keys
                self.add(top, self.begin(node, event), event)
                return top.entries[-1]
            entry = pending if top.is_mapping and pending is not None else self.begin(None, event)
            if not top.is_mapping:
                self.add(top, entry, event)
        entry.value = node
        written = node.flow if isinstance(node, _Branch) else bool(node.anchor) or not node.empty
        if written:
            self.claim(entry, mark.index)
        if written and entry.key is not None and mark.line == entry.key_line:
            entry.column, entry.gap = mark.column, mark.column - entry.key_end - 1
        self.last = entry
        return entry

    def add(self, top: _Branch, entry: _Entry, event: Any) -> None:
        if top.column < 0:
            top.column = event.start_mark.column - (0 if top.is_mapping else 2)
        top.entries.append(entry)

    def begin(self, key: Leaf | None, event: Any) -> _Entry:
        """A new entry, which takes the comments that wait."""
        mark = event.start_mark
        start = mark.index if key is not None or not self.stack or self.stack[-1][0].flow else self.dash(mark.index)
        line_start = self.lines.rfind("\n", 0, start) + 1
        first = _OPENING.fullmatch(self.lines, line_start, start) is not None
        entry = _Entry(key, spaced=first and self.blank_above(line_start), beside=self.next_beside)
        self.next_beside = []
        if self.stack:
            self.claim(entry, start)
        if event.end_mark.line == mark.line:
            entry.key_line, entry.key_end = mark.line, event.end_mark.column
        self.last = entry
        return entry

    def claim(self, entry: _Entry, until: int) -> None:
        """Gives the comments on own lines before `until` to an entry."""
        entry.before += [waiting.comment for waiting in self.waiting if waiting.at < until]
        self.waiting = [waiting for waiting in self.waiting if waiting.at >= until]

    def dash(self, before: int) -> int:
        """Where the `-` of a list's item is, whose value begins at `before`."""
        at = self.lines.rfind("-", 0, before)
        while any(start < at < end for start, end in self.passed):
            at = self.lines.rfind("-", 0, at)
        return at

    # --- the frozen tree

    def entry(self, entry: _Entry) -> Entry:
        value = entry.value
        node: Node = self.branch(value) if isinstance(value, _Branch) else value or Leaf("", "")
        beside = tuple(replace(item, aligned=self.beside_columns[item.column] > 1) for item in entry.beside)
        return Entry(entry.key, node, tuple(entry.before), beside, entry.spaced, entry.column, entry.gap)

    def branch(self, branch: _Branch) -> Branch:
        entries = tuple(map(self.entry, branch.entries))
        return Branch(branch.is_mapping, entries, branch.flow, branch.anchor, tuple(branch.after), branch.brackets)

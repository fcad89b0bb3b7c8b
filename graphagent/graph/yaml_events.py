"""One pass over the YAML parser's events: budgets first, and the tree is built on the way.

Nothing recursive happens before the depth is known, so no input can exhaust a stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from graphagent.graph.diagnostics import Diagnostic, Note, Span
from graphagent.graph.document import Mapping, Node, Scalar, Sequence, Source
from graphagent.graph.resolver import TooBig, resolve
from graphagent.graph.syntax import syntax_error

MAX_DEPTH: Final = 64
MAX_EVENTS: Final = 200_000
MAX_ALIASED: Final = 10_000
ALIAS_FACTOR: Final = 10

_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069\ufeff]"
)
"""What YAML doesn't allow, and what makes text look other than it is: see CVE-2021-42574."""


class _Refused(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def read_events(source: Source, diagnostics: list[Diagnostic]) -> Node | None:
    """The tree of a text, or None; what is wrong is added to `diagnostics`."""
    import yaml

    bad = _FORBIDDEN.search(source.text)
    if bad is not None:
        before = source.text[: bad.start()]
        line, column = before.count("\n") + 1, bad.start() - before.rfind("\n")
        span = Span(source.file, line, column, line, column + 1)
        message = f"the character U+{ord(bad[0]):04X} is not allowed in a graph"
        help = 'inside double quotes it can be written as an escape, such as "\\x1b"'
        diagnostics.append(Diagnostic("GA002", "error", message, span, help=help))
        return None
    builder = _TreeBuilder(source, diagnostics)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(source.text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        diagnostics.append(syntax_error(error, source, builder.bracket()))
        return None
    except _Refused as error:
        diagnostics.append(error.diagnostic)
        return None
    return builder.root


@dataclass(slots=True)
class _Open:
    """A container whose end hasn't come yet. `size` and `depth` are those of what is in it so far."""

    event: Any
    is_mapping: bool
    items: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    list_items: list[Node] = field(default_factory=list)
    key: Scalar | None = None
    skip_value: bool = False
    size: int = 1
    depth: int = 1
    last: Span | None = None


@dataclass(slots=True)
class _Anchor:
    node: Node
    size: int
    depth: int
    length: int


class _TreeBuilder:
    def __init__(self, source: Source, diagnostics: list[Diagnostic]) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.root: Node | None = None
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchor | None] = {}
        self.events = self.documents = self.aliased = self.aliased_length = 0

    def bracket(self) -> Any:
        """The event of the innermost container if that is written in brackets."""
        top = self.stack[-1].event if self.stack else None
        return top if top is not None and top.flow_style else None

    def take(self, event: Any) -> None:
        self.events += 1
        if self.events > MAX_EVENTS:
            self.refuse(event, f"more than {MAX_EVENTS:,} pieces of YAML", "split the file into several graphs")
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self.scalar(event)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            self.open(event, kind == "MappingStartEvent")
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self.close(event)
        elif kind == "AliasEvent":
            self.alias(event)
        elif kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                self.refuse(event, "a second document begins here", "one file holds one graph: remove the `---`")

    def span(self, event: Any) -> Span:
        a, b = event.start_mark, event.end_mark
        return Span(self.source.file, a.line + 1, a.column + 1, b.line + 1, b.column + 1)

    def refuse(self, event: Any, message: str, help: str | None = None) -> None:
        raise _Refused(Diagnostic("GA007", "error", message, self.span(event), help=help))

    def report(self, code: str, message: str, span: Span, **more: Any) -> None:
        self.diagnostics.append(Diagnostic(code, "error", message, span, **more))

    def scalar(self, event: Any) -> None:
        self.check_tag(event)
        span, text, style = self.span(event), event.value, event.style or ""
        start, end = event.start_mark.index, event.end_mark.index
        if style in {"|", ">"}:
            end = start + len(self.source.text[start:end].rstrip())
            span = Span(span.file, span.line, span.column, span.end_line - 1, 1)
        value: Any = text
        if style == "":
            try:
                value = resolve(text)
            except TooBig:
                help = "put it in quotes to make it text"
                self.report("GA006", f"the number `{text[:40]}` is too big", span, help=help)
        elif not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            self.report("GA002", "half a surrogate pair is no character", span)
        node = Scalar(value, text, style, span, start, end)
        self.add(node, event.anchor, 1, 1, end - start)

    def open(self, event: Any, is_mapping: bool) -> None:
        self.check_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            self.refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(event, is_mapping))

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        span = self.span(done.event)
        flow = done.event.flow_style
        last = self.span(event) if flow else done.last or span
        span = Span(span.file, span.line, span.column, last.end_line, last.end_column)
        node: Node = Mapping(done.items, span) if done.is_mapping else Sequence(tuple(done.list_items), span)
        length = event.end_mark.index - done.event.start_mark.index
        self.add(node, done.event.anchor, done.size, done.depth, length)

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            span = self.span(event)
            help = f"put text that begins with `*` in quotes, or define `&{event.anchor}` before"
            raise _Refused(Diagnostic("GA002", "error", f"nothing is called `&{event.anchor}`", span, help=help))
        anchor = self.anchors[event.anchor]
        if anchor is None:
            self.refuse(event, f"`*{event.anchor}` stands inside of what it stands for")
            return
        self.aliased += anchor.size
        self.aliased_length += anchor.length
        if self.aliased > MAX_ALIASED or self.aliased_length > ALIAS_FACTOR * max(1024, len(self.source.text)):
            help = "use `defaults` or a sub-graph for what is the same in many places"
            self.refuse(event, f"the aliases blow the file up, here by {anchor.size:,} more values", help)
        if len(self.stack) + anchor.depth > MAX_DEPTH:
            self.refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        self.add(anchor.node, None, anchor.size, anchor.depth, anchor.length, self.span(event))

    def check_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(event, f"the tag `{tag}` is not allowed", "write plain data, without `!`")

    def add(
        self, node: Node, anchor: str | None, size: int, depth: int, length: int, place: Span | None = None
    ) -> None:
        """Puts a finished node where it belongs. `place` is where it stands, if that isn't where it is written."""
        if anchor is not None:
            self.anchors[anchor] = _Anchor(node, size, depth, length)
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += size
        top.depth = max(top.depth, depth + 1)
        top.last = place or node.span
        if not top.is_mapping:
            top.list_items.append(node)
        elif top.key is None and not top.skip_value:
            self.add_key(top, node, place or node.span)
        else:
            if top.key is not None:
                top.items[top.key.text] = (top.key, node)
            top.key, top.skip_value = None, False

    def add_key(self, top: _Open, node: Node, span: Span) -> None:
        """Takes a key; a bad one is reported and its value dropped, so that one mistake gives one error."""
        if not isinstance(node, Scalar):
            inside = [item for item in self.diagnostics if _within(item.span, span)]
            self.diagnostics[:] = [item for item in self.diagnostics if item not in inside]
            template = isinstance(node, Mapping) and (bool(inside) or (span.column > 1 and self.before(node) == "{"))
            help = "put a template such as `{{ name }}` in quotes" if template else "a key is plain text"
            self.report("GA006", "a list or mapping can't be a key", span, help=help)
            top.skip_value = True
            return
        if node.plain and node.text == "<<":
            self.report("GA007", "merge keys (`<<`) are not part of this language", span, help="use `defaults` instead")
            top.skip_value = True
            return
        if node.text in top.items:
            first = top.items[node.text][0].span
            self.report(
                "GA003", f"duplicate key `{node.text}`", span, label="the second one",
                notes=(Note("the first one is here", first),),
            )  # fmt: skip
            top.skip_value = True
            return
        if not isinstance(node.value, str):
            kind = {bool: "a boolean", int: "a number", float: "a number"}.get(type(node.value), "null")
            self.report("GA006", f"the key `{node.text}` is {kind}; keys are text", span, help="put it in quotes")
        top.key = node

    def before(self, node: Mapping) -> str:
        """The character before a node."""
        lines = self.source.text.split("\n")
        return lines[node.span.line - 1][node.span.column - 2]


def _within(inner: Span, outer: Span) -> bool:
    begins = (inner.line, inner.column) >= (outer.line, outer.column)
    return begins and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)

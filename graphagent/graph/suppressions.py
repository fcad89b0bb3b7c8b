"""Comments that silence findings: `# graphagent: allow GA406 the two inputs exclude each other`.

They count for the line they stand behind; on a line of their own, for the one below.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from graphagent.graph.diagnostics import Diagnostic, Span, Suppression, split_lines
from graphagent.graph.document import Document, Mapping, Node, Scalar, Sequence
from graphagent.graph.rules import RULES, SILENCEABLE
from graphagent.graph.suggest import suggest

SILENCING = re.compile(r"(#\s*graphagent:\s*allow\b\s*(\S*)[ \t]*(.*?))\s*$")
"""Such a comment: itself, the code and the reason."""
_START = re.compile(r"(?:^|(?<=\s))#")
_Texts: TypeAlias = dict[int, list[tuple[int, int]]]


def silence(found: Iterable[Diagnostic], document: Document) -> tuple[list[Diagnostic], list[Suppression]]:
    """The findings that remain, and the comments with those that they hold back. Errors are silenced if they may be."""
    comments = list(_comments(document))
    held: dict[tuple[str, int], list[Diagnostic]] = {(c.code, c.line): [] for c in comments if c.refused is None}
    fixed: set[tuple[str, int]] = set()
    kept: list[Diagnostic] = []
    for item in found:
        at = (item.code, item.span.line)
        if item.severity == "warning" or item.code in SILENCEABLE:
            held.get(at, kept).append(item)
        else:
            kept.append(item)
            fixed.add(at)
    return kept, [_outcome(comment, held, fixed) for comment in comments]


def _outcome(
    comment: Suppression, held: dict[tuple[str, int], list[Diagnostic]], fixed: set[tuple[str, int]]
) -> Suppression:
    at = (comment.code, comment.line)
    if comment.refused is None and not held[at] and at in fixed:
        return replace(comment, refused=f"{comment.code} is an error that can't be silenced")
    return comment if comment.refused else replace(comment, silenced=tuple(held[at]))


def _comments(document: Document) -> Iterator[Suppression]:
    lines = split_lines(document.source.text)
    seen: set[tuple[str, int]] = set()
    texts: _Texts | None = None
    for number, line in enumerate(lines, 1):
        if "graphagent" not in line or "#" not in line:
            continue
        texts = _texts(document.root) if texts is None else texts
        start = _comment_start(line, texts.get(number, []))
        match = None if start is None else SILENCING.match(line, start)
        if match is None or start is None:
            continue
        code, reason = match[2], match[3]
        below = number if line[:start].strip() else number + 1
        while number < below <= len(lines) and lines[below - 1].lstrip().startswith("#"):
            below += 1
        refused = _refused(code, reason)
        if refused is None and (code, below) in seen:
            refused = f"another one silences {code} on the same line"
        seen.add((code, below))
        span = Span(document.file, number, match.start(1) + 1, number, match.end(1) + 1)
        yield Suppression(code, reason, span, below, (), refused)


def _refused(code: str, reason: str) -> str | None:
    if code not in RULES:
        meant = suggest(code.upper(), RULES)
        return f"`{code}` is no code" + (f", did you mean `{meant}`?" if meant else "") if code else "it names no code"
    if not reason:
        return f"it gives no reason; write `# graphagent: allow {code} because ...`"
    return None


def _comment_start(line: str, texts: list[tuple[int, int]]) -> int | None:
    """Where the comment of a line begins, from 0; None if it has none. `texts` are the columns that belong to texts."""
    for match in _START.finditer(line):
        if not any(first <= match.start() < last for first, last in texts):
            return match.start()
    return None


def _texts(root: Node | None) -> _Texts:
    """Line -> the columns on which texts stand, such as prompts, in which `#` is a character like any other."""
    out: _Texts = {}
    stack = [] if root is None else [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Sequence):
            stack += node.items
        elif isinstance(node, Mapping):
            stack += [part for pair in node.items.values() for part in pair]
        else:
            for line, columns in _columns(node):
                out.setdefault(line, []).append(columns)
    return out


def _columns(text: Scalar) -> Iterator[tuple[int, tuple[int, int]]]:
    span, block = text.span, text.style in {"|", ">"}
    for line in range(span.line, span.end_line + 1):
        if block and line == span.line:
            continue  # behind `|` there may be a comment
        first = span.column - 1 if line == span.line else 0
        yield line, (first, span.end_column - 1 if line == span.end_line and not block else sys.maxsize)

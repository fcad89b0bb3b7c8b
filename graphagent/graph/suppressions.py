"""Comments that silence findings: `# graphagent: allow GA406 the two inputs exclude each other`, on the line above."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from graphagent.graph.diagnostics import Diagnostic, Span, Suppression, split_lines
from graphagent.graph.document import Document, Node, Scalar, Sequence
from graphagent.graph.rules import RULES, SILENCEABLE
from graphagent.graph.suggest import suggest

_COMMENT = re.compile(r"\s*(#\s*graphagent:\s*allow\b\s*(\S*)[ \t]*(.*?))\s*$")


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
    texts: set[int] | None = None
    for number, line in enumerate(lines, 1):
        match = _COMMENT.match(line) if "graphagent" in line else None
        if match is None:
            continue
        texts = _lines_of_texts(document.root) if texts is None else texts
        if number in texts:
            continue  # it is part of a text, such as a prompt
        code, reason = match[2], match[3]
        below = number + 1
        while below <= len(lines) and lines[below - 1].lstrip().startswith("#"):
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


def _lines_of_texts(root: Node | None) -> set[int]:
    """The lines on which a text goes on that began above."""
    out: set[int] = set()
    stack = [] if root is None else [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Scalar):
            out.update(range(node.span.line + 1, node.span.end_line + 1))
        elif isinstance(node, Sequence):
            stack += node.items
        else:
            stack += [value for _, value in node.items.values()]
    return out

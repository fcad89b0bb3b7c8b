"""What is wrong with expressions, as diagnostics: places are mapped through YAML's quoting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span
from graphagent.graph.expressions import ExpressionError, Finding
from graphagent.graph.occurrences import Inferred
from graphagent.graph.spec import Path


def expression_findings(graph: GraphAnalysis, code: str) -> Iterator[Diagnostic]:
    """The findings of one code in all expressions of a graph."""
    for inferred in graph.all_inferred:
        for error in inferred.errors:
            if error.code == code:
                yield _error(graph, inferred, error)
        for finding in inferred.findings:
            secret = code == "GA208" and finding.message.startswith("`secrets`")  # GA601 says it
            if finding.code == code and not secret:
                yield _finding(graph, inferred, finding)


def place(graph: GraphAnalysis, inferred: Inferred, path: Path, start: int, end: int) -> tuple[Path, Span]:
    """The path of a text in an occurrence, and the place of some of its characters in the file."""
    whole = graph.whole
    full = (*inferred.occurrence.path, *path)
    scalar = whole.scalar(full)
    return full, whole.document.span(full) if scalar is None else whole.document.locate(scalar, start, end)


def _error(graph: GraphAnalysis, inferred: Inferred, error: ExpressionError) -> Diagnostic:
    full, span = place(graph, inferred, error.path, error.start, error.end)
    help = error.hint
    scalar = graph.whole.scalar(full)
    if scalar is not None and scalar.style == '"' and "\n" in scalar.text:
        help = help or "write the newline as `\\\\n`, or put single quotes outside, or use `>-`"
    return graph.whole.finding(error.code, error.message, full, span, help=help)


def _finding(graph: GraphAnalysis, inferred: Inferred, finding: Finding) -> Diagnostic:
    full, span = place(graph, inferred, finding.path, finding.start, finding.end)
    more: dict[str, Any] = {"label": finding.label, "help": finding.hint, "notes": _notes(graph, finding)}
    if finding.hint and re.fullmatch(r"`[^`]+`", finding.hint):
        more["help"] = f"write {finding.hint}"
    if finding.suggestion is not None and graph.whole.document.source.text:
        more["fix"] = Fix(f"replace by `{finding.suggestion}`", (Edit(span, finding.suggestion),))
    message = finding.message
    node = inferred.occurrence.node
    if finding.code == "GA208" and message.startswith("`out`") and inferred.occurrence.moment != "before" and node:
        message = f"a node of kind `{node.kind}` leaves no `out` behind"
        more["help"] = None
    return graph.whole.finding(finding.code, message, full, span, **more)


def _notes(graph: GraphAnalysis, finding: Finding) -> tuple[Note, ...]:
    """Where the channel that was meant is declared."""
    channel = graph.graph.channels.get(finding.suggestion or "")
    if finding.code != "GA203" or channel is None:
        return ()
    span = graph.whole.document.key_span(channel.path)
    return (Note(f"`{channel.name}: {channel.type}` is declared here", span),)

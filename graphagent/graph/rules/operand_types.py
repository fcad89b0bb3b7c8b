"""Operands or comparisons whose types don't go together.

What: unlike types are added or compared, truth is asked of what isn't bool, a `Literal` is compared with a value
that it never has, null becomes text; or `retry.on` names an error kind that doesn't exist.
Why: there are no silent conversions, so it would fail in every run or never be true.
Example: `when: "verdict == 'acept'"`
Instead: `when: "verdict == 'accept'"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA205"
TITLE = "types that don't go together"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

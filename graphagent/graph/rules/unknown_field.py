"""A field that the value doesn't have.

What: an expression asks a value of a known type for a field that the type doesn't declare.
Why: it would fail in every run.
Example: `${ triage.urgncy }`
Instead: `${ triage.urgency }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA204"
TITLE = "unknown field"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

"""An expression that uses what the language doesn't have.

What: a method call, lambda, f-string, tuple, set, generator, `**`, or an unknown function.
Why: expressions work on plain data and can neither run code nor go on for ever.
Example: `${ text.upper() }`
Instead: `${ upper(text) }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA202"
TITLE = "construct not allowed"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

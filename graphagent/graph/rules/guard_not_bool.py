"""A guard that isn't bool.

What: `when` has another type than bool.
Why: a list, text or number is neither true nor false: what is meant must be said.
Example: `when: items`
Instead: `when: "len(items) > 0"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA206"
TITLE = "guard is not bool"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

"""An expression that can't be read.

What: the text inside of `${ }`, or of a bare field such as `when`, is not in the syntax of expressions.
Why: expressions are spelt as in Python: `a and b`, `x == 'yes'`, `len(items) > 0`.
Example: `when: "tries < "`
Instead: `when: "tries < 5"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA201"
TITLE = "expression syntax"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

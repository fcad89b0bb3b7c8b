"""`${ }` where an expression or a literal stands already.

What: `when`, `over` and `match` are expressions without `${ }`; `default` and `params` are literals.
Why: there is one way to write each.
Example: `when: ${ x > 1 }`
Instead: `when: "x > 1"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA207"
TITLE = "`${ }` in a bare or plain field"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

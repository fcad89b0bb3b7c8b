"""A name that nothing has here.

What: an expression reads a name that is no channel, and nothing else that can be seen at this place.
Why: mostly a misspelt channel, an input without `inputs.`, or text without quotes.
Example: `${ sumaries + [out] }`
Instead: `${ summaries + [out] }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings

CODE = "GA203"
TITLE = "unknown name in an expression"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)

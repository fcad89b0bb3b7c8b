"""An imported graph whose inputs are others than those that it gets.

What: `with` of a node that calls an imported graph misses an input, has one that isn't there, or another type.
Why: the imported file is somebody else's and may have changed.
Example: `with: { claim: "${ draft }" }` for an imported graph with `inputs: { claims: "list[str]" }`
Instead: `with: { claims: "${ [draft] }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.rules.arguments import match
from graphagent.graph.spec import GraphBody

CODE = "GA309"
TITLE = "inputs of an imported graph don't fit"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if isinstance(node.body, GraphBody) and node.body.graph.partition(".")[0] in graph.whole.imports:
            called = graph.environment.callee(node.body)
            if called is not None:
                yield from match(graph, node, called, CODE)

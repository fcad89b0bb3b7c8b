"""Routes without an else that leave a case out.

What: no route of `next` is without `when`, and the guards don't provably take every case: both booleans, all values
of a `Literal`, all numbers.
Why: a token for which no guard is true would have nowhere to go.
Example: `next: [{ when: "tries < 5", to: write }]`
Instead: `next: [{ when: "tries < 5", to: write }, { to: give_up }]`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.guards import TooMany

CODE = "GA403"
TITLE = "routes that leave a case out"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node in graph.graph.nodes.values():
        if not node.next or any(route.when is None for route in node.next):
            continue
        guards = graph.guards(node)
        if guards is None:
            continue
        try:
            case = guards.uncovered()
        except TooMany:
            case = "what none of the guards takes"
        if case is not None:
            help = "end the list with a route without `when`"
            path = (*node.path, "next")
            yield graph.whole.at_key(CODE, f"no route is taken when {case}", path, help=help)

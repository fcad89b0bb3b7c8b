"""A graph that calls itself, directly or over others, without a bound on the depth.

What: a cycle of `kind: graph` nodes in which no node has `max_depth`.
Why: each call is a child session; without a bound they never end.
Example: `again: { kind: graph, graph: self, next: end }`
Instead: `again: { kind: graph, graph: self, max_depth: 3, next: end }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.calls import calls, unbounded_callees
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import SELF

CODE = "GA106"
TITLE = "recursion without `max_depth`"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.whole.spec
    for call in calls(spec, graph.graph):
        if call.kind == "graph" and not call.bounded and graph.graph.name in unbounded_callees(spec, call.graph):
            help = "set `max_depth` on this node"
            shown = call.graph if call.graph != graph.graph.name else SELF
            yield graph.whole.finding(CODE, f"`{shown}` leads back to this graph without a bound", call.path, help=help)

"""A delegate that leads back to its own hub without a bound on the depth.

What: a graph that an agent delegates to, or has as a tool, calls the agent's own graph again, and nothing on the way
has `max_depth`.
Why: each call is a child session; the model decides how often, so nothing would end it.
Example: `delegates: { again: { graph: self, about: Does it again } }`
Instead: a graph that doesn't delegate back, or a `graph` node with `max_depth` on the way
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.calls import calls, unbounded_callees
from graphagent.graph.diagnostics import Diagnostic

CODE = "GA414"
TITLE = "delegate recursion without depth"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.whole.spec
    for call in calls(spec, graph.graph):
        if call.kind != "graph" and graph.graph.name in unbounded_callees(spec, call.graph):
            shown = call.graph or "self"
            message = f"`{shown}` leads back to this graph without a bound"
            help = "put a `graph` node with `max_depth` on the way"
            yield graph.whole.finding(CODE, message, call.path, help=help)

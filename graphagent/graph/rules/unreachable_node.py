"""A node that no token can reach.

What: no route from `start` leads there, over whatever guards.
Why: it would never run; mostly a route was forgotten or goes elsewhere.
Example: a node `review` that no `next` names
Instead: route to it, or remove it
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic

CODE = "GA401"
TITLE = "unreachable node"
_HELP = "name it in the `next` of another node, or remove it"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    flow = graph.flow
    for name, node in graph.graph.nodes.items():
        # Of unreachable nodes that lead to each other only the first is named.
        if name not in flow.live and not any(edge.source not in flow.live for edge in flow.incoming[name]):
            yield graph.whole.at_key(CODE, f"no route leads to `{name}`", node.path, help=_HELP)
    dead = [name for name in graph.graph.nodes if name not in flow.live]
    if dead and all(any(e.source not in flow.live for e in flow.incoming[name]) for name in dead):
        path = graph.graph.nodes[dead[0]].path
        yield graph.whole.at_key(CODE, f"no route from `start` leads to `{dead[0]}`", path, help=_HELP)

"""A path from `on_limit` that may not end.

What: behind the node of `on_limit` there is a cycle, or a node that waits (`human`, `wait`, a graph with one).
Why: this path is free of limits, so nothing would stop it.
Example: `limits: { supersteps: 40, on_limit: ask }` with a human node `ask`
Instead: `on_limit: give_up`, a `set` or `emit` node that goes to `end`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.calls import calls, may_park
from graphagent.graph.diagnostics import Diagnostic

CODE = "GA416"
TITLE = "path from `on_limit` may not end"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    first = graph.graph.limits.on_limit
    if first is None or first not in graph.graph.nodes:
        return
    path = (*graph.graph.path, "limits", "on_limit")
    reached = graph.flow.reachable([first], lambda edge: edge.kind != "update") & set(graph.graph.nodes)
    for cycle in graph.flow.cycles([e for n in graph.graph.nodes if n in reached for e in graph.flow.edges[n]]):
        if any(edge.kind != "update" for edge in cycle):
            message = f"behind `{first}` there is a cycle through `{cycle[0].source}`"
            help = "nothing bounds it here: let the path go to `end` or `fail`"
            yield graph.whole.finding(CODE, message, path, help=help)
            return
    for name in graph.graph.nodes:
        if name in reached and _waits(graph, name):
            message = f"behind `{first}` the node `{name}` waits"
            help = "no limit ends that: let the path go to `end` or `fail`"
            yield graph.whole.finding(CODE, message, path, help=help)
            return


def _waits(graph: GraphAnalysis, name: str) -> bool:
    node = graph.graph.nodes[name]
    if node.kind in ("human", "wait"):
        return True
    return any(call.node in (node, *node.inner()) and may_park(graph.whole.spec, call.graph)
               for call in calls(graph.whole.spec, graph.graph))  # fmt: skip

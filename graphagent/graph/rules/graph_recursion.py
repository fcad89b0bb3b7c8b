"""A graph that calls itself, directly or over others, without a bound on the depth.

What: a cycle of `kind: graph` nodes in which no node has `max_depth`.
Why: each call is a child session; without a bound they never end.
Example: `again: { kind: graph, graph: self, next: end }`
Instead: `again: { kind: graph, graph: self, max_depth: 3, next: end }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import SELF, GraphBody, GraphSpec

CODE = "GA106"
TITLE = "recursion without `max_depth`"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        body = node.body
        if isinstance(body, GraphBody) and body.max_depth is None and graph.graph.name in _callees(graph, body.graph):
            help = "set `max_depth` on this node"
            path = (*node.path, "graph")
            yield graph.whole.finding(CODE, f"`{body.graph}` leads back to this graph without a bound", path, help=help)


def _callees(graph: GraphAnalysis, name: str) -> set[str]:
    """The graph of that name and all that it calls without a bound."""
    graphs = {found.name: found for found in graph.whole.spec.all_graphs}
    seen: set[str] = set()
    todo = [graph.graph.name if name == SELF else name]
    while todo:
        found = todo.pop()
        if found in graphs and found not in seen:
            seen.add(found)
            todo += _calls(graphs[found])
    return seen


def _calls(graph: GraphSpec) -> Iterator[str]:
    for node in graph.nodes.values():
        for body in (node.body, getattr(getattr(node.body, "do", None), "body", None)):
            if isinstance(body, GraphBody) and body.max_depth is None:
                yield graph.name if body.graph == SELF else body.graph

"""A graph as a `networkx.MultiDiGraph`, for what people want to know of it that no check asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphagent.graph.plan import END, FAIL, GraphPlan, RoutePlan

if TYPE_CHECKING:
    from networkx import MultiDiGraph

NAMES = {END: "end", FAIL: "fail"}


def network(graph: GraphPlan) -> MultiDiGraph[str]:
    """Nodes are `start`, those of the graph, `end` and `fail`; edges are the ways of tokens.

    A node has `kind` and `description`, an edge `type` (`start`, `next` or `error`), `when` (the guard's text, None for
    an else) and `branch` (its place among those that its route starts).
    """
    import networkx

    out: MultiDiGraph[str] = networkx.MultiDiGraph(name=graph.name)
    out.add_node("start", kind="start", description=None)
    for node in graph.nodes:
        out.add_node(node.name, kind=node.kind, description=node.description)
    for name in NAMES.values():
        out.add_node(name, kind=name, description=None)

    def add(source: str, route: RoutePlan, kind: str) -> None:
        for branch, target in enumerate(route.to):
            name = NAMES.get(target) or graph.nodes[target].name
            out.add_edge(source, name, type=kind, when=route.when.text if route.when else None, branch=branch)

    add("start", graph.start, "start")
    for node in graph.nodes:
        for route in node.next:
            add(node.name, route, "next")
        for route in node.on_error:
            add(node.name, route, "error")
    return out

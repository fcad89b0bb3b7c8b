"""An output that some path to `end` doesn't write.

What: the channel of an output has no default, and a run can end without any node that writes it.
Why: such a run fails when its result is taken.
Example: `start: ask`, where one route of `ask` goes to `end` directly and another to the node that writes `reply`
Instead: a default for the channel, or a node that writes it on every path
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import Edge
from graphagent.graph.spec import END, Route

CODE = "GA310"
TITLE = "output not written on some path"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec, environment = graph.graph, graph.environment
    if spec.result is not None:
        return
    for name in spec.outputs:
        if name not in spec.channels or environment.always_set(name) or not _writers(graph, name):
            continue
        if _avoidable(graph, name):
            message = f"a run can end without a write to the output `{name}`"
            help = f"give the channel a default, or write `{name}` on every path to `end`"
            path = (*spec.path, "outputs", name)
            yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)


def _writers(graph: GraphAnalysis, channel: str) -> list[str]:
    nodes = graph.graph.nodes.values()
    return [n.name for n in nodes if channel in n.writes or any(channel in r.writes for r in _routes(graph, n.name))]


def _routes(graph: GraphAnalysis, name: str) -> tuple[Route, ...]:
    node = graph.graph.nodes[name]
    return (*node.next, *graph.flow.error_routes(node))


def _avoidable(graph: GraphAnalysis, channel: str) -> bool:
    """Whether all tokens of a run can get to `end` without a write: the least set that is closed under the routes.

    A fork avoids the channel only if each of its branches does.
    """
    nodes = graph.graph.nodes
    avoiding = {END}
    changed = True
    while changed:
        changed = False
        for name, node in nodes.items():
            if name in avoiding or graph.environment.write_history(node) == channel:
                continue
            edges = graph.flow.edges[name]
            kinds = {"error"} if channel in node.writes else {"next", "error"}
            if any(_free(route, channel, avoiding) for route in _taken(edges, kinds)):
                avoiding.add(name)
                changed = True
    return all(target in avoiding for target in graph.graph.start)


def _taken(edges: tuple[Edge, ...], kinds: set[str]) -> list[Route]:
    return list({id(edge.route): edge.route for edge in edges if edge.kind in kinds}.values())


def _free(route: Route, channel: str, avoiding: set[str]) -> bool:
    return channel not in route.writes and all(target in avoiding for target in route.to)

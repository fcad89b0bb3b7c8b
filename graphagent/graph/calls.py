"""Which graphs the nodes of a graph call, and whether somebody may be waited for in there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphagent.graph.spec import SELF, AgentBody, GraphBody, GraphSpec, NodeSpec, Path, Spec, ToolBody


@dataclass(frozen=True, slots=True)
class Call:
    """A place that calls a graph. `bounded`: the depth of recursion through it is limited."""

    graph: str
    path: Path
    node: NodeSpec
    kind: str
    bounded: bool = False


def calls(spec: Spec, graph: GraphSpec) -> Iterator[Call]:
    """All calls that nodes of this graph make, those under `do` and through tools included."""
    for node in graph.tasks():
        body = node.body
        if isinstance(body, GraphBody):
            yield Call(_named(graph, body.graph), (*node.path, "graph"), node, "graph", body.max_depth is not None)
        elif isinstance(body, ToolBody):
            yield from _tool(spec, graph, node, body.tool, (*node.path, "tool"))
            for i, tool in enumerate(body.tools):
                yield from _tool(spec, graph, node, tool, (*node.path, "tools", i))
        elif isinstance(body, AgentBody):
            for i, tool in enumerate(body.tools):
                yield from _tool(spec, graph, node, tool, (*node.path, "tools", i))
            for delegate in body.delegates.values():
                if delegate.graph is not None:
                    yield Call(_named(graph, delegate.graph), (*delegate.path, "graph"), node, "delegate")


def _tool(spec: Spec, graph: GraphSpec, node: NodeSpec, name: str, path: Path) -> Iterator[Call]:
    tool = spec.tools.get(name)
    if tool is not None and tool.graph is not None:
        yield Call(_named(graph, tool.graph), path, node, "tool")


def _named(graph: GraphSpec, name: str) -> str:
    return graph.name if name == SELF else name


def unbounded_callees(spec: Spec, start: str) -> set[str]:
    """The graph `start` and all that it calls over places that bound no recursion."""
    graphs = {found.name: found for found in spec.all_graphs}
    seen: set[str] = set()
    todo = [start]
    while todo:
        found = todo.pop()
        if found in graphs and found not in seen:
            seen.add(found)
            todo += [call.graph for call in calls(spec, graphs[found]) if not call.bounded]
    return seen


def may_park(spec: Spec, start: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a run of this graph may wait for a human, an event or a time."""
    graphs = {found.name: found for found in spec.all_graphs}
    if start in seen or start not in graphs:
        return False
    graph = graphs[start]
    if any(node.kind in ("human", "wait") or asks(node) for node in graph.tasks()):
        return True
    return any(may_park(spec, call.graph, seen | {start}) for call in calls(spec, graph))


def asks(node: NodeSpec) -> bool:
    """Whether a node is an agent with calls that a human has to approve."""
    return isinstance(node.body, AgentBody) and bool(node.body.approve)

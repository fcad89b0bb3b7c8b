"""The diagram of a plan: subgraphs and the bodies of maps are groups.

Ids are paths of names: `refund_flow/ask` is the node `ask` in the graph that the node `refund_flow` runs, and
`each/do` what the map `each` does with an item. Edges are named by where they are written: `write.next[0]`, a
fork's by its targets too, `write.next[0][1]`. Marks are in parentheses, which no name of an author has.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.drawing.diagram import (
    Diagram,
    DiagramChannel,
    DiagramEdge,
    DiagramNode,
    EdgeKind,
    Group,
    GroupKind,
    Overlay,
)
from graphagent.drawing.draw import Drawing
from graphagent.drawing.facts import about, flags
from graphagent.drawing.units import Direction
from graphagent.graph.plan import END, FAIL, START, GraphPlan, NodePlan, Plan, RoutePlan
from graphagent.graph.spec import AgentBody, Body, Delegate, GraphBody, LLMBody, MapBody
from graphagent.graph.types import describe

_MOST_NODES = 400
"""Subgraphs stay closed where opening them would make a drawing larger than this."""

_SHARED = 4
"""So many nodes with one unguarded error route to one target share one edge."""


def draw_plan(
    plan: Plan,
    *,
    direction: Direction = "tb",
    overlay: Overlay | None = None,
    channels: bool = False,
    expand: str = "all",
) -> Drawing:
    """The drawing of the graph that a session of the plan runs; see `Drawing` for the options."""
    return Drawing(from_plan(plan), direction, overlay, channels, expand)


def from_plan(plan: Plan) -> Diagram:
    """The diagram of the graph that a session of the plan runs, every subgraph open."""
    return _Drawn(plan).diagram()


def mark(name: str, prefix: str = "") -> str:
    """The id of `start`, `end`, `fail`, `limits` or `errors` in the graph whose nodes have this prefix."""
    return f"{prefix}({name})"


class _Drawn:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.nodes: list[DiagramNode] = []
        self.edges: list[DiagramEdge] = []
        self.groups: list[Group] = []
        self.channels: list[DiagramChannel] = []

    def diagram(self) -> Diagram:
        self._graph(self.plan.graph, "", None, (self.plan.entry,))
        parts = tuple(self.nodes), tuple(self.edges), tuple(self.groups)
        return Diagram(self.plan.name, *parts, channels=tuple(self.channels))

    def _graph(self, graph: GraphPlan, prefix: str, group: str | None, around: tuple[str, ...]) -> None:
        """Adds a graph. `around`: names of the graphs that it lies in, and its own."""
        first = len(self.edges)
        self.nodes.append(DiagramNode(mark("start", prefix), "start", "start", group=group))
        self._route(graph, graph.start, mark("start", prefix), mark("start", prefix), prefix, "route")
        for node in graph.nodes:
            self._node(graph, node, prefix, group, around)
        shared = self._shared_errors(graph)
        for node in graph.nodes:
            self._routes(graph, node, prefix, shared)
        self._common_edges(graph, prefix, group, shared)
        self._channels(graph, prefix, group)
        targets = {edge.target for edge in self.edges[first:]}
        for name in ("end", "fail"):
            if mark(name, prefix) in targets:
                self.nodes.append(DiagramNode(mark(name, prefix), name, name, group=group))

    def _node(self, graph: GraphPlan, node: NodePlan, prefix: str, group: str | None, around: tuple[str, ...]) -> None:
        name = prefix + node.name
        reads, writes = _channels(graph, node)
        join = _join(graph, node)
        sublabel, description = _sublabel(graph, node), node.description or ""
        breakpoint = (f"interrupt {node.interrupt}",) if node.interrupt else ()
        shown = join, reads, writes, (*flags(node.body), *breakpoint)
        inner = self._inner(node.body, around)
        spokes = node.body.delegates if isinstance(node.body, AgentBody) else {}
        if inner is None and node.item is None and not spokes:
            self.nodes.append(DiagramNode(name, node.name, node.kind, description, sublabel, group, *shown))
            return
        count = len(inner.nodes) if inner else len(spokes) or 1
        kind: GroupKind = "graph" if inner else "agent" if spokes else "map"
        self.groups.append(Group(name, node.name, kind, group, count, description, sublabel, *shown))
        if inner:
            self._graph(inner, name + "/", name, (*around, inner.name))
        elif node.item is not None:
            self._item(node, node.item, name, around)
        for spoke in spokes.values():
            self._spoke(spoke, name, around)

    def _item(self, node: NodePlan, item: NodePlan, name: str, around: tuple[str, ...]) -> None:
        """What a map does with each item."""
        assert isinstance(node.body, MapBody)
        label, path = f"each {node.body.item}", f"{name}/do"
        self._held(path, label, item.kind, item.body, item.model, name, "", around)

    def _spoke(self, spoke: Delegate, name: str, around: tuple[str, ...]) -> None:
        """A delegate of an agent: a graph, or what is under its `do`."""
        kind, body = ("graph", GraphBody(spoke.graph or "")) if spoke.do is None else (spoke.do.kind, spoke.do.body)
        model = getattr(body, "model", None)
        self._held(f"{name}/{spoke.name}", spoke.name, kind, body, model, name, spoke.about, around)

    def _held(
        self, path: str, label: str, kind: str, body: Body, model: str | None, group: str, text: str,
        around: tuple[str, ...],
    ) -> None:  # fmt: skip
        """A node that another one holds: a map's or an agent's."""
        inner, sublabel, marks = self._inner(body, around), about(body, model), tuple(flags(body))
        if inner is None:
            self.nodes.append(DiagramNode(path, label, kind, text, sublabel, group, flags=marks))
        else:
            self.groups.append(Group(path, label, "graph", group, len(inner.nodes), text, sublabel, flags=marks))
            self._graph(inner, path + "/", path, (*around, inner.name))

    def _inner(self, body: Body, around: tuple[str, ...]) -> GraphPlan | None:
        """The graph that a node runs, if it shall be drawn inside; a recursion isn't."""
        if not isinstance(body, GraphBody) or body.graph in (*around, "self"):
            return None
        inner = self.plan.graphs[body.graph]
        return inner if len(self.nodes) + len(inner.nodes) <= _MOST_NODES else None

    def _channels(self, graph: GraphPlan, prefix: str, group: str | None) -> None:
        used = [(prefix + node.name, *_channels(graph, node)) for node in graph.nodes]
        for channel in graph.channels:
            writers = tuple(name for name, _, writes in used if channel.name in writes)
            readers = tuple(name for name, reads, _ in used if channel.name in reads)
            shown = describe(channel.type), channel.reducer, writers, readers, group
            self.channels.append(DiagramChannel(prefix + channel.name, *shown))

    def _routes(self, graph: GraphPlan, node: NodePlan, prefix: str, shared: dict[int, list[NodePlan]]) -> None:
        name = prefix + node.name
        several = len(node.next) > 1
        for i, route in enumerate(node.next):
            kind: EdgeKind = "else" if several and route.when is None else "route"
            self._route(graph, route, name, f"{name}.next[{i}]", prefix, kind)
        for i, route in enumerate(node.on_error):
            if node not in shared.get(_plain_target(node), []):
                self._route(graph, route, name, f"{name}.on_error[{i}]", prefix, "error")

    def _route(self, graph: GraphPlan, route: RoutePlan, source: str, name: str, prefix: str, kind: EdgeKind) -> None:
        forks = len(route.to) > 1
        for k, target in enumerate(route.to):
            edge = f"{name}[{k}]" if forks else name
            its_kind: EdgeKind = "fork" if forks and kind == "route" else kind
            self.edges.append(DiagramEdge(edge, source, _target(graph, target, prefix), its_kind, route.label))

    def _shared_errors(self, graph: GraphPlan) -> dict[int, list[NodePlan]]:
        """Target -> the nodes that all go there on any error, where they are many (`defaults.on_error`)."""
        found: dict[int, list[NodePlan]] = {}
        for node in graph.nodes:
            if (target := _plain_target(node)) != START:
                found.setdefault(target, []).append(node)
        return {target: nodes for target, nodes in found.items() if len(nodes) >= _SHARED}

    def _common_edges(
        self, graph: GraphPlan, prefix: str, group: str | None, shared: dict[int, list[NodePlan]]
    ) -> None:
        for k, (target, nodes) in enumerate(shared.items()):
            name = mark("errors" if k == 0 else f"errors {k + 1}", prefix)
            names = "on error of: " + ", ".join(node.name for node in nodes)
            label = f"{len(nodes)} of {len(graph.nodes)} nodes"
            self.nodes.append(DiagramNode(name, label, "errors", names, group=group))
            self.edges.append(DiagramEdge(name, name, _target(graph, target, prefix), "error"))
        if graph.limits.on_limit is not None:
            name = mark("limits", prefix)
            self.nodes.append(DiagramNode(name, "limits", "limit", group=group))
            self.edges.append(DiagramEdge(name, name, _target(graph, graph.limits.on_limit, prefix), "limit"))


def _plain_target(node: NodePlan) -> int:
    """Where a node goes on any error, if there is just one such place; else START, which is no target."""
    if len(node.on_error) != 1:
        return START
    (route,) = node.on_error
    return route.to[0] if route.when is None and not route.label and len(route.to) == 1 else START


def _target(graph: GraphPlan, target: int, prefix: str) -> str:
    if target in (END, FAIL):
        return mark("end" if target == END else "fail", prefix)
    return prefix + graph.nodes[target].name


def _join(graph: GraphPlan, node: NodePlan) -> str:
    """The words on the bar of a join; `any` has none."""
    if node.join_fork is None:
        return "any"
    ways = (graph.start, *(route for other in graph.nodes for route in (*other.next, *other.on_error)))
    needs = {awaited.need for route in ways for awaited in route.awaited if awaited.node == node.index}
    words = f"at least {min(needs)}" if needs else "all"
    return f"{words}, cancels siblings" if node.cancels else words


def _sublabel(graph: GraphPlan, node: NodePlan) -> str:
    parts = [about(node.body, node.model)]
    if node.on_update:
        parts.append("on update of " + ", ".join(graph.channels[c].name for c in node.on_update))
    return ", ".join(part for part in parts if part)


def _channels(graph: GraphPlan, node: NodePlan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the channels that a node reads and writes, in the order of the channels."""
    reads = set(_reads(node))
    writes = {index for index, _ in node.writes}
    writes |= {index for route in (*node.next, *node.on_error) for index, _ in route.writes}
    if isinstance(node.body, LLMBody | AgentBody) and node.body.history:
        reads.add(node.body.history.channel)
        writes.add(graph.channel_index[node.body.history.channel])
    if isinstance(node.body, AgentBody):
        held = (*(spoke.writes for spoke in node.body.delegates.values()), *node.body.tool_writes.values())
        writes |= {graph.channel_index[name] for written in held for name in written}
    names = [channel.name for channel in graph.channels]
    return tuple(n for n in names if n in reads), tuple(n for i, n in enumerate(names) if i in writes)


def _reads(node: NodePlan) -> Iterator[str]:
    """Roots of everything that a node's expressions read."""
    values = [value for _, value in node.arguments] + [value for _, value in node.writes] + list(node.values.values())
    routes = (*node.next, *node.on_error)
    values += [value for route in routes for _, value in route.writes]
    for value in values:
        yield from (read.root for read in value.reads)
    for expression in (node.over, *(route.when for route in routes)):
        if expression is not None:
            yield from (read.root for read in expression.reads)
    if node.item is not None:
        yield from _reads(node.item)

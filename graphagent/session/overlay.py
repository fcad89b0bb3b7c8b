"""What a session did, drawn over its graph: states, counts of runs and routes, times, usage, what is due next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphagent.drawing import NodeRun, Overlay, Table
from graphagent.drawing.diagram import State
from graphagent.drawing.from_plan import mark
from graphagent.events import Event
from graphagent.graph.plan import GraphPlan, NodePlan, RoutePlan
from graphagent.session.documents import history_document, show_document
from graphagent.session.reading import read_events
from graphagent.session.tables_text import history_table
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.documents.forms import ShowDocument
    from graphagent.session.host import Host


@dataclass(slots=True)
class _Seen:
    """What was seen of one node."""

    state: State = "idle"
    runs: int = 0
    wall_ms: int = 0
    tokens: int = 0
    cost_micro: int = 0
    prompt: str = ""

    def shown(self) -> NodeRun:
        parts = [f"{self.tokens:,} tok"] if self.tokens else []
        if self.cost_micro:
            parts.append(f"${self.cost_micro / 1e6:.4f}")
        return NodeRun(self.state, self.runs, self.wall_ms if self.runs else None, " · ".join(parts), self.prompt)


@dataclass(slots=True)
class _Picture:
    nodes: dict[str, _Seen] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    outlined: set[str] = field(default_factory=set)

    def node(self, name: str) -> _Seen:
        return self.nodes.setdefault(name, _Seen())

    def take(self, edge: str) -> None:
        self.taken[edge] = self.taken.get(edge, 0) + 1


async def session_overlay(host: Host, row: SessionRow, snapshot: int) -> Overlay:
    """What a session has done when it stands at a snapshot; its child sessions lie in the boxes of their nodes.

    Raises:
        NotFound: the session has no such snapshot.
    """
    shown = await show_document(host, row, snapshot, values=False)
    picture = _Picture()
    await _draw(host, row, snapshot, "", picture)
    picture.outlined = {task.node for task in shown.tasks}
    channels = {
        c.channel: f"v{c.previous_version}→v{c.version}" if c.previous_version is not None else f"v{c.version}"
        for c in shown.changes
    }
    nodes = {name: seen.shown() for name, seen in picture.nodes.items()}
    return Overlay(
        nodes, picture.taken, channels, frozenset(picture.outlined), frozenset(picture.due), _caption(row, shown)
    )


async def superstep_table(host: Host, row: SessionRow, snapshot: int, limit: int) -> Table:
    """What the session did up to a snapshot, a row for each superstep; at its head the open one too.

    Args:
        limit: How many supersteps at most.
    """
    document = await history_document(host, row, limit=limit)
    at_head = snapshot == row.head_superstep
    supersteps = [step for step in document.supersteps if step.superstep < snapshot]
    shown = replace(document, supersteps=supersteps, open=document.open if at_head else None)
    return Table("Supersteps", history_table(shown))


def _caption(row: SessionRow, shown: ShowDocument) -> str:
    """Which session, when, and how it stands."""
    after = f"after superstep {shown.snapshot - 1}" if shown.snapshot else "before superstep 0"
    at_head = shown.snapshot == row.head_superstep
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.session} {after}" + (f", {row.status}{reason}" if at_head else "")


async def _draw(host: Host, row: SessionRow, snapshot: int, prefix: str, picture: _Picture) -> None:
    """Add one session, then the sessions that it called before the snapshot."""
    graph = (await host.plan_of(row)).graph
    for event in await read_events(host.store, row, graph, hi=snapshot):
        _add(graph, event, prefix, picture)
    at_head = snapshot == row.head_superstep
    shown = await show_document(host, row, snapshot, values=False)
    for token in shown.tokens:
        picture.due.add(prefix + token.node)
    prompts = {i.id: i.prompt for i in shown.interrupts}
    for waiting in shown.waiting:
        seen = picture.node(prefix + waiting.node)
        seen.state, seen.prompt = "waiting", prompts.get(waiting.interrupt, "") if waiting.interrupt else ""
    if at_head and shown.error is not None and shown.error.node is not None:
        picture.node(prefix + shown.error.node).state = "failed"
    for child in await host.store.children(row.session):
        if child.caller_path is not None and (at_head or (child.caller_superstep or 0) < snapshot):
            await _draw(host, child, child.head_superstep, _inside(graph, prefix, child.caller_path), picture)


def _inside(graph: GraphPlan, prefix: str, path: str) -> str:
    """Where the nodes of a child are drawn: in the box of the node that called it, or of what a map does."""
    name, item, _ = path.partition("[")
    return f"{prefix}{name}/do/" if item and name in graph.node_index else f"{prefix}{name}/"


def _add(graph: GraphPlan, event: Event, prefix: str, picture: _Picture) -> None:
    data = event.data
    if event.kind == "RunStarted":
        for edge in _edges(mark("start", prefix), graph.start):
            picture.take(edge)
        return
    if event.node is None or event.node not in graph.node_index:
        return
    node = graph.nodes[graph.node_index[event.node]]
    seen = picture.node(prefix + node.name)
    if event.kind == "x.model.completed":
        usage = data["usage"]
        seen.tokens += usage["input_tokens"] + usage["output_tokens"]
        seen.cost_micro += usage.get("cost_micro") or 0
        if node.item is not None:
            picture.node(f"{prefix}{node.name}/do").state = "done"
    elif event.kind == "x.task.finished":
        seen.state = data["status"]
        seen.runs += data["status"] != "waiting"
        seen.wall_ms += data["wall_ms"]
        if node.item is not None and data["status"] == "done":
            picture.node(f"{prefix}{node.name}/do").state = "done"
        for edge in _taken(graph, node, data["via"], data["routes"], prefix):
            picture.take(edge)


def _taken(graph: GraphPlan, node: NodePlan, via: str, targets: Sequence[str], prefix: str) -> list[str]:
    """The edges of the route that a task took: the first one in its list with these targets."""
    if not targets:
        return []
    routes = node.on_error if via == "on_error" else node.next
    for i, route in enumerate(routes):
        if [_name(graph, t) for t in route.to] == list(targets):
            return _edges(f"{prefix}{node.name}.{'on_error' if via == 'on_error' else 'next'}[{i}]", route)
    return []


def _edges(name: str, route: RoutePlan) -> list[str]:
    return [f"{name}[{k}]" for k in range(len(route.to))] if len(route.to) > 1 else [name]


def _name(graph: GraphPlan, target: int) -> str:
    return {-1: "end", -2: "fail"}.get(target) or graph.nodes[target].name

"""What is drawn: nodes, edges and boxes around them, and what a run did to them.

A diagram knows nothing of plans and sessions; whoever has one says here what should be seen. A subgraph or
a map's body is a `Group`; edges may start and end at a group as at a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

EdgeKind = Literal["route", "else", "error", "limit", "fork"]
GroupKind = Literal["map", "graph", "agent"]
State = Literal["idle", "queued", "running", "done", "replayed", "skipped", "failed", "waiting", "cancelled"]

MARKS = frozenset({"start", "end", "fail", "limit", "errors"})
"""Kinds that aren't nodes of the graph: where a token comes from and where it goes."""


@dataclass(frozen=True, slots=True)
class DiagramNode:
    """One box.

    Args:
        kind: A node kind (`llm`, `human`, ...) or one of `MARKS`.
        sublabel: Shown behind the kind's word, e.g. the model's name.
        group: Id of the group it lies in.
        join: Anything but `any` is drawn as a bar with these words.
        reads: Channels, shown with `channels=True`, as `writes` is.
        flags: What else sets it apart, each on a line with a sign: `sandbox wasm`, `interrupt before`.
    """

    id: str
    label: str
    kind: str
    description: str = ""
    sublabel: str = ""
    group: str | None = None
    join: str = "any"
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiagramEdge:
    """A route. `source` and `target` are ids of nodes or groups; `label` is the guard or the author's label."""

    id: str
    source: str
    target: str
    kind: EdgeKind = "route"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A box around a subgraph, a map's body or an agent's delegates; it stands for the node that runs them.

    Args:
        parent: Id of the group around this one.
        count: How many nodes it has, shown when it is closed.
    """

    id: str
    label: str
    kind: GroupKind
    parent: str | None = None
    count: int = 0
    description: str = ""
    sublabel: str = ""
    join: str = "any"
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiagramChannel:
    """A channel, with the ids of the boxes that write and read it.

    Args:
        id: As in the overlay's `channels`; with the ids of the groups around it where it is a subgraph's.
    """

    id: str
    type: str
    reducer: str
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Diagram:
    """A graph to draw. The order of `nodes` and `edges` is that of the author's text, and breaks ties.

    Raises:
        ValueError: Two boxes or edges have one id, or an end, group or parent doesn't exist.
    """

    name: str
    nodes: tuple[DiagramNode, ...]
    edges: tuple[DiagramEdge, ...] = ()
    groups: tuple[Group, ...] = ()
    description: str = ""
    channels: tuple[DiagramChannel, ...] = ()

    def __post_init__(self) -> None:
        boxes = [n.id for n in self.nodes] + [g.id for g in self.groups]
        groups = {g.id: g.parent for g in self.groups}
        _refuse_twins("boxes", boxes)
        _refuse_twins("edges", [e.id for e in self.edges])
        known = set(boxes)
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in known:
                    raise ValueError(f"edge {edge.id!r}: there is no node or group {end!r}")
        for box, group in [*((n.id, n.group) for n in self.nodes), *groups.items()]:
            if group is not None and group not in groups:
                raise ValueError(f"{box!r} lies in the group {group!r}, which doesn't exist")
        for group in groups:
            if group in _ancestors(group, groups):
                raise ValueError(f"group {group!r} lies in itself")

    @property
    def boxes(self) -> tuple[DiagramNode | Group, ...]:
        """Nodes and groups."""
        return (*self.nodes, *self.groups)

    def collapsed(self, expand: str) -> Diagram:
        """The same diagram with groups closed into nodes.

        Args:
            expand: `all`, `none`, or the id or label of the group to open (those around it open too).

        Raises:
            ValueError: No group has this name.
        """
        if expand == "all" or (expand == "none" and not self.groups):
            return self
        parents = {g.id: g.parent for g in self.groups}
        is_open: set[str] = set()
        if expand != "none":
            chosen = [g.id for g in self.groups if expand in (g.id, g.label)]
            if not chosen:
                names = ", ".join(sorted({g.label for g in self.groups})) or "none"
                raise ValueError(f"no subgraph or map {expand!r} to expand; there are: {names}")
            is_open = {a for c in chosen for a in (c, *_ancestors(c, parents))}
        return _Closing(self, parents, is_open).diagram()


@dataclass(frozen=True, slots=True)
class NodeRun:
    """What a run did with a node so far.

    Args:
        usage: Ready text, e.g. `340 tok · $0.0021`.
        prompt: The question of an open interrupt.
    """

    state: State = "idle"
    runs: int = 0
    wall_ms: int | None = None
    usage: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A run drawn over its graph. Ids are those of the diagram; what isn't named is idle or untaken.

    Args:
        taken: Edge id -> how often the route was taken.
        channels: Channel -> versions, e.g. `v3→v4`; shown on the nodes in whose `writes` it is.
        outlined: What the shown superstep ran.
        due: What the next one will run.
        caption: One line above the drawing.
    """

    nodes: Mapping[str, NodeRun] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    outlined: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    caption: str = ""


class _Closing:
    """Closes every group of a diagram that isn't in `is_open`."""

    def __init__(self, diagram: Diagram, parents: dict[str, str | None], is_open: set[str]) -> None:
        self._diagram = diagram
        self._parents = parents
        self._open = is_open
        self._groups = {g.id: g for g in diagram.groups}

    def diagram(self) -> Diagram:
        shown: dict[str, str] = {}
        nodes: dict[str, DiagramNode] = {}
        for node in self._diagram.nodes:
            closed = self._outermost_closed(node.group)
            shown[node.id] = closed or node.id
            if closed is None:
                nodes[node.id] = node
            else:
                nodes.setdefault(closed, self._as_node(closed))
        for group in self._diagram.groups:  # a group without nodes closes as well
            closed = self._outermost_closed(group.id)
            shown[group.id] = closed or group.id
            if closed is not None:
                nodes.setdefault(closed, self._as_node(closed))
        edges = tuple(
            replace(e, source=shown[e.source], target=shown[e.target])
            for e in self._diagram.edges
            if shown[e.source] != shown[e.target] or e.source == e.target == shown[e.source]
        )
        groups = tuple(g for g in self._diagram.groups if shown[g.id] == g.id and g.id not in nodes)
        channels = tuple(c for c in self._diagram.channels if self._outermost_closed(c.group) is None)
        return replace(self._diagram, nodes=tuple(nodes.values()), edges=edges, groups=groups, channels=channels)

    def _outermost_closed(self, group: str | None) -> str | None:
        closed = None
        while group is not None:
            if group not in self._open:
                closed = group
            group = self._parents[group]
        return closed

    def _as_node(self, name: str) -> DiagramNode:
        group = self._groups[name]
        what = "delegate" if group.kind == "agent" else "node"
        count = f"{group.count} {what}{'' if group.count == 1 else 's'}"
        return DiagramNode(
            id=group.id,
            label=group.label,
            kind=group.kind,
            description=group.description,
            sublabel=" · ".join(filter(None, [group.sublabel, "" if count in group.sublabel else count])),
            group=group.parent,
            join=group.join,
            reads=group.reads,
            writes=group.writes,
            flags=group.flags,
        )


def _ancestors(group: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    seen: set[str] = set()
    parent = parents[group]
    while parent is not None and parent not in seen:
        seen.add(parent)
        yield parent
        parent = parents.get(parent)


def _refuse_twins(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {what} have the id {name!r}")
        seen.add(name)

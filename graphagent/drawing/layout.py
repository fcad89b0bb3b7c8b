"""The one layout behind every output: boxes inside boxes, each level laid out by itself.

The inside of a group is laid out first; outside it is one large box, and edges end at its border.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from graphagent.drawing.content import Line, Shown, edge_texts
from graphagent.drawing.diagram import Diagram, DiagramEdge, DiagramNode, Group
from graphagent.drawing.level import Level, Point, Rect, place
from graphagent.drawing.panel import PlacedChannel, place_channels
from graphagent.drawing.text import plain, wrap
from graphagent.drawing.units import PIXELS, Direction, Frame, Size, Units

Box = DiagramNode | Group


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A node or group with its place; the bar of a join, if any, is inside, on the side where edges enter.

    Args:
        layer, order: Within its own level.
        lines: The text in it; in a group, above its content.
    """

    box: Box
    x: int
    y: int
    w: int
    h: int
    layer: int
    order: int
    lines: tuple[Line, ...]

    @property
    def id(self) -> str:
        """The id of the node or group."""
        return self.box.id


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge as a line of horizontal and vertical stretches.

    Args:
        points: From the border of its source to that of its target.
        label: Wrapped; the first line begins with the loop sign if the edge goes back.
        label_box: x, y, width, height.
        back: Whether it closes a loop.
    """

    edge: DiagramEdge
    points: tuple[Point, ...]
    label: tuple[str, ...]
    label_box: Rect | None
    back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing without ink. Groups come before those inside them."""

    diagram: Diagram
    direction: Direction
    nodes: tuple[PlacedBox, ...]
    edges: tuple[PlacedEdge, ...]
    groups: tuple[PlacedBox, ...]
    channels: tuple[PlacedChannel, ...]
    width: int
    height: int

    def document(self) -> dict[str, Any]:
        """The layout as plain data, for other tools."""
        return {
            "direction": self.direction,
            "width": self.width,
            "height": self.height,
            "nodes": [_box_document(n) for n in self.nodes],
            "edges": [_edge_document(e) for e in self.edges],
            "groups": [{**_box_document(g), "parent": _parent(g.box)} for g in self.groups],
            "channels": self._channels(),
        }

    def _channels(self) -> list[dict[str, Any]]:
        """All channels; those that are drawn with the places of their pills."""
        pills = {placed.channel.id: dict(zip("xywh", placed.pill, strict=True)) for placed in self.channels}
        return [asdict(channel) | pills.get(channel.id, {}) for channel in self.diagram.channels]


def lay_out(
    diagram: Diagram, *, direction: Direction = "tb", units: Units = PIXELS, shown: Shown | None = None
) -> Layout:
    """Places every node, edge and group of a diagram. The same diagram gives the same layout, always."""
    return _Layouting(diagram, direction, units, shown or Shown()).layout()


@dataclass(slots=True)
class _Piece:
    """The inside of a group (or the whole), laid out."""

    children: list[Box]
    edges: list[int]
    level: Level
    size: Size


class _Layouting:
    def __init__(self, diagram: Diagram, direction: Direction, units: Units, shown: Shown) -> None:
        self.diagram = diagram
        self.direction = direction
        self.units = units
        self.spacing = units.spacing(direction)
        self.shown = shown
        self.texts = edge_texts(diagram)
        self.boxes: dict[str, Box] = {b.id: b for b in diagram.boxes}
        self.lines = {b.id: shown.lines(b, units.title_limit, units.title_width) for b in self.boxes.values()}
        self.children, self.edges_in = self._levels()
        self.ends: dict[int, tuple[str, str]]
        self.labels: dict[int, tuple[str, ...]] = {}
        self.pieces: dict[str | None, _Piece] = {}
        self.frames: dict[str, Frame] = {}

    def layout(self) -> Layout:
        whole = self._piece(None)
        nodes: dict[str, PlacedBox] = {}
        edges: dict[int, PlacedEdge] = {}
        groups: list[PlacedBox] = []
        todo: list[tuple[_Piece, int, int]] = [(whole, 0, 0)]
        for piece, x, y in todo:
            for i, child in enumerate(piece.children):
                rect = self._turned(piece.level.boxes[i])
                placed = PlacedBox(
                    child, x + rect[0], y + rect[1], *rect[2:], piece.level.layer[i], piece.level.order[i],
                    self.lines[child.id],
                )  # fmt: skip
                if isinstance(child, Group):
                    groups.append(placed)
                    inner = self.pieces[child.id]
                    todo.append((inner, *self._inside(placed, inner)))
                else:
                    nodes[child.id] = placed
            for k, i in enumerate(piece.edges):
                edges[i] = self._placed_edge(piece, k, x, y)
        labels = {box.id: box.label for box in self.diagram.boxes}
        channels, size = place_channels(self.diagram, labels, self.shown, self.units, whole.size[1])
        return Layout(
            self.diagram,
            self.direction,
            tuple(nodes[n.id] for n in self.diagram.nodes),
            tuple(edges[i] for i in range(len(self.diagram.edges))),
            tuple(groups),
            channels,
            max(whole.size[0], size[0]),
            size[1],
        )

    def _levels(self) -> tuple[dict[str | None, list[Box]], dict[str | None, list[int]]]:
        """What lies directly in each group: boxes in the order of their first node, and edges."""
        groups = {g.id: g for g in self.diagram.groups}
        children: dict[str | None, list[Box]] = {None: [], **{name: [] for name in groups}}
        listed: set[str] = set()

        def enlist(box: Box) -> None:
            parent = _parent(box)
            if parent is not None and parent not in listed:
                listed.add(parent)
                enlist(groups[parent])
            children[parent].append(box)

        for node in self.diagram.nodes:
            enlist(node)
        for group in self.diagram.groups:
            if group.id not in listed:
                listed.add(group.id)
                enlist(group)
        edges: dict[str | None, list[int]] = {name: [] for name in children}
        self.ends = {}
        for i, edge in enumerate(self.diagram.edges):
            level, source, target = self._common(edge)
            edges[level].append(i)
            self.ends[i] = source, target
        return children, edges

    def _common(self, edge: DiagramEdge) -> tuple[str | None, str, str]:
        """The innermost level that holds both ends, and what stands for them there."""
        sources, targets = self._outwards(edge.source), self._outwards(edge.target)
        for box, level in sources.items():
            for other, its_level in targets.items():
                if level == its_level:
                    return level, box, other
        raise AssertionError("every box lies in the whole")

    def _outwards(self, box: str) -> dict[str, str | None]:
        """A box and the groups around it, each with its level."""
        found: dict[str, str | None] = {}
        at: str | None = box
        while at is not None:
            found[at] = _parent(self.boxes[at])
            at = found[at]
        return found

    def _piece(self, level: str | None) -> _Piece:
        children = self.children[level]
        index = {child.id: i for i, child in enumerate(children)}
        edges = self.edges_in[level]
        pairs = [(index[self.ends[i][0]], index[self.ends[i][1]]) for i in edges]
        sizes = [self._turned_size(self._size(child)) for child in children]
        top = frozenset(i for i, child in enumerate(children) if child.kind == "start")
        placed = place(sizes, pairs, lambda k, back: self._label_size(edges[k], back), self.spacing, top)
        piece = _Piece(children, edges, placed, self._turned_size(placed.size))
        self.pieces[level] = piece
        return piece

    def _size(self, box: Box) -> Size:
        lines, join = self.lines[box.id], plain(box.join)
        bar, least = self.units.bar(join, self.direction), self.units.bar_length(join, self.direction)
        if isinstance(box, DiagramNode):
            width, height = self.units.node_size(box.kind, lines)
        else:
            frame = self.frames[box.id] = self.units.frame(lines)
            inner = self._piece(box.id).size
            width = max(inner[0] + 2 * frame.side, frame.min_width)
            height = inner[1] + frame.top + frame.bottom
        return max(width, least[0]) + bar[0], max(height, least[1]) + bar[1]

    def _inside(self, group: PlacedBox, inner: _Piece) -> tuple[int, int]:
        """Where the content of a group begins: in the middle of what the frame leaves."""
        frame = self.frames[group.id]
        bar = self.units.bar(group.box.join, self.direction)
        spare = group.w - bar[0] - 2 * frame.side - inner.size[0]
        return group.x + bar[0] + frame.side + spare // 2, group.y + bar[1] + frame.top

    def _label_size(self, i: int, back: bool) -> Size | None:
        text = self.texts[self.diagram.edges[i].id]
        if back:
            text = f"{self.units.loop} {text}".rstrip()
        text = f"{text} {self.shown.count(self.diagram.edges[i].id)}".strip()
        if not text:
            return None
        lines = wrap(text, self.units.label_limit, self.units.label_width)
        self.labels[i] = lines
        return self._turned_size(self.units.label_size(lines))

    def _placed_edge(self, piece: _Piece, k: int, x: int, y: int) -> PlacedEdge:
        i = piece.edges[k]
        points = [(a, b) if self.direction == "tb" else (b, a) for a, b in piece.level.paths[k]]
        rect = piece.level.labels[k]
        box = self._turned(rect) if rect else None
        return PlacedEdge(
            self.diagram.edges[i],
            tuple((x + a, y + b) for a, b in points),
            self.labels.get(i, ()),
            (x + box[0], y + box[1], *box[2:]) if box else None,
            piece.level.back[k],
        )

    def _turned_size(self, size: Size) -> Size:
        return size if self.direction == "tb" else (size[1], size[0])

    def _turned(self, rect: Rect) -> Rect:
        a, b, w, h = rect
        return rect if self.direction == "tb" else (b, a, h, w)


def _parent(box: Box) -> str | None:
    return box.group if isinstance(box, DiagramNode) else box.parent


def _box_document(placed: PlacedBox) -> dict[str, Any]:
    box = placed.box
    return {
        "id": box.id,
        "x": placed.x,
        "y": placed.y,
        "w": placed.w,
        "h": placed.h,
        "layer": placed.layer,
        "order": placed.order,
        "label": plain(box.label),
        "kind": box.kind,
        "join": box.join,
        "group": _parent(box),
        "description": plain(box.description),
        "flags": [plain(flag) for flag in box.flags],
        "reads": list(box.reads),
        "writes": list(box.writes),
        "lines": [line.text for line in placed.lines],
    }


def _edge_document(placed: PlacedEdge) -> dict[str, Any]:
    edge = placed.edge
    return {
        "id": edge.id,
        "from": edge.source,
        "to": edge.target,
        "kind": edge.kind,
        "back": placed.back,
        "points": [list(point) for point in placed.points],
        "label": " ".join(placed.label),
        "label_box": list(placed.label_box) if placed.label_box else None,
    }

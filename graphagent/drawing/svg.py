"""Draws a layout as SVG: real text, no script, nothing from outside, safe to put into any page.

Every part is a `<g>` with a `<title>`, and `data-node` or `data-edge` holds the id for who styles or scripts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphagent.drawing.content import LOOP, Line, Shown, edge_texts, is_red
from graphagent.drawing.diagram import MARKS, Group, State
from graphagent.drawing.icons import FLAG_PATHS, KIND_PATHS, LOOP_PATH, SOLID_PATHS, STATE_PATHS
from graphagent.drawing.layout import Layout, PlacedBox, PlacedEdge
from graphagent.drawing.level import Point
from graphagent.drawing.panel import PlacedChannel
from graphagent.drawing.shapes import Shape, inset, node_shape
from graphagent.drawing.text import plain
from graphagent.drawing.theme import FAMILY, KINDS, Theme, style_sheet
from graphagent.drawing.units import (
    BAR,
    FONT_SIZE,
    ICON,
    ICON_GAP,
    LABEL_LINE,
    LINE_HEIGHT,
    LOOP_ICON,
    PAD_X,
    PAD_Y,
    PILL_GAP,
    PILLS_AT,
    PIXELS,
    SLANT,
    STATUS_ICON,
    Size,
)  # fmt: skip

_MARGIN = 16
_RADIUS = 8
_HEAD = 8  # length of an arrowhead
_CAPTION = 24  # height of the line above the drawing


def to_svg(layout: Layout, shown: Shown, *, theme: Theme = "auto", family: str = FAMILY) -> str:
    """The drawing as one `<svg>` element, ending in a newline. `family`: CSS fonts of all text."""
    return _Svg(layout, shown).document(theme, family)


def svg_size(layout: Layout, shown: Shown) -> Size:
    """Width and height of that element."""
    caption = _caption(shown)
    width = max(layout.width, PIXELS.label_width(caption)) + 2 * _MARGIN
    return width, layout.height + 2 * _MARGIN + (_CAPTION if caption else 0)


def escape(text: str) -> str:
    """Text for XML, in elements and in attributes."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, entity)
    return text


class _Svg:
    def __init__(self, layout: Layout, shown: Shown) -> None:
        self.layout = layout
        self.shown = shown
        self.kinds = {box.id: box.box.kind for box in (*layout.nodes, *layout.groups)}
        self.placed = {box.id: box for box in (*layout.nodes, *layout.groups)}
        self.names = {box.id: plain(box.box.label) for box in (*layout.nodes, *layout.groups)}
        self.texts = edge_texts(layout.diagram)
        self.out: list[str] = []

    def document(self, theme: Theme, family: str) -> str:
        layout, diagram = self.layout, self.layout.diagram
        caption = _caption(self.shown)
        head = _CAPTION if caption else 0
        width, height = svg_size(layout, self.shown)
        name = escape(plain(diagram.name))
        self.out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="ga-drawing ga-{theme}" role="graphics-document" '
            f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
            f"<title>{name}</title>",
            f"<desc>{escape(plain(diagram.description)) or f'The graph {name}'}</desc>",
            f"<style>\n{style_sheet(theme, family)}\n</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
        ]
        if caption:
            self._text("small", _MARGIN, _MARGIN + 8, caption)
        self.out.append(f'<g transform="translate({(width - layout.width) // 2} {_MARGIN + head})">')
        for group in layout.groups:
            self._box(group)
        for box in (*layout.groups, *layout.nodes):  # below the edges, or it would hide their arrowheads
            self._ring(box)
        for edge in layout.edges:
            self._edge(edge)
        for edge in layout.edges:
            self._label(edge)
        for node in layout.nodes:
            self._box(node)
        for channel in layout.channels:
            self._channel(channel)
        self.out += ["</g>", "</svg>", ""]
        return "\n".join(self.out)

    # boxes

    def _box(self, placed: PlacedBox) -> None:
        box = placed.box
        state = self.shown.state(box.id)
        classes = ["node" if not isinstance(box, Group) else "group", _kind_class(box.kind)]
        if state != "idle":
            classes.append(f"run-{state}")
        self._open(classes, "node", box.id)
        self._described(f"{self.names[box.id]} ({plain(box.kind)})", plain(box.description) or _words(placed.lines))
        shape = node_shape(placed, self._bar_size(placed), self.layout.direction)
        for path in shape.behind:
            self.out.append(f'<path class="behind" d="{path}"/>')
        self.out.append(f'<path class="shape" d="{shape.outline}"/>')
        if shape.inner:
            self.out.append(f'<path class="inner" d="{shape.inner}"/>')
        self._bar(placed)
        self._words_in(placed, shape)
        self.out.append("</g>")

    def _ring(self, placed: PlacedBox) -> None:
        if self.shown.outlined(placed.id):
            x, y, w, h = placed.x - 5, placed.y - 5, placed.w + 10, placed.h + 10
            self.out.append(f'<rect class="ring" x="{x}" y="{y}" width="{w}" height="{h}" rx="10"/>')

    def _bar_size(self, placed: PlacedBox) -> int:
        return BAR if placed.box.join != "any" and placed.box.kind not in MARKS else 0

    def _bar(self, placed: PlacedBox) -> None:
        if not self._bar_size(placed):
            return
        word = escape(plain(placed.box.join))
        if self.layout.direction == "tb":
            at = placed.x + placed.w // 2
            self.out.append(f'<rect class="bar" x="{placed.x}" y="{placed.y}" width="{placed.w}" height="15" rx="2"/>')
            self.out.append(f'<text class="bartext" x="{at}" y="{placed.y + 11}">{word}</text>')
        else:
            x, y = placed.x + 11, placed.y + placed.h // 2
            self.out.append(f'<rect class="bar" x="{placed.x}" y="{placed.y}" width="15" height="{placed.h}" rx="2"/>')
            self.out.append(f'<text class="bartext" transform="translate({x} {y}) rotate(-90)">{word}</text>')

    def _words_in(self, placed: PlacedBox, shape: Shape) -> None:
        lines = placed.lines
        height = sum(LINE_HEIGHT[line.role] for line in lines)
        top = placed.y + PAD_Y if isinstance(placed.box, Group) else shape.y + (shape.h - height) // 2
        if isinstance(placed.box, Group) and self.layout.direction == "tb":
            top += self._bar_size(placed)
        if placed.box.kind in MARKS:
            for i, line in enumerate(lines):
                self._text("title" if i == 0 else "small", placed.x + placed.w // 2, top + 13 + 18 * i, line.text)
            return
        left = shape.x + PAD_X + {"router": SLANT - PAD_X // 2, "wait": SLANT - 4}.get(placed.box.kind, 0)
        self._icon(placed.box.kind, left, top + (LINE_HEIGHT["title"] * _titles(lines) - ICON) // 2 + 1)
        left += ICON + ICON_GAP
        for line in lines:
            self._line(line, left, top)
            top += LINE_HEIGHT[line.role]

    def _line(self, line: Line, x: int, top: int) -> None:
        base = top + LINE_HEIGHT[line.role] - (LINE_HEIGHT[line.role] - FONT_SIZE[line.role]) // 2 - 2
        if line.role == "status":
            self._state_mark(line.state or "idle", x, base - 10)
            self._text(f"status f-{line.state}", x + STATUS_ICON, base, line.text)
        elif line.role == "flag":
            path = FLAG_PATHS.get(line.text.split(" ")[0])
            if path:
                self.out.append(f'<path class="flag" transform="translate({x} {base - 10})" d="{path}"/>')
            self._text("small", x + STATUS_ICON, base, line.text)
        elif line.role in ("reads", "writes"):
            self._text("small", x, base, line.role)
            x += PILLS_AT
            for name in line.pills:
                width = PIXELS.pill_width(name)
                self.out.append(f'<rect class="pill" x="{x}" y="{top + 2}" width="{width}" height="16" rx="8"/>')
                self._text("word", x + width // 2, base, name)
                x += width + PILL_GAP
        else:
            self._text({"title": "title", "prompt": "note"}.get(line.role, "small"), x, base, line.text)

    def _icon(self, kind: str, x: int, y: int) -> None:
        self.out.append(f'<rect class="tile" x="{x}" y="{y}" width="{ICON}" height="{ICON}" rx="5"/>')
        at = f'transform="translate({x + 2} {y + 2})"'
        if kind in SOLID_PATHS:
            self.out.append(f'<path class="solid" {at} d="{SOLID_PATHS[kind]}"/>')
        else:
            self.out.append(f'<path class="icon" {at} d="{KIND_PATHS.get(kind, KIND_PATHS["set"])}"/>')

    def _state_mark(self, state: State, x: int, y: int) -> None:
        dashes = ' stroke-dasharray="1 3.2"' if state == "queued" else ""
        place = f'transform="translate({x} {y})"'
        self.out.append(f'<path class="mark s-{state}" {place}{dashes} d="{STATE_PATHS[state]}"/>')

    # edges

    def _edge(self, placed: PlacedEdge) -> None:
        edge = placed.edge
        self._open(["edge", *self._edge_classes(placed)], "edge", edge.id)
        words = self.texts[edge.id]
        way = f"{self.names[edge.source]} → {self.names[edge.target]}"
        about: list[str] = ["goes back" if placed.back else edge.kind]
        if self.shown.taken(edge.id):
            about.append(f"taken {self.shown.taken(edge.id)} times")
        self._described(f"{way}: {words}" if words else way, ", ".join(about))
        points = self._on_shapes(placed)
        radius = 14 if edge.source == edge.target else _RADIUS
        self.out.append(f'<path class="line" d="{_rounded(_shortened(points, _HEAD - 2), radius)}"/>')
        self.out.append(f'<path class="head" d="{_arrowhead(points)}"/>')
        self.out.append("</g>")

    def _edge_classes(self, placed: PlacedEdge) -> list[str]:
        classes = []
        if self.shown.overlay:
            classes.append("taken" if self.shown.taken(placed.edge.id) else "idleline")
        if is_red(placed.edge, self.kinds):
            classes.append("red")
        if placed.back:
            classes.append("back")
        return classes

    def _on_shapes(self, placed: PlacedEdge) -> list[Point]:
        """The points, with the ends on slanted sides instead of on the rectangle around them."""
        points = list(placed.points)
        ends = ((0, placed.edge.source), (-1, placed.edge.target))
        for i, name in ends:
            box = self.placed[name]
            x, y = points[i]
            if box.y < y < box.y + box.h and x in (box.x, box.x + box.w):
                left = x == box.x
                cut = inset(box, y, self._bar_size(box), self.layout.direction, left=left)
                points[i] = x + cut if left else x - cut, y
        return points

    def _label(self, placed: PlacedEdge) -> None:
        if not placed.label_box:
            return
        x, y, w, h = placed.label_box
        self._open(["label", *self._edge_classes(placed)], "label", placed.edge.id)
        self.out.append(f'<rect class="chip" x="{x}" y="{y}" width="{w}" height="{h}" rx="7"/>')
        base = y + LABEL_LINE - 1
        for i, line in enumerate(placed.label):
            middle = x + w / 2
            if line.startswith(LOOP):
                line = line.removeprefix(LOOP).strip()
                room = PIXELS.label_width(line)
                left = round(middle - (room + LOOP_ICON) / 2)
                self.out.append(f'<path class="loop" transform="translate({left} {base - 9})" d="{LOOP_PATH}"/>')
                middle += LOOP_ICON / 2
            self._text("word", middle, base + i * LABEL_LINE, line)
        self.out.append("</g>")

    # channels

    def _channel(self, placed: PlacedChannel) -> None:
        x, y, w, h = placed.pill
        middle = y + h // 2
        self._open(["channel"], "channel", placed.channel.id)
        written, read = (", ".join(lines) or "nobody" for lines in (placed.writers, placed.readers))
        self._described(placed.text, f"{placed.note}; written by {written}; read by {read}")
        self.out.append(f'<rect class="pill" x="{x}" y="{y}" width="{w}" height="{h}" rx="{h // 2}"/>')
        self._text("word", x + w // 2, y + LABEL_LINE, placed.text)
        for lines, box, anchor, left in (
            (placed.writers, placed.left, "last", placed.left[0] + placed.left[2]),
            (placed.readers, placed.right, "small", placed.right[0]),
        ):
            for i, line in enumerate(lines):
                self._text(anchor, left, box[1] + LABEL_LINE * (i + 1), line)
        arrows = []
        if placed.writers:
            arrows.append([(placed.left[0] + placed.left[2] + 6, middle), (x, middle)])
        if placed.readers:
            arrows.append([(x + w, middle), (placed.right[0] - 6, middle)])
        for points in arrows:
            self.out.append(f'<path class="line" d="{_rounded(_shortened(points, _HEAD - 2), 0)}"/>')
            self.out.append(f'<path class="head" d="{_arrowhead(points)}"/>')
        self._text("small", placed.note_box[0], placed.note_box[1] + LABEL_LINE, placed.note)
        self.out.append("</g>")

    # pieces

    def _open(self, classes: Iterable[str], what: str, name: str) -> None:
        attributes = f'class="{" ".join(classes)}" data-{what}="{escape(plain(name))}"'
        self.out.append(f'<g role="graphics-symbol" {attributes}>' if what != "label" else f"<g {attributes}>")

    def _described(self, title: str, description: str) -> None:
        self.out.append(f"<title>{escape(title)}</title>")
        self.out.append(f"<desc>{escape(description)}</desc>")

    def _text(self, classes: str, x: float, y: float, text: str) -> None:
        if text:
            self.out.append(f'<text class="{classes}" x="{x:g}" y="{y:g}">{escape(text)}</text>')


def _caption(shown: Shown) -> str:
    return plain(shown.overlay.caption) if shown.overlay else ""


def _kind_class(kind: str) -> str:
    if kind in MARKS:
        return kind
    return f"k-{kind}" if kind in KINDS else "k-set"


def _titles(lines: Sequence[Line]) -> int:
    return sum(line.role == "title" for line in lines)


def _words(lines: Sequence[Line]) -> str:
    return ", ".join(line.text for line in lines if line.role != "title") or "mark"


def _step(start: Point, stop: Point) -> Point:
    """Direction of a horizontal or vertical stretch, one unit long."""
    return (stop[0] > start[0]) - (stop[0] < start[0]), (stop[1] > start[1]) - (stop[1] < start[1])


def _shortened(points: list[Point], by: int) -> list[Point]:
    dx, dy = _step(points[-2], points[-1])
    return [*points[:-1], (points[-1][0] - dx * by, points[-1][1] - dy * by)]


def _rounded(points: Sequence[Point], radius: int) -> str:
    path = [f"M{points[0][0]} {points[0][1]}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        (ax, ay), (bx, by) = _step(at, before), _step(at, after)
        reach = min(radius, _length(before, at) // 2, _length(at, after) // 2)
        path.append(f"L{at[0] + ax * reach} {at[1] + ay * reach}")
        path.append(f"Q{at[0]} {at[1]} {at[0] + bx * reach} {at[1] + by * reach}")
    return "".join([*path, f"L{points[-1][0]} {points[-1][1]}"])


def _length(one: Point, other: Point) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _arrowhead(points: Sequence[Point]) -> str:
    x, y = points[-1]
    dx, dy = _step(points[-2], points[-1])
    half = _HEAD // 2
    back_x, back_y = x - dx * _HEAD, y - dy * _HEAD
    return f"M{x} {y}L{back_x - dy * half} {back_y - dx * half}L{back_x + dy * half} {back_y + dx * half}z"

"""Draws a layout made for `Cells` with the characters of a terminal."""

from __future__ import annotations

from itertools import pairwise

from graphagent.drawing.canvas import DOWN, LEFT, RIGHT, UP, Canvas, Stroke, Style
from graphagent.drawing.content import STATE_ICONS, Line, Shown, is_red
from graphagent.drawing.diagram import MARKS, State
from graphagent.drawing.icons import FLAG_SIGNS, KIND_SIGNS
from graphagent.drawing.layout import Layout, PlacedBox, PlacedEdge
from graphagent.drawing.metrics import cell_width
from graphagent.drawing.panel import PlacedChannel
from graphagent.drawing.text import plain

_STATE_ASCII: dict[State, str] = {
    "idle": "o", "queued": ".", "running": "*", "done": "+", "replayed": "r", "skipped": "-", "failed": "x",
    "waiting": "=", "cancelled": "0",
}  # fmt: skip
_ARROWS = {(0, 1): ("▼", "v"), (0, -1): ("▲", "^"), (1, 0): ("►", ">"), (-1, 0): ("◄", "<")}
_BITS = {(0, 1): (DOWN, UP), (0, -1): (UP, DOWN), (1, 0): (RIGHT, LEFT), (-1, 0): (LEFT, RIGHT)}
_OWN_SIGNS = str.maketrans({"·": "-", "×": "x", "→": ">", "↻": "@"})  # noqa: RUF001

# corners clockwise from the upper left one, then horizontal, vertical
_SQUARE, _ROUND, _ROUTER, _HEAVY = "┌┐┘└─│", "╭╮╯╰─│", "╱╲╱╲─│", "┏┓┛┗━┃"  # noqa: RUF001
_ASCII_SQUARE, _ASCII_ROUND, _ASCII_ROUTER, _ASCII_HEAVY = "++++-|", "..''-|", "/\\/\\-|", "####=#"
_ROUND_KINDS = frozenset({"llm", "agent", "human", "wait"}) | MARKS
_TEES = {"─": "┬", "│": "├", "━": "┳", "┃": "┣", "═": "╤", "║": "╟", "-": "+", "|": "+", "=": "+", "#": "+"}


def to_text(layout: Layout, shown: Shown, *, ascii: bool = False, style: Style | None = None) -> str:
    """The drawing as lines of text.

    Args:
        layout: Made with `Cells(ascii=ascii)`.
        style: Colours the parts, if given; otherwise the text is plain.
    """
    return _Terminal(layout, shown, ascii).text(style)


class _Terminal:
    def __init__(self, layout: Layout, shown: Shown, ascii: bool) -> None:
        self.layout = layout
        self.shown = shown
        self.ascii = ascii
        self.kinds = {box.id: box.box.kind for box in (*layout.nodes, *layout.groups)}
        self.caption = plain(shown.overlay.caption) if shown.overlay else ""
        self.top = 2 if self.caption else 0
        width = max(layout.width, cell_width(self.caption)) + 1
        self.canvas = Canvas(width, layout.height + self.top, ascii=ascii)

    def text(self, style: Style | None) -> str:
        if self.caption:
            self.canvas.put(0, 0, self._own(self.caption), "caption")
        for box in (*self.layout.groups, *self.layout.nodes):
            self._box(box)
        for edge in self.layout.edges:
            self._edge(edge)
        for edge in self.layout.edges:
            self._label(edge)
        for channel in self.layout.channels:
            self._channel(channel)
        return self.canvas.text(style)

    # boxes

    def _box(self, placed: PlacedBox) -> None:
        x, y, w, h = placed.x, placed.y + self.top, placed.w, placed.h
        state = self.shown.state(placed.id)
        role = "border" if state == "idle" else f"border {state}"
        nw, ne, se, sw, flat, upright = list(self._border(placed))
        put = self.canvas.put
        put(x, y, nw + flat * (w - 2) + ne, role)
        put(x, y + h - 1, sw + flat * (w - 2) + se, role)
        for row in range(y + 1, y + h - 1):
            put(x, row, upright, role)
            put(x + w - 1, row, upright, role)
        if placed.box.join != "any" and placed.box.kind not in MARKS:
            self._bar(placed, y, role)
        for i, line in enumerate(placed.lines):
            sign = KIND_SIGNS.get(placed.box.kind, KIND_SIGNS["set"])[self.ascii] if i == 0 else ""
            self._line(line, sign, x + 2, y + 1 + i)

    def _border(self, placed: PlacedBox) -> str:
        kind = placed.box.kind
        if self.shown.outlined(placed.id):
            return _ASCII_HEAVY if self.ascii else _HEAVY
        if kind == "router":
            return _ASCII_ROUTER if self.ascii else _ROUTER
        if kind in _ROUND_KINDS:
            return _ASCII_ROUND if self.ascii else _ROUND
        return _ASCII_SQUARE if self.ascii else _SQUARE

    def _bar(self, placed: PlacedBox, y: int, role: str) -> None:
        """The side where edges enter is a double line, with the join's word."""
        word, x, put = f" {plain(placed.box.join)} ", placed.x, self.canvas.put
        across, along = ("=", "#") if self.ascii else ("═", "║")
        if self.layout.direction == "tb":
            left, right = ("+", "+") if self.ascii else ("╒", "╕")
            put(x, y, left + across * (placed.w - 2) + right, role)
        else:
            for row in range(y + 1, y + placed.h - 1):
                put(x, row, along, role)
        if cell_width(word) <= placed.w - 2:
            put(x + 1, y, word, "title")

    def _line(self, line: Line, sign: str, x: int, y: int) -> None:
        put = self.canvas.put
        if sign:
            put(x, y, sign, "icon")
        x += 2
        text = self._own(line.text)
        if line.role == "status":
            state: State = line.state or "idle"
            x = put(x, y, (_STATE_ASCII if self.ascii else STATE_ICONS)[state] + " ", f"status {state}")
            put(x, y, text, f"status {state}")
        elif line.role == "flag":
            put(x, y, FLAG_SIGNS.get(line.text.split(" ")[0], ("", ""))[self.ascii], "kind")
            put(x + 2, y, text, "kind")
        elif line.role in ("reads", "writes"):
            put(put(x, y, f"{line.role:<7}", "kind"), y, text, "channel")
        else:
            put(x + (2 if line.role == "prompt" else 0), y, text, line.role)

    # edges

    def _edge(self, placed: PlacedEdge) -> None:
        role = "edge red" if is_red(placed.edge, self.kinds) else "edge"
        stroke: Stroke = "dashed" if placed.back else "plain"
        if self.shown.taken(placed.edge.id):
            role, stroke = f"{role} taken", "heavy dashed" if placed.back else "heavy"
        cells = self._cells(placed)
        for i, (at, following) in enumerate(pairwise(cells)):
            out, into = _BITS[_step(at, following)]
            if i:
                self.canvas.line(*at, out, stroke, role)
            if i + 2 < len(cells):
                self.canvas.line(*following, into, stroke, role)
        self.canvas.swap(*cells[0], _TEES)
        step = _step(cells[-2], cells[-1])
        self.canvas.erase(*cells[-1], 1)
        self.canvas.put(*cells[-1], _ARROWS[step][self.ascii], role)

    def _cells(self, placed: PlacedEdge) -> list[tuple[int, int]]:
        """Every cell of an edge: the border cell that it leaves, ..., the cell of its arrowhead."""
        points = [(x, y + self.top) for x, y in placed.points]
        (x, y), downwards = points[0], (self.layout.direction == "tb") != placed.back
        cells = [(x, y - 1) if downwards else (x - 1, y), (x, y)]
        for point in points[1:]:
            dx, dy = _step(cells[-1], point)
            while cells[-1] != point:
                cells.append((cells[-1][0] + dx, cells[-1][1] + dy))
        if _step(points[-2], points[-1]) in ((0, 1), (1, 0)):
            cells.pop()  # the point itself is the border of the target
        return cells

    def _label(self, placed: PlacedEdge) -> None:
        if not placed.label_box:
            return
        x, y, w, _ = placed.label_box
        role = "label red" if is_red(placed.edge, self.kinds) else "label"
        for i, line in enumerate(placed.label):
            text = self._own(line)
            left = x + 1 + (w - 2 - cell_width(text)) // 2
            self.canvas.erase(left - 1, y + self.top + i, cell_width(text) + 2)
            self.canvas.put(left, y + self.top + i, text, role)

    # channels

    def _channel(self, placed: PlacedChannel) -> None:
        x, y, w, _ = placed.pill
        put, y = self.canvas.put, y + self.top
        put(x, y, f"({placed.text})", "channel")
        for lines, box in ((placed.writers, placed.left), (placed.readers, placed.right)):
            for i, line in enumerate(lines):
                left = box[0] + box[2] - cell_width(line) if box is placed.left else box[0]
                put(left, box[1] + self.top + i, line, "label")
        dash, head = ("-", ">") if self.ascii else ("─", "►")
        if placed.writers:
            left = placed.left[0] + placed.left[2] + 1
            put(left, y, dash * (x - left - 1) + head, "edge")
        if placed.readers:
            put(x + w, y, dash * (placed.right[0] - x - w - 2) + head, "edge")
        put(placed.note_box[0], placed.note_box[1] + self.top, placed.note, "kind")

    def _own(self, text: str) -> str:
        return text.translate(_OWN_SIGNS) if self.ascii else text


def _step(start: tuple[int, int], stop: tuple[int, int]) -> tuple[int, int]:
    return (stop[0] > start[0]) - (stop[0] < start[0]), (stop[1] > start[1]) - (stop[1] < start[1])

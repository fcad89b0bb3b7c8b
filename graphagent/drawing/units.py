"""The two sheets a layout is made for: pixels, and the cells of a terminal.

One layout algorithm serves both; it is told here how large things are and how far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from graphagent.drawing.content import LOOP, Line, Role
from graphagent.drawing.diagram import MARKS
from graphagent.drawing.metrics import cell_width, pixel_width

Direction = Literal["tb", "lr"]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances, along the ranks and across them ("down" is the way the graph flows).

    Args:
        node: Between two boxes of one rank.
        line: Beside a line or a label.
        port: Between two ends of edges on one box.
        corner: From a box's corner to the first end.
        side: Between two loops' ends on the side of a box.
        lane_start, lane: From the side of a box to the first loop's line, and between two.
        lead, track: From a rank down to the first horizontal track, and between two.
        tail_box, tail_label: From the last track to a rank of boxes (an arrowhead fits in) or of labels.
        box_box, box_label, label_box: Between two ranks, at least.
    """

    node: int
    line: int
    port: int
    corner: int
    side: int
    lane_start: int
    lane: int
    lead: int
    track: int
    tail_box: int
    tail_label: int
    box_box: int
    box_label: int
    label_box: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What a group's box needs around what is in it."""

    top: int
    side: int
    bottom: int
    min_width: int


class Units(Protocol):
    """Sizes of text and boxes on one kind of sheet."""

    @property
    def loop(self) -> str:
        """The sign on an edge that goes back."""

    @property
    def title_limit(self) -> int: ...
    @property
    def label_limit(self) -> int: ...
    def title_width(self, text: str) -> int: ...
    def label_width(self, text: str) -> int: ...
    def label_size(self, lines: Sequence[str]) -> Size: ...
    def node_size(self, kind: str, lines: Sequence[Line]) -> Size: ...
    def frame(self, lines: Sequence[Line]) -> Frame: ...
    def bar(self, join: str, direction: Direction) -> Size:
        """What a box needs more for the bar of its join."""

    def bar_length(self, join: str, direction: Direction) -> Size:
        """The least size of a box whose bar shows the words of its join."""

    def spacing(self, direction: Direction) -> Spacing: ...
    @property
    def panel(self) -> tuple[int, int, int]:
        """Room above the channels and between two of them, and the length of an arrow to or from one."""


FONT_SIZE: dict[Role, int] = {
    "title": 14,
    "kind": 11,
    "flag": 11,
    "reads": 11,
    "writes": 11,
    "status": 11,
    "prompt": 11,
}
LINE_HEIGHT: dict[Role, int] = {
    "title": 18,
    "kind": 15,
    "flag": 17,
    "reads": 20,
    "writes": 20,
    "status": 17,
    "prompt": 15,
}
LABEL_SIZE, LABEL_LINE = 11, 14
ICON, ICON_GAP, PAD_X, PAD_Y = 20, 10, 12, 9
PILLS_AT, PILL_GAP = 44, 5
PILL_PAD, BAR, BAR_TEXT, SLANT, STATUS_ICON, LOOP_ICON = 8, 17, 11, 14, 16, 15


class Pixels:
    """The sheet of SVG, studio and PNG."""

    loop = LOOP
    panel = (36, 8, 44)
    title_limit = 210
    label_limit = 150
    title_width = staticmethod(partial(pixel_width, size=14, bold=True))
    label_width = staticmethod(partial(pixel_width, size=LABEL_SIZE))

    def label_size(self, lines: Sequence[str]) -> Size:
        width = max(self.label_width(line.removeprefix(LOOP)) + LOOP_ICON * line.startswith(LOOP) for line in lines)
        return max(width, LOOP_ICON) + 10, len(lines) * LABEL_LINE + 4

    def node_size(self, kind: str, lines: Sequence[Line]) -> Size:
        width = max(map(self.line_width, lines))
        height = sum(LINE_HEIGHT[line.role] for line in lines)
        if kind in MARKS:
            return max(width + 2 * PAD_X, 64), height + 10
        slant = {"router": 2 * SLANT - PAD_X, "emit": SLANT - 4, "wait": SLANT - 4}.get(kind, 0)
        return max(ICON + ICON_GAP + width + 2 * PAD_X + slant, 120), height + 2 * PAD_Y

    def frame(self, lines: Sequence[Line]) -> Frame:
        top = sum(LINE_HEIGHT[line.role] for line in lines) + 2 * PAD_Y
        return Frame(top + 6, 18, 18, ICON + ICON_GAP + max(map(self.line_width, lines)) + 2 * PAD_X)

    def bar(self, join: str, direction: Direction) -> Size:
        if join == "any":
            return 0, 0
        return (0, BAR) if direction == "tb" else (BAR, 0)

    def bar_length(self, join: str, direction: Direction) -> Size:
        if join == "any":
            return 0, 0
        length = pixel_width(join, BAR_TEXT, True) + 16
        return (length, 0) if direction == "tb" else (0, length)

    def spacing(self, direction: Direction) -> Spacing:
        common = (16, 20, 18, 18, 14, 14)
        if direction == "tb":
            return Spacing(36, 18, *common, 12, 24, 9, 44, 18, 26)
        return Spacing(24, 14, *common, 12, 26, 10, 56, 20, 28)

    def pill_width(self, name: str) -> int:
        """Width of the outline around the name of a channel."""
        return pixel_width(name, FONT_SIZE["writes"]) + 2 * PILL_PAD

    def line_width(self, line: Line) -> int:
        if line.role == "title":
            return self.title_width(line.text)
        width = pixel_width(line.text, FONT_SIZE[line.role], line.role == "status")
        if line.role in ("reads", "writes"):
            return PILLS_AT + sum(self.pill_width(name) + PILL_GAP for name in line.pills) - PILL_GAP
        return width + STATUS_ICON * (line.role in ("status", "flag"))


@dataclass(frozen=True, slots=True)
class Cells:
    """The sheet of the terminal: everything is whole characters.

    Args:
        wrap_at: Longest line of a box or label.
        ascii: Whether signs are spelled with ASCII, which makes some of them wider.
    """

    wrap_at: int = 32
    ascii: bool = False

    @property
    def panel(self) -> tuple[int, int, int]:
        return 2, 0, 4

    @property
    def loop(self) -> str:
        return "(loop)" if self.ascii else LOOP

    @property
    def title_limit(self) -> int:
        return self.wrap_at

    @property
    def label_limit(self) -> int:
        return self.wrap_at

    def title_width(self, text: str) -> int:
        return cell_width(text)

    def label_width(self, text: str) -> int:
        return cell_width(text)

    def label_size(self, lines: Sequence[str]) -> Size:
        return max(map(cell_width, lines)) + 2, len(lines)

    def node_size(self, kind: str, lines: Sequence[Line]) -> Size:
        return max(max(map(self.line_width, lines)) + 6, 9), len(lines) + 2

    def frame(self, lines: Sequence[Line]) -> Frame:
        return Frame(len(lines) + 1, 2, 1, max(map(self.line_width, lines)) + 6)

    def bar(self, join: str, direction: Direction) -> Size:
        return 0, 0  # the bar is the box's own border

    def bar_length(self, join: str, direction: Direction) -> Size:
        return (0 if join == "any" else cell_width(join) + 4), 0

    def spacing(self, direction: Direction) -> Spacing:
        if direction == "tb":
            return Spacing(3, 2, 2, 2, 1, 2, 2, 0, 1, 2, 1, 2, 1, 1)
        return Spacing(1, 1, 1, 1, 2, 1, 1, 1, 2, 3, 1, 4, 1, 2)

    def line_width(self, line: Line) -> int:
        extra = {"title": 0, "kind": 0, "flag": 2, "prompt": 2, "status": 2, "reads": 7, "writes": 7}
        return cell_width(line.text) + extra[line.role]


PIXELS = Pixels()
CELLS = Cells()

"""The outline of each kind of box in the SVG, told apart without colour."""

from __future__ import annotations

from dataclasses import dataclass

from graphagent.drawing.diagram import MARKS, Group
from graphagent.drawing.layout import PlacedBox
from graphagent.drawing.units import SLANT, Direction

_RADII = {"set": 3, "code": 3, "tool": 3, "llm": 10, "agent": 10, "human": 20, "wait": 20, "map": 6, "graph": 6}


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths of one box, and the rectangle that its text may use."""

    outline: str
    behind: tuple[str, ...]
    inner: str
    x: int
    y: int
    w: int
    h: int


def node_shape(placed: PlacedBox, bar: int, direction: Direction) -> Shape:
    """The shape of a box beside the bar of its join."""
    x, y, w, h = _body(placed, bar, direction)
    kind = placed.box.kind
    behind: tuple[str, ...] = ()
    inner = ""
    if kind in MARKS:
        outline = rectangle(x, y, w, h, h // 2)
        if kind == "end":
            inner = rectangle(x + 4, y + 4, w - 8, h - 8, (h - 8) // 2)
    elif kind == "router":
        middle = y + h // 2
        outline = f"M{x + SLANT} {y}H{x + w - SLANT}L{x + w} {middle}L{x + w - SLANT} {y + h}H{x + SLANT}L{x} {middle}z"
    elif kind == "emit":
        outline = f"M{x} {y}H{x + w - SLANT}L{x + w} {y + h // 2}L{x + w - SLANT} {y + h}H{x}z"
    else:
        outline = rectangle(x, y, w, h, min(_RADII.get(kind, 6), h // 2))
    if kind == "map":
        behind = (rectangle(x + 7, y + 7, w - 3, h - 3, 6), rectangle(x + 4, y + 4, w - 2, h - 2, 6))
    elif kind == "graph" and not isinstance(placed.box, Group):
        inner = rectangle(x + 4, y + 4, w - 8, h - 8, 3)
    return Shape(outline, behind, inner, x, y, w, h)


def slant_inset(placed: PlacedBox, at: int, bar: int, direction: Direction, *, left: bool = False) -> int:
    """How far inside its right (or left) border a slanted box really ends at the height `at`."""
    if placed.box.kind != "router" and (left or placed.box.kind != "emit"):
        return 0
    if left and bar:  # the bar is straight
        return 0
    _, y, _, h = _body(placed, bar, direction)
    return round(SLANT * abs(at - (y + h / 2)) / (h / 2))


def rectangle(x: int, y: int, w: int, h: int, r: int) -> str:
    """The path of a rectangle with round corners."""
    return (
        f"M{x + r} {y}H{x + w - r}Q{x + w} {y} {x + w} {y + r}V{y + h - r}Q{x + w} {y + h} {x + w - r} {y + h}"
        f"H{x + r}Q{x} {y + h} {x} {y + h - r}V{y + r}Q{x} {y} {x + r} {y}z"
    )


def _body(placed: PlacedBox, bar: int, direction: Direction) -> tuple[int, int, int, int]:
    if direction == "tb":
        return placed.x, placed.y + bar, placed.w, placed.h - bar
    return placed.x + bar, placed.y, placed.w - bar, placed.h

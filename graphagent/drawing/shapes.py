"""The outline of each kind of box in the SVG, told apart without colour."""

from __future__ import annotations

from dataclasses import dataclass

from graphagent.drawing.diagram import MARKS, Group
from graphagent.drawing.layout import PlacedBox
from graphagent.drawing.units import SLANT, Direction

_RADII = {"set": 3, "llm": 10, "agent": 12, "human": 20, "map": 6, "graph": 6}
_CUT = 10  # of the corner of `code` that is folded, and of the corners of `tool`


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
    if kind == "map":
        behind = (rectangle(x + 7, y + 7, w - 3, h - 3, 6), rectangle(x + 4, y + 4, w - 2, h - 2, 6))
    inner = "" if isinstance(placed.box, Group) else _inner(kind, x, y, w, h)
    return Shape(_outline(kind, x, y, w, h), behind, inner, x, y, w, h)


def _outline(kind: str, x: int, y: int, w: int, h: int) -> str:
    middle, right, bottom, cut = y + h // 2, x + w, y + h, _CUT
    if kind in MARKS:
        return rectangle(x, y, w, h, min(w, h) // 2)
    match kind:
        case "router":
            return (
                f"M{x + SLANT} {y}H{right - SLANT}L{right} {middle}L{right - SLANT} {bottom}H{x + SLANT}L{x} {middle}z"
            )
        case "emit":
            return f"M{x} {y}H{right - SLANT}L{right} {middle}L{right - SLANT} {bottom}H{x}z"
        case "wait":
            return f"M{x} {y}H{right}V{bottom}H{x}L{x + SLANT} {middle}z"
        case "code":
            return f"M{x} {y}H{right - cut}L{right} {y + cut}V{bottom}H{x}z"
        case "tool":
            top = f"M{x + cut} {y}H{right - cut}L{right} {y + cut}V{bottom - cut}L{right - cut} {bottom}"
            return f"{top}H{x + cut}L{x} {bottom - cut}V{y + cut}z"
    return rectangle(x, y, w, h, min(_RADII.get(kind, 6), h // 2))


def _inner(kind: str, x: int, y: int, w: int, h: int) -> str:
    """A second line inside: of what holds more than it shows, of the end, and the fold of a page."""
    match kind:
        case "end":
            return rectangle(x + 4, y + 4, w - 8, h - 8, (min(w, h) - 8) // 2)
        case "graph" | "agent":
            return rectangle(x + 4, y + 4, w - 8, h - 8, _RADII[kind] - 3)
        case "code":
            return f"M{x + w - _CUT} {y}V{y + _CUT}H{x + w}"
    return ""


def inset(placed: PlacedBox, at: int, bar: int, direction: Direction, *, left: bool = False) -> int:
    """How far inside the right (or left) border of its rectangle a box really ends at the height `at`."""
    if left and bar:  # the bar is straight
        return 0
    kind = placed.box.kind
    _, y, _, h = _body(placed, bar, direction)
    pointed = round(SLANT * abs(at - (y + h / 2)) / (h / 2))
    if kind == "router" or (kind == "emit" and not left):
        return pointed
    if kind == "wait" and left:
        return SLANT - pointed
    if kind == "tool" or (kind == "code" and not left):
        from_bottom = y + h - at if kind == "tool" else _CUT
        return max(0, _CUT - (at - y), _CUT - from_bottom)
    return 0


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

"""What must hold for every layout, as a list of what doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from graphagent.drawing.layout import Layout, PlacedBox
from graphagent.drawing.level import Rect

Segment = tuple[tuple[int, int], tuple[int, int]]


def rect(box: PlacedBox) -> Rect:
    return box.x, box.y, box.w, box.h


def overlap(one: Rect, other: Rect) -> bool:
    """Whether two rectangles share more than a border."""
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def crosses(segment: Segment, box: Rect) -> bool:
    """Whether a horizontal or vertical stretch runs through the inside of a rectangle."""
    (ax, ay), (bx, by) = segment
    x, y, w, h = box
    return max(ax, bx) > x and min(ax, bx) < x + w - 1 and max(ay, by) > y and min(ay, by) < y + h - 1


def ancestors(layout: Layout, name: str) -> set[str]:
    parents = {n.id: n.group for n in layout.diagram.nodes} | {g.id: g.parent for g in layout.diagram.groups}
    found: set[str] = set()
    at = parents[name]
    while at is not None:
        found.add(at)
        at = parents[at]
    return found


def faults(layout: Layout) -> list[str]:
    return [*_boxes(layout), *_labels(layout), *_edges(layout), *_outside(layout)]


def _boxes(layout: Layout) -> Iterator[str]:
    boxes = (*layout.nodes, *layout.groups)
    for one, other in combinations(boxes, 2):
        inside = {one.id} & ancestors(layout, other.id) or {other.id} & ancestors(layout, one.id)
        if overlap(rect(one), rect(other)) and not inside:
            yield f"boxes {one.id} and {other.id} overlap"
        if inside:
            outer, inner = (one, other) if one.id in ancestors(layout, other.id) else (other, one)
            if not (
                outer.x < inner.x
                and outer.y < inner.y
                and inner.x + inner.w < outer.x + outer.w
                and inner.y + inner.h < outer.y + outer.h
            ):
                yield f"{inner.id} isn't inside {outer.id}"


def _labels(layout: Layout) -> Iterator[str]:
    labels = [(e.edge.id, e.label_box) for e in layout.edges if e.label_box]
    for (one, a), (other, b) in combinations(labels, 2):
        if overlap(a, b):
            yield f"labels of {one} and {other} overlap"
    for edge in layout.edges:
        around = ancestors(layout, edge.edge.source) & ancestors(layout, edge.edge.target)
        for box in (*layout.nodes, *layout.groups):
            if edge.label_box and box.id not in around and overlap(edge.label_box, rect(box)):
                yield f"label of {edge.edge.id} overlaps {box.id}"
        for other_edge in layout.edges:
            if other_edge is not edge and edge.label_box:
                for segment in pairwise(other_edge.points):
                    if crosses(segment, edge.label_box):
                        yield f"{other_edge.edge.id} runs through the label of {edge.edge.id}"


def _edges(layout: Layout) -> Iterator[str]:
    for edge in layout.edges:
        around = ancestors(layout, edge.edge.source) & ancestors(layout, edge.edge.target)
        for segment in pairwise(edge.points):
            (ax, ay), (bx, by) = segment
            if ax != bx and ay != by:
                yield f"{edge.edge.id} runs askew"
            for box in (*layout.nodes, *layout.groups):
                if box.id not in around and crosses(segment, rect(box)):
                    yield f"{edge.edge.id} runs through {box.id}"
    yield from _shared_stretches(layout)


def _shared_stretches(layout: Layout) -> Iterator[str]:
    lines: dict[tuple[str, int], list[tuple[int, int, str]]] = {}
    for edge in layout.edges:
        for (ax, ay), (bx, by) in pairwise(edge.points):
            key, low, high = (("x", ax), ay, by) if ax == bx else (("y", ay), ax, bx)
            lines.setdefault(key, []).append((min(low, high), max(low, high), edge.edge.id))
    for key, stretches in lines.items():
        for (a, b, one), (c, d, other) in combinations(stretches, 2):
            if one != other and min(b, d) - max(a, c) > 0:
                yield f"{one} and {other} share {key[0]} = {key[1]} from {max(a, c)} to {min(b, d)}"


def _outside(layout: Layout) -> Iterator[str]:
    rects = [rect(b) for b in (*layout.nodes, *layout.groups)] + [e.label_box for e in layout.edges if e.label_box]
    for x, y, w, h in rects:
        if x < 0 or y < 0 or x + w > layout.width or y + h > layout.height:
            yield f"{(x, y, w, h)} is outside"
    for edge in layout.edges:
        for x, y in edge.points:
            if not (0 <= x < layout.width and 0 <= y <= layout.height):
                yield f"{edge.edge.id} goes outside at {(x, y)}"

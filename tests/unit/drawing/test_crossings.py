"""Edges cross about as seldom as in the layouts of dagre, whose counts `dagre.cjs` wrote down."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from graphagent.drawing import Diagram
from graphagent.drawing.layout import Layout, lay_out
from tests.unit.drawing import corpus

DAGRE = Path(__file__).parents[2] / "golden" / "dagre.json"
FLAT = [d for d in (*corpus.EVERY, corpus.random_diagram(200, 320, 2)) if d.edges and not d.groups]
"""Without groups, which dagre lays out by other rules."""


def crossings(layout: Layout) -> int:
    """How often the lines of two edges cross."""
    upright: list[tuple[int, int, int, str]] = []
    flat: list[tuple[int, int, int, str]] = []
    for edge in layout.edges:
        for (ax, ay), (bx, by) in pairwise(edge.points):
            if ax == bx:
                upright.append((ax, min(ay, by), max(ay, by), edge.edge.id))
            else:
                flat.append((ay, min(ax, bx), max(ax, bx), edge.edge.id))
    return sum(
        left < x < right and top < y < bottom and one != other
        for x, top, bottom, one in upright
        for y, left, right, other in flat
    )


def test_there_are_at_most_1_3_times_as_many_crossings_as_with_dagre() -> None:
    theirs: dict[str, int] = json.loads(DAGRE.read_text(encoding="utf-8"))
    ours = {diagram.name: crossings(lay_out(diagram)) for diagram in FLAT}
    assert ours.keys() == theirs.keys()
    assert sum(ours.values()) <= 1.3 * sum(theirs.values())
    assert [name for name, count in ours.items() if count > 1.3 * theirs[name] + 4] == []


def test_crossings_are_counted() -> None:
    k33 = corpus.diagram("k33", [f"{n}:set" for n in "abcxyz"], [(a, b) for a in "abc" for b in "xyz"])
    assert crossings(lay_out(k33)) >= 9
    assert crossings(lay_out(corpus.CHAIN)) == 0


def exported(diagram: Diagram) -> dict[str, list[list[str | int]]]:
    """What dagre is given: the sizes of boxes and labels, and the edges."""
    layout = lay_out(diagram)
    nodes: list[list[str | int]] = [[n.id, n.w, n.h] for n in layout.nodes]
    edges: list[list[str | int]] = []
    for edge in layout.edges:
        width, height = edge.label_box[2:] if edge.label_box else (0, 0)
        edges.append([edge.edge.id, edge.edge.source, edge.edge.target, width, height])
    return {"nodes": nodes, "edges": edges}


if __name__ == "__main__":
    print(json.dumps({diagram.name: exported(diagram) for diagram in FLAT}))

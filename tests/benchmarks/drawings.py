"""D1: how long a layout takes, on random graphs that are the same everywhere."""

from __future__ import annotations

import random
import time
from pathlib import Path

from graphagent.drawing import Diagram, DiagramEdge, DiagramNode, Drawing
from graphagent.drawing.layout import lay_out
from tests.benchmarks.measure import Figure

SIZES = ((10, 14, 1.0), (200, 320, 100.0), (1000, 1500, 1000.0))
"""Nodes, edges, target in ms."""


def random_diagram(nodes: int, edges: int, seed: int = 1) -> Diagram:
    """A connected graph with labels on a third of its edges and a few loops."""
    rng = random.Random(seed)
    ways = [(max(0, i - rng.randint(1, 6)), i, "") for i in range(1, nodes)]
    while len(ways) < edges:
        source = rng.randrange(nodes)
        target = min(nodes - 1, source + rng.randint(1, max(6, nodes // 12)))
        back = rng.random() < 0.06
        label = f"x > {source}" if rng.random() < 0.3 else ""
        if source != target:
            ways.append((target, source, label) if back else (source, target, label))
    boxes = (DiagramNode(str(i), f"node_{i}", "llm") for i in range(nodes))
    lines = (DiagramEdge(f"e{i}", str(a), str(b), "route", label) for i, (a, b, label) in enumerate(ways))
    return Diagram(f"random {nodes}", tuple(boxes), tuple(lines))


def d1(folder: Path, quick: bool) -> list[Figure]:
    """Layouts in pixels, and the SVG of 200 nodes."""
    rounds = 3 if quick else 10
    out = []
    for nodes, edges, target in SIZES[: 2 if quick else 3]:
        diagram = random_diagram(nodes, edges)
        out.append(Figure("D1", f"layout of {nodes:,} nodes, {edges:,} edges", "ms", _times(diagram, rounds), target))
    drawing = Drawing(random_diagram(200, 320))
    started = time.perf_counter()
    drawing.svg()
    out.append(Figure("D1", "layout and SVG of 200 nodes", "ms", [(time.perf_counter() - started) * 1e3]))
    return out


def _times(diagram: Diagram, rounds: int) -> list[float]:
    lay_out(diagram)  # fills the caches of text widths
    values = []
    for _ in range(rounds):
        started = time.perf_counter()
        lay_out(diagram)
        values.append((time.perf_counter() - started) * 1e3)
    return values

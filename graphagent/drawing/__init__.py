"""Pictures of graphs: one layout, drawn in the terminal, as SVG, as Mermaid text or given out as JSON."""

from __future__ import annotations

from graphagent.drawing.diagram import Diagram, DiagramEdge, DiagramNode, Group, NodeRun, Overlay
from graphagent.drawing.draw import Drawing, draw
from graphagent.drawing.from_plan import draw_plan, from_plan

__all__ = [
    "Diagram",
    "DiagramEdge",
    "DiagramNode",
    "Drawing",
    "Group",
    "NodeRun",
    "Overlay",
    "draw",
    "draw_plan",
    "from_plan",
]

"""Pictures of graphs: one layout, drawn in the terminal, as SVG, PNG, HTML or Mermaid text, or given out as JSON."""

from __future__ import annotations

from graphagent.drawing.diagram import Diagram, DiagramChannel, DiagramEdge, DiagramNode, Group, NodeRun, Overlay
from graphagent.drawing.draw import Drawing, draw
from graphagent.drawing.from_plan import draw_plan, from_plan
from graphagent.drawing.html import Table

__all__ = [
    "Diagram",
    "DiagramChannel",
    "DiagramEdge",
    "DiagramNode",
    "Drawing",
    "Group",
    "NodeRun",
    "Overlay",
    "Table",
    "draw",
    "draw_plan",
    "from_plan",
]

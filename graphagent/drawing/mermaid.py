"""Writes a diagram as Mermaid text, for READMEs. Mermaid lays it out itself."""

from __future__ import annotations

from collections.abc import Iterable

from graphagent.drawing.content import LOOP, Line, Shown, edge_texts, is_red
from graphagent.drawing.diagram import Diagram, DiagramEdge, DiagramNode
from graphagent.drawing.layering import back_edges
from graphagent.drawing.text import plain
from graphagent.drawing.theme import LIGHT, STATES
from graphagent.drawing.units import PIXELS, Direction

_SHAPES = {
    "start": ("([", "])"),
    "end": ("(((", ")))"),
    "fail": ("{{", "}}"),
    "limit": ("{{", "}}"),
    "errors": ("{{", "}}"),
    "llm": ("(", ")"),
    "agent": ("(", ")"),
    "router": ("{", "}"),
    "human": ("([", "])"),
    "wait": ("([", "])"),
    "emit": (">", "]"),
    "graph": ("[[", "]]"),
}
_ENTITIES = {char: f"#{ord(char)};" for char in "\"#&<>`'|\\[]{}()"}


def to_mermaid(diagram: Diagram, shown: Shown, *, direction: Direction = "tb") -> str:
    """The diagram as a Mermaid flowchart. Loops are dotted, error routes red."""
    return _Mermaid(diagram, shown).text(direction)


class _Mermaid:
    def __init__(self, diagram: Diagram, shown: Shown) -> None:
        self.diagram = diagram
        self.shown = shown
        self.kinds = {box.id: box.kind for box in diagram.boxes}
        self.ids = _ids(box.id for box in diagram.boxes)
        self.lines: list[str] = []

    def text(self, direction: Direction) -> str:
        self.lines = [f"flowchart {direction.upper()}"]
        self._level(None, "  ")
        texts = edge_texts(self.diagram)
        order = {box: i for i, box in enumerate(self.ids)}
        back = back_edges(len(order), [(order[e.source], order[e.target]) for e in self.diagram.edges])
        for edge, goes_back in zip(self.diagram.edges, back, strict=True):
            self.lines.append(f"  {self._edge(edge, texts[edge.id], goes_back)}")
        for i, edge in enumerate(self.diagram.edges):
            styles = ["stroke:#b3231b"] if is_red(edge, self.kinds) else []
            styles += ["stroke-width:4px"] if self.shown.taken(edge.id) else []
            if styles:
                self.lines.append(f"  linkStyle {i} {','.join(styles)}")
        self._states()
        return "\n".join([*self.lines, ""])

    def _level(self, group: str | None, indent: str) -> None:
        for node in self.diagram.nodes:
            if node.group == group:
                self.lines.append(indent + self._node(node))
        for inner in self.diagram.groups:
            if inner.parent == group:
                label = self._words(self.shown.lines(inner, 10_000, PIXELS.title_width))
                self.lines.append(f'{indent}subgraph {self.ids[inner.id]}["{label}"]')
                self._level(inner.id, indent + "  ")
                self.lines.append(f"{indent}end")

    def _node(self, node: DiagramNode) -> str:
        before, after = _SHAPES.get(node.kind, ("[", "]"))
        words = self._words(self.shown.lines(node, 10_000, PIXELS.title_width))
        join = f"join {_escape(plain(node.join))}<br>" if node.join != "any" else ""
        return f'{self.ids[node.id]}{before}"{join}{words}"{after}'

    def _words(self, lines: Iterable[Line]) -> str:
        parts = [f"{line.role} {line.text}" if line.role in ("reads", "writes") else line.text for line in lines]
        return "<br>".join(map(_escape, parts))

    def _edge(self, edge: DiagramEdge, words: str, back: bool) -> str:
        words = " ".join(part for part in (LOOP if back else "", words, self.shown.count(edge.id)) if part)
        arrow = "-.->" if back else "-->"
        label = f'|"{_escape(words)}"|' if words else ""
        return f"{self.ids[edge.source]} {arrow}{label} {self.ids[edge.target]}"

    def _states(self) -> None:
        for state in STATES:
            boxes = [name for box, name in self.ids.items() if self.shown.state(box) == state]
            if boxes and state != "idle":
                self.lines.append(f"  classDef {state} stroke:{LIGHT[state]},stroke-width:3px")
                self.lines.append(f"  class {','.join(boxes)} {state}")


def _ids(names: Iterable[str]) -> dict[str, str]:
    """Ids that Mermaid takes: letters, digits and underscores, with a prefix since `end` is a keyword."""
    ids: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        base = "n_" + "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        unique, count = base, 2
        while unique in used:
            unique, count = f"{base}_{count}", count + 1
        used.add(unique)
        ids[name] = unique
    return ids


def _escape(text: str) -> str:
    return "".join(_ENTITIES.get(char, char) for char in text)

"""From a diagram to text or a picture, in any format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from graphagent.drawing.canvas import Style
from graphagent.drawing.content import Shown
from graphagent.drawing.diagram import Diagram, Overlay
from graphagent.drawing.html import Table, to_html
from graphagent.drawing.layout import Layout, lay_out
from graphagent.drawing.mermaid import to_mermaid
from graphagent.drawing.png import FAMILY, to_png
from graphagent.drawing.svg import svg_size, to_svg
from graphagent.drawing.terminal import to_text
from graphagent.drawing.theme import Theme
from graphagent.drawing.units import Cells, Direction

Format = Literal["terminal", "svg", "html", "mermaid", "json"]

_WRAPS = (32, 24, 18, 13, 9)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A diagram and how to show it; what `Graph.draw()` returns. Jupyter shows it as SVG.

    Args:
        channels: Also name the channels that each node reads and writes.
        expand: `all`, `none` or the name of the one subgraph or map to open.
    """

    diagram: Diagram
    direction: Direction = "tb"
    overlay: Overlay | None = None
    channels: bool = False
    expand: str = "all"

    def text(self, *, width: int | None = None, ascii: bool = False, style: Style | None = None) -> str:
        """The drawing in characters.

        Args:
            width: Columns to fit into. If it is too wide, the other direction is tried, then text is wrapped
                more and more; nothing is ever cut, so it can still be wider.
            ascii: Use no character beyond ASCII, except in the author's own words.
            style: Colours the parts.
        """
        narrowest: Layout | None = None
        for layout in self._cell_layouts(ascii):
            if narrowest is None or layout.width < narrowest.width:
                narrowest = layout
            if width is None or narrowest.width <= width:
                break
        assert narrowest is not None
        return to_text(narrowest, self._shown(), ascii=ascii, style=style)

    def svg(self, *, theme: Theme = "auto") -> str:
        """The drawing as an `<svg>` element. `auto` follows the viewer's light or dark mode."""
        return to_svg(self.layout(), self._shown(), theme=theme)

    def png(self, *, theme: Theme = "light", scale: float = 2.0) -> bytes:
        """The same as a PNG; `auto` is light.

        Args:
            scale: Pixels of the picture for each of the drawing; fewer for a very large one.

        Raises:
            MissingExtra: resvg-py isn't installed.
        """
        layout, shown = self.layout(), self._shown()
        svg = to_svg(layout, shown, theme="dark" if theme == "dark" else "light", family=f"'{FAMILY}'")
        return to_png(svg, *svg_size(layout, shown), scale=scale)

    def html(self, *, theme: Theme = "auto", tables: Sequence[Table] = ()) -> str:
        """The drawing as one HTML file, with tables of its nodes, routes and channels.

        Args:
            tables: Further ones, which come first.
        """
        return to_html(self.layout(), self._shown(), theme=theme, tables=tables)

    def mermaid(self) -> str:
        """The diagram as Mermaid text."""
        return to_mermaid(self._opened(), self._shown(), direction=self.direction)

    def json(self) -> str:
        """The layout in pixels, with the overlay, for other tools."""
        overlay = None
        if self.overlay:
            overlay = asdict(self.overlay)
            overlay |= {"outlined": sorted(self.overlay.outlined), "due": sorted(self.overlay.due)}
        document = {"schema": "graphagent/layout@1", "graph": self.diagram.name}
        return json.dumps({**document, **self.layout().document(), "overlay": overlay}, ensure_ascii=False) + "\n"

    def layout(self) -> Layout:
        """Where everything is, in pixels."""
        return lay_out(self._opened(), direction=self.direction, shown=self._shown())

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "image/svg+xml": self.svg()}

    def _opened(self) -> Diagram:
        return self.diagram.collapsed(self.expand)

    def _shown(self) -> Shown:
        return Shown(self.overlay, self.channels)

    def _cell_layouts(self, ascii: bool) -> Iterator[Layout]:
        diagram, shown = self._opened(), self._shown()
        other: Direction = "lr" if self.direction == "tb" else "tb"
        for wrap_at in _WRAPS:
            for direction in (self.direction, other):
                yield lay_out(diagram, direction=direction, units=Cells(wrap_at, ascii), shown=shown)


def draw(
    diagram: Diagram,
    *,
    format: Format = "terminal",
    direction: Direction = "tb",
    overlay: Overlay | None = None,
    ascii: bool = False,
    width: int | None = None,
    theme: Theme = "auto",
    channels: bool = False,
    expand: str = "all",
) -> str:
    """Draws a diagram; see `Drawing` for the meaning of the options. The result ends in a newline.

    Raises:
        ValueError: `expand` names no group.
    """
    drawing = Drawing(diagram, direction, overlay, channels, expand)
    if format == "terminal":
        return drawing.text(width=width, ascii=ascii)
    if format == "svg":
        return drawing.svg(theme=theme)
    if format == "html":
        return drawing.html(theme=theme)
    return drawing.mermaid() if format == "mermaid" else drawing.json()

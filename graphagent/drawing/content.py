"""The words in a box and on an edge: the same for every output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from graphagent.drawing.diagram import MARKS, Diagram, DiagramEdge, DiagramNode, Group, NodeRun, Overlay, State
from graphagent.drawing.text import Measure, plain, wrap

Role = Literal["title", "kind", "flag", "reads", "writes", "status", "prompt"]

LOOP = "↻"

STATE_ICONS: dict[State, str] = {
    "idle": "○",
    "queued": "◌",
    "running": "●",
    "done": "✔",
    "replayed": "⟲",
    "skipped": "–",  # noqa: RUF001 - the sign of a skipped node
    "failed": "✖",
    "waiting": "⏸",
    "cancelled": "⊘",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line in a box. `state` is set on status lines, `pills` are the channels of one that reads or writes."""

    role: Role
    text: str
    state: State | None = None
    pills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What to show besides the graph itself."""

    overlay: Overlay | None = None
    channels: bool = False

    def lines(self, box: DiagramNode | Group, limit: int, measure: Measure) -> tuple[Line, ...]:
        """The lines in a box (in the title of a group), wrapped at `limit`."""
        label = plain(box.label) or plain(box.id) or "?"
        lines = [Line("title", part) for part in wrap(label, limit, measure)]
        if box.kind in MARKS:
            return (*lines, *self._status(box.id)) if box.kind == "fail" else tuple(lines)
        lines += [Line("kind", part) for part in wrap(self._kind(box), limit, measure)]
        lines += [Line("flag", part) for flag in box.flags for part in wrap(plain(flag), limit, measure)]
        if self.channels or (self.overlay and self.overlay.channels):
            lines += self._channels(box, limit, measure)
        prompt = plain(self._run(box.id).prompt)
        asked = [Line("prompt", part) for part in wrap(prompt, limit, measure)] if prompt else []
        status = self._status(box.id)
        return (*lines, *status[:1], *asked, *status[1:])

    def taken(self, edge: str) -> int:
        """How often a route was taken."""
        return self.overlay.taken.get(edge, 0) if self.overlay else 0

    def count(self, edge: str) -> str:
        """The count shown on an edge that was taken more than once."""
        taken = self.taken(edge)
        return f"×{taken}" if taken > 1 else ""  # noqa: RUF001

    def state(self, box: str) -> State:
        """What a box last did, or `idle`."""
        return self._run(box).state

    def outlined(self, box: str) -> bool:
        """Whether the superstep that is shown ran this box."""
        return self.overlay is not None and box in self.overlay.outlined

    def _run(self, box: str) -> NodeRun:
        return (self.overlay.nodes.get(box) if self.overlay else None) or NodeRun()

    def _kind(self, box: DiagramNode | Group) -> str:
        sublabel = plain(box.sublabel)
        return f"{plain(box.kind)} · {sublabel}" if sublabel else plain(box.kind)

    def _channels(self, box: DiagramNode | Group, limit: int, measure: Measure) -> list[Line]:
        versions = self.overlay.channels if self.overlay and self.state(box.id) != "idle" else {}
        reads = box.reads if self.channels else ()
        writes = [f"{name} {versions[name]}" if name in versions else name for name in box.writes]
        if not self.channels:
            writes = [text for text, name in zip(writes, box.writes, strict=True) if name in versions]
        return [*_rows("reads", reads, limit, measure), *_rows("writes", writes, limit, measure)]

    def _status(self, box: str) -> list[Line]:
        if self.overlay is None:
            return []
        run = self._run(box)
        due = [Line("status", "due", "queued")] if box in self.overlay.due else []
        if run.state == "idle" and due:
            return due
        parts = [run.state + (f" ×{run.runs}" if run.runs > 1 else "")]  # noqa: RUF001
        if run.wall_ms is not None:
            parts.append(duration(run.wall_ms))
        if run.usage:
            parts.append(plain(run.usage))
        return [Line("status", " · ".join(parts), run.state), *due]


def _rows(role: Role, names: Iterable[str], limit: int, measure: Measure) -> Iterator[Line]:
    """As many names on a line as there is room for."""
    row: tuple[str, ...] = ()
    for name in map(plain, names):
        if row and measure("   ".join((role, *row, name))) > limit:
            yield Line(role, ", ".join(row), pills=row)
            row = ()
        row = (*row, name)
    if row:
        yield Line(role, ", ".join(row), pills=row)


def duration(ms: int) -> str:
    """Milliseconds as people read them."""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def edge_texts(diagram: Diagram) -> dict[str, str]:
    """Edge id -> the words on it, without the loop sign and the count."""
    fails = {n.id for n in diagram.nodes if n.kind == "fail"}
    return {edge.id: _edge_text(edge, edge.target in fails) for edge in diagram.edges}


def is_red(edge: DiagramEdge, kinds: dict[str, str]) -> bool:
    """Whether an edge is on the way of failure. `kinds`: box id -> kind."""
    return edge.kind in ("error", "limit") or kinds.get(edge.target) == "fail"


def _edge_text(edge: DiagramEdge, to_fail: bool) -> str:
    label = plain(edge.label)
    if edge.kind == "else":
        return f"else: {label}" if label and label != "else" else "else"
    if edge.kind == "error":
        if not label:
            return "on error"
        return label if "error" in label else f"on error: {label}"
    if edge.kind == "limit":
        return label or "on limit"
    return label or ("fail" if to_fail else "")

"""The channels of a graph below its nodes: each is a pill between those who write it and those who read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphagent.drawing.content import Shown
from graphagent.drawing.diagram import Diagram, DiagramChannel
from graphagent.drawing.level import Rect
from graphagent.drawing.text import plain, wrap
from graphagent.drawing.units import Size, Units


@dataclass(frozen=True, slots=True)
class PlacedChannel:
    """One row. Rectangles are x, y, width, height; where nobody writes or reads a channel, that side is empty.

    Args:
        left, right: Where `writers` and `readers` stand, as lines.
        note: Type and reducer.
    """

    channel: DiagramChannel
    text: str
    pill: Rect
    writers: tuple[str, ...]
    left: Rect
    readers: tuple[str, ...]
    right: Rect
    note: str
    note_box: Rect


@dataclass(frozen=True, slots=True)
class _Row:
    channel: DiagramChannel
    text: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    note: str
    sizes: tuple[Size, Size, Size, Size]  # writers, pill, readers, note


def place_channels(
    diagram: Diagram, labels: Mapping[str, str], shown: Shown, units: Units, top: int
) -> tuple[tuple[PlacedChannel, ...], Size]:
    """The rows of all channels, and the size of what is drawn with them.

    Args:
        labels: Box id -> its name.
        top: Where the nodes end.
    """
    if not shown.channels or not diagram.channels:
        return (), (0, top)
    rows = [_row(channel, labels, shown, units) for channel in diagram.channels]
    before, between, arrow = units.panel
    widths = [max(row.sizes[k][0] for row in rows) for k in range(4)]
    pills = widths[0] + arrow
    readers = pills + widths[1] + arrow
    notes = readers + widths[2] + arrow // 2
    placed, y = [], top + before
    for row in rows:
        height = max(h for _, h in row.sizes)
        at = [y + (height - h) // 2 for _, h in row.sizes]
        left, pill, right, note = row.sizes
        placed.append(
            PlacedChannel(
                row.channel, row.text, (pills + (widths[1] - pill[0]) // 2, at[1], *pill),
                row.writers, (widths[0] - left[0], at[0], *left), row.readers, (readers, at[2], *right),
                row.note, (notes, at[3], *note),
            )
        )  # fmt: skip
        y += height + between
    return tuple(placed), (notes + widths[3], y - between)


def _row(channel: DiagramChannel, labels: Mapping[str, str], shown: Shown, units: Units) -> _Row:
    version = shown.overlay.channels.get(channel.id, "") if shown.overlay else ""
    text = plain(f"{channel.id} {version}")
    writers, readers = (_names(ids, labels, units) for ids in (channel.writers, channel.readers))
    note = plain(f"{channel.type}, {channel.reducer}")
    texts = writers or ("",), (text,), readers or ("",), (note,)
    a, b, c, d = (units.label_size(lines) for lines in texts)
    return _Row(channel, text, writers, readers, note, (a, b, c, d))


def _names(ids: tuple[str, ...], labels: Mapping[str, str], units: Units) -> tuple[str, ...]:
    text = ", ".join(plain(labels.get(name, name)) for name in ids)
    return wrap(text, units.label_limit, units.label_width) if text else ()

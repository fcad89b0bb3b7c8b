"""Channels stand between their writers and readers, apart from the nodes."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from graphagent.drawing import Drawing, Overlay
from graphagent.drawing.content import Shown
from graphagent.drawing.layout import lay_out
from graphagent.drawing.panel import PlacedChannel
from graphagent.drawing.units import PIXELS, Cells, Units
from tests.unit.drawing import corpus
from tests.unit.drawing.geometry import overlap

SHEETS: dict[str, Units] = {"pixels": PIXELS, "cells": Cells(), "narrow cells": Cells(9)}


def rects(placed: PlacedChannel) -> list[tuple[int, int, int, int]]:
    sides = [box for lines, box in ((placed.writers, placed.left), (placed.readers, placed.right)) if lines]
    return [placed.pill, *sides, placed.note_box]


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("direction", ["tb", "lr"])
def test_nothing_overlaps_and_pills_are_below_the_nodes(sheet: str, direction: str) -> None:
    layout = lay_out(
        corpus.EVERY_KIND, direction=direction, units=SHEETS[sheet], shown=Shown(channels=True)  # type: ignore[arg-type]
    )  # fmt: skip
    assert [c.channel.id for c in layout.channels] == ["notes", "a_longer_name", "unread"]
    every = [rect for placed in layout.channels for rect in rects(placed)]
    assert not [pair for pair in combinations(every, 2) if overlap(*pair)]
    bottom = max(box.y + box.h for box in (*layout.nodes, *layout.groups))
    for x, y, w, h in every:
        assert y >= bottom
        assert x >= 0
        assert x + w <= layout.width
        assert y + h <= layout.height
    for placed in layout.channels:
        assert not placed.writers or placed.left[0] + placed.left[2] < placed.pill[0]
        assert not placed.readers or placed.pill[0] + placed.pill[2] < placed.right[0]


def test_the_nodes_stay_where_they_are_in_their_layers() -> None:
    plain, shown = (lay_out(corpus.EVERY_KIND, shown=Shown(channels=c)) for c in (False, True))
    assert plain.channels == ()
    assert [(n.id, n.layer, n.order) for n in plain.nodes] == [(n.id, n.layer, n.order) for n in shown.nodes]


def test_what_terminal_and_svg_say() -> None:
    drawing = Drawing(corpus.EVERY_KIND, channels=True)
    assert re.search(r"answer, draft, find, count ─+►\(notes\)─+► refund, first", drawing.text())
    assert drawing.text(ascii=True).isascii()
    (pill,) = [
        part
        for part in ElementTree.fromstring(drawing.svg()).iter("{http://www.w3.org/2000/svg}g")
        if part.attrib.get("data-channel") == "unread"
    ]
    assert pill.findtext("{http://www.w3.org/2000/svg}desc") == "str, last; written by ask; read by nobody"
    assert len(pill.findall("{http://www.w3.org/2000/svg}path[@class='head']")) == 1


def test_a_run_shows_versions_and_json_the_places() -> None:
    run = Overlay(channels={"notes": "v3→v4"})
    assert "►(notes v3→v4)─" in Drawing(corpus.EVERY_KIND, channels=True, overlay=run).text()
    drawing = Drawing(corpus.EVERY_KIND, channels=True)
    pills = [c.pill for c in drawing.layout().channels]
    document = drawing.layout().document()["channels"]
    assert [tuple(c[key] for key in "xywh") for c in document] == pills
    assert "x" not in Drawing(corpus.EVERY_KIND).layout().document()["channels"][0]

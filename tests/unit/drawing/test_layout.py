"""The rules that make a drawing legible, on every diagram of the corpus, in pixels and in cells."""

from __future__ import annotations

from itertools import pairwise

import pytest

from graphagent.drawing import Diagram, DiagramEdge, DiagramNode, Group
from graphagent.drawing.content import is_red
from graphagent.drawing.layout import Layout, lay_out
from graphagent.drawing.units import PIXELS, Cells, Direction, Units
from tests.unit.drawing import corpus
from tests.unit.drawing.geometry import crosses, faults

DIRECTIONS: tuple[Direction, ...] = ("tb", "lr")
SHEETS: dict[str, Units] = {"pixels": PIXELS, "cells": Cells(), "narrow cells": Cells(9)}

every_direction = pytest.mark.parametrize("direction", DIRECTIONS)
every_diagram = pytest.mark.parametrize("diagram", corpus.EVERY, ids=lambda d: d.name)


def box_of(layout: Layout, name: str) -> tuple[int, int, int, int]:
    (box,) = [b for b in (*layout.nodes, *layout.groups) if b.id == name]
    return box.x, box.y, box.w, box.h


@every_diagram
@every_direction
@pytest.mark.parametrize("sheet", SHEETS)
def test_nothing_overlaps_and_no_edge_runs_through_anything(diagram: Diagram, direction: Direction, sheet: str) -> None:
    assert faults(lay_out(diagram, direction=direction, units=SHEETS[sheet])) == []


@every_diagram
@every_direction
def test_a_label_lies_on_its_own_edge_and_that_of_a_self_loop_beside_it(diagram: Diagram, direction: Direction) -> None:
    for edge in lay_out(diagram, direction=direction).edges:
        if edge.label_box:
            x, y, w, h = edge.label_box
            near = 20 if edge.edge.source == edge.edge.target else 0
            around = (x - near, y - near, w + 2 * near, h + 2 * near)
            assert any(crosses(stretch, around) for stretch in pairwise(edge.points)), edge.edge.id


@every_diagram
def test_every_way_of_failure_and_every_else_says_so(diagram: Diagram) -> None:
    kinds = {box.id: box.kind for box in diagram.boxes}
    labels = {edge.edge.id: " ".join(edge.label) for edge in lay_out(diagram).edges}
    for edge in diagram.edges:
        if is_red(edge, kinds):
            assert labels[edge.id], edge.id
        if edge.kind == "else":
            assert "else" in labels[edge.id]
        assert "".join(edge.label.split()) in "".join(labels[edge.id].split()) or not edge.label.isprintable()


@every_diagram
@every_direction
def test_every_edge_has_room_for_its_arrowhead(diagram: Diagram, direction: Direction) -> None:
    for edge in lay_out(diagram, direction=direction).edges:
        (ax, ay), (bx, by) = edge.points[-2:]
        assert abs(ax - bx) + abs(ay - by) >= 8


@every_diagram
def test_edges_start_and_end_on_the_borders_of_their_boxes(diagram: Diagram) -> None:
    layout = lay_out(diagram)
    for edge in layout.edges:
        for name, (x, y) in ((edge.edge.source, edge.points[0]), (edge.edge.target, edge.points[-1])):
            left, top, w, h = box_of(layout, name)
            assert left <= x <= left + w
            assert top <= y <= top + h
            assert x in (left, left + w) or y in (top, top + h)


@every_diagram
@pytest.mark.parametrize(("direction", "axis"), [("tb", 0), ("lr", 1)])
def test_loops_leave_and_enter_on_the_right_or_below(diagram: Diagram, direction: Direction, axis: int) -> None:
    layout = lay_out(diagram, direction=direction)
    for edge in layout.edges:
        source, target = box_of(layout, edge.edge.source), box_of(layout, edge.edge.target)
        loops = edge.points[0][axis] == source[axis] + source[axis + 2]
        loops = loops and edge.points[-1][axis] == target[axis] + target[axis + 2]
        assert loops is edge.back
        assert not edge.back or edge.label[0].startswith("↻")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_same_diagram_gives_the_same_layout(direction: Direction) -> None:
    one, other = corpus.random_diagram(40, 60, 1), corpus.random_diagram(40, 60, 1)
    assert lay_out(one, direction=direction).document() == lay_out(other, direction=direction).document()


def test_a_leaf_moves_no_node_between_layers() -> None:
    for diagram in (*corpus.SMALL[:8], corpus.ERRORS, corpus.SUPPORT):
        before = {n.id: n.layer for n in lay_out(diagram).nodes}
        for node in diagram.nodes:
            leaf = DiagramNode("leaf", "leaf", "set", group=node.group)
            edges = (*diagram.edges, DiagramEdge("new", node.id, "leaf"))
            grown = Diagram(diagram.name, (*diagram.nodes, leaf), edges, diagram.groups)
            after = {n.id: n.layer for n in lay_out(grown).nodes if n.id != "leaf"}
            assert after == before


def test_parallel_branches_share_a_layer() -> None:
    layer = {n.id: n.layer for n in lay_out(corpus.DIAMOND).nodes}
    assert layer["facts"] == layer["style"] == layer["legal"] == layer["draft"] + 1


def test_branches_keep_the_order_of_the_text_where_nothing_crosses() -> None:
    layout = lay_out(corpus.ROUTER)
    branches = sorted((n.x, n.id) for n in layout.nodes if n.id.startswith("branch"))
    assert [name for _, name in branches] == [f"branch_{i}" for i in range(5)]


def test_a_source_that_is_not_the_start_lies_right_above_what_it_leads_to() -> None:
    layer = {n.id: n.layer for n in lay_out(corpus.ERRORS).nodes}
    assert layer["limits"] == layer["apologise"] - 1


def test_a_chain_is_straight() -> None:
    layout = lay_out(corpus.CHAIN)
    assert {x for edge in layout.edges for x, _ in edge.points} == {layout.nodes[0].x + layout.nodes[0].w // 2}


def test_a_loop_that_has_room_is_one_straight_line_beside_its_boxes() -> None:
    layout = lay_out(corpus.NESTED_LOOPS)
    assert [len(edge.points) for edge in layout.edges if edge.back] == [4, 4]


def test_edges_between_different_levels_end_at_the_group_around() -> None:
    nodes = (DiagramNode("a", "a", "set"), DiagramNode("g/b", "b", "set", group="g"))
    diagram = Diagram("d", nodes, (DiagramEdge("e", "a", "g/b"),), (Group("g", "g", "graph"),))
    layout = lay_out(diagram)
    (x, y) = layout.edges[0].points[-1]
    left, top, w, _ = box_of(layout, "g")
    assert y == top
    assert left < x < left + w


def test_a_document_holds_everything_and_only_plain_data() -> None:
    document = lay_out(corpus.MAP).document()
    assert list(document) == ["direction", "width", "height", "nodes", "edges", "groups", "channels"]
    node, edge, group = document["nodes"][2], document["edges"][2], document["groups"][0]
    assert list(node)[:7] == ["id", "x", "y", "w", "h", "layer", "order"]
    assert list(edge) == ["id", "from", "to", "kind", "back", "points", "label", "label_box"]
    assert edge["label"] == "sum([s.tokens for s in summaries]) > 6000"
    assert (node["group"], group["id"], group["parent"]) == ("each", "each", None)


def test_200_nodes_have_no_faults_in_pixels() -> None:
    assert faults(lay_out(corpus.random_diagram(200, 320, 7))) == []


def test_points_of_an_edge_turn_at_every_corner() -> None:
    for edge in lay_out(corpus.SUPPORT).edges:
        steps = [(ax == bx, ay == by) for (ax, ay), (bx, by) in pairwise(edge.points)]
        assert all(one != other for one, other in pairwise(steps))

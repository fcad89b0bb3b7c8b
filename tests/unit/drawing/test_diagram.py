from __future__ import annotations

import pytest

from graphagent.drawing import Diagram, DiagramEdge, DiagramNode, Group
from tests.unit.drawing import corpus

A, B = DiagramNode("a", "a", "set"), DiagramNode("b", "b", "set", group="g")


@pytest.mark.parametrize(
    ("nodes", "edges", "groups", "message"),
    [
        ((A, A), (), (), "two boxes have the id 'a'"),
        ((A,), (DiagramEdge("e", "a", "x"),), (), "edge 'e': there is no node or group 'x'"),
        ((A,), (DiagramEdge("e", "a", "a"), DiagramEdge("e", "a", "a")), (), "two edges have the id 'e'"),
        ((B,), (), (), "'b' lies in the group 'g', which doesn't exist"),
        ((), (), (Group("g", "g", "map", parent="h"), Group("h", "h", "map", parent="g")), "group 'g' lies in itself"),
        ((), (), (Group("g", "g", "map", parent="g"),), "group 'g' lies in itself"),
    ],
)
def test_a_diagram_that_makes_no_sense_is_refused(
    nodes: tuple[DiagramNode, ...], edges: tuple[DiagramEdge, ...], groups: tuple[Group, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Diagram("d", nodes, edges, groups)


def test_a_closed_group_is_a_node_with_a_count() -> None:
    closed = corpus.SUPPORT.collapsed("none")
    assert closed.groups == ()
    (flow,) = [n for n in closed.nodes if n.id == "refund_flow"]
    assert (flow.kind, flow.sublabel) == ("graph", "4 nodes")
    assert [n.id for n in closed.nodes][4:7] == ["await_customer", "refund_flow", "resolve"]
    assert {e.id for e in closed.edges} == {f"e{i}" for i in range(16)}


def test_one_group_is_opened_by_name_with_those_around_it() -> None:
    opened = corpus.MAP_IN_MAP.collapsed("each_page")
    assert [g.id for g in opened.groups] == ["docs", "docs/pages"]
    opened = corpus.MAP_IN_MAP.collapsed("docs")
    assert [g.id for g in opened.groups] == ["docs"]
    (pages,) = [n for n in opened.nodes if n.id == "docs/pages"]
    assert (pages.sublabel, pages.join, pages.group) == ("1 node", "all", "docs")
    assert "docs/pages" in [e.source for e in opened.edges]


def test_everything_open_is_the_diagram_itself() -> None:
    assert corpus.MAP_IN_MAP.collapsed("all") is corpus.MAP_IN_MAP


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(ValueError, match="no subgraph or map 'x' to expand; there are: each_doc, each_page"):
        corpus.MAP_IN_MAP.collapsed("x")

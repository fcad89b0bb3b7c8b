"""A graph is compiled once, and again after it was written on."""

from __future__ import annotations

import pytest

from graphagent import Graph, GraphInvalid, X, end
from graphagent.codec import show_digest

TEXT = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: small }
inputs: { name: str }
outputs: { greeting: str }
channels: { greeting: str }
start: greet
nodes:
  greet: { kind: set, writes: { greeting: "Hello ${ inputs.name }" }, next: end }
"""


def built() -> Graph:
    g = Graph("small", inputs={"name": str}, outputs={"greeting": str})
    g.channels(greeting=str)
    g.start("greet")
    g.set("greet", writes={"greeting": f"Hello {X('inputs.name')}"}).next(end)
    return g


def test_both_ways_lead_to_one_plan() -> None:
    read = Graph.from_yaml(TEXT)
    assert built().hash == read.hash == Graph.from_yaml(built().to_yaml()).hash
    assert read.hash == show_digest(read.compile().hash)
    assert read.compile() is read.compile()


@pytest.mark.parametrize("graph", [built(), Graph.from_yaml(TEXT)], ids=["built", "read"])
def test_what_is_written_later_counts(graph: Graph) -> None:
    before = graph.hash
    late = graph.emit("late", event="too.late")
    with pytest.raises(GraphInvalid) as caught:
        graph.compile()
    assert {item.code for item in caught.value.diagnostics} == {"GA005"}
    assert "graph.emit(" in str(caught.value)
    late.next(end)
    with pytest.raises(GraphInvalid, match="GA401"):
        graph.compile()
    assert [item.code for item in graph.diagnostics] == ["GA401"]
    graph.set("never", on_update=["greeting"]).next("late")
    assert graph.hash != before
    assert graph.diagnostics == []


def test_the_place_of_a_node_is_its_call() -> None:
    plan = built().compile()
    position = plan.graph.nodes[0].position
    assert position is not None
    assert position.text == """    g.set("greet", writes={"greeting": f"Hello {X('inputs.name')}"}).next(end)"""
    assert plan.file == __file__


def test_a_notebook_shows_the_drawing() -> None:
    graph = built()
    shown = graph._repr_mimebundle_()
    assert shown == {"text/plain": str(graph.draw()), "image/svg+xml": graph.draw().svg()}
    assert "greet" in shown["text/plain"]
    assert graph.draw(direction="lr", channels=True).html().startswith("<!doctype html>")

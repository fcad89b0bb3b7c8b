"""The flow of a graph, held against networkx."""

from __future__ import annotations

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent import Graph, load
from graphagent.graph.flow import START, Edge, Flow, components
from graphagent.graph.spec import END, FAIL, GraphSpec, NodeSpec, Route, SetBody
from tests.examples_count import examples

NAMES = [f"n{i}" for i in range(9)]
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=24)


def edge(source: str, target: str) -> Edge:
    return Edge(source, target, "next", Route((target,)), 0)


@settings(max_examples=examples(300))
@given(PAIRS)
def test_components_are_those_of_networkx(pairs: list[tuple[str, str]]) -> None:
    found = components([edge(*pair) for pair in pairs])
    parts: dict[int, set[str]] = {}
    for name, number in found.items():
        parts.setdefault(number, set()).add(name)
    expected: list[set[str]] = list(networkx.strongly_connected_components(networkx.DiGraph(pairs)))
    assert {frozenset(part) for part in parts.values()} == {frozenset(part) for part in expected}


@settings(max_examples=examples(200))
@given(PAIRS, st.sampled_from(NAMES))
def test_what_lives_and_what_ends(pairs: list[tuple[str, str]], start: str) -> None:
    """`live` are the descendants of the start, `ending` the ancestors of `end` and `fail`."""
    routes = {name: [b for a, b in pairs if a == name] for name in NAMES}
    nodes = {
        name: NodeSpec(name, "set", SetBody(), tuple(Route((to,)) for to in (targets or [END if i % 2 else FAIL])))
        for i, (name, targets) in enumerate(routes.items())
    }
    flow = Flow(GraphSpec("", (start,), nodes))
    whole: networkx.DiGraph[str] = networkx.DiGraph([(START, start)])
    whole.add_nodes_from([END, FAIL, *NAMES])
    whole.add_edges_from((name, to) for name, node in nodes.items() for route in node.next for to in route.to)
    assert flow.live == networkx.descendants(whole, START) - {END, FAIL}
    ends = networkx.ancestors(whole, END) | networkx.ancestors(whole, FAIL) | {END, FAIL}
    assert flow.ending - {START} == ends - {START}


def test_a_graph_for_networkx() -> None:
    graph = load("graphagent:reflection.graph.yaml").to_networkx()
    assert not networkx.is_directed_acyclic_graph(graph)
    assert networkx.has_path(graph, "start", "end")
    built = Graph("two")
    built.start("a", "b")
    built.set("a").next("end")
    built.router("b").next("fail")
    found = built.to_networkx()
    assert list(found.edges(data="branch")) == [("start", "a", 0), ("start", "b", 1), ("a", "end", 0), ("b", "fail", 0)]
    assert found.nodes["b"]["kind"] == "router"

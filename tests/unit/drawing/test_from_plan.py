from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.drawing import Diagram, draw, draw_plan, from_plan
from graphagent.drawing.layout import lay_out
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.validate import validate_text
from tests.unit.drawing.geometry import faults

VALID = Path(__file__).parents[2] / "golden" / "valid"


def plan_of(text: str) -> Plan:
    spec, found, _ = validate_text(text, "x.graph.yaml")
    assert spec is not None, found
    return compile_spec(spec, lambda _: "")


def diagram_of(body: str) -> Diagram:
    head = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: drawn }\n"
    return from_plan(plan_of(head + body))


def ways(diagram: Diagram) -> dict[str, tuple[str, str, str, str]]:
    return {e.id: (e.source, e.target, e.kind, e.label) for e in diagram.edges}


ROUTES = """
channels: { n: { type: int, default: 0 }, m: { type: int, default: 0 } }
limits: { supersteps: 9, on_limit: stop }
start: ask
nodes:
  ask:
    kind: human
    mode: approve
    prompt: Go?
    timeout: 1h
    on_error: [{ when: "error.kind == 'timeout'", to: stop }, { to: fail, label: lost }]
    next:
      - { when: n > 3, to: stop, label: enough }
      - { when: n > 2, to: [left, right] }
      - { to: ask, writes: { n: "${ m }" } }
  left: { kind: set, writes: { m: 1 }, next: both }
  right: { kind: set, writes: { n: 2 }, next: both }
  both: { kind: router, join: all, next: end }
  stop: { kind: set, next: end }
"""


def test_routes_are_edges() -> None:
    assert ways(diagram_of(ROUTES)) == {
        "(start)": ("(start)", "ask", "route", ""),
        "ask.next[0]": ("ask", "stop", "route", "enough"),
        "ask.next[1][0]": ("ask", "left", "fork", "n > 2"),
        "ask.next[1][1]": ("ask", "right", "fork", "n > 2"),
        "ask.next[2]": ("ask", "ask", "else", ""),
        "ask.on_error[0]": ("ask", "stop", "error", "error.kind == 'timeout'"),
        "ask.on_error[1]": ("ask", "(fail)", "error", "lost"),
        "left.next[0]": ("left", "both", "route", ""),
        "right.next[0]": ("right", "both", "route", ""),
        "both.next[0]": ("both", "(end)", "route", ""),
        "stop.next[0]": ("stop", "(end)", "route", ""),
        "(limits)": ("(limits)", "stop", "limit", ""),
    }


def test_nodes_say_what_they_are() -> None:
    nodes = {n.id: n for n in diagram_of(ROUTES).nodes}
    assert list(nodes) == ["(start)", "ask", "left", "right", "both", "stop", "(limits)", "(end)", "(fail)"]
    assert (nodes["ask"].kind, nodes["ask"].sublabel) == ("human", "approve")
    assert (nodes["ask"].reads, nodes["ask"].writes) == (("m", "n"), ("n",))
    assert (nodes["both"].join, nodes["left"].join) == ("all", "any")


GROUPS = """
inputs: { words: "list[str]" }
channels: { parts: { type: "list[str]", default: [] }, text: { type: str, default: "" } }
start: each
nodes:
  each:
    kind: map
    over: inputs.words
    as: word
    do: { kind: graph, graph: loud, with: { text: "${ word }" } }
    writes: { parts: "${ [r.text for r in results] }" }
    next: once
  once: { kind: graph, graph: loud, with: { text: "${ text }" }, writes: { text: "${ out.text }" }, next: end }
graphs:
  loud:
    inputs: { text: str }
    outputs: { text: str }
    channels: { text: { type: str, default: "" } }
    start: say
    nodes:
      say: { kind: set, writes: { text: "${ inputs.text }" }, next: end }
"""


def test_subgraphs_and_bodies_of_maps_are_groups() -> None:
    diagram = diagram_of(GROUPS)
    assert [(g.id, g.kind, g.parent, g.label, g.sublabel, g.count) for g in diagram.groups] == [
        ("each", "map", None, "each", "over inputs.words", 1),
        ("each/do", "graph", "each", "each word", "loud", 1),
        ("once", "graph", None, "once", "loud", 1),
    ]
    assert [n.id for n in diagram.nodes if n.group == "each/do"] == ["each/do/(start)", "each/do/say", "each/do/(end)"]
    assert ways(diagram)["each/do/say.next[0]"] == ("each/do/say", "each/do/(end)", "route", "")
    assert "1 node" in draw(diagram, expand="none")


RACE = """
channels: { n: { type: int, reducer: sum } }
start: [left, right, third]
nodes:
  left: { kind: set, interrupt: before, writes: { n: 1 }, next: first }
  right: { kind: set, interrupt: after, writes: { n: 1 }, next: first }
  third: { kind: set, writes: { n: 1 }, next: first }
  first: { kind: router, join: { at_least: 2, cancel: siblings }, next: end }
"""


def test_a_join_of_some_and_breakpoints_are_said() -> None:
    nodes = {n.id: n for n in diagram_of(RACE).nodes}
    assert nodes["first"].join == "at least 2, cancels siblings"
    assert (nodes["left"].flags, nodes["right"].flags) == (("interrupt before",), ("interrupt after",))
    some = {n.id: n for n in diagram_of(RACE.replace("{ at_least: 2, cancel: siblings }", "{ at_least: 0.5 }")).nodes}
    assert some["first"].join == "at least 2"
    every = {n.id: n for n in diagram_of(RACE.replace("{ at_least: 2, cancel: siblings }", "all")).nodes}
    assert every["first"].join == "all"


AGENT = """
models: { m: { use: openai/x } }
tools: { search: { python: "nodes:find" } }
channels: { log: { type: "list[Message]", reducer: messages }, total: float, hits: int }
start: hub
nodes:
  hub:
    kind: agent
    model: m
    prompt: Go
    tools: [search]
    history: { channel: log }
    delegates:
      research: { graph: sub, about: finds things }
      calculate: { about: does sums, do: { kind: tool, tool: search }, writes: { total: 1.0 } }
    tool_writes: { search: { hits: 1 } }
    next: test
  test: { kind: code, run: [pytest, "-q"], sandbox: { image: wasm }, next: pause }
  pause: { kind: wait, for: 10m, next: end }
graphs:
  sub: { inputs: { task: str }, start: say, nodes: { say: { kind: set, next: end } } }
"""


def test_an_agent_is_a_box_around_its_delegates() -> None:
    diagram = diagram_of(AGENT)
    assert [(g.id, g.kind, g.parent, g.count, g.description) for g in diagram.groups if g.kind == "agent"] == [
        ("hub", "agent", None, 2, "")
    ]
    assert [(g.id, g.kind, g.description) for g in diagram.groups if g.parent == "hub"] == [
        ("hub/research", "graph", "finds things")
    ]
    (spoke,) = [n for n in diagram.nodes if n.group == "hub"]
    assert (spoke.id, spoke.kind, spoke.sublabel, spoke.description) == (
        "hub/calculate", "tool", "search", "does sums",
    )  # fmt: skip
    (closed,) = [n for n in diagram.collapsed("none").nodes if n.id == "hub"]
    assert (closed.kind, closed.sublabel) == ("agent", "m, 1 tool, 2 delegates")
    assert faults(lay_out(diagram)) == []


def test_a_sandbox_and_a_timer_are_said() -> None:
    nodes = {n.id: n for n in diagram_of(AGENT).nodes}
    assert (nodes["test"].sublabel, nodes["test"].flags) == ("run pytest -q", ("sandbox wasm",))
    assert (nodes["pause"].kind, nodes["pause"].sublabel) == ("wait", "10m")


def test_channels_know_their_writers_and_readers() -> None:
    hits, log, total = diagram_of(AGENT).channels
    assert hits.writers == total.writers == ("hub",)
    assert (log.id, log.type, log.reducer, log.writers, log.readers) == (
        "log", "list[Message]", "messages", ("hub",), ("hub",),
    )  # fmt: skip
    each, once = "each/do/text", "once/text"
    channels = {c.id: c for c in diagram_of(GROUPS).channels}
    assert set(channels) == {"parts", "text", each, once}
    assert (channels["text"].writers, channels["text"].readers) == (("once",), ("once",))
    assert (channels[once].writers, channels[once].group) == (("once/say",), "once")
    assert [c.id for c in diagram_of(GROUPS).collapsed("none").channels] == ["parts", "text"]


def test_a_graph_within_itself_is_one_node() -> None:
    text = (VALID / "map_reduce.graph.yaml").read_text(encoding="utf-8")
    diagram = from_plan(plan_of(text))
    (condense,) = [n for n in diagram.nodes if n.id == "condense"]
    assert condense.kind == "graph"
    assert condense.sublabel.startswith("self")


def test_one_edge_stands_for_many_nodes_that_go_to_one_place_on_error() -> None:
    nodes = "\n".join(f"  n{i}: {{ kind: set, next: {f'n{i + 1}' if i < 4 else 'end'} }}" for i in range(5))
    diagram = diagram_of(
        f"defaults: {{ on_error: stop }}\nstart: n0\nnodes:\n{nodes}\n  stop: {{ kind: set, next: end }}\n"
    )
    (mark,) = [n for n in diagram.nodes if n.kind == "errors"]
    assert (mark.label, mark.description) == ("5 of 6 nodes", "on error of: n0, n1, n2, n3, n4")
    assert [e for e in ways(diagram).values() if e[2] == "error"] == [("(errors)", "stop", "error", "")]


@pytest.mark.parametrize("path", sorted(VALID.glob("*.graph.yaml")), ids=lambda p: p.name.split(".")[0])
@pytest.mark.parametrize("direction", ["tb", "lr"])
def test_valid_graphs_draw_without_faults(path: Path, direction: str) -> None:
    plan = plan_of(path.read_text(encoding="utf-8"))
    assert faults(lay_out(from_plan(plan), direction=direction)) == []  # type: ignore[arg-type]
    drawing = draw_plan(plan, channels=True)
    assert plan.name in drawing.svg()
    assert drawing.text() == str(drawing)

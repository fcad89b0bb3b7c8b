"""The `tools` document and its table."""

from __future__ import annotations

from pathlib import Path

import trio

from graphagent.session.documents.tool_forms import ToolsDocument
from graphagent.session.documents.tools import tools_document
from graphagent.session.functions import Functions
from graphagent.session.graph_file import read_graph_file
from graphagent.session.services import Models, Services
from graphagent.session.settings import Settings
from graphagent.session.tools_text import arguments

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: listed }
models: { m: scripted/m }
tools:
  look: { python: "fns:look", effects: read }
  pay: { python: "fns:pay", about: Pays. }
  gone: { python: "fns:gone" }
  ask: { client: { params: { where: str, exact: "bool = true" }, returns: { lat: float } }, about: Asks. }
  part: { graph: part, about: Does a part. }
start: agent
nodes:
  agent:
    kind: agent
    model: m
    prompt: Do it.
    tools: [look, pay]
    approve: [{ tool: pay, when: args.amount > 10 }]
    next: each
  each: { kind: map, over: "[1]", do: { kind: tool, tool: look, with: { order: a } }, next: ask }
  ask: { kind: tool, tool: ask, with: { where: x }, next: part }
  part: { kind: tool, tool: part, with: { n: 1 }, next: end }
graphs:
  part:
    inputs: { n: int }
    outputs: { m: int }
    channels: { m: int }
    start: s
    nodes: { s: { kind: set, writes: { m: "${ inputs.n }" }, next: end } }
"""
FUNCTIONS = '''
def look(order: str) -> str:
    """Looks an order up, \x1b[31mred."""
    return order

def pay(order: str, amount: float = 1.0) -> str:
    return order
'''


def document(folder: Path) -> ToolsDocument:
    (folder / "a.graph.yaml").write_text(GRAPH)
    (folder / "fns.py").write_text(FUNCTIONS + "\ndef gone(order: str) -> str: ...\n")
    plan = read_graph_file(folder / "a.graph.yaml", folder).compiled()
    (folder / "fns.py").write_text(FUNCTIONS)
    models = Models(Settings(folder, "memory:"), {})
    return trio.run(tools_document, plan, Services(plan, models, Functions((folder,))))


def test_every_source_is_listed_with_who_uses_it(tmp_path: Path) -> None:
    found = {tool.name: tool for tool in document(tmp_path).tools}
    assert found["look"].used_by == ["$.nodes.agent", "$.nodes.each.do"]
    assert found["pay"].used_by == ["$.nodes.agent"]
    assert [(rule.node, rule.when, rule.on_deny) for rule in found["pay"].approvals] == [
        ("$.nodes.agent", "args.amount > 10", "fail")
    ]
    assert (found["pay"].description, found["pay"].effects, found["pay"].timeout_ms) == ("Pays.", "write", 60_000)
    assert (found["ask"].source, found["part"].source) == ("client", "graph")
    assert found["ask"].parameters["required"] == ["where"]
    assert found["ask"].parameters["properties"]["exact"]["default"] is True
    assert found["ask"].returns is not None
    assert found["part"].returns is not None
    assert list(found["ask"].returns["properties"]) == ["lat"]
    assert list(found["part"].returns["properties"]) == ["m"]


def test_the_table_marks_what_asks_and_what_may_be_left_out(tmp_path: Path) -> None:
    text = str(document(tmp_path))
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert "write (asks)" in rows["pay"]
    assert "order, amount?" in rows["pay"]
    assert "\x1b" not in text


def test_what_cannot_be_listed_says_why_beside_the_others(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert [(problem.name, problem.kind) for problem in found.problems] == [("gone", "code_failed")]
    assert "✖ gone: fns has no function 'gone'" in str(found)


def test_a_graph_without_tools_says_so() -> None:
    assert str(ToolsDocument("empty", [], [])) == "this graph has no tools"
    assert arguments({}) == ""


AGENTS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: sets }
models: { m: scripted/m }
channels:
  todos: { type: "list[dict[str, str]]", default: [] }
  files: { type: "dict[str, any]", reducer: merge }
start: hub
nodes:
  hub:
    kind: agent
    model: m
    prompt: Do it.
    tools: [std.todos, std.human, std.finish]
    returns: { verdict: bool }
    delegates:
      digger: { graph: dig, about: Digs., handoff: { depth: "${ 3 }" } }
      writer: { about: Writes., do: { kind: agent, model: m, prompt: Write., tools: [std.human, std.finish] } }
    next: end
graphs:
  dig:
    inputs: { depth: int, place: str }
    outputs: { m: int }
    channels: { m: int }
    start: s
    nodes: { s: { kind: set, writes: { m: "${ inputs.depth }" }, next: end } }
"""


def agents(folder: Path, text: str = AGENTS) -> ToolsDocument:
    (folder / "a.graph.yaml").write_text(text)
    plan = read_graph_file(folder / "a.graph.yaml", folder).compiled()
    return trio.run(tools_document, plan, Services(plan, Models(Settings(folder, "memory:"), {}), Functions((folder,))))


def test_tool_sets_and_delegates_are_listed_as_the_models_of_their_agents_see_them(tmp_path: Path) -> None:
    found = agents(tmp_path).tools
    writer = "$.nodes.hub.delegates.writer.do"
    assert [(tool.name, tool.of, tool.source, tool.used_by) for tool in found] == [
        ("write_todos", "std.todos", "std", ["$.nodes.hub"]),
        ("ask_human", "std.human", "std", ["$.nodes.hub", writer]),
        ("finish", "std.finish", "std", ["$.nodes.hub"]),
        ("digger", "delegates", "graph", ["$.nodes.hub"]),
        ("writer", "delegates", "graph", ["$.nodes.hub"]),
        ("finish", "std.finish", "std", [writer]),
    ]
    assert [list(tool.parameters["properties"]) for tool in found] == [
        ["todos"], ["question", "options"], ["verdict"], ["task", "place"], ["task"], ["text"],
    ]  # fmt: skip
    assert {(tool.effects, tool.timeout_ms) for tool in found} == {("read", None)}


def test_the_table_names_the_set_of_a_tool(tmp_path: Path) -> None:
    rows = {line.split()[0]: line.split()[1] for line in str(agents(tmp_path)).splitlines()}
    assert (rows["write_todos"], rows["digger"]) == ("std.todos", "delegates")


def test_a_set_that_an_agent_cannot_use_says_why(tmp_path: Path) -> None:
    found = agents(tmp_path, AGENTS.replace("returns: { verdict: bool }", "returns: bool"))
    assert [(p.name, p.message) for p in found.problems] == [
        ("std.finish", "`std.finish` needs `returns` with fields, or none")
    ]
    assert "write_todos" in [tool.name for tool in found.tools]

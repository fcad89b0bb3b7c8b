"""Tools of every source in one graph: real MCP servers, an API over HTTP, a function and a graph."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphagent as ga
from graphagent.llm.scripted import ScriptedModel, Turn
from tests import warm
from tests.unit.tools.web import Given, Web

ROOT = Path(__file__).parents[2]
COMMAND = shlex.join([sys.executable, "-m", "tests.mcp_server"])

API = """
openapi: 3.1.0
servers: [{{ url: "{url}" }}]
paths:
  /orders/{{id}}:
    get:
      operationId: getOrder
      summary: Finds an order.
      security: [{{ shop_key: [] }}]
      parameters: [{{ name: id, in: path, required: true, schema: {{ type: string }} }}]
components: {{ securitySchemes: {{ shop_key: {{ type: http, scheme: bearer }} }} }}
"""
FUNCTIONS = '''
import graphagent

def shout(text: str, context: graphagent.ToolContext) -> str:
    """Shouts.

    Args:
        text: What is shouted.
    """
    return text.upper()
'''
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: sources }}
secrets: [shop_key]
outputs: {{ got: "list[any]" }}
channels: {{ got: {{ type: "list[any]", reducer: append }} }}
tools:
  api: {{ openapi: api.yaml, effects: read }}
  local: {{ mcp: {{ command: {command}, env: {{ CANARY: "key ${{ secrets.shop_key }}" }} }}, effects: {{ environment: read }} }}
  remote: {{ mcp: {{ url: "{url}" }}, effects: read, only: [weather, fail] }}
  shout: {{ python: "fns:shout", effects: read }}
  twice: {{ graph: twice, about: Says it twice. }}
start: order
nodes:
  order: {{ kind: tool, tool: api.getOrder, with: {{ id: "7" }}, writes: {{ got: "${{ [out] }}" }}, next: add }}
  add: {{ kind: tool, tool: local.add, with: {{ a: 1, b: 2 }}, writes: {{ got: "${{ [out.result] }}" }}, next: env }}
  env: {{ kind: tool, tool: local.environment, with: {{ name: CANARY }}, writes: {{ got: "${{ [out] }}" }}, next: weather }}
  weather: {{ kind: tool, tool: remote.weather, with: {{ city: Ulm }}, writes: {{ got: "${{ [out.city] }}" }}, next: fails }}
  fails: {{ kind: tool, tool: remote.fail, with: {{ text: x }}, on_error: [{{ to: shout, writes: {{ got: "${{ [error.kind] }}" }} }}], next: shout }}
  shout: {{ kind: tool, tool: shout, with: {{ text: hey }}, writes: {{ got: "${{ [out] }}" }}, next: twice }}
  twice: {{ kind: tool, tool: twice, with: {{ text: a }}, writes: {{ got: "${{ [out.said] }}" }}, next: end }}
graphs:
  twice:
    inputs: {{ text: str }}
    outputs: {{ said: str }}
    channels: {{ said: str }}
    start: say
    nodes: {{ say: {{ kind: set, writes: {{ said: "${{ inputs.text + inputs.text }}" }}, next: end }} }}
    result: {{ said: "${{ said }}" }}
"""
GOT = [{"id": 7}, 3, "key s3cret-key", "Ulm", "tool_failed", "HEY", "aa"]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web({"/orders/7": Given(body=b'{"id": 7}', headers={"content-type": "application/json"})}) as web:
        yield web


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ga.Project]:
    monkeypatch.setenv("shop_key", "s3cret-key")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")  # where the server's command finds itself
    settings = f'[tools]\nallow_private = ["127.0.0.1/32"]\nallow_commands = [{json.dumps(COMMAND)}]\n'
    (tmp_path / "graphagent.toml").write_text(settings)
    (tmp_path / "fns.py").write_text(FUNCTIONS)
    project = ga.Project(tmp_path)
    yield project
    project.close()


def write_graph(folder: Path, web: Web, mcp_url: str) -> Path:
    file = folder / "sources.graph.yaml"
    file.write_text(GRAPH.format(command=json.dumps(shlex.split(COMMAND)), url=mcp_url))
    (folder / "api.yaml").write_text(API.format(url=web.url()))
    return file


def servers() -> list[str]:
    """The MCP servers that this process has started and that still run."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False
    )
    return [line for line in found.stdout.splitlines() if "tests.mcp_server" in line and "--http" not in line]


def test_a_graph_calls_tools_of_every_source(tmp_path: Path, project: ga.Project, web: Web, mcp_url: str) -> None:
    graph = ga.load(write_graph(tmp_path, web, mcp_url), project=project)
    result = graph.run(project=project)
    assert result.outputs["got"] == GOT
    assert web.asked[0].headers["authorization"] == "Bearer s3cret-key"
    assert servers() == []
    asked = len(web.asked)
    result.session.replay().check()
    assert len(web.asked) == asked


def test_a_server_ends_with_the_run_and_not_with_the_loop(tmp_path: Path, project: ga.Project) -> None:
    """Where trio goes on, as it does in a server, nothing but the end of the run closes a connection."""
    file = tmp_path / "asks.graph.yaml"
    file.write_text(ASKING.format(command=json.dumps(shlex.split(COMMAND))))

    async def main() -> None:
        result = await ga.load(file, project=project).arun(project=project)
        assert (result.status, servers()) == ("waiting", [])
        answered = await result.session.aanswer(True)
        assert answered.outputs["got"] == [3, 3]
        assert servers() == []
        await project.aclose()

    asyncio.run(main())


def test_a_command_that_nobody_allowed_is_not_started(
    tmp_path: Path, project: ga.Project, web: Web, mcp_url: str
) -> None:
    (tmp_path / "graphagent.toml").write_text('[tools]\nallow_private = ["127.0.0.1/32"]\n')
    strict = ga.Project(tmp_path)
    result = ga.load(write_graph(tmp_path, web, mcp_url), project=strict).run(project=strict)
    strict.close()
    assert result.error is not None
    assert (result.error["kind"], result.error["cause"]) == ("invalid_input", "command_refused")
    assert "allow_commands" in result.error["hint"]
    assert servers() == []


def test_the_tools_are_listed_and_none_is_called(tmp_path: Path, project: ga.Project, web: Web, mcp_url: str) -> None:
    file = write_graph(tmp_path, web, mcp_url)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = warm.graphagent(["tools", str(file), "--json"], ROOT, env)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    tools = {tool["name"]: tool for tool in document["tools"]}
    assert {"api.getOrder", "local.add", "remote.weather", "remote.fail", "shout", "twice"} <= set(tools)
    assert "remote.add" not in tools
    assert (tools["local.add"]["effects"], tools["local.environment"]["effects"]) == ("write", "read")
    assert tools["api.getOrder"]["used_by"] == ["$.nodes.order"]
    assert tools["shout"]["parameters"]["properties"] == {"text": {"type": "string", "description": "What is shouted."}}
    assert tools["twice"]["returns"]["required"] == ["said"]
    assert (document["problems"], web.asked) == ([], [])
    (tmp_path / "graphagent.toml").write_text("")
    shown = warm.graphagent(["tools", str(file)], ROOT, env).stdout
    assert "✖ local: the command of the MCP server 'local' isn't allowed" in shown
    assert "✖ remote: 127.0.0.1 is at 127.0.0.1, which isn't public" in shown
    assert "Shouts." in shown


ASKING = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: asking }}
outputs: {{ got: "list[int]" }}
channels: {{ got: {{ type: "list[int]", reducer: append }} }}
tools: {{ local: {{ mcp: {{ command: {command} }}, effects: read }} }}
start: add
nodes:
  add: {{ kind: tool, tool: local.add, with: {{ a: 1, b: 2 }}, writes: {{ got: "${{ [out.result] }}" }}, next: ask }}
  ask: {{ kind: human, mode: approve, prompt: "Once more?", next: again }}
  again: {{ kind: tool, tool: local.add, with: {{ a: 1, b: 2 }}, writes: {{ got: "${{ [out.result] }}" }}, next: end }}
"""
DYING = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: dying }}
outputs: {{ got: str }}
channels: {{ got: str }}
tools: {{ local: {{ mcp: {{ command: {command} }} }} }}
start: die
nodes: {{ die: {{ kind: tool, tool: local.die, writes: {{ got: "${{ out }}" }}, next: end }} }}
"""


def test_a_write_on_a_server_that_dies_waits_for_somebody_who_knows(tmp_path: Path, project: ga.Project) -> None:
    file = tmp_path / "dying.graph.yaml"
    file.write_text(DYING.format(command=json.dumps(shlex.split(COMMAND))))
    result = ga.load(file, project=project).run(project=project)
    assert result.status == "waiting"
    assert [interrupt["kind"] for interrupt in result.interrupts] == ["in_doubt"]
    assert servers() == []
    answered = result.session.answer({"decision": "done", "value": "it had died"})
    assert answered.outputs == {"got": "it had died"}
    result.session.replay().check()


AGENT = (
    GRAPH.partition("start: order")[0].replace("outputs: {{ got", "models: {{ m: scripted/m }}\noutputs: {{ got")
    + """
start: a
nodes:
  a:
    kind: agent
    model: m
    prompt: Use all of them.
    tools: [api.getOrder, local.add, "remote.*", shout, twice]
    tool_writes:
      api.getOrder: {{ got: "${{ [result] }}" }}
      local.add: {{ got: "${{ [result.result] }}" }}
      remote.weather: {{ got: "${{ [result.city] }}" }}
      shout: {{ got: "${{ [result] }}" }}
      twice: {{ got: "${{ [result.said] }}" }}
    next: end
"""
    + "graphs:"
    + GRAPH.partition("graphs:")[2]
)


def test_an_agent_calls_tools_of_every_source(tmp_path: Path, project: ga.Project, web: Web, mcp_url: str) -> None:
    """All in one turn. What the model gets of them is asked of the servers, and is in the journal."""
    wanted = [
        ("api_getOrder", {"id": "7"}), ("local_add", {"a": 1, "b": 2}), ("remote_weather", {"city": "Ulm"}),
        ("remote_fail", {"text": "x"}), ("shout", {"text": "hey"}), ("twice", {"text": "a"}),
        ("local_add", {"a": "one"}),
    ]  # fmt: skip
    calls = [{"id": f"c{i}", "name": name, "arguments": args} for i, (name, args) in enumerate(wanted)]
    model = ScriptedModel([Turn(tool_calls=tuple(calls)), "All are used."])
    file = write_graph(tmp_path, web, mcp_url)
    file.write_text(AGENT.format(command=json.dumps(shlex.split(COMMAND)), url=mcp_url))
    scripted = ga.Project(tmp_path, store="memory:", models={"m": model})
    result = ga.load(file, project=scripted).run(project=scripted)
    assert result.outputs["got"] == [{"id": 7}, 3, "Ulm", "HEY", "aa"], "in call order, failed ones left out"
    offered = {tool["name"]: tool for tool in model.requests[0].tools}
    assert set(offered) == {"api_getOrder", "local_add", "remote_weather", "remote_fail", "shout", "twice"}
    assert offered["api_getOrder"]["parameters"]["required"] == ["id"]
    told = {m["tool_call_id"]: m["content"] for m in model.requests[1].messages if m["role"] == "tool"}
    assert json.loads(told["c3"])["kind"] == "tool_failed"
    assert json.loads(told["c6"])["cause"] == "bad_arguments"
    assert json.loads(told["c5"]) == {"said": "aa"}
    asked = len(web.asked)
    assert asked == 1, "a listing calls nothing"
    result.session.replay().check()
    assert (len(web.asked), servers()) == (asked, [])
    scripted.close()

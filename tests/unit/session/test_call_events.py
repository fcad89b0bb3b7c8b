"""Events of tool calls that don't run to their end, for the one call of a node and for those of an agent alike."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session import operations as ops
from graphagent.session.settings import ToolSettings
from tests.unit.session.stage import Stage
from tests.unit.session.test_core_events import check, of
from tests.unit.tools.web import Web

FUNCTIONS = '''
def order(x: int) -> int:
    """Orders."""
    return x
'''
API = """
openapi: 3.1.0
servers: [{ url: "%s" }]
paths:
  /orders/{x}:
    get:
      operationId: order
      parameters: [{ name: x, in: path, required: true, schema: { type: integer } }]
"""
SOURCES = """
models: {{ m: scripted/m }}
inputs: {{ x: any, call: any }}
tools:
  order: {{ python: "fns:order", effects: {effects} }}
  mcp: {{ mcp: {{ url: "{url}" }}, effects: {effects} }}
  api: {{ openapi: api.yaml, effects: read }}
  other: {{ graph: inner }}
  mine: {{ client: {{ params: {{ x: int }}, returns: int }} }}
start: t
nodes:
  t: {{ {node}, next: end, on_error: end }}
graphs:
  inner:
    inputs: {{ x: int }}
    start: think
    nodes: {{ think: {{ kind: set, next: end }} }}
"""
TOOLS = {"order": "x", "mcp.add": "a", "api.order": "x", "other": "x", "mine": "x", "mcp.nope": "x"}


def node_of(form: str, tool: str, stage: Stage) -> str:
    """A node that calls a tool so, with the input `x`, which is no number."""
    if form == "with":
        return f'kind: tool, tool: {tool}, with: {{ {TOOLS[tool]}: "${{ inputs.x }}" }}'
    entry = tool if "." not in tool else tool.partition(".")[0] + ".*"
    if form == "call":
        return f'kind: tool, call: "${{ inputs.call }}", tools: [{entry}]'
    stage.models["m"] = ScriptedModel([Turn(tool_calls=(wanted(tool),)), "Done."])
    return f"kind: agent, model: m, prompt: Go., tools: [{entry}]"


def wanted(tool: str) -> dict[str, Any]:
    """The call as a model wants it."""
    return {"id": "c", "name": tool.replace(".", "_"), "arguments": {TOOLS[tool]: "one"}}


def staged(folder: Path) -> Stage:
    tools = ToolSettings(allow_private=(ip_network("127.0.0.1/32"),))
    return Stage(folder, FUNCTIONS, tools=tools)


@pytest.mark.parametrize("form", ["with", "call", "agent"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_call_that_nobody_made_has_no_start(tmp_path: Path, mcp_url: str, tool: str, form: str) -> None:
    """Its arguments don't fit, or there is no such tool: whoever knows that, the call ends and never began."""
    effects = "write" if form == "with" else "read"
    cause = "unknown_tool" if tool == "mcp.nope" else "bad_arguments"

    async def main() -> None:
        stage = staged(tmp_path)
        graph = SOURCES.format(url=mcp_url, effects=effects, node=node_of(form, tool, stage))
        call = {**wanted(tool), "arguments": json.dumps(wanted(tool)["arguments"])}
        outcome = await stage.start(graph, {"x": "one", "call": call})
        assert outcome.row.status == "done"
        events = await check(stage, outcome.row.session)
        assert not of(events, "ToolCallStarted")
        (ended,) = of(events, "ToolCallCompleted")
        assert (ended["status"], ended["error"]["kind"], ended["error"]["cause"]) == ("error", "invalid_input", cause)
        assert not [e for e in stage.seen if e.kind == "ToolCallStarted"]
        assert (await ops.replay(stage.host, outcome.row.session)).identical

    with Web({}) as web:
        (tmp_path / "api.yaml").write_text(API % web.url())
        concurrency.run_sync(main)
    assert web.asked == []

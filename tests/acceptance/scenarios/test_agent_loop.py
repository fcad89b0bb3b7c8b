"""An agent as a loop of nodes: an `llm` with `tools`, a `map` over its calls, a route back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphagent as ga
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.nodes.agent import LAST_WORDS
from tests.acceptance.scenarios.test_agents import call, calls, saying
from tests.acceptance.scenarios.world import World, scenario

TOOLS = """
    def add(a: int, b: int) -> int:
        \"\"\"Add two numbers.\"\"\"
        note("add", a, b)
        return a + b

    def look(city: str) -> str:
        \"\"\"Look at the weather.\"\"\"
        note("look", city)
        if city == "Nowhere":
            raise ValueError("there is no such place")
        return f"sunny in {city}"

    def send(text: str) -> str:
        \"\"\"Send a text.\"\"\"
        note("send", text)
        return "sent"
"""
HEAD = """
    inputs: { question: str }
    outputs: { answer: str }
    models: { m: scripted/m }
    tools:
      add: { python: "fns:add", effects: pure }
      look: { python: "fns:look", effects: read }
      send: { python: "fns:send" }
"""
AGENT = (
    HEAD
    + """
    channels: { answer: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: agent, model: m, system: Be brief., prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [add, look, send], max_turns: 4, writes: { answer: "${ out.text }" }, next: end }
"""
)
LOOP = (
    HEAD
    + """
    types: { Call: { id: str, name: str, arguments: str } }
    channels:
      answer: { type: str, default: "" }
      talk: { type: "list[Message]", reducer: messages }
      calls: { type: "list[Call]", default: [] }
      turns: { type: int, reducer: sum }
    limits: { supersteps: 50 }
    start: think
    nodes:
      think: { kind: llm, model: m, system: Be brief., prompt: "{{ q }}", with: { q: "${ inputs.question if turns == 0 else '' }" }, history: { channel: talk }, tools: [add, look, send], writes: { calls: "${ out.calls }", answer: "${ out.text }", turns: 1 }, next: [{ when: len(calls) == 0, to: end }, { to: act }] }
      act: { kind: map, over: calls, as: wanted, do: { kind: tool, call: "${ wanted }", tools: [add, look, send] }, writes: { talk: "${ results }" }, next: [{ when: turns < 3, to: think }, { to: conclude }] }
      conclude: { kind: llm, model: m, system: Be brief., prompt: "LAST", history: { channel: talk }, writes: { answer: "${ out.text }" }, next: end }
""".replace("LAST", LAST_WORDS)
)
TALKS: dict[str, list[Any]] = {
    "plain": ["Hello."],
    "calls": [calls(call("add", a=1, b=2), call("look", city="Rome"), text="Let me see."), calls(call("send", text="3")), "Done."],
    "failures": [
        calls(call("look", city="Nowhere"), call("add", a="x", b=2), call("fly", to="Rome")),
        calls({"id": "bad", "name": "add", "arguments": "[1]"}, call("look", city="Oslo")), "I see.",
    ],
    "no end": [calls(call("add", a=i, b=0)) for i in range(3)] + ["Three."],
}  # fmt: skip


def shown(model: ScriptedModel) -> list[tuple[Any, Any]]:
    """What the model was asked, each request once: a crash may ask again."""
    out: list[tuple[Any, Any]] = []
    for request in model.requests:
        asked = ([dict(m) for m in request.messages], [dict(t) for t in request.tools])
        if asked not in out:
            out.append(asked)
    return out


def case(name: str) -> Any:
    """The scenario of one conversation."""

    async def test(world: World) -> None:
        """Both ask the model the same, tools included, in every turn, and end with the same answer."""
        world.functions(TOOLS)
        asked, made, answers = [], [], []
        for graph in (AGENT, LOOP):
            world.models["m"] = model = saying(TALKS[name])
            outcome = await world.start(graph, {"question": "What now?"})
            answers.append((outcome.row.status, outcome.outputs))
            asked.append(shown(model))
            made.append(sorted(set(map(str, world.noted()))))
            world.forget()
        assert answers[0] == answers[1]
        assert answers[0][0] == "done"
        turns = len(TALKS[name])
        if name == "no end":  # the agent says which tools there are, the last node of the loop has none
            turns -= 1
            assert asked[0][turns][0] == asked[1][turns][0]
        assert asked[0][:turns] == asked[1][:turns]
        assert made[0] == made[1]

    test.__name__ = f"test_equal_to_an_agent_{name.replace(' ', '_')}"
    return scenario(test)


test_equal_to_an_agent_plain = case("plain")
test_equal_to_an_agent_calls = case("calls")
test_equal_to_an_agent_failures = case("failures")
test_equal_to_an_agent_no_end = case("no end")


@scenario
async def test_every_turn_can_be_forked(world: World) -> None:
    """One superstep a turn and one for its calls; a fork before the second turn makes no call of the first again."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(TALKS["calls"])
    session = (await world.start(LOOP, {"question": "What now?"})).row.session
    assert await world.ran(session) == [["think"], ["act"], ["think"], ["act"], ["think"]]
    talk = (await world.values(session))["talk"]
    assert [m["role"] for m in talk] == ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
    world.forget()
    seen = len(model.requests)
    world.models["m"] = again = ScriptedModel([Turn(text="Another end.", match=lambda r: True, repeat=True)])
    world.boot()
    states = [await world.values(session, k) for k in range((await world.row(session)).head_superstep)]
    at = next(k for k, state in enumerate(states) if len(state.get("talk", [])) == 4)
    made = await world.fork(session, at)
    outcome = await world.resume(made.row.session)
    assert outcome.outputs == {"answer": "Another end."}
    assert len(model.requests) == seen
    assert [m["role"] for m in again.requests[0].messages] == ["system", "user", "assistant", "tool", "tool"]
    assert world.noted() == []


@scenario
async def test_a_call_that_is_none(world: World) -> None:
    """What isn't an item of `out.calls` is a failure of the node, not of the model."""
    world.functions(TOOLS)
    outcome = await world.start(
        HEAD
        + """
    channels: { answer: { type: str, default: "" }, raw: { type: any, default: { id: a, name: add } } }
    start: a
    nodes:
      a: { kind: tool, call: "${ raw }", tools: [add], writes: { answer: "${ out.content }" }, on_error: failed, next: end }
      failed: { kind: set, writes: { answer: "${ error.kind + ': ' + error.message }" }, next: end }
""",
        {"question": ""},
    )
    answer = (outcome.outputs or {})["answer"]
    assert answer.startswith("invalid_input: `call` is no call: ")
    assert world.noted() == []


@scenario
async def test_only_the_tools_of_the_node_are_called(world: World) -> None:
    """Another tool of the document is as unknown here as one that isn't there."""
    world.functions(TOOLS)
    outcome = await world.start(
        HEAD
        + """
    channels: { answer: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: tool, call: { id: x, name: send, arguments: '{"text": "hi"}' }, tools: [add], writes: { answer: "${ out.content }" }, next: end }
""",
        {"question": ""},
    )
    assert json.loads((outcome.outputs or {})["answer"])["cause"] == "unknown_tool"
    assert world.noted() == []


def test_what_does_not_go_together(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.functions(TOOLS)
    rest = 'channels: { answer: { type: str, default: "" } }\n    start: a\n    nodes:\n      a: '

    def found(node: str) -> list[str]:
        text = f"{HEAD}    {rest}{{ {node}, next: end }}\n      b: {{ kind: agent, model: m, prompt: hi, tools: [add, look, send], next: end }}"  # fmt: skip
        return [code for code, _ in world.findings(text.replace("start: a", "start: [a, b]"))]

    writes = 'writes: { answer: "${ out.text }" }'
    assert "GA005" in found(f"kind: tool, {writes}")
    assert "GA005" in found("kind: tool, tool: add, call: { id: a }, tools: [add]")
    assert "GA005" in found("kind: tool, call: { id: a, name: b, arguments: c }")
    assert "GA004" in found("kind: tool, tool: add, with: { a: 1, b: 2 }, tools: [add]")
    assert "GA004" in found("kind: llm, model: m, prompt: hi, tools: [add], returns: str")
    assert "GA103" in found("kind: llm, model: m, prompt: hi, tools: [std.todos]")
    assert "GA103" in found("kind: llm, model: m, prompt: hi, tools: [subtract]")
    assert "GA103" in found("kind: tool, call: { id: a, name: b, arguments: c }, tools: [subtract]")


def test_it_is_used_by_a_graph_node(tmp_path: Path) -> None:
    """Imported, its tools are called by the names of its own file, and each can be replaced."""
    (tmp_path / "fns.py").write_text(
        'def calculate(expression: str) -> str:\n    """Calculates."""\n    return f"{expression} is forty-two"\n'
    )
    (tmp_path / "user.graph.yaml").write_text(
        """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: user }
inputs: { question: str }
outputs: { answer: str }
imports:
  loop: { from: "graphagent:agent_loop.graph.yaml", override: { tools: { calculate: { python: "fns:calculate", effects: read } } } }
channels: { answer: { type: str, default: "" } }
start: ask
nodes:
  ask: { kind: graph, graph: loop, with: { question: "${ inputs.question }", most_turns: 3 }, writes: { answer: "${ out.answer }" }, next: end }
"""
    )
    model = saying([calls(call("calculate", expression="6 * 7"), call("moon")), "It is 42."])
    project = ga.Project(tmp_path, store="memory:", models={"loop.thinker": model})
    try:
        result = ga.load(tmp_path / "user.graph.yaml").run({"question": "What is it?"}, project=project)
        assert result.outputs == {"answer": "It is 42."}
        said = model.requests[-1].messages
        assert [t["name"] for t in model.requests[-1].tools] == ["days_between", "calculate", "search"]
        results = [(m["name"], str(m["content"])) for m in said if m["role"] == "tool"]
        assert results[0] == ("calculate", "6 * 7 is forty-two")
        assert "unknown_tool" in results[1][1]
        result.session.replay().check()
    finally:
        project.close()

"""Agents: the loop of model and tools inside one superstep, through crashes and answers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphagent.codec import decode
from graphagent.errors import InputInvalid, ModelError
from graphagent.events import ToolCallCompleted, ToolCallStarted
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.messages import Done, ModelInfo, ModelPart, ModelRequest, Price, TextDelta, ToolCallDelta, Usage
from graphagent.session import operations as ops
from graphagent.session.host import Host
from graphagent.snapshot import Span
from tests.acceptance.scenarios.test_doubts import drive_and_die
from tests.acceptance.scenarios.test_tools import FUNCTIONS as PAYING
from tests.acceptance.scenarios.world import World, scenario

TOOLS = """
    from graphagent import ToolFailed

    def weather(city: str, days: int = 1) -> dict:
        \"\"\"The weather of a city.

        Args:
            city: Its name.
            days: How many days ahead.
        \"\"\"
        note("weather", city)
        return {"sun": days, "city": city}

    def send(to: str, text: str) -> str:
        \"\"\"Send a letter.\"\"\"
        note("send", to)
        return f"sent to {to}"

    def broken(x: int) -> int:
        \"\"\"Never works.\"\"\"
        note("broken")
        raise ToolFailed("it is broken", cause="no_parts")
"""
HEAD = """
    inputs: { question: str }
    outputs: { answer: str }
    models: { m: scripted/m }
    tools:
      weather: { python: "fns:weather", effects: read }
      send: { python: "fns:send" }
      broken: { python: "fns:broken", effects: read }
    channels:
      answer: { type: str, default: "" }
      cities: { type: "list[str]", reducer: append }
      messages: { type: "list[Message]", reducer: messages, scope: session }
    start: a
    nodes:
"""


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    """A call with an id of its own, so that a model that is asked again answers the same."""
    return {"id": "-".join(map(str, (name, *arguments.values()))), "name": name, "arguments": arguments}


def calls(*wanted: dict[str, Any], text: str | None = None) -> Turn:
    return Turn(text=text, tool_calls=wanted)


def saying(turns: Sequence[Any]) -> ScriptedModel:
    """A model whose n-th turn answers a request with n messages of its own: a call that a crash lost gives it again."""
    made = [turn if isinstance(turn, Turn) else Turn(text=turn) for turn in turns]
    first = [turn for turn in made if turn.match]
    rest = [turn for turn in made if not turn.match]
    return ScriptedModel([*first, *(replace(t, match=_after(i), repeat=True) for i, t in enumerate(rest))])


def _after(count: int) -> Callable[[ModelRequest], bool]:
    return lambda request: sum(m["role"] == "assistant" for m in request.messages) == count


def _corrects(request: ModelRequest) -> bool:
    return "doesn't fit" in str(request.messages[-1]["content"])


def told(model: ScriptedModel, turn: int | None = None) -> list[dict[str, Any]]:
    """The results that the newest request of a turn shows the model."""
    request = next(r for r in reversed(model.requests) if turn is None or _after(turn)(r))
    return [dict(m) for m in request.messages if m["role"] == "tool"]


ASK = {"question": "Is it sunny?"}


@scenario
async def test_an_agent_calls_tools_and_answers(world: World) -> None:
    """Model, two tools at once, model: one superstep, five effects, the conversation in the history channel."""
    world.functions(TOOLS)
    turns = [calls(call("weather", city="Rome"), call("weather", city="Oslo", days=3)), "Yes, in both."]
    world.models["m"] = model = saying(turns)
    outcome = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [weather],
               history: { channel: messages }, tool_writes: { weather: { cities: "${ [result.city] }" } },
               writes: { answer: "${ out.text }" }, next: end }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "Yes, in both."}
    assert sorted(world.noted()) == [("weather", "Oslo"), ("weather", "Rome")]
    (tool,) = model.requests[0].tools
    assert (tool["name"], tool["description"]) == ("weather", "The weather of a city.")
    assert tool["parameters"]["required"] == ["city"]
    assert [json.loads(m["content"])["city"] for m in told(model)] == ["Rome", "Oslo"], "in call order"
    values = await world.values(outcome.row.session)
    assert values["cities"] == ["Rome", "Oslo"]
    assert [m["role"] for m in values["messages"]] == ["user", "assistant", "tool", "tool", "assistant"]
    rows = await world.store.effects([Span(outcome.row.session, 0, None)])
    assert [r.path for r in rows if r.kind == "tool"] == ["a/1.0", "a/1.1"]
    for kind in (ToolCallStarted, ToolCallCompleted):
        for data in await world.kinds(outcome.row.session, kind.__name__):
            assert kind(**data).kind == kind.__name__, "the fields are those of the reference"
    completed = await world.kinds(outcome.row.session, "ToolCallCompleted")
    assert [(c["tool"], c["status"]) for c in completed] == [("weather", "ok")] * 2
    assert len(await world.kinds(outcome.row.session, "x.agent.turn_completed")) == 2


@scenario
async def test_a_history_is_continued(world: World) -> None:
    """The next run sees what was said before, calls with their results; a window never cuts these apart."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [
            calls(call("weather", city="Rome")),
            "Sunny.",
            Turn(text="As I said.", match="Really?", repeat=True),
            Turn(text="Again.", match="Sure?", repeat=True),
        ]
    )
    graph = (
        HEAD
        + """
          a: { kind: agent, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [weather],
               history: { channel: messages, last: 3 }, writes: { answer: "${ out.text }" }, next: end }
    """
    )
    session = (await world.start(graph, ASK)).row.session
    await world.run_again(session, {"question": "Really?"})
    roles = [m["role"] for m in model.requests[2].messages]
    assert roles == ["assistant", "tool", "assistant", "user"]
    await world.run_again(session, {"question": "Sure?"})
    assert [m["content"] for m in model.requests[3].messages] == ["Sunny.", "Really?", "As I said.", "Sure?"]


@scenario
async def test_failures_go_back_to_the_model(world: World) -> None:
    """Wrong arguments, a tool that isn't there, no JSON, a tool that fails: data with a hint, and the run goes on."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [
            calls(call("weather", town="Rome"), call("wether", city="Rome"), call("weather", city="Rome")),
            calls(call("broken", x=1)),
            "I give up.",
        ]
    )
    outcome = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [weather, broken], writes: { answer: "${ out.text }" }, next: end }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "I give up."}
    assert world.noted() == [("weather", "Rome"), "broken"], "what doesn't fit is never called"
    wrong, unknown, right = [json.loads(m["content"]) for m in told(model, 1)]
    assert (wrong["kind"], wrong["cause"], wrong["field"]) == ("invalid_input", "bad_arguments", "$.city")
    assert "nothing was called" in wrong["hint"]
    assert unknown["cause"] == "unknown_tool"
    assert "weather" in unknown["hint"]
    assert right["city"] == "Rome"
    failed = json.loads(told(model, 2)[-1]["content"])
    assert (failed["status"], failed["kind"], failed["cause"]) == ("error", "tool_failed", "no_parts")
    statuses = [c["status"] for c in await world.kinds(outcome.row.session, "ToolCallCompleted")]
    assert statuses == ["error", "error", "ok", "error"]


@scenario
async def test_calls_that_fail_again_and_again_end_the_node(world: World) -> None:
    world.functions(TOOLS)
    world.models["m"] = saying([calls(call("broken", x=1))] * 9)
    outcome = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [broken], next: end, on_error: [{ to: end, writes: { answer: "${ error.kind }: ${ default(error.hint, '') }" } }] }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "tool_failed: the same error three times in a row"}
    assert world.calls("broken") == 3


@scenario
async def test_the_last_call_goes_without_tools(world: World) -> None:
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [calls(call("weather", city="Rome")), calls(call("weather", city="Oslo")), "So."]
    )
    outcome = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [weather], max_turns: 3, writes: { answer: "${ out.text }" }, next: end }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "So."}
    assert [r.tool_choice for r in model.requests] == ["auto", "auto", "none"]
    world.models["m"] = saying([calls(call("weather", city="Rome"))] * 3)
    failed = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [weather], max_turns: 2, next: end, on_error: [{ to: end, writes: { answer: "${ error.kind }" } }] }
    """,
        ASK,
    )
    assert failed.outputs == {"answer": "max_turns"}


@scenario
async def test_a_typed_answer_is_repaired_once(world: World) -> None:
    world.functions(TOOLS)
    node = """
          a: { kind: agent, model: m, prompt: hi, tools: [weather], returns: { text: str, sure: bool }, writes: { answer: "${ out.text }" }, next: end }
    """
    world.models["m"] = model = saying(
        [calls(call("weather", city="Rome")), "what?", Turn(value={"text": "yes", "sure": True})]
    )
    assert (await world.start(HEAD + node, ASK)).outputs == {"answer": "yes"}
    assert model.requests[1].output is not None
    world.models["m"] = saying(["what?", "what?", "what?"])
    failed = await world.start(HEAD + node, ASK)
    assert failed.error is not None
    assert failed.error["kind"] == "invalid_output"


@scenario
async def test_33_an_approval_holds_one_call(world: World) -> None:
    """The other calls of the turn run at once; behind the answer neither they nor the model call run again."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [
            calls(call("send", to="ann", text="hi"), call("weather", city="Rome"), call("send", to="bob", text="ho")),
            "Done.",
        ]
    )
    graph = (
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [weather, send], approve: [{ tool: send, when: "args.to != 'bob'" }], writes: { answer: "${ out.text }" }, next: end }
    """
    )
    session = (await world.start(graph, ASK)).row.session
    assert sorted(world.noted()) == [("send", "bob"), ("weather", "Rome")]
    (asked,) = await world.open(session)
    question = decode(asked.question)
    assert (asked.kind, question["payload"]) == (
        "tool_approval",
        {"tool": "send", "args": {"to": "ann", "text": "hi"}, "effects": "write"},
    )
    with pytest.raises(InputInvalid, match="decision"):
        await world.answer(asked, {"decision": "maybe"})
    with pytest.raises(InputInvalid, match="args"):
        await world.answer(asked, {"decision": "edit"})
    await world.answer(asked, {"decision": "approve"})
    outcome = await world.drive(session)
    assert outcome.outputs == {"answer": "Done."}
    assert sorted(world.noted()) == [("send", "ann"), ("send", "bob"), ("weather", "Rome")], "each once"
    assert len(model.requests) == 2 or world.crashing


@scenario
async def test_four_calls_with_four_decisions(world: World) -> None:
    """Approve, edit, reject with `tell`, respond: each ran as decided, once."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [
            calls(*(call("send", to=name, text="hi") for name in ("ann", "bob", "cid", "dan"))),
            "Done.",
        ]
    )
    graph = (
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [send], approve: [{ tool: send, on_deny: tell }], writes: { answer: "${ out.text }" }, next: end }
    """
    )
    session = (await world.start(graph, ASK)).row.session
    asked = {decode(row.question)["payload"]["args"]["to"]: row for row in await world.open(session)}
    assert set(asked) == {"ann", "bob", "cid", "dan"}
    await world.answer(asked["cid"], {"decision": "reject", "reason": "not him"})
    await world.drive(session)
    await world.answer(asked["bob"], {"decision": "edit", "args": {"to": "bea", "text": "hi"}})
    await world.answer(asked["ann"], True)
    await world.drive(session)
    assert len(await world.open(session)) == 1
    await world.answer(asked["dan"], {"decision": "respond", "content": "I told him"}, by="me")
    outcome = await world.drive(session)
    assert outcome.outputs == {"answer": "Done."}
    assert sorted(world.noted()) == [("send", "ann"), ("send", "bea")]
    ann, bob, cid, dan = [m["content"] for m in told(model)]
    assert ann == "sent to ann"
    assert "a human changed the arguments" in bob
    assert "sent to bea" in bob
    assert json.loads(cid) == {"status": "denied", "reason": "not him"}
    assert "I told him" in dan


@scenario
async def test_two_equal_writes_are_approved_in_another_order(world: World) -> None:
    """Each is made under a key of its own, whoever is approved first, as if they had run in call order."""
    world.functions("""
    import graphagent

    def send(to: str, context: graphagent.ToolContext) -> str:
        \"\"\"Send a letter.\"\"\"
        note("send", context.idempotency_key)
        return f"sent to {to}"
    """)
    world.models["m"] = saying([calls(call("send", to="ann"), {**call("send", to="ann"), "id": "again"}), "Done."])
    graph = """
    outputs: { answer: str }
    models: { m: scripted/m }
    tools: { send: { python: "fns:send" } }
    channels: { answer: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: agent, model: m, prompt: hi, tools: [send], approve: [{ tool: send }], writes: { answer: "${ out.text }" }, next: end }
    """
    session = (await world.start(graph)).row.session
    first, second = sorted(await world.open(session), key=lambda row: row.path)
    await world.answer(second, True)
    await world.drive(session)
    await world.answer(first, True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"answer": "Done."}
    keys = [key for _, key in world.noted()]
    assert len(keys) == 2
    assert len(set(keys)) == 2, "a peer that refuses repeats would drop one of them"


@scenario
async def test_a_rejected_call_fails_the_node(world: World) -> None:
    world.functions(TOOLS)
    world.models["m"] = saying([calls(call("send", to="ann", text="hi"))])
    session = (
        await world.start(
            HEAD
            + """
          a: { kind: agent, model: m, prompt: hi, tools: [send], approve: [{ tool: send }], next: end, on_error: [{ when: "error.kind == 'approval_denied'", to: end, writes: { answer: "I stopped: ${ error.message }" } }] }
    """,
            ASK,
        )
    ).row.session
    (asked,) = await world.open(session)
    await world.answer(asked, {"decision": "reject", "reason": "spam"}, by="eva")
    outcome = await world.drive(session)
    assert outcome.outputs == {"answer": "I stopped: the call of send was rejected by eva: spam"}
    assert world.noted() == []


HUB = """
    inputs: { topic: str }
    outputs: { report: str }
    models: { m: scripted/m, s: scripted/s }
    channels:
      facts: { type: "list[str]", reducer: append }
      report: { type: str, default: "" }
    start: hub
    nodes:
      hub:
        kind: agent
        model: m
        prompt: "{{ t }}"
        with: { t: "${ inputs.topic }" }
        parallel_delegates: 3
        delegates:
          web: { graph: spoke, about: Finds facts, handoff: { known: "${ facts }" }, history: { last: 2 }, writes: { facts: "${ out.found }" } }
          think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } }, writes: { facts: "${ [out.text] }" } }
        writes: { report: "${ out.text }" }
        next: end
    graphs:
      spoke:
        inputs: { task: str, known: "list[str]", depth: "int = 2", history: "list[Message]" }
        outputs: { found: "list[str]" }
        channels: { found: { type: "list[str]", reducer: append } }
        start: work
        nodes:
          work: { kind: llm, model: s, prompt: "find {{ t }}: {{ n }} known, depth {{ d }}", with: { t: "${ inputs.task }", n: "${ len(inputs.known) }", d: "${ inputs.depth }" }, writes: { found: "${ [out.text] }" }, next: end }
"""


def spokes() -> ScriptedModel:
    echo = [Turn(text=f"fact {n}", match=f"find {n}", repeat=True) for n in ("bees", "ants", "owls")]
    return ScriptedModel([*echo, Turn(text="a thought", match="think", repeat=True)])


@scenario
async def test_a_hub_and_its_spokes(world: World) -> None:
    """Delegates run as child sessions, their writes come in call order, and the next hand-over sees them."""
    world.models["m"] = model = saying(
        [
            calls(call("web", task="bees"), call("think", task="hard"), call("web", task="ants", depth=5)),
            calls(call("web", task="owls")),
            "The report.",
        ]
    )
    world.models["s"] = spoke = spokes()
    outcome = await world.start(HUB, {"topic": "animals"})
    assert outcome.outputs == {"report": "The report."}
    session = outcome.row.session
    assert (await world.values(session))["facts"] == ["fact bees", "a thought", "fact ants", "fact owls"]
    assert len(await world.store.children(session)) == 4
    assert any("owls: 3 known, depth 2" in str(r.messages[-1]["content"]) for r in spoke.requests), (
        "own writes are seen"
    )
    tool = next(t for t in model.requests[0].tools if t["name"] == "web")
    assert set(tool["parameters"]["properties"]) == {"task", "depth"}
    assert [
        json.loads(m["content"]) if m["name"] == "web" else json.loads(m["content"])["text"] for m in told(model, 1)
    ] == [{"found": ["fact bees"]}, "a thought", {"found": ["fact ants"]}]
    handoffs = await world.kinds(session, "x.agent.handoff")
    assert [h["filled_by"] for h in handoffs] == ["model"] * 4
    assert [len(h["messages"]) for h in handoffs] == [1, 0, 1, 4]


@scenario
async def test_a_handoff_is_repaired_or_falls_back(world: World) -> None:
    """Wrong arguments: the hub's model is asked once more; then defaults, and the last words as the task."""
    world.models["m"] = saying(
        [
            calls(call("web", task="bees", depth="deep")),
            Turn(value={"task": "ants", "depth": 1}, match=lambda r: _corrects(r) and _after(0)(r), repeat=True),
            calls(call("web", tsk="bees")),
            Turn(value={"tsk": 1}, match=lambda r: _corrects(r) and _after(1)(r), repeat=True),
            "The report.",
        ]
    )
    spoke = ScriptedModel([Turn(text="fact", match="find", repeat=True)])
    world.models["s"] = spoke
    outcome = await world.start(HUB, {"topic": "animals"})
    assert outcome.outputs == {"report": "The report."}
    handoffs = await world.kinds(outcome.row.session, "x.agent.handoff")
    assert [(h["task"], h["filled_by"]) for h in handoffs] == [("ants", "repair"), ("animals", "fallback")]


@scenario
async def test_a_spoke_that_asks_holds_its_hub(world: World) -> None:
    """A spoke's question shows at the hub; the other spokes' results stand, and none runs twice."""
    world.models["m"] = model = saying([calls(call("ask", task="x"), call("think", task="y")), "Done."])
    world.models["s"] = spoke = spokes()
    session = (
        await world.start("""
        outputs: { report: str }
        models: { m: scripted/m, s: scripted/s }
        channels: { report: { type: str, default: "" } }
        start: hub
        nodes:
          hub:
            kind: agent
            model: m
            prompt: go
            delegates:
              ask: { graph: asks, about: Asks }
              think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } } }
            writes: { report: "${ out.text }" }
            next: end
        graphs:
          asks:
            inputs: { task: str }
            outputs: { said: str }
            channels: { said: { type: str, default: "" } }
            start: q
            nodes: { q: { kind: human, mode: approve, prompt: "May I?", writes: { said: "${ out.decision }" }, next: end } }
    """)
    ).row.session
    (asked,) = await world.open(session)
    assert asked.session != session
    assert len(spoke.requests) == 1 or world.crashing
    await world.answer(asked, True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"report": "Done."}
    assert (len(model.requests), len(spoke.requests)) == (2, 1) or world.crashing
    assert json.loads(told(model)[0]["content"]) == {"said": "approve"}


DEEP = """
    outputs: { answer: str }
    models: { m: scripted/m }
    channels:
      answer: { type: str, default: "" }
      todos: { type: "list[dict[str, str]]", default: [] }
      files: { type: "dict[str, any]", reducer: merge }
    start: a
    nodes:
"""


def todo(id: str, status: str) -> dict[str, str]:
    return {"id": id, "content": f"do {id}", "status": status}


@scenario
async def test_todos_and_files(world: World) -> None:
    """The tools see what earlier calls wrote, in the same turn too; the channels get it with the barrier."""
    world.models["m"] = model = saying(
        [
            calls(
                call("write_todos", todos=[todo("one", "in_progress"), todo("two", "pending")]),
                call("write_todos", todos=[]),
                call("write_file", path="notes/a.md", content="bees fly\nants walk"),
                call("edit_file", path="notes/a.md", old="walk", new="run"),
                call("write_file", path="b.md", content="x"),
            ),
            calls(
                call("read_file", path="notes/a.md"),
                call("delete_file", path="b.md"),
                call("ls"),
                call("grep", text="ants"),
                call("glob", pattern="notes/*"),
                call("write_file", path="../etc/passwd", content="x"),
                call("edit_file", path="notes/a.md", old="s", new="z"),
                call("write_todos", todos=[todo("one", "in_progress"), todo("two", "in_progress")]),
            ),
            "Done.",
        ]
    )
    outcome = await world.start(
        DEEP
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [std.todos, std.files], writes: { answer: "${ out.text }" }, next: end }
    """
    )
    assert outcome.outputs == {"answer": "Done."}
    values = await world.values(outcome.row.session)
    assert values["files"] == {"notes/a.md": "bees fly\nants run", "b.md": None}
    assert values["todos"] == [todo("one", "in_progress"), todo("two", "pending")]
    first = [m["content"] for m in told(model, 1)]
    assert json.loads(first[1])["cause"] == "todo_conflict"
    assert first[2:] == [
        "notes/a.md is written, 18 characters",
        "notes/a.md is written, 17 characters",
        "b.md is written, 1 characters",
    ]
    read, deleted, listed, grepped, globbed, out, twice, conflict = [m["content"] for m in told(model, 2)[5:]]
    assert read == "bees fly\nants run"
    assert deleted == "b.md is deleted"
    assert listed == "notes/a.md (17 characters)"
    assert grepped == "notes/a.md:1: ants run"
    assert globbed == "notes/a.md"
    assert "without .." in out
    assert "stands 2 times" in twice
    assert "in_progress" in conflict


@scenario
async def test_a_model_asks_a_person(world: World) -> None:
    world.models["m"] = model = saying(
        [calls(call("ask_human", question="Which?", options=["a", "b"]), call("ask_human", question="Why?")), "Thanks."]
    )
    session = (
        await world.start(
            DEEP
            + """
          a: { kind: agent, model: m, prompt: hi, tools: [std.human], writes: { answer: "${ out.text }" }, next: end }
    """
        )
    ).row.session
    asked = await world.asked(session)
    assert {prompt: row.kind for prompt, row in asked.items()} == {"Which?": "choose", "Why?": "form"}
    await world.answer(asked["Which?"], "b")
    await world.answer(asked["Why?"], {"form": {"answer": "because"}})
    assert (await world.drive(session)).outputs == {"answer": "Thanks."}
    assert [m["content"] for m in told(model)] == ["b", "because"]


@scenario
async def test_finish_is_the_answer(world: World) -> None:
    world.models["m"] = saying([calls(call("finish", text=1)), calls(call("finish", text="yes", sure=True))])
    outcome = await world.start(
        DEEP
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [std.finish], returns: { text: str, sure: bool }, writes: { answer: "${ out.text }" }, next: end }
    """
    )
    assert outcome.outputs == {"answer": "yes"}


def test_what_a_tool_set_needs_is_checked(tmp_path: Path) -> None:
    world = World(tmp_path / "w", "memory")
    graph = DEEP.replace("todos:", "other:").replace("list[dict[str, str]]", "list[str]")
    found = world.findings(
        graph
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [std.todos, std.todoes], writes: { answer: "${ out.text }" }, next: end }
    """
    )
    assert {code for code, _ in found} >= {"GA102", "GA103"}


class Diligent:
    """A model that writes one file after the other, and knows by its last result how far it is."""

    def __init__(self, files: int) -> None:
        self.info = ModelInfo("diligent", "scripted", price=Price(0, 0))
        self.files = files
        self.sizes: list[int] = []
        self.summaries = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        last = str(request.messages[-1]["content"])
        size = sum(len(str(m.get("content"))) + len(str(m.get("tool_calls", ""))) for m in request.messages)
        self.sizes.append(size)
        if last.startswith("Summarise"):
            self.summaries += 1
            yield TextDelta("Many notes are written.")
            yield Done("stop", Usage())
            return
        found = re.match(r"notes/(\d+)\.md is written", last)
        number = int(found[1]) + 1 if found else 0
        if number == self.files:
            yield TextDelta(f"{number} files are written.")
            yield Done("stop", Usage())
            return
        arguments = json.dumps({"path": f"notes/{number}.md", "content": f"note {number} " * 40})
        yield ToolCallDelta(0, f"c{number}", "write_file", arguments)
        yield Done("tool_calls", Usage())

    async def aclose(self) -> None:
        pass


@scenario
async def test_sixty_turns_stay_inside_the_window(world: World) -> None:
    """A deep agent works on for 60 turns; what it said long ago is summarised, and nothing of it is lost."""
    world.models["m"] = model = Diligent(60)
    outcome = await world.start(
        DEEP.replace("channels:", "channels:\n      talk: { type: 'list[Message]', reducer: messages }")
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [std.files], max_turns: 80, history: { channel: talk, max_tokens: 2000, overflow: summarize }, writes: { answer: "${ out.text }" }, next: end }
    """
    )
    assert outcome.outputs == {"answer": "60 files are written."}
    assert max(model.sizes) < 2000 * 4 * 1.2
    assert 3 <= model.summaries <= 40 or world.crashing
    values = await world.values(outcome.row.session)
    assert len(values["files"]) == 60
    assert len(values["talk"]) == 1 + 60 * 2 + 1, "the channel has the whole conversation"


BAD = """
    import asyncio
    from graphagent import ToolRetry

    def huge() -> str:
        \"\"\"Far too much.\"\"\"
        return "x" * 100_000_000

    def odd() -> object:
        \"\"\"No data.\"\"\"
        return object()

    def raises() -> int:
        \"\"\"Raises.\"\"\"
        raise ValueError("secret details")

    def again() -> int:
        \"\"\"Asks for another try.\"\"\"
        raise ToolRetry("give me a number")

    async def stubborn() -> int:
        \"\"\"Ignores that it is cancelled.\"\"\"
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                note("ignored")
                await asyncio.sleep(3600)
"""


@scenario
async def test_tools_that_go_wrong_never_end_a_run(world: World) -> None:
    """100 MB, no data, an exception, another try: each is told to the model as data, none of it with its secrets."""
    world.functions(BAD)
    names = ("huge", "odd", "raises", "again")
    world.models["m"] = model = saying([calls(*(call(name) for name in names)), "I saw them all."])
    tools = ", ".join(f'{name}: {{ python: "fns:{name}", effects: read }}' for name in names)
    outcome = await world.start(
        DEEP.replace("channels:", f"tools: {{ {tools} }}\n    channels:")
        + f"""
          a: {{ kind: agent, model: m, prompt: hi, tools: [{", ".join(names)}], writes: {{ answer: "${{ out.text }}" }}, next: end }}
    """
    )
    assert outcome.outputs == {"answer": "I saw them all."}
    told_of = [m["content"] for m in told(model)]
    huge, odd, raised, again = [json.loads(text) if text.startswith("{") else {"text": text} for text in told_of]
    assert huge.get("cause") == "output_too_large" or len(told_of[0]) < 20_000
    assert odd.get("cause") == "unserialisable", odd
    assert (raised["kind"], "secret details" in told_of[2]) == ("tool_failed", False)
    assert again["message"] == "give me a number"
    assert all(len(text) < 20_000 for text in told_of)


@scenario
async def test_a_tool_of_our_caller(world: World) -> None:
    """The call waits as a question, and its answer is the result, checked against what the tool declares."""
    world.models["m"] = model = saying([calls(call("locate", who="me"), call("locate", where=1)), "There."])
    session = (
        await world.start(
            DEEP.replace(
                "channels:",
                "tools: { locate: { client: { params: { who: str }, returns: { lat: float } }, about: Finds }  }\n    channels:",
            )
            + """
          a: { kind: agent, model: m, prompt: hi, tools: [locate], writes: { answer: "${ out.text }" }, next: end }
    """
        )
    ).row.session
    (asked,) = await world.open(session)
    assert (asked.kind, decode(asked.question)["payload"]) == ("tool", {"tool": "locate", "args": {"who": "me"}})
    with pytest.raises(InputInvalid):
        await world.answer(asked, {"value": {"lat": "north"}})
    await world.answer(asked, {"value": {"lat": 47.5}})
    assert (await world.drive(session)).outputs == {"answer": "There."}
    found, wrong = [json.loads(m["content"]) for m in told(model)]
    assert found == {"lat": 47.5}
    assert wrong["cause"] == "bad_arguments"


@scenario
async def test_a_spoke_that_fails_is_data_for_its_hub(world: World) -> None:
    """The other spokes' results stand; the hub reads what went wrong, with its kind as the cause."""
    world.models["m"] = model = saying([calls(call("think", task="a"), call("sink", task="b")), "One of two."])
    world.models["s"] = ScriptedModel(
        [
            Turn(text="a thought", match="think", repeat=True),
            Turn(error=ModelError("no", kind="auth", retryable=False), match="sink", repeat=True),
        ]
    )
    outcome = await world.start("""
        outputs: { report: str, notes: "list[str]" }
        models: { m: scripted/m, s: scripted/s }
        channels: { report: { type: str, default: "" }, notes: { type: "list[str]", reducer: append } }
        start: hub
        nodes:
          hub:
            kind: agent
            model: m
            prompt: go
            delegates:
              think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } }, writes: { notes: "${ [out.text] }" } }
              sink: { about: Sinks, do: { kind: llm, model: s, prompt: "sink {{ task }}", with: { task: "${ inputs.task }" } }, writes: { notes: "${ [out.text] }" } }
            writes: { report: "${ out.text }" }
            next: end
    """)
    assert outcome.outputs == {"report": "One of two.", "notes": ["a thought"]}
    failed = json.loads(told(model)[1]["content"])
    assert (failed["kind"], failed["cause"]) == ("child_failed", "auth")


@scenario
async def test_a_budget_is_shared_with_the_spokes(world: World) -> None:
    """A hub's limit on tokens holds for what its spokes use, and ends the run as data that can be resumed."""
    world.models["m"] = saying([calls(call("think", task="a")), calls(call("think", task="b")), "Done."])
    world.models["s"] = ScriptedModel([Turn(text="thought " * 200, match="think", repeat=True)])
    outcome = await world.start("""
        outputs: { report: str }
        models: { m: scripted/m, s: scripted/s }
        limits: { tokens: 400 }
        channels: { report: { type: str, default: "" } }
        start: hub
        nodes:
          hub:
            kind: agent
            model: m
            prompt: go
            delegates: { think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } } } }
            writes: { report: "${ out.text }" }
            next: end
    """)
    assert (outcome.row.status, outcome.row.reason) == ("failed", "limit")
    assert len(await world.store.children(outcome.row.session)) == 1


@scenario
async def test_a_retry_calls_new_spokes_and_repeats_no_write(world: World) -> None:
    """A second attempt of an agent makes its model calls again; a write with the same arguments is carried over, and a
    child that ended as done too."""
    world.functions(TOOLS)
    world.models["m"] = model = saying(
        [
            calls(call("send", to="ann", text="hi")),
            calls(call("think", task="a")),
            "Done.",
            "Done.",
        ]
    )
    world.models["s"] = spoke = spokes()
    outcome = await world.start(
        """
        outputs: { report: str }
        models: { m: scripted/m, s: scripted/s }
        tools: { send: { python: "fns:send" }, broken: { python: "fns:broken", effects: read } }
        channels: { report: { type: str, default: "" } }
        start: hub
        nodes:
          hub:
            kind: agent
            model: m
            prompt: go
            returns: { text: str }
            tools: [send, broken]
            delegates: { think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } } } }
            retry: { max: 2, on: [invalid_output], delay: 0s }
            writes: { report: "${ out.text }" }
            next: end
    """
    )
    assert (outcome.row.status, outcome.error and outcome.error["kind"]) == ("failed", "invalid_output")
    assert world.calls("send", "ann") == 1, "carried over"
    assert len(await world.store.children(outcome.row.session)) == 1
    assert len(spoke.requests) == 1 or world.crashing
    assert len([r for r in model.requests if _after(0)(r)]) == 2 or world.crashing


@scenario
async def test_a_write_of_a_model_in_doubt_is_asked_for(world: World) -> None:
    """The check of a tool is asked about a call that a model made too; what it found is the result of the call."""
    world.functions(PAYING.replace('"verdict": "unknown"', '"verdict": "found"'))
    world.models["m"] = model = saying([calls(call("pay", order="aa")), "Paid."])
    session = await world.create("""
        outputs: { answer: str }
        models: { m: scripted/m }
        tools: { pay: { python: "fns:pay", check: "fns:paid" } }
        channels: { answer: { type: str, default: "" } }
        start: a
        nodes:
          a: { kind: agent, model: m, prompt: go, tools: [pay], writes: { answer: "${ out.text }" }, next: end }
    """)
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).outputs == {"answer": "Paid."}
    assert [m["content"] for m in told(model)] == ["paid before"]
    assert (world.calls("pay aa own"), world.calls("asked aa")) == (1, 1)


@scenario
async def test_a_tool_that_takes_too_long_is_data(world: World) -> None:
    """Its time is over, the model is told so, and the late result changes nothing."""
    world.functions("""
        import graphagent
        import trio

        @trio_node
        async def slow() -> int:
            \"\"\"Takes a minute.\"\"\"
            note("slow")
            await trio.sleep(60)
            return 1
    """)
    world.models["m"] = model = saying([calls(call("slow")), "Too slow."])
    tools = Host.services_of

    def hurried(host: Host, plan: Any) -> Any:
        services = tools(host, plan)
        source: Any = services.tool_source("slow")
        source.timeout_s = 0.05  # in place of a minute
        return services

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Host, "services_of", hurried)
        outcome = await world.start(
            DEEP.replace("channels:", 'tools: { slow: { python: "fns:slow", effects: read } }\n    channels:')
            + """
          a: { kind: agent, model: m, prompt: hi, tools: [slow], writes: { answer: "${ out.text }" }, next: end }
    """
        )
    assert outcome.outputs == {"answer": "Too slow."}
    assert json.loads(told(model)[0]["content"])["kind"] == "timeout"
    (ended,) = await world.kinds(outcome.row.session, "ToolCallCompleted")
    assert ended["status"] == "timeout"


@scenario
async def test_there_is_an_end_to_calls(world: World) -> None:
    """Whatever a model wants, one task makes at most 200 calls."""
    world.functions(TOOLS)
    many = calls(*(call("weather", city=f"c{n}") for n in range(150)))
    world.models["m"] = saying([many, many, "Never."])
    outcome = await world.start(
        HEAD
        + """
          a: { kind: agent, model: m, prompt: hi, tools: [weather], next: end, on_error: [{ to: end, writes: { answer: "${ error.kind }" } }] }
    """,
        ASK,
    )
    assert outcome.outputs == {"answer": "limit"}
    assert len(world.noted()) == 150


@scenario
async def test_a_changed_prompt_is_named(world: World) -> None:
    """A model call that has another prompt than in the journal stops the run, and the message names what changed."""
    world.models["m"] = saying([calls(call("ask_human", question="Why?")), "Thanks."])
    graph = (
        DEEP
        + """
          a: { kind: agent, model: m, system: "Be kind.", prompt: hi, tools: [std.human], writes: { answer: "${ out.text }" }, next: end }
    """
    )
    session = (await world.start(graph)).row.session
    (asked,) = await world.open(session)
    row = await world.row(session)
    world.host.plans[row.plan] = replace(world.plan(graph.replace("Be kind.", "Be rude.")), hash=row.plan)
    world.host.services.clear()
    await world.answer(asked, {"form": {"answer": "because"}})
    outcome = await world.calmly(lambda: ops.drive(world.host, session))
    assert (outcome.row.status, outcome.row.reason) == ("failed", "divergence")
    assert outcome.error is not None
    assert "a prompt has changed since: `system`, `prompt`" in outcome.error["message"]


@scenario
async def test_a_handoff_shows_nothing_of_a_secret_channel(world: World) -> None:
    """What a delegate left there the model may hand to the next: that goes to it, and not to those who read events."""
    world.models["m"] = saying(
        [calls(call("spoke", task="make a pin")), calls(call("spoke", task="pin-98765")), "Done."]
    )
    outcome = await world.start("""
        outputs: { answer: str }
        models: { m: scripted/m }
        channels: { answer: { type: str, default: "" }, pin: { type: str, default: "", secret: true } }
        start: a
        nodes:
          a:
            kind: agent
            model: m
            prompt: hi
            delegates:
              spoke:
                about: Makes pins.
                graph: pins
                handoff: { size: 5 }
                writes: { pin: "${ out.pin }" }
            writes: { answer: "${ out.text }" }
            next: end
        graphs:
          pins:
            inputs: { task: str, size: int }
            outputs: { pin: str }
            channels: { pin: { type: str, default: "" } }
            start: take
            nodes: { take: { kind: set, writes: { pin: "pin-98765" }, next: end } }
    """)
    handed = await world.kinds(outcome.row.session, "x.agent.handoff")
    assert "pin-98765" not in str(handed)
    assert [(h["to"], list(h["code"]), h["filled_by"]) for h in handed] == [("spoke", ["size"], "model")] * 2


@scenario
async def test_a_result_that_looks_like_a_kept_one_is_a_result(world: World) -> None:
    """Whatever a tool gives, it is data: it names no artifact for the engine, and ends no run."""
    world.functions("""
    def odd(n: int) -> dict:
        \"\"\"Odd.\"\"\"
        return [{"x.artifact": 1}, {"x.artifact": {"id": "art_x", "size": 1}, "head": "a", "tail": "b", "left_out": 0}][n]
    """)
    world.models["m"] = model = saying([calls(call("odd", n=0), call("odd", n=1)), "Done."])
    outcome = await world.start("""
        outputs: { answer: str }
        models: { m: scripted/m }
        tools: { odd: { python: "fns:odd", effects: read } }
        channels: { answer: { type: str, default: "" } }
        start: a
        nodes: { a: { kind: agent, model: m, prompt: hi, tools: [odd], writes: { answer: "${ out.text }" }, next: end } }
    """)
    assert outcome.outputs == {"answer": "Done."}
    assert [json.loads(m["content"])["x.artifact"] for m in told(model)] == [1, {"id": "art_x", "size": 1}]

"""Events of tool calls that don't run to their end, for the one call of a node and for those of an agent alike."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from graphagent import concurrency, faults
from graphagent.cli.story import Story
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session import operations as ops
from graphagent.session.documents.turns import agents_of
from graphagent.session.observer import Observer
from graphagent.session.operations import Options
from graphagent.session.services import SystemClock
from graphagent.session.settings import ToolSettings
from tests.unit.session.stage import Stage
from tests.unit.session.test_core_events import check, of, paired
from tests.unit.tools.web import Web

pytestmark = pytest.mark.slow

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


STATUSES = """
models: { m: scripted/m }
inputs: { call: any }
tools:
  send: { python: "fns:send", effects: write }
  stuck: { python: "fns:stuck", effects: read }
  works: { python: "fns:works", effects: read }
  asks: { graph: inner }
start: t
nodes:
  t: { %s }
graphs:
  inner:
    inputs: { x: int }
    start: ask
    nodes: { ask: { kind: human, mode: approve, prompt: Well?, next: end } }
"""
WAYS = '''
from graphagent import ToolContext, trio_node

@trio_node
async def send(x: int) -> int:
    """Sends."""
    return x

@trio_node
async def works(x: int, context: ToolContext) -> int:
    """Says how far it is."""
    context.progress(0.5, "half")
    await trio.sleep(1)
    return x

@trio_node
async def stuck(x: int) -> int:
    """Never ends."""
    await trio.sleep_forever()
    return x
'''
FORMS = ("with", "call", "agent")


def one_call(stage: Stage, form: str, tool: str, keys: str = "") -> tuple[str, dict[str, Any]]:
    """A graph whose node makes one valid call, and its inputs."""
    call = {"id": "c", "name": tool, "arguments": {"x": 1}}
    stage.models["m"] = ScriptedModel([Turn(tool_calls=(call,)), "Done."])
    body = {
        "with": f"kind: tool, tool: {tool}, with: {{ x: 1 }}",
        "call": f'kind: tool, call: "${{ inputs.call }}", tools: [{tool}]',
        "agent": f"kind: agent, model: m, prompt: Go., tools: [{tool}]",
    }[form]
    return STATUSES % f"{body}, {keys} next: end", {"call": {**call, "arguments": '{"x": 1}'}}


def in_map(graph: str, keys: str = "") -> str:
    """The graph with its node as the item of a map."""
    graph = graph.replace("t: {", f"t: {{ kind: map, {keys} over: '[1]', do: {{")
    return graph.replace("next: end }\ngraphs", "}, next: end }\ngraphs")


async def statuses(stage: Stage, session: SessionId) -> list[tuple[str, str | None]]:
    """How the calls ended, and with which kind of error; each had begun, and a replay is identical."""
    events = await check(stage, session)
    paired(events)
    ended = of(events, "ToolCallCompleted")
    assert len(of(events, "ToolCallStarted")) == len(ended)
    assert (await ops.replay(stage.host, session)).identical
    return [(e["status"], None if e["error"] is None else e["error"]["kind"]) for e in ended]


def run_mocked(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.fixture
def dies() -> Iterator[Callable[[Stage, str, dict[str, Any], str], Awaitable[SessionId]]]:
    """Starts a session whose process dies in a write; another process goes on."""

    async def dies(stage: Stage, graph: str, inputs: dict[str, Any], form: str) -> SessionId:
        hit = 2 if form == "agent" else 1  # the first one is the model's
        faults.arm(f"effect.during:{hit}:raise")
        with pytest.raises((faults.FaultInjected, BaseExceptionGroup)):
            await stage.start(graph, inputs)
        faults.arm("")
        session = stage.seen[0].session
        stage.store.worker_died(stage.host.worker)
        stage.seen.clear()
        stage.boot()
        await ops.drive(stage.host, session, Options(seed=1), Observer(stage.seen.append))
        return session

    yield dies
    faults.arm("")


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_write_that_nobody_knows_of_is_in_doubt(tmp_path: Path, dies: Any, form: str, caught: bool) -> None:
    """A route takes it, or a person says that it failed."""

    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        graph, inputs = one_call(stage, form, "send", "on_error: end," if caught else "")
        session = await dies(stage, graph, inputs, form)
        row = await stage.store.session(session)
        if not caught:
            assert row.status == "waiting"
            live = [e.data["status"] for e in stage.seen if e.kind == "ToolCallCompleted"]
            assert live == ["in_doubt"]
            row = (await stage.answer(row, {"decision": "fail"})).row
        assert row.status == ("done" if caught else "failed")
        assert await statuses(stage, session) == [("in_doubt", "in_doubt")]

    run_mocked(main)


@pytest.mark.parametrize(("form", "item"), [*((form, False) for form in FORMS), ("with", True), ("agent", True)])
def test_a_call_that_takes_too_long(tmp_path: Path, form: str, item: bool) -> None:
    """The time of a node of one call is that of the call, in an agent a call has its own."""

    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        graph, inputs = one_call(stage, form, "stuck", "timeout: 5s," if form == "with" else "")
        graph = in_map(graph) if item else graph
        outcome = await stage.start(graph, inputs)
        assert await statuses(stage, outcome.row.session) == [("timeout", "timeout")]

    run_mocked(main)


@pytest.mark.parametrize("form", FORMS)
def test_a_call_whose_task_is_over_is_cancelled(tmp_path: Path, form: str) -> None:
    """The time of a map is over, or that of the agent."""

    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        graph, inputs = one_call(stage, form, "stuck", "timeout: 5s," if form == "agent" else "")
        graph = graph if form == "agent" else in_map(graph, "timeout: 5s,")
        outcome = await stage.start(graph, inputs)
        error = "timeout" if form == "agent" else None  # the item isn't told what was over
        assert await statuses(stage, outcome.row.session) == [("cancelled", error)]

    run_mocked(main)


@pytest.mark.parametrize("form", FORMS)
def test_a_call_of_a_graph_that_waits_is_deferred(tmp_path: Path, form: str) -> None:
    """What waits inside its superstep says so live alone: its attempt begins again."""

    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        graph, inputs = one_call(stage, form, "asks")
        outcome = await stage.start(graph, inputs)
        live = [e for e in stage.seen if e.kind == "ToolCallCompleted" and e.provisional]
        assert [e.data["status"] for e in live] == ["deferred"]
        await stage.answer(outcome.row, {"decision": "approve"})
        row = await stage.store.session(outcome.row.session)
        outcome = await ops.drive(stage.host, row.session, Options(seed=1), Observer(stage.seen.append))
        again = [("deferred", None)] if form == "with" else []
        assert await statuses(stage, row.session) == [*again, ("ok", None)]

    run_mocked(main)


@pytest.mark.parametrize("form", FORMS)
def test_progress_names_its_call(tmp_path: Path, form: str) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        outcome = await stage.start(*one_call(stage, form, "works"))
        assert await statuses(stage, outcome.row.session) == [("ok", None)]
        (progress,) = [e for e in stage.seen if e.kind == "x.tool.progress"]
        (started,) = [e for e in stage.seen if e.kind == "ToolCallStarted" and e.provisional]
        call_id = started.data["call_id"]
        assert progress.data == {"call_id": call_id, "tool": "works", "fraction": 0.5, "note": "half"}
        assert stage.seen.index(started) < stage.seen.index(progress)
        assert (progress.seq, progress.task, progress.attempt) == (None, "t", 0)

    run_mocked(main)


def test_a_model_call_tells_when_its_first_token_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock of the session, whose every look is a second after the last one; a later process tells the same."""
    ticks = itertools.count(1_000_000_000, 1_000_000)
    monkeypatch.setattr(SystemClock, "now_us", lambda self: next(ticks))

    async def main() -> None:
        stage = Stage(tmp_path, WAYS)
        graph, inputs = one_call(stage, "agent", "asks")
        row = (await stage.start(graph, inputs)).row
        (live,) = [e.data for e in stage.seen if e.kind == "x.model.completed"]
        stage.store.worker_died(stage.host.worker)
        stage.boot()
        await stage.answer(row, {"decision": "approve"})
        await ops.drive(stage.host, row.session, Options(seed=1), Observer(stage.seen.append))
        told = of(await check(stage, row.session), "x.model.completed")
        assert [told[0][key] for key in ("ttft_ms", "duration_ms")] == [live["ttft_ms"], live["duration_ms"]]
        assert len(told) == 2
        assert all(0 < one["ttft_ms"] < one["duration_ms"] for one in told)
        assert (await ops.replay(stage.host, row.session)).identical

    run_mocked(main)


FAILING = """
models: { m: scripted/m }
channels: { got: { type: any, default: null } }
tools:
  twice: { python: "fns:twice", effects: read }
  works: { python: "fns:works", effects: read }
start: t
nodes:
  t: { %s, next: end }
"""
TWICE = (
    WAYS
    + '''
CALLS = []

@trio_node
async def twice(x: int) -> int:
    """Works every third time."""
    CALLS.append(x)
    if len(CALLS) % 3:
        raise ToolFailed("not yet")
    return x
'''
)
RETRY = "retry: { max: 3, on: [tool_failed, item_failed, max_turns], delay: 1s }"
CALL = "kind: tool, tool: twice, with: { x: 1 }"


async def attempts(stage: Stage, graph: str, *, dies: bool) -> list[tuple[str | None, int | None, str]]:
    """By whom, in which attempt and how the calls of a session ended; it may be taken over in the last attempt."""
    if dies:
        faults.arm("effect.during:3:raise")
        with pytest.raises((faults.FaultInjected, BaseExceptionGroup)):
            await stage.start(graph)
        faults.arm("")
        session = stage.seen[0].session
        stage.store.worker_died(stage.host.worker)
        stage.boot()
        await ops.drive(stage.host, session, Options(seed=1), Observer(stage.seen.append))
    else:
        session = (await stage.start(graph)).row.session
    events = await check(stage, session)
    paired(events)
    assert len({e.event_id for e in events}) == len(events)
    assert (await ops.replay(stage.host, session)).identical
    return [(e.task, e.attempt, e.data["status"]) for e in events if e.kind == "ToolCallCompleted"]


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize(("node", "task"), [
    (f"{CALL}, {RETRY}", "t"), (f"kind: map, over: '[1]', do: {{ {CALL}, {RETRY} }}", "t[0]"),
    (f"kind: map, over: '[1]', do: {{ {CALL} }}, {RETRY}", "t[0]"),
])  # fmt: skip
def test_calls_of_attempts_that_failed_are_committed(tmp_path: Path, node: str, task: str, dies: bool) -> None:
    """Each under its own attempt, with the id under which it was shown."""

    async def main() -> None:
        stage = Stage(tmp_path, TWICE)
        told = await attempts(stage, FAILING % node, dies=dies)
        assert told == [(task, 0, "error"), (task, 1, "error"), (task, 2, "ok")]

    try:
        run_mocked(main)
    finally:
        faults.arm("")


@pytest.mark.parametrize("tries", [1, 2])
@pytest.mark.parametrize(("node", "task"), [(CALL, "t"), (f"kind: map, over: '[1]', do: {{ {CALL} }}", "t[0]")])
def test_attempts_before_a_resume_are_told_once(tmp_path: Path, node: str, task: str, tries: int) -> None:
    """They are told when the run fails, with those that were tried again."""
    all_told = [(task, 0, "error"), (task, 1, "error"), (task, 2, "ok")]

    async def main() -> None:
        stage = Stage(tmp_path, TWICE)
        retry = RETRY.replace("max: 3", f"max: {tries}")
        outcome = await stage.start(FAILING % f"{node}, {retry}")
        session, made = outcome.row.session, tries
        while outcome.row.status == "failed":
            assert await told(stage, session) == all_told[:made]
            outcome = await ops.resume(stage.host, session, Options(seed=1), Observer(stage.seen.append))
            made += tries
        assert outcome.row.status == "done"
        assert await told(stage, session) == all_told
        assert (await ops.replay(stage.host, session)).identical

    async def told(stage: Stage, session: SessionId) -> list[tuple[str | None, int | None, str]]:
        events = await check(stage, session)
        paired(events)
        return [(e.task, e.attempt, e.data["status"]) for e in events if e.kind == "ToolCallCompleted"]

    run_mocked(main)


def test_the_turns_of_an_agent_are_those_of_its_newest_attempt(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, TWICE)
        call = {"id": "c", "name": "works", "arguments": {"x": 1}}
        stage.models["m"] = ScriptedModel([*[Turn(tool_calls=(call,))] * 2, "Done."])
        node = f"kind: agent, model: m, prompt: Go., tools: [works], max_turns: 2, {RETRY}"
        outcome = await stage.start(FAILING % node)
        assert outcome.row.status == "done"
        events = await check(stage, outcome.row.session)
        assert [(e.attempt, e.data["status"]) for e in events if e.kind == "ToolCallCompleted"] == [(0, "ok")]
        assert [e.attempt for e in events if e.kind == "x.model.completed"] == [0, 0, 1]
        graph = (await stage.host.plan_of(outcome.row)).graph
        (agent,) = await agents_of(stage.host, outcome.row, graph, 0)
        assert [(turn.turn, len(turn.calls)) for turn in agent.turns] == [(0, 0)]
        for seen in (stage.seen, [e for e in stage.seen if not e.provisional]):
            story = Story()
            for event in seen:
                story.feed(event)
            assert story.root is not None
            (step,) = [step for step in story.root.steps.values() if "t" in step.tasks]
            assert [(turn.number, len(turn.calls)) for turn in step.turns_of("t")] == [(0, 0)]

    run_mocked(main)

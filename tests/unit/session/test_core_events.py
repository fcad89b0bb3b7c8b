"""The core events of models and tools: what they hold, in which order, and that they read alike live and stored."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.codec import show_digest
from graphagent.engine import replay
from graphagent.engine.emitted import event_id, shown
from graphagent.engine.execute import run_tasks
from graphagent.engine.results import TaskResult
from graphagent.engine.step import Step
from graphagent.events import CORE, Event
from graphagent.ids import SessionId, StepId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session import operations as ops
from graphagent.snapshot import Token
from tests.unit.session.stage import Stage, kinds

FUNCTIONS = '''
def weather(city: str) -> dict:
    """The weather of a city."""
    return {"sun": 1, "city": city}

def long(n: int) -> str:
    """A long text."""
    return "x" * n

def broken(x: int) -> int:
    """Never works."""
    raise ToolFailed("no parts for sesame-1234", cause="no_parts")

async def slow(x: int) -> int:
    """Takes its time."""
    import asyncio
    await asyncio.sleep(60)
    return x
'''
AGENT = """
outputs: { answer: str }
models: { m: scripted/m }
tools:
  weather: { python: "fns:weather", effects: read }
  long: { python: "fns:long", effects: read }
  broken: { python: "fns:broken", effects: read }
  slow: { python: "fns:slow", effects: read }
  mine: { client: { params: { x: int }, returns: int } }
  other: { graph: inner }
channels: { answer: { type: str, default: "" } }
start: a
nodes:
  a: { kind: agent, model: m, prompt: Go., tools: [weather, long, broken, slow, mine, other], %s
       writes: { answer: "${ out.text }" }, next: end }
graphs:
  inner:
    inputs: { q: str }
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: think
    nodes:
      think: { kind: set, writes: { said: "${ inputs.q }" }, next: end }
"""
PAIRS = {
    "ToolCallStarted": "ToolCallCompleted", "ReasoningStarted": "ReasoningCompleted", "PreHookStarted":
    "PreHookCompleted", "PostHookStarted": "PostHookCompleted",
}  # fmt: skip


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": f"c-{name}", "name": name, "arguments": arguments}


def of(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [dict(e.data) for e in events if e.kind == kind]


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """What the events of tasks say, without when."""
    return [(e.event_id, e.kind, e.step, e.task, e.attempt, e.data) for e in events if e.task and e.kind in CORE]


async def check(stage: Stage, session: SessionId) -> list[Event]:
    """The committed events, which are those that were shown, and of which each provisional one had the id."""
    stored = await stage.events(session)
    assert [e.seq for e in stored] == list(range(len(stored)))
    shown = [e for e in stage.seen if e.session == session and not e.provisional]
    assert shown == stored[len(stored) - len(shown) :]
    live = {e.event_id: e for e in stage.seen if e.session == session and e.provisional}
    for event in stored:
        if event.kind in CORE and event.task is not None:
            before = live[event.event_id]
            assert (before.kind, before.node, before.task, before.attempt) == (
                event.kind, event.node, event.task, event.attempt,
            )  # fmt: skip
            assert set(event.data) - {"item"} == {f.name for f in fields(CORE[event.kind])}, "all fields, and no other"
    return stored


def staged(folder: Path, turns: list[Any], keys: str = "") -> tuple[Stage, str]:
    stage = Stage(folder, FUNCTIONS)
    stage.models["m"] = ScriptedModel(turns)
    return stage, AGENT % keys


def test_a_model_call_tells_its_reasoning_and_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        stage, graph = staged(tmp_path, [Turn(text="Rome it is.", reasoning=("First, a city.", "Rome is one."))])
        outcome = await stage.start(graph)
        events = await check(stage, outcome.row.session)
        core = [e for e in events if e.kind.startswith(("Reasoning", "RunContent", "x.model"))]
        assert [e.kind for e in core] == [
            "ReasoningStarted", "ReasoningStep", "ReasoningStep", "ReasoningCompleted", "RunContentCompleted",
            "x.model.completed",
        ]  # fmt: skip
        (ended,) = of(events, "RunContentCompleted")
        assert ended["content_hash"] == show_digest(hashlib.sha256(b"Rome it is.").digest())
        assert (ended["finish_reason"], ended["cost"]) == ("stop", 0)
        assert ended["usage"]["reasoning_tokens"] == 7
        assert {e.data["message_id"] for e in core[:5]} == {core[0].step}
        steps = of(events, "ReasoningStep")
        assert [(s["index"], s["text_ref"], s["summary"]) for s in steps] == [
            (0, {"value": "First, a city."}, None), (1, {"value": "Rome is one."}, None),
        ]  # fmt: skip
        assert of(events, "ReasoningCompleted")[0] == {
            "message_id": core[0].step, "steps": 2, "model_tokens": 7
        }  # fmt: skip
        live = [e for e in stage.seen if e.provisional]
        pieces = [e for e in live if e.kind == "RunContent"]
        assert {e.data["message_id"] for e in pieces} == {core[0].step}
        assert len({e.event_id for e in pieces}) == len(pieces)
        thought = "".join(e.data["delta"] for e in live if e.kind == "x.model.reasoning_delta")
        assert thought == "First, a city.Rome is one."
        order = kinds(live, "Reasoning", "RunContent")
        assert order.index("ReasoningCompleted") < order.index("RunContent") < order.index("RunContentCompleted")
        assert not of(events, "x.model.reasoning_delta"), "pieces are never stored"

    concurrency.run_sync(main)


def test_calls_of_every_source_have_all_fields(tmp_path: Path) -> None:
    async def main() -> None:
        wanted = (call("weather", city="Rome"), call("long", n=5000), call("broken", x=1), call("other", q="hm"))
        stage, graph = staged(tmp_path, [Turn(tool_calls=(*wanted, call("weather", town=1), call("nope"))), "Done."])
        outcome = await stage.start(graph)
        events = await check(stage, outcome.row.session)
        started, ended = of(events, "ToolCallStarted"), of(events, "ToolCallCompleted")
        assert [(s["tool"], s["source"], s["effects"], s["approval"]) for s in started] == [
            ("weather", "python", "read", None), ("long", "python", "read", None), ("broken", "python", "read", None),
            ("other", "graph", "read", None),
        ]  # fmt: skip
        assert (started[0]["args"], started[0]["args_ref"]) == ({"city": "Rome"}, None)
        assert [(e["tool"], e["status"]) for e in ended] == [
            ("weather", "ok"), ("long", "ok"), ("broken", "error"), ("other", "ok"), ("weather", "error"),
            ("nope", "error"),
        ]  # fmt: skip
        assert ended[0]["result_ref"] == {"value": {"city": "Rome", "sun": 1}}
        assert ended[1]["result_ref"]["value_ref"]["size"] == 5002
        assert (ended[2]["error"]["cause"], ended[2]["result_ref"]) == ("no_parts", None)
        children = await stage.store.children(outcome.row.session)
        assert [e["child_session"] for e in ended] == [None, None, None, children[0].session, None, None]
        rows = {r.path: r for r in await stage.store.effects(outcome.row.spans()) if r.kind in ("tool", "child")}
        for position, event in enumerate(ended[:4]):
            row = rows[f"a/1.{position}"]
            assert row.ended_at is not None
            assert event["duration_ms"] == (row.ended_at - row.started_at) // 1000
        assert [e["duration_ms"] for e in ended[4:]] == [None, None], "nothing was called"
        turns = kinds(events, "x.agent.turn", "RunContentCompleted", "ToolCallStarted")
        assert turns == [
            "x.agent.turn_started", "RunContentCompleted", *["ToolCallStarted"] * 4, "x.agent.turn_completed",
            "x.agent.turn_started", "RunContentCompleted", "x.agent.turn_completed",
        ]  # fmt: skip

    concurrency.run_sync(main)


NODES = """
tools:
  weather: {{ python: "fns:weather", effects: read }}
  pure: {{ python: "fns:weather", effects: pure }}
  broken: {{ python: "fns:broken", effects: read }}
  slow: {{ python: "fns:slow", effects: read }}
  mine: {{ client: {{ params: {{ x: int }}, returns: int }} }}
  other: {{ graph: inner }}
channels: {{ got: {{ type: any, default: null }} }}
start: t
nodes:
  t: {{ kind: tool, {keys}, writes: {{ got: "${{ out }}" }}, next: end }}
graphs:
  inner:
    inputs: {{ q: str }}
    outputs: {{ said: str }}
    channels: {{ said: {{ type: str, default: "" }} }}
    start: think
    nodes:
      think: {{ kind: set, writes: {{ said: "${{ inputs.q }}" }}, next: end }}
"""


@pytest.mark.parametrize(
    ("keys", "source", "status", "result"),
    [
        ("tool: weather, with: { city: Rome }", "python", "ok", {"city": "Rome", "sun": 1}),
        ("tool: pure, with: { city: Rome }", "python", "ok", {"city": "Rome", "sun": 1}),
        ("tool: other, with: { q: hm }", "graph", "ok", {"said": "hm"}),
        ("tool: broken, with: { x: 1 }", "python", "error", None),
        ("tool: slow, with: { x: 1 }, timeout: 1ms", "python", "timeout", None),
    ],
)
def test_a_node_of_kind_tool_tells_of_its_call(
    tmp_path: Path, keys: str, source: str, status: str, result: Any
) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, FUNCTIONS)
        outcome = await stage.start(NODES.format(keys=keys))
        events = await check(stage, outcome.row.session)
        (started,), (ended,) = of(events, "ToolCallStarted"), of(events, "ToolCallCompleted")
        assert (started["source"], ended["status"]) == (source, status)
        assert started["call_id"] == ended["call_id"] != ""
        assert ended["result_ref"] == (None if result is None else {"value": result})
        assert (ended["error"] is None) == (status == "ok")
        assert (ended["child_session"] is not None) == (source == "graph")
        if status != "timeout":
            assert ended["duration_ms"] >= 0

    concurrency.run_sync(main)


def test_a_client_tool_is_deferred_until_its_caller_answers(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, FUNCTIONS)
        outcome = await stage.start(NODES.format(keys="tool: mine, with: { x: 1 }"))
        events = await check(stage, outcome.row.session)
        assert [e["status"] for e in of(events, "ToolCallCompleted")] == ["deferred"]
        stage.boot()
        outcome = await stage.answer(outcome.row, {"value": 7})
        events = await check(stage, outcome.row.session)
        assert outcome.row.status == "done"
        assert [(e["status"], e["result_ref"]) for e in of(events, "ToolCallCompleted")] == [
            ("deferred", None), ("ok", {"value": 7}),
        ]  # fmt: skip
        ids = {e["call_id"] for e in of(events, "ToolCallCompleted") + of(events, "ToolCallStarted")}
        assert len(ids) == 1
        paired(events)

    concurrency.run_sync(main)


def test_a_call_that_waits_inside_its_superstep_is_committed_once(tmp_path: Path) -> None:
    """Live it is deferred; when it is answered, the attempt runs again and tells the same ids anew."""

    async def main() -> None:
        turns = [Turn(tool_calls=(call("weather", city="Rome"), call("mine", x=1))), "Done."]
        stage, graph = staged(tmp_path, turns)
        outcome = await stage.start(graph)
        live = [e.data["status"] for e in stage.seen if e.kind == "ToolCallCompleted"]
        assert sorted(live) == ["deferred", "ok"]
        stage.boot()
        outcome = await stage.answer(outcome.row, {"value": 7})
        events = await check(stage, outcome.row.session)
        assert [(e["tool"], e["status"]) for e in of(events, "ToolCallCompleted")] == [
            ("weather", "ok"),
            ("mine", "ok"),
        ]
        paired(events)

    concurrency.run_sync(main)


@pytest.mark.parametrize(
    ("answer", "status", "approval"),
    [
        ({"decision": "approve"}, "ok", "approve"), ({"decision": "edit", "args": {"city": "Oslo"}}, "ok", "edit"),
        ({"decision": "reject", "reason": "no"}, "denied", None), ({"decision": "respond", "content": 3}, "ok", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("on_deny", ["tell", "fail"])
def test_what_a_person_decides_is_told(
    tmp_path: Path, answer: dict[str, Any], status: str, approval: str | None, on_deny: str
) -> None:
    async def main() -> None:
        turns = [Turn(tool_calls=(call("weather", city="Rome"),)), "Done."]
        stage, graph = staged(tmp_path, turns, f"approve: [{{ tool: weather, on_deny: {on_deny} }}],")
        outcome = await stage.answer((await stage.start(graph)).row, answer)
        events = await check(stage, outcome.row.session)
        (ended,) = of(events, "ToolCallCompleted")
        assert ended["status"] == status
        assert [s["approval"] for s in of(events, "ToolCallStarted")] == ([approval] if approval else [])
        assert (ended["error"] is None) == (status == "ok")

    concurrency.run_sync(main)


def test_calls_of_an_abandoned_attempt_are_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        turns = [Turn(tool_calls=(call("weather", city="Rome"), call("slow", x=1)))]
        stage, graph = staged(tmp_path, turns, "timeout: 300ms,")
        outcome = await stage.start(graph)
        assert outcome.row.status == "failed"
        events = await check(stage, outcome.row.session)
        assert [(e["tool"], e["status"]) for e in of(events, "ToolCallCompleted")] == [
            ("weather", "ok"), ("slow", "cancelled"),
        ]  # fmt: skip
        paired(events)

    concurrency.run_sync(main)


def test_an_agent_that_fails_keeps_what_it_told(tmp_path: Path) -> None:
    """Of an agent that fails the calls were made all the same; a new process tells them alike."""

    async def main() -> None:
        stage, graph = staged(tmp_path, [Turn(tool_calls=(call("weather", city="Rome"),))], "max_turns: 1,")
        outcome = await stage.start(graph)
        assert (outcome.error or {})["kind"] == "max_turns"
        events = await check(stage, outcome.row.session)
        assert kinds(events, "RunContentCompleted", "x.agent") == [
            "x.agent.turn_started", "RunContentCompleted", "x.agent.turn_completed"
        ]  # fmt: skip

    concurrency.run_sync(main)


@pytest.mark.parametrize("node", [
    "kind: agent, model: m, prompt: Go., tools: [broken, weather]",
    "kind: tool, tool: broken, with: { x: 1 }",
    "kind: tool, tool: unsafe, with: { x: 1 }",
    "kind: code, python: 'fns:broken', with: { x: 1 }",
    "kind: code, python: 'fns:broken', with: { x: 1 }, effects: pure",
    "kind: map, over: '[1]', do: { kind: tool, tool: broken, with: { x: 1 } }",
])  # fmt: skip
def test_events_show_no_secret_and_no_details(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    """A tool that repeats in its error, arguments or result what it knows: events say `***`, to whoever reads them."""
    monkeypatch.setenv("SESAME", "sesame-1234")

    async def main() -> None:
        turns = [Turn(tool_calls=(call("broken", x=1), call("weather", city="sesame-1234")), reasoning="sesame-1234?")]
        stage = Stage(tmp_path, FUNCTIONS)
        stage.models["m"] = ScriptedModel([*turns, "Ok."])
        outcome = await stage.start(SECRET % node)
        events = await check(stage, outcome.row.session)
        assert "***" in repr(events)
        assert "sesame-1234" not in repr(stage.seen)
        errors = [e["error"] for e in of(events, "ToolCallCompleted") if e["error"]]
        assert [e["message"] for e in errors] == ["no parts for ***"] * ("tool" in node)
        for failed in of(events, "RunError"):
            assert "***" in failed["error"]["message"]
            assert not {"details", "trace", "causes"} & failed["error"].keys()

    concurrency.run_sync(main)


TWO = """
models: { m: scripted/m, n: scripted/n }
tools:
  weather: { python: "fns:weather", effects: read }
  broken: { python: "fns:broken", effects: read }
  mine: { client: { params: { x: int }, returns: int } }
  other: { graph: inner }
start: [a, b, t]
nodes:
  a: { kind: agent, model: m, prompt: Go., tools: [weather, broken, other], next: end }
  b: { kind: agent, model: n, prompt: Go., tools: [weather, mine], next: end }
  t: { kind: tool, tool: broken, with: { x: 1 }, next: end, on_error: h }
  h: { kind: set, next: end }
graphs:
  inner:
    inputs: { q: str }
    start: think
    nodes: { think: { kind: set, next: end } }
"""


async def two(stage: Stage, *, dies: bool) -> SessionId:
    """Run both agents; the second one waits for its caller, and if it `dies` another process goes on."""
    wanted = (call("weather", city="Rome"), call("broken", x=1), call("other", q="hm"))
    stage.models["m"] = ScriptedModel([Turn(tool_calls=wanted, reasoning=("Hm.", "So.")), "Done."])
    stage.models["n"] = ScriptedModel([Turn(tool_calls=(call("weather", city="Oslo"), call("mine", x=1))), "Done."])
    outcome = await stage.start(TWO)
    if dies:
        stage.store.worker_died(stage.host.worker)
        stage.boot()
    outcome = await stage.answer(outcome.row, {"value": 7})
    assert outcome.row.status == "done"
    return outcome.row.session


def without_ids(events: list[Event]) -> list[tuple[Any, ...]]:
    """What the events of tasks tell, without ids of the session, and without when."""
    unequal = {"message_id", "step", "duration_ms", "ttft_ms", "child_session", "wall_ms", "call_id"}
    return [
        (e.kind, e.task, e.attempt, {k: v for k, v in e.data.items() if k not in unequal})
        for e in events if e.task is not None and e.kind != "x.task.started"
    ]  # fmt: skip


def test_a_resumed_session_tells_the_same(tmp_path: Path) -> None:
    """What finished is told from its row, the failed task too, what waited from its calls; no call is made again."""

    async def main() -> None:
        told = []
        for dies in (False, True):
            stage = Stage(tmp_path, FUNCTIONS)
            session = await two(stage, dies=dies)
            events = await stage.events(session)
            paired(events)
            told.append(without_ids(events))
            rows = {r.key[1:]: r for r in await stage.store.effects((await stage.store.session(session)).spans())}
            ended = [e for e in events if e.kind == "ToolCallCompleted"]
            assert len(ended) == 6
            for event in ended:
                row = next(r for r in rows.values() if StepId.derive(session, r.superstep, *r.key[1:]) == event.step)
                assert row.ended_at is not None
                assert event.data["duration_ms"] == (row.ended_at - row.started_at) // 1000
        assert told[0] == told[1]

    concurrency.run_sync(main)


def test_a_replay_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks of a replay, whose calls are answered by the journal, say what was committed, under the same ids."""
    said: list[tuple[Any, ...]] = []

    async def watched(step: Step, tokens: tuple[Token, ...]) -> list[TaskResult]:
        results = await run_tasks(step, tokens)
        for result in results:
            for one in result.events:
                data, _ = shown(one, step.session, step.superstep)
                said.append((event_id(step.session, step.superstep, one.path, one.attempt, one.kind, one.n), data))
        return results

    async def main() -> None:
        stage = Stage(tmp_path, FUNCTIONS)
        session = await two(stage, dies=False)
        monkeypatch.setattr(replay, "run_tasks", watched)
        assert (await ops.replay(stage.host, session)).identical
        stored = [
            (e.event_id, {k: v for k, v in e.data.items() if k not in ("duration_ms", "ttft_ms")})
            for e in await stage.events(session) if e.task is not None and not e.kind.startswith("x.task")
        ]  # fmt: skip
        assert len(stored) > 20
        assert said == stored

    concurrency.run_sync(main)


SECRET = """
secrets: [SESAME]
models: { m: scripted/m }
tools:
  weather: { python: "fns:weather", effects: read }
  broken: { python: "fns:broken", effects: read }
  unsafe: { python: "fns:broken", effects: pure }
start: t
nodes:
  t: { %s, next: end }
"""


def paired(events: list[Event]) -> None:
    """Every start has its partner in the same attempt of the same task, behind it."""
    for position, start in enumerate(events):
        if start.kind in PAIRS:
            later = [e for e in events[position + 1 :] if e.kind == PAIRS[start.kind]]
            keys = (
                ("call_id",)
                if "call_id" in start.data
                else ("message_id",)
                if "message_id" in start.data
                else ("hook",)
            )
            same = [
                e for e in later
                if (e.superstep, e.task, e.attempt) == (start.superstep, start.task, start.attempt)
                and all(e.data[key] == start.data[key] for key in keys)
            ]  # fmt: skip
            assert same, start


def test_who_takes_a_run_over_says_so(tmp_path: Path) -> None:
    """A worker leaves in the middle: its segment has no last event, and the next one opens another, once."""

    async def main() -> None:
        stage = Stage(tmp_path, FUNCTIONS)
        graph = "start: a\nnodes:\n" + "".join(
            f"  {one}: {{ kind: set, next: {then} }}\n"
            for one, then in zip("abcd", ["b", "c", "d", "end"], strict=True)
        )
        count = 0

        def leave() -> bool:
            nonlocal count
            count += 1
            return count > 2

        session = (await stage.start(graph, leave=leave)).row.session
        assert (await stage.store.session(session)).status == "running"
        stage.store.worker_died(stage.host.worker)
        stage.boot()
        await ops.drive(stage.host, session)
        told = [e for e in await stage.events(session) if e.kind.startswith("Run")]
        assert [e.kind for e in told] == ["RunStarted", "RunContinued", "RunCompleted"]
        assert told[1].data == {"reason": "recovered", "answers": []}

    concurrency.run_sync(main)

"""Random graphs of agents and tools, with failures, timeouts, retries, questions, cancellation and new processes: the
events keep their order, whatever happens. Time is a mock clock's, so a timeout costs none."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
import trio.testing
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphagent.events import CORE, TERMINAL, Event
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.messages import ModelRequest
from graphagent.session import operations as ops
from graphagent.session.observer import Observer
from graphagent.session.operations import Options
from tests.unit.session.stage import Stage
from tests.unit.session.test_core_events import PAIRS

FUNCTIONS = '''
from graphagent import trio_node

@trio_node
async def fine(x: int) -> dict:
    """Works."""
    await trio.sleep(x / 10)
    return {"x": x}

@trio_node
async def broken(x: int) -> int:
    """Never works."""
    raise ToolFailed("no", cause="no_parts")

@trio_node
async def stuck(x: int) -> int:
    """Never ends."""
    await trio.sleep_forever()
    return x
'''
HEAD = """
inputs: {{ never: "bool = false" }}
models: {models}
tools:
  fine: {{ python: "fns:fine", effects: read }}
  send: {{ python: "fns:fine", effects: write }}
  broken: {{ python: "fns:broken", effects: read }}
  stuck: {{ python: "fns:stuck", effects: read }}
  mine: {{ client: {{ params: {{ x: int }}, returns: int }} }}
  other: {{ graph: inner }}
start: {starts}
nodes:
"""
INNER = """
  handler: { kind: set, join: any, next: end }
  spare: { kind: router, next: [{ to: handler, when: "inputs.never" }, { to: end }] }
graphs:
  inner:
    inputs: { x: int }
    start: [work, ask]
    nodes:
      work: { kind: tool, tool: fine, with: { x: "${ inputs.x }" }, next: end }
      ask: { kind: set, next: end }
"""
TOOLS = ("fine", "send", "broken", "stuck", "mine", "other", "nope")
OFTEN = (*TOOLS, "fine", "send", "send", "mine")
Calls = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Made:
    """One node: a tool's name, or the calls of an agent's turns (name, and whether its arguments fit)."""

    turns: list[Calls]
    tool: str | None
    item: bool
    thinks: bool
    retried: bool
    caught: bool
    denied: str

    def text(self, i: int) -> str:
        """The node as a graph has it."""
        if self.tool is not None:
            body = f"kind: tool, tool: {self.tool}, with: {{ x: {i} }}"
        else:
            approve = f"approve: [{{ tool: send, on_deny: {self.denied} }}]"
            body = f"kind: agent, model: m{i}, prompt: Go., tools: [{', '.join(TOOLS[:-1])}], max_turns: 3, {approve}"
        timeout = "" if self.tool == "mine" else ", timeout: 5s"
        retry = ", retry: { max: 2, on: [timeout, tool_failed], delay: 1s }" if self.retried else ""
        caught = ", on_error: handler" if self.caught else ""
        if self.item:
            return f'  n{i}: {{ kind: map, over: "[1, 2]", do: {{ {body}{timeout}{retry} }}, next: end{caught} }}\n'
        return f"  n{i}: {{ {body}{timeout}{retry}, next: end{caught} }}\n"

    def model(self) -> ScriptedModel:
        """Says the same to whoever asks again at the same turn."""
        turns = []
        for n, wanted in enumerate(self.turns):
            calls = [{"id": f"c{n}-{k}", "name": name, "arguments": {"x": 1} if fits else {"y": 1}}
                     for k, (name, fits) in enumerate(wanted)]  # fmt: skip
            thoughts = ("Hm.", "So.") if self.thinks else ()
            turns.append(Turn(tool_calls=tuple(calls), reasoning=thoughts, match=_turn(n), repeat=True))
        last = len(self.turns)
        turns.append(Turn(text="Done.", match=_turn(last), repeat=True))
        return ScriptedModel(turns)


def _turn(n: int) -> Any:
    def fits(request: ModelRequest) -> bool:
        return len([m for m in request.messages if m["role"] == "assistant"]) == n

    return fits


OF_THE_SESSION = ("x.superstep.", "x.session.", "x.interrupt.answered")
"""What may stand between two segments."""
calls = st.lists(st.tuples(st.sampled_from(OFTEN), st.sampled_from([True, True, True, False])), min_size=1, max_size=3)
nodes = st.builds(
    Made, turns=st.lists(calls, min_size=1, max_size=3), tool=st.sampled_from([*[None] * 12, *TOOLS[:-1]]),
    item=st.sampled_from([False, False, True]),
    thinks=st.booleans(), retried=st.booleans(), caught=st.booleans(),
    denied=st.sampled_from(["tell", "fail"]),
)  # fmt: skip
steps = st.lists(
    st.sampled_from(["answer", "answer", "answer", "reboot", "reject", "resume", "cancel"]), min_size=3, max_size=8
)


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(
    deadline=None, max_examples=50, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(made=st.lists(nodes, min_size=1, max_size=3), steps=steps)
def test_events_keep_their_order(made: list[Made], steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), FUNCTIONS)
        stage.models = {f"m{i}": node.model() for i, node in enumerate(made)}
        stage.boot()
        names = [f"n{i}" for i in range(len(made))]
        models = json.dumps({f"m{i}": f"scripted/m{i}" for i in range(len(made))})
        graph = HEAD.format(models=models, starts=f"[{', '.join([*names, 'spare'])}]")
        graph += "".join(node.text(i) for i, node in enumerate(made)) + INNER
        trio.run(play, stage, graph, steps, clock=trio.testing.MockClock(autojump_threshold=0))


async def play(stage: Stage, graph: str, steps: list[str]) -> None:
    """Run, and do what the steps say as long as they can be done."""
    session = (await stage.start(graph)).row.session
    for step in steps:
        row = await stage.store.session(session)
        if row.status in ("done", "cancelled"):
            break
        if step == "reboot":
            stage.store.worker_died(stage.host.worker)
            stage.boot()
        elif step == "cancel":
            await ops.cancel(stage.host, session, "enough", "me")
        elif step == "resume" and row.status == "failed":
            await ops.resume(stage.host, session, Options(seed=1), Observer(stage.seen.append))
        elif step in ("answer", "reject") and row.status == "waiting":
            await answer(stage, session, reject=step == "reject")
    await check(stage, session)
    for child in await stage.store.children(session):
        await check(stage, child.session)


async def answer(stage: Stage, session: SessionId, *, reject: bool) -> None:
    """Answer the oldest question and run on."""
    asked = await ops.open_interrupts(stage.host, session)
    if not asked:
        return
    value: dict[str, Any] = {"value": 3}
    if asked[0].kind == "tool_approval":
        value = {"decision": "reject" if reject else "approve"}
    await ops.answer(stage.host, asked[0], value)
    await ops.drive(stage.host, session, Options(seed=1), Observer(stage.seen.append))


async def check(stage: Stage, session: SessionId) -> None:
    """All rules, on what is stored and on what was shown."""
    stored = await stage.events(session)
    assert [e.seq for e in stored] == list(range(len(stored))), "dense"
    assert not [key for key, count in Counter(e.event_id for e in stored).items() if count > 1], "ids are unique"
    rule_segments(stored)
    rule_partners(stored)
    seen = [e for e in stage.seen if e.session == session]
    live = {e.event_id: e for e in seen if e.provisional}
    for event in stored:
        before = live.get(event.event_id)
        if before is not None:
            assert (before.kind, before.task, before.attempt) == (event.kind, event.task, event.attempt)
    assert not [e for e in live.values() if e.kind in TERMINAL], "terminal events are never provisional"
    told = {e.event_id for e in seen if e.provisional and e.kind in CORE and e.kind != "RunContent"}
    ran = {(e.superstep, e.task, e.attempt) for e in seen if e.provisional and e.kind == "x.task.started"}
    for event in stored:
        if event.kind in CORE and event.task and (event.superstep, event.task, event.attempt) in ran:
            assert event.event_id in told, "what is committed of a task that was seen was shown before"
    rule_runs_live(seen)
    if (await stage.store.session(session)).status == "done":
        kept = {e.event_id for e in stored}
        made = {
            e.event_id: e for e in live.values() if e.kind == "ToolCallCompleted" and e.data["status"] != "deferred"
        }
        assert not [e for key, e in made.items() if key not in kept], "what was called is committed"


def rule_segments(events: list[Event]) -> None:
    """A segment begins with RunStarted or RunContinued and ends with one terminal event; nothing is between two."""
    is_open, ended = False, None
    for event in events:
        if event.kind == "RunStarted":
            assert not is_open
            is_open, ended = True, None
        elif event.kind == "RunContinued":
            assert ended not in ("RunCompleted", "RunCancelled"), "a run that has ended doesn't go on"
            is_open = True
        elif event.kind in TERMINAL:
            assert is_open, event
            is_open, ended = False, event.kind
        else:
            assert is_open or ended is None or event.kind.startswith(OF_THE_SESSION), (event, ended)


def rule_partners(events: list[Event]) -> None:
    """Each start has one partner in its attempt, each call one end."""
    starts = [e for e in events if e.kind in PAIRS]
    for kind in PAIRS.values():
        ends = Counter(key_of(e) for e in events if e.kind == kind)
        assert all(count == 1 for key, count in ends.items()), ends
        for start in starts:
            if PAIRS[start.kind] == kind:
                assert ends[key_of(start)] == 1, start


def key_of(event: Event) -> tuple[Any, ...]:
    """What a start and its partner have in common."""
    names = next(n for n in ("call_id", "message_id", "hook") if n in event.data)
    return (event.superstep, event.task, event.attempt, event.data[names])


def rule_runs_live(seen: list[Event]) -> None:
    """The same of each time that an attempt ran before somebody's eyes, whether or not it led to anything. An event that
    comes again replaces itself."""
    running: dict[tuple[Any, ...], dict[str, Event]] = {}
    for event in seen:
        if not event.provisional or event.task is None:
            continue
        who = (event.superstep, event.task, event.attempt)
        if event.kind == "x.task.started":
            rule_partners(list(running.pop(who, {}).values()))
        running.setdefault(who, {})[event.event_id] = event
    for events in running.values():
        rule_partners(list(events.values()))

"""`std.sessions`: sessions that an agent starts, which go on beside its run and after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from graphagent import concurrency
from graphagent.codec import encode
from graphagent.errors import ModelError
from graphagent.graph.standard import SETS, TOOLS
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session import operations as ops
from graphagent.session.background import started_by
from graphagent.session.operations import Options
from graphagent.snapshot import NewInput, SessionQuery, SessionRow
from tests.acceptance.scenarios.test_agents import call, calls, saying, told
from tests.acceptance.scenarios.world import Crash, World, play, scenario

HUB = """
    inputs: { say: "str = 'go'" }
    outputs: { answer: str, sessions: "dict[str, any]" }
    models: { m: scripted/m }
    limits: { tokens: 100000 }
    channels:
      answer: { type: str, default: "" }
      sessions: { type: "dict[str, any]", reducer: merge, scope: session }
    start: a
    nodes:
      a:
        kind: agent
        model: m
        prompt: "{{ say }}"
        with: { say: "${ inputs.say }" }
        tools: [std.sessions%s]
        delegates:
          count: { graph: counting, about: Counts bees, handoff: { place: "${ 'the ' + inputs.say }" } }
        retry: { max: 2, delay: 1ms }
        writes: { answer: "${ out.text }" }
        next: end
"""
WAITS = """
    graphs:
      counting:
        inputs: { task: str, place: str, most: "int = 9" }
        outputs: { bees: int, note: str }
        channels: { bees: { type: int, default: 0 }, note: { type: str, default: "" } }
        start: wait
        nodes:
          wait: { kind: wait, event: counted, returns: { bees: int }, timeout: 7d, writes: { bees: "${ event.bees }", note: "${ inputs.task + ' in ' + inputs.place }" }, next: [{ when: event.bees <= inputs.most, to: end }, { to: fail, label: too many bees }] }
"""
START = call("start", name="bees", delegate="count", task="count them", inputs={"most": 5})


async def started(world: World, session: SessionId) -> list[SessionRow]:
    """What a session has started."""
    rows = await world.store.sessions(SessionQuery(tag=started_by(session)))
    return sorted((entry.row for entry in rows), key=lambda row: row.created_at)


async def rest(world: World, session: SessionId) -> SessionRow:
    """The one session that this one has started, when it rests: a crash may have left it."""
    (child,) = await started(world, session)
    await world.drive(child.session)
    return await world.row(child.session)


async def tell(world: World, child: SessionId, bees: int) -> None:
    await world.accept(
        child, NewInput("event", f"counted {bees}", encode({"event": "counted", "data": {"bees": bees}}))
    )
    await world.drive(child)


def scripts(*runs: list[Any]) -> ScriptedModel:
    """A model for several runs of a session: the text of the run's prompt tells which turns it takes."""
    turns: list[Turn] = []
    for number, run in enumerate(runs):
        for count, turn in enumerate(run):
            made = turn if isinstance(turn, Turn) else Turn(text=turn)

            def fits(request: Any, number: int = number, count: int = count) -> bool:
                said = [m["content"] for m in request.messages if m["role"] == "user"]
                return said == [f"run {number}"] and sum(m["role"] == "assistant" for m in request.messages) == count

            turns.append(Turn(text=made.text, tool_calls=made.tool_calls, error=made.error, match=fits, repeat=True))
    return ScriptedModel(turns)


def results(model: ScriptedModel, run: int) -> list[str]:
    """What the model read in a run of what it called."""
    requests = [r for r in model.requests if r.messages[0]["content"] == f"run {run}"]
    return [str(m["content"]) for m in requests[-1].messages if m["role"] == "tool"]


@scenario
async def test_a_session_outlives_the_run_that_started_it(world: World) -> None:
    """Started in one run, looked at in the next, collected in the one after it; in between nothing holds a process."""
    world.models["m"] = model = scripts(
        [calls(START), "Started."], [calls(call("check")), calls(call("collect", name="bees")), "Not yet."],
        [calls(call("collect", name="bees")), calls(call("check", name="bees"), call("collect", name="bees")), "Four."],
    )  # fmt: skip
    session = (await world.start(HUB % "" + WAITS, {"say": "run 0"})).row.session
    child = await rest(world, session)
    assert (child.status, child.caller, (await world.row(session)).status) == ("waiting", None, "done")
    await world.run_again(session, {"say": "run 1"})
    await tell(world, child.session, 4)
    outcome = await world.run_again(session, {"say": "run 2"})
    outputs = {"bees": 4, "note": "count them in the run 0"}
    assert outcome.outputs is not None
    entry = outcome.outputs["sessions"]["bees"]
    assert (entry["status"], entry["outputs"], entry["delegate"]) == ("done", outputs, "count")
    assert results(model, 0) == ["bees is started"]
    assert results(model, 1) == ["bees: waiting", "bees waits for somebody: collect it later"]
    collected = json.dumps(outputs, sort_keys=True)
    assert results(model, 2) == [collected, "bees: done", collected]
    assert [row.session for row in await started(world, session)] == [child.session]


@scenario
async def test_what_stops_a_run_stops_what_it_has_started(world: World) -> None:
    """A session in the background pauses at its next barrier, and goes on where it stood."""
    world.functions("""
        def ready():
            note("ready")

        def count() -> int:
            note("count")
            return 7
    """)
    world.models["m"] = saying([calls(START), "Started."])
    counting = """
    graphs:
      counting:
        inputs: { task: str, place: str, most: "int = 9" }
        outputs: { bees: int }
        channels: { bees: { type: int, default: 0 } }
        start: ready
        nodes:
          ready: { kind: code, python: "fns:ready", next: count }
          count: { kind: code, python: "fns:count", writes: { bees: "${ out }" }, next: end }
    """
    stopping = Options(seed=1, stop=lambda: world.calls("ready") > 0)
    session = (await world.start(HUB % "" + counting, options=stopping)).row.session
    (child,) = await started(world, session)
    if not world.crashing:  # who died has left it to others
        assert (child.status, child.reason, world.calls("count")) == ("waiting", "paused", 0)
    await world.resume(child.session)
    assert (await world.row(child.session)).status == "done"
    assert world.crashing or (world.calls("ready"), world.calls("count")) == (1, 1)


@scenario
async def test_it_runs_beside_the_run_that_started_it(world: World) -> None:
    """A tool of the agent waits for what the session does; the run ends when nothing in this process is left to do."""
    world.functions("""
        COUNTED = trio.Event()

        @trio_node
        async def count() -> int:
            COUNTED.set()
            return 7

        @trio_node
        async def wait_for_it() -> str:
            '''Waits.'''
            await COUNTED.wait()
            return "there"
    """)
    world.models["m"] = model = saying([calls(START), calls(call("waits")), "Done."])
    hub = (HUB % ", waits").replace("channels:", "tools: { waits: { python: 'fns:wait_for_it', effects: read } }\n    channels:", 1)  # fmt: skip
    outcome = await world.start(
        hub
        + """
    graphs:
      counting:
        inputs: { task: str, place: str, most: "int = 9" }
        outputs: { bees: int }
        channels: { bees: { type: int, default: 0 } }
        start: count
        nodes:
          count: { kind: code, python: "fns:count", effects: read, returns: int, writes: { bees: "${ out }" }, next: end }
    """
    )
    assert (outcome.outputs or {})["answer"] == "Done."
    assert [m["content"] for m in told(model)] == ["bees is started", "there"]
    assert (await rest(world, outcome.row.session)).status == "done"


@scenario
async def test_a_session_that_failed_is_told_as_data(world: World) -> None:
    world.models["m"] = model = scripts(
        [calls(START), "Started."], [calls(call("check")), calls(call("collect", name="bees")), "Too many."]
    )
    session = (await world.start(HUB % "" + WAITS, {"say": "run 0"})).row.session
    child = await rest(world, session)
    await tell(world, child.session, 6)
    outcome = await world.run_again(session, {"say": "run 1"})
    status, failure = results(model, 1)
    assert status == "bees: failed"
    assert json.loads(failure)["kind"] == "child_failed"
    assert "too many bees" in failure
    assert (outcome.outputs or {})["answer"] == "Too many."


@scenario
async def test_what_cannot_be_started_is_told_to_the_model(world: World) -> None:
    """Nothing is created by a call that doesn't fit, and a name stands for one session."""
    given: list[dict[str, Any]] = [
        {"delegate": "nobody"}, {"inputs": {"most": "many"}}, {"inputs": {"place": "here"}}, {"name": " "},
    ]  # fmt: skip
    wrong = [
        {**START, "id": f"w{i}", "arguments": {**START["arguments"], "name": f"w{i}", **one}}
        for i, one in enumerate(given)
    ]
    again, wasps = {**START, "id": "again"}, call("collect", name="wasps")
    other = {**START, "id": "other", "arguments": {**START["arguments"], "name": "other"}}
    turns = [calls(*wrong[:2], START, *wrong[2:]), calls(other, again, wasps), "Done."]
    world.models["m"] = model = saying(turns)
    outcome = await world.start(HUB % "" + WAITS)
    texts = [m["content"] for m in told(model)]
    assert (texts.pop(2), texts.pop(4)) == ("bees is started", "other is started")
    assert [json.loads(text)["cause"] for text in texts] == ["bad_arguments"] * 6
    assert [json.loads(text)["field"] for text in texts] == ["$.delegate", "$.most", "$", *["$.name"] * 3]
    assert len(await started(world, outcome.row.session)) == 2


@scenario
async def test_a_retry_finds_what_the_attempt_before_it_started(world: World) -> None:
    """The run fails after the start; resumed, its second attempt starts the same."""
    broken = True

    def fails(request: Any) -> bool:
        return broken and len(request.messages) == 3

    refused = Turn(error=ModelError("no", kind="auth"), match=fails, repeat=True)
    world.models["m"] = ScriptedModel([refused, *saying([calls(START), "Started."])._turns])
    outcome = await world.start(HUB % "" + WAITS)
    assert outcome.row.status == "failed"
    broken = False
    outcome = await world.resume(outcome.row.session)
    assert (outcome.outputs or {})["answer"] == "Started."
    assert (await rest(world, outcome.row.session)).status == "waiting"


async def dies_at_the_start(world: World, *, before: bool) -> None:
    """The process dies right before, or right after the session is created, when nobody knows of it yet."""
    world.models["m"] = scripts([calls(START), "Started."], [calls(call("check")), "Waits."])
    session = await world.create(HUB % "" + WAITS, {"say": "run 0"})
    create, wire = world.store.create, world.wire

    async def dying(*args: Any) -> None:
        if not before:
            await create(*args)
        wire.cut = True
        raise Crash

    wire.create = dying  # type: ignore[attr-defined]
    outcome = await world.drive(session)
    assert wire.cut, "it died"
    assert (outcome.outputs or {})["answer"] == "Started."
    child = await rest(world, session)
    assert child.status == "waiting"
    assert (await world.run_again(session, {"say": "run 1"})).outputs is not None


@scenario
async def test_a_crash_before_a_session_is_created(world: World) -> None:
    await dies_at_the_start(world, before=True)


@scenario
async def test_a_crash_after_a_session_is_created(world: World) -> None:
    await dies_at_the_start(world, before=False)


def test_what_a_dead_process_left_runs_on_when_it_is_looked_at(tmp_path: Path) -> None:
    """A process ended before it began it; the next one that looks does, beside its run, unless a worker has it."""

    async def case(world: World) -> None:
        world.models["m"] = scripts([calls(START), "Started."], [calls(call("check")), "Looked."])
        session = await world.create(HUB % "" + WAITS, {"say": "run 0"})
        await ops.drive(world.host, session, Options(beside=False))
        (child,) = await started(world, session)
        assert child.status == "idle"
        assert child.session in await world.store.claimable(), "a worker would take it"
        await world.run_again(session, {"say": "run 1"})
        assert (await world.row(child.session)).status == "waiting"

    concurrency.run_sync(play, case, World(tmp_path))


@scenario
async def test_a_fork_has_what_its_origin_started(world: World) -> None:
    """After the start the fork collects the same session; before it, it starts one of its own."""
    world.models["m"] = model = scripts([calls(START), "Started."], [calls(call("collect", name="bees")), "Collected."])
    session = (await world.start(HUB % "" + WAITS, {"say": "run 0"})).row.session
    child = await rest(world, session)
    await tell(world, child.session, 3)
    later = await world.fork(session, (await world.row(session)).head_superstep)
    outcome = await world.run_again(later.row.session, {"say": "run 1"})
    assert (outcome.outputs or {})["sessions"]["bees"]["outputs"]["bees"] == 3
    assert results(model, 1) == [json.dumps({"bees": 3, "note": "count them in the run 0"}, sort_keys=True)]
    assert await started(world, later.row.session) == []
    earlier = await world.fork(session, 1, fresh=True)
    await world.resume(earlier.row.session)
    own = await rest(world, earlier.row.session)
    assert own.session != child.session
    assert own.status == "waiting"


@scenario
async def test_limits_and_the_end_of_its_starter(world: World) -> None:
    """It gets what is left of the tokens; cancelling its starter cancels it, the end of its starter doesn't."""
    hub = (HUB % ", std.human").replace("limits: { tokens: 100000 }", "limits: { tokens: 5000 }")
    world.models["m"] = saying([calls(START), calls(call("ask_human", question="And now?")), "Never."])
    outcome = await world.start(hub + WAITS)
    assert outcome.row.status == "waiting"
    child = await rest(world, outcome.row.session)
    line = await world.host.open(child.session)
    bounds = line.snapshot.control.bounds
    await world.host.release(line)
    assert 0 < bounds["tokens"] < 5_000
    await world.cancel(outcome.row.session)
    assert (await world.row(child.session)).status == "cancelled"


def test_what_it_needs_is_checked(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    graph = HUB % "" + WAITS
    assert world.findings(graph) == []
    assert [c for c, _ in world.findings(graph.replace("      sessions: {", "      others: {"))][:1] == ["GA102"]
    lines = graph.splitlines()
    first = next(i for i, line in enumerate(lines) if "delegates:" in line)
    alone = "\n".join([*lines[:first], *lines[first + 2 :]])
    assert "GA103" in [code for code, _ in world.findings(alone)]
    assert "GA507" in [code for code, _ in world.findings(graph.replace("count: {", "check: {"))]


def test_the_names_of_all_tool_sets_are_known(tmp_path: Path) -> None:
    """What the checks know of the sets is what a model is shown."""

    async def case(world: World) -> None:
        world.models["m"] = model = saying(["Done."])
        sets = [name for name in SETS if name != "std.skills"]  # which has no tool without files
        names = ", ".join(sets)
        hub = (HUB % "").replace("tools: [std.sessions]", f"tools: [{names}]")
        more = "\n      todos: { type: 'list[dict[str, str]]', default: [] }\n      files: { type: 'dict[str, any]', reducer: merge }"
        await world.start(hub.replace("    channels:", f"    channels:{more}", 1) + WAITS)
        assert TOOLS.keys() == SETS.keys()
        shown = [tool["name"] for tool in model.requests[0].tools]
        assert sorted(shown) == sorted([*(name for one in sets for name in TOOLS[one]), "count"])

    concurrency.run_sync(play, case, World(tmp_path))

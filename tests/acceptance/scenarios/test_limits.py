"""Limits: tokens and cost before every model call, time as a timer, and how a run goes on behind each of them."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import Conflict
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session import operations as ops
from graphagent.session.documents import history_document, run_document
from graphagent.session.host import Host
from graphagent.session.operations import Options, Outcome
from graphagent.session.services import Models
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls


class Counted:
    """Models of a world that count their calls, across the deaths of its processes."""

    def __init__(self, world: World) -> None:
        self.calls = 0
        self.world = world
        boot = world.boot

        def booted() -> None:
            boot()
            world.host = Host(world.settings, world.wire, world.clock, Models(world.settings, {"m": self.model()}))

        world.boot = booted  # type: ignore[method-assign]
        booted()

    def model(self) -> ScriptedModel:
        counted = self

        class Model(ScriptedModel):
            def stream(self, request: Any) -> Any:
                counted.calls += 1
                return super().stream(request)

        return Model([Turn(text="said", match=lambda _: True, repeat=True)], "m")


def limited(outcome: Outcome, cause: str) -> None:
    assert (outcome.row.status, outcome.row.reason) == ("failed", "limit")
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["cause"]) == ("limit", cause)


async def next_of(world: World, session: SessionId) -> list[str]:
    document = await run_document(world.host, await world.row(session))
    return list(document.data()["next"])


REPAIR = """
    outputs: { log: "list[str]" }
    models: { m: scripted/m }
    channels: { log: { type: "list[str]", reducer: append } }
    limits: { tokens: TOKENS ON_LIMIT }
    start: [typed, other]
    nodes:
      typed: { kind: llm, model: m, prompt: "typed", returns: { n: int }, writes: { log: "${ [str(out.n)] }" }, next: end, on_error: [{ to: end, writes: { log: "${ [error.kind] }" } }] }
      other: { kind: llm, model: m, prompt: "other", writes: { log: "${ [out.text] }" }, next: last }
      last: { kind: set, writes: { log: [last] }, next: end }
"""
STOP = """
      stop: { kind: set, writes: { log: "${ [error.kind + ' ' + default(error.cause, '')] }" }, next: end }
"""


@scenario
async def test_a_model_call_over_the_limit_isnt_made(world: World) -> None:
    """The second call of a task is forbidden by what its first one used; the superstep stays open, and a higher bound
    goes on from there."""
    models = Counted(world)
    outcome = await world.start(REPAIR.replace("TOKENS", "2").replace(" ON_LIMIT", ""))
    limited(outcome, "tokens")
    session = outcome.row.session
    made = models.calls
    assert made == 2
    assert outcome.row.head_superstep == 1
    assert (await world.values(session))["log"] == []
    with pytest.raises(Conflict, match="the limit tokens: 2 is reached") as refused:
        await world.resume(session)
    assert refused.value.hint is not None
    assert "--max-tokens" in refused.value.hint
    with pytest.raises(Conflict):
        await world.resume(session, Options(seed=1, limits={"supersteps": 100}))
    with pytest.raises(Conflict):
        await world.resume(session, Options(seed=1, limits={"tokens": 3}))
    assert models.calls == made
    assert (await next_of(world, session))[0].startswith(f"graphagent resume {session} --max-tokens ")
    outcome = await world.resume(session, Options(seed=1, limits={"tokens": 10_000}))
    assert outcome.outputs == {"log": ["said", "invalid_output", "last"]}
    assert models.calls == made + 1


@scenario
async def test_a_model_call_over_the_limit_goes_to_on_limit(world: World) -> None:
    """The superstep closes: finished siblings have written, the task that was cut short has not."""
    models = Counted(world)
    graph = REPAIR.replace("TOKENS ON_LIMIT", "2, on_limit: stop") + STOP.strip("\n")
    outcome = await world.start(graph)
    assert outcome.outputs == {"log": ["said", "limit tokens"]}
    assert models.calls == 2
    (data,) = await world.kinds(outcome.row.session, "x.limit.reached")
    assert data == {"limit": "tokens: 2", "cause": "tokens"}
    history = (await history_document(world.host, outcome.row)).data()["supersteps"][1]
    assert [(t["node"], t["status"]) for t in history["tasks"]] == [("typed", "cancelled"), ("other", "done")]
    statuses = [d["status"] for d in await world.kinds(outcome.row.session, "x.task.finished")]
    assert statuses == ["cancelled", "done", "done"]


@scenario
async def test_what_other_items_use_counts_from_the_barrier_on(world: World) -> None:
    """Whoever is faster: every item makes its call, and the run ends behind the map."""
    models = Counted(world)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        models: { m: scripted/m }
        channels: { log: { type: "list[str]", reducer: append } }
        limits: { tokens: 5 }
        start: each
        nodes:
          each: { kind: map, over: "['a', 'b', 'c']", concurrency: 1, do: { kind: llm, model: m, prompt: "item {{ x }}", with: { x: "${ item }" } }, collect: "${ out.text }", writes: { log: "${ results }" }, next: more }
          more: { kind: llm, model: m, prompt: "more", writes: { log: "${ [out.text] }" }, next: end }
    """)
    limited(outcome, "tokens")
    assert models.calls == 3
    assert (await world.values(outcome.row.session))["log"] == ["said"] * 3
    assert (await world.resume(outcome.row.session, Options(limits={"tokens": 900}))).row.status == "done"
    assert models.calls == 4


@scenario
async def test_a_cut_superstep_withdraws_questions_and_children(world: World) -> None:
    """Other tasks of a superstep that a limit cuts short wait for people: their questions are closed."""
    Counted(world)
    world.replays_call = True
    world.functions("""
        async def ask(context):
            return await context.ask("Well?", options=["a", "b"])
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        models: { m: scripted/m }
        channels: { log: { type: "list[str]", reducer: append } }
        limits: { tokens: 2, on_limit: stop }
        start: [typed, ask, spoke, person]
        nodes:
          typed: { kind: llm, model: m, prompt: "typed", returns: { n: int }, writes: { log: "${ [str(out.n)] }" }, next: end }
          ask: { kind: code, python: "fns:ask", next: end }
          spoke: { kind: map, over: "[1]", do: { kind: code, python: "fns:ask" }, next: end }
          person: { kind: graph, graph: sub, next: end }
          stop: { kind: set, writes: { log: "${ [error.kind + ' ' + default(error.cause, '')] }" }, next: end }
        graphs:
          sub:
            start: person
            nodes: { person: { kind: human, mode: approve, prompt: "Child?", next: end } }
    """)
    assert outcome.outputs == {"log": ["limit tokens"]}
    assert await world.open(outcome.row.session) == []
    assert [row.status for row in await world.children(outcome.row.session)] == ["cancelled"]


CHILD = """
    outputs: { log: "list[str]" }
    models: { m: scripted/m }
    channels: { log: { type: "list[str]", reducer: append } }
    limits: { tokens: 9 ON_LIMIT }
    start: first
    nodes:
      first: { kind: llm, model: m, prompt: "first", writes: { log: "${ [out.text] }" }, next: call }
      call: { kind: graph, graph: sub, writes: { log: "${ [str(out.n)] }" }, next: end }
      STOP
    graphs:
      sub:
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { tokens: 1000 }
        start: again
        nodes:
          again: { kind: llm, model: m, prompt: "again", writes: { n: 1 }, next: [{ when: "n < 5", to: again }, { to: end }] }
"""


@scenario
async def test_a_child_session_gets_what_is_left(world: World) -> None:
    """A child ends by what its caller has left, and the caller with it: `limit`, or at `on_limit`."""
    models = Counted(world)
    outcome = await world.start(CHILD.replace(" ON_LIMIT", "").replace("STOP", ""))
    limited(outcome, "tokens")
    session = outcome.row.session
    (child,) = await world.children(session)
    assert (child.status, child.reason) == ("failed", "limit")
    assert models.calls < 5
    with pytest.raises(Conflict):
        await world.resume(session)
    assert (await world.resume(session, Options(limits={"tokens": 10_000}))).outputs == {"log": ["said", "5"]}
    outcome = await world.start(CHILD.replace(" ON_LIMIT", ", on_limit: stop").replace("STOP", STOP.strip()))
    assert outcome.outputs == {"log": ["said", "limit tokens"]}


WALL = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    limits: { wall: 1h ON_LIMIT }
    start: [ask, spoke]
    nodes:
      ask: { kind: human, mode: choose, prompt: "Which?", options: [x, y], timeout: 99h, writes: { log: "${ [out.choice] }" }, next: after, on_error: after }
      spoke: { kind: graph, graph: sub, next: after }
      after: { kind: set, join: any, writes: { log: [after] }, next: end }
      STOP
    graphs:
      sub:
        outputs: {}
        start: person
        nodes: { person: { kind: human, mode: approve, prompt: "Child?", timeout: 99h, next: end, on_error: end } }
"""


@scenario
async def test_the_time_of_a_run_that_waits(world: World) -> None:
    """It counts waiting, is over once, and ends the run even where an answer came too late; more time goes on."""
    outcome = await world.start(WALL.replace(" ON_LIMIT", "").replace("STOP", ""))
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    world.clock.skipped += 1_800_000_000
    assert (await world.resume(session)).row.status == "waiting"
    world.clock.skipped += 1_900_000_000
    limited(await world.drive(session), "wall")
    asked = await world.asked(session)
    assert sorted(asked) == ["Child?", "Which?"]
    await world.answer(asked["Which?"], "y")
    limited(await world.drive(session), "wall")
    with pytest.raises(Conflict, match="the limit wall: 3600 s is reached") as refused:
        await world.resume(session)
    assert refused.value.hint is not None
    assert "--timeout" in refused.value.hint
    with pytest.raises(Conflict):
        await world.resume(session, Options(limits={"wall": "1h"}))
    outcome = await world.resume(session, Options(limits={"wall": "2h"}))
    assert (outcome.row.status, (await world.values(session))["log"]) == ("waiting", ["y", "after"])
    world.clock.skipped += 3_600_000_000
    await world.answer((await world.asked(session))["Child?"], True)
    limited(await world.drive(session), "wall")
    assert (await world.resume(session, Options(limits={"wall": 90_000}))).row.status == "done"
    assert len(await world.kinds(session, "x.limit.reached")) == 2
    fork = await world.fork(session, 1)  # its time is its own
    assert (await world.drive(fork.row.session)).row.status == "waiting"
    world.clock.skipped += 3_700_000_000
    limited(await world.drive(fork.row.session), "wall")
    assert (await world.resume(fork.row.session, Options(limits={"wall": "3h"}))).row.status == "waiting"


@scenario
async def test_the_time_of_a_run_with_on_limit(world: World) -> None:
    """All tokens, questions and children are withdrawn, once, though nobody was there when it was over."""
    outcome = await world.start(WALL.replace(" ON_LIMIT", ", on_limit: stop").replace("STOP", STOP.strip()))
    session = outcome.row.session
    theirs = (await world.asked(session))["Which?"]
    world.clock.skipped += 3_700_000_000
    await world.crash()
    await world.answer(theirs, "x")
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["limit wall"]}
    assert await world.open(session) == []
    assert [row.status for row in await world.children(session)] == ["cancelled"]
    again = await world.drive(session)
    assert again.row.commit_n == outcome.row.commit_n


@scenario_of_calls
async def test_the_time_of_a_run_that_works(world: World) -> None:
    """It is looked at behind every superstep."""
    world.functions("""
        CLOCK = []

        def work(n):
            note("work")
            CLOCK[0].skipped += 1_000_000_000
            return n
    """)
    graph = """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { wall: 50m, supersteps: 50 }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", with: { n: 1 }, writes: { n: "${ out }" }, next: [{ when: "n < 6", to: work }, { to: end }] }
    """
    session = await world.create(graph)
    (await world.plan_module(session)).__globals__["CLOCK"][:] = [world.clock]
    limited(await world.drive(session), "wall")
    assert (await world.values(session))["n"] == 3
    (await world.plan_module(session)).__globals__["CLOCK"][:] = [world.clock]
    assert (await world.resume(session, Options(limits={"wall": "5h"}))).outputs == {"n": 6}
    assert world.once("work") or world.calls("work") == 6


@scenario
async def test_the_time_of_a_superstep_that_waits(world: World) -> None:
    """A question holds the superstep open: its journal is kept for whoever gives the run more time."""
    world.replays_call = True
    world.functions("""
        async def ask(context):
            await context.effect("look", note, "look", effects="write")
            said = await context.ask("Well?", options=["a", "b"])
            return said["choice"]
    """)
    graph = """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        limits: { wall: 1h ON_LIMIT }
        start: ask
        nodes:
          ask: { kind: code, python: "fns:ask", writes: { log: "${ [out] }" }, next: end }
          STOP
    """
    session = (await world.start(graph.replace(" ON_LIMIT", "").replace("STOP", ""))).row.session
    world.clock.skipped += 3_700_000_000
    for _ in range(2):
        limited(await world.drive(session), "wall")
    assert list(await world.asked(session)) == ["Well?"]
    await world.answer((await world.asked(session))["Well?"], "b")
    assert (await world.resume(session, Options(limits={"wall": "2h"}))).outputs == {"log": ["b"]}
    assert world.calls("look") == 1
    stopped = graph.replace(" ON_LIMIT", ", on_limit: stop").replace("STOP", STOP.strip())
    session = (await world.start(stopped)).row.session
    world.clock.skipped += 3_700_000_000
    assert (await world.drive(session)).outputs == {"log": ["limit wall"]}
    assert await world.open(session) == []


@scenario
async def test_visits_have_no_flag(world: World) -> None:
    """A limit of the graph alone: nothing that is offered is refused."""
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { visits: { tick: 3 } }
        start: tick
        nodes: { tick: { kind: set, writes: { n: 1 }, next: [{ when: "n < 9", to: tick }, { to: end }] } }
    """)
    limited(outcome, "visits")
    session = outcome.row.session
    with pytest.raises(Conflict, match="visits of 'tick': 3") as refused:
        await world.resume(session, Options(limits={"supersteps": 99}))
    assert refused.value.hint is not None
    assert "--graph" in refused.value.hint
    assert await next_of(world, session) == [f"graphagent fork {session} --at {outcome.row.head_superstep - 1}"]
    assert (await ops.standing(world.host, session)).row.status == "failed"

"""Sub-graphs: scenarios 40 to 45."""

from __future__ import annotations

from graphagent.ids import SessionId
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

NESTED = """
    outputs: { said: str, log: "list[str]" }
    channels: { said: { type: str, default: "" }, log: { type: "list[str]", reducer: append } }
    start: [call, other]
    nodes:
      call: { kind: graph, graph: one, with: { who: hub }, writes: { said: "${ out.said }" }, next: end }
      other: { kind: code, python: "fns:work", with: { x: other }, writes: { log: "${ [out] }" }, next: more }
      more: { kind: set, writes: { log: [more] }, next: end }
    graphs:
      one:
        inputs: { who: str }
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: before
        nodes:
          before: { kind: code, python: "fns:work", with: { x: "${ inputs.who + '/one' }" }, next: call }
          call: { kind: graph, graph: two, with: { who: "${ inputs.who + '/one' }" }, writes: { said: "${ out.said }" }, next: end }
      two:
        inputs: { who: str }
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: before
        nodes:
          before: { kind: code, python: "fns:work", with: { x: "${ inputs.who + '/two' }" }, next: ask }
          ask: { kind: human, mode: choose, prompt: "{{ who }}?", with: { who: "${ inputs.who }" }, options: [yes, no], writes: { said: "${ out.choice }" }, next: after }
          after: { kind: code, python: "fns:work", with: { x: after }, next: end }
"""
WORK = """
    def work(x):
        note(x)
        return x
"""


async def levels(world: World, session: SessionId) -> list[SessionId]:
    """A session, its only child, that one's only child, and so on."""
    out = [session]
    while children := await world.children(out[-1]):
        assert len(children) == 1
        out.append(children[0].session)
    return out


@scenario
async def test_40_a_question_three_levels_deep(world: World) -> None:
    """A spoke's interrupt shows at the hub with the spoke's id and is answered there; three levels deep too."""
    world.functions(WORK)
    outcome = await world.start(NESTED)
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    assert (await world.values(session))["log"] == ["other", "more"]
    rows = await world.open(session)
    sessions = await levels(world, session)
    assert len(sessions) == 3
    assert [row.session for row in rows] == [sessions[-1]]
    await world.crash()
    await world.answer(rows[0], "yes")
    outcome = await world.drive(session)
    assert outcome.outputs == {"said": "yes", "log": ["other", "more"]}
    assert [(await world.row(s)).status for s in sessions] == ["done", "done", "done"]
    assert all(world.once(x) for x in ("other", "hub/one", "hub/one/two", "after"))
    assert await levels(world, session) == sessions


@scenario_of_calls
async def test_40b_the_child_is_driven_first(world: World) -> None:
    """The spoke may be run on by itself after its answer; the hub takes its outcome when it is run on."""
    world.functions(WORK)
    session = (await world.start(NESTED)).row.session
    sessions = await levels(world, session)
    (row,) = await world.open(session)
    await world.answer(row, "no")
    for at in (sessions[2], sessions[1], sessions[0]):
        outcome = await world.drive(at)
        assert outcome.row.status == "done"
    assert outcome.outputs == {"said": "no", "log": ["other", "more"]}
    assert world.calls("after") == 1


@scenario
async def test_41_one_spoke_called_twice(world: World) -> None:
    """The same spoke called twice by one node, and in parallel map items: separate sessions, separate state."""
    world.functions(WORK)
    outcome = await world.start("""
        outputs: { a: any, b: any, each: any }
        channels: { a: any, b: any, each: any }
        start: [a, b, each]
        nodes:
          a: { kind: graph, graph: count, with: { n: 1 }, writes: { a: "${ out.log }" }, next: end }
          b: { kind: graph, graph: count, with: { n: 2 }, writes: { b: "${ out.log }" }, next: end }
          each: { kind: map, over: "[3, 4, 3]", do: { kind: graph, graph: count, with: { n: "${ item }" } }, collect: "${ out.log }", writes: { each: "${ results }" }, next: end }
        graphs:
          count:
            inputs: { n: int }
            outputs: { log: "list[int]" }
            channels: { log: { type: "list[int]", reducer: append }, i: { type: int, reducer: sum } }
            limits: { supersteps: 20 }
            start: tick
            nodes:
              tick: { kind: set, writes: { i: 1, log: "${ [inputs.n * 10 + i] }" }, next: [{ when: i < 2, to: tick }, { to: end }] }
    """)
    assert outcome.outputs == {"a": [10, 11], "b": [20, 21], "each": [[30, 31], [40, 41], [30, 31]]}
    children = await world.children(outcome.row.session)
    assert len({child.session for child in children}) == 5
    assert sorted(str(child.caller_path) for child in children) == ["a", "b", "each[0]", "each[1]", "each[2]"]
    assert len({child.seed for child in children}) == 5


@scenario
async def test_41b_children_of_map_items_that_wait(world: World) -> None:
    """Map items whose spokes ask are answered one by one, in any order; the others stay as they are."""
    world.functions(WORK)
    outcome = await world.start("""
        outputs: { each: any }
        channels: { each: any }
        start: each
        nodes:
          each: { kind: map, over: "['a', 'b', 'c']", do: { kind: graph, graph: ask, with: { x: "${ item }" } }, collect: "${ out.said }", writes: { each: "${ results }" }, next: end }
        graphs:
          ask:
            inputs: { x: str }
            outputs: { said: str }
            channels: { said: { type: str, default: "" } }
            start: before
            nodes:
              before: { kind: code, python: "fns:work", with: { x: "${ inputs.x }" }, next: ask }
              ask: { kind: human, mode: choose, prompt: "{{ x }}?", with: { x: "${ inputs.x }" }, options: [y, n], writes: { said: "${ inputs.x + out.choice }" }, next: end }
    """)
    session = outcome.row.session
    for x, choice in (("b", "y"), ("c", "n"), ("a", "y")):
        assert outcome.row.status == "waiting"
        await world.crash()
        await world.answer((await world.asked(session))[f"{x}?"], choice)
        outcome = await world.drive(session)
    assert outcome.outputs == {"each": ["ay", "by", "cn"]}
    assert len(await world.children(session)) == 3
    assert all(world.once(x) for x in "abc")


LOOPED = """
    outputs: { log: "list[any]" }
    channels: { log: { type: "list[any]", reducer: append } }
    limits: { supersteps: 40 }
    start: call
    nodes:
      call: { kind: graph, graph: sub, with: { n: "${ len(log) }" }, writes: { log: "${ [out.log] }" }, retry: { max: 2, on: [child_failed], delay: 1ms }, next: [{ when: "len(log) < 3", to: call }, { to: end }] }
    graphs:
      sub:
        inputs: { n: int }
        outputs: { log: "list[any]" }
        channels: { log: { type: "list[any]", reducer: append, scope: session } }
        start: first
        nodes:
          first: { kind: set, writes: { log: "${ [inputs.n] }" }, next: second }
          second: { kind: code, python: "fns:maybe", with: { n: "${ inputs.n }" }, writes: { log: "${ [out] }" }, next: end }
"""


@scenario_of_calls
async def test_42_a_spoke_starts_fresh(world: World) -> None:
    """A spoke called in a loop, or again by a `retry` of its graph node, starts fresh each time, unless state is
    handed over."""
    world.functions("""
        def maybe(n):
            if note("maybe", n) == 1 and n == 1:
                raise ValueError("round 1 fails once")
            return f"r{n}"
    """)
    outcome = await world.start(LOOPED)
    assert outcome.outputs == {"log": [[0, "r0"], [1, "r1"], [2, "r2"]]}
    children = await world.children(outcome.row.session)
    assert [child.status for child in children] == ["done", "failed", "done", "done"]
    assert [world.calls("maybe", n) for n in range(3)] == [1, 2, 1]


@scenario_of_calls
async def test_42b_resume_makes_a_new_child_or_takes_the_mended_one(world: World) -> None:
    """A failed child fails its caller; resuming the caller calls a new child."""
    world.functions("""
        def maybe(n):
            if note("maybe", n) <= 2 and n == 1:
                raise ValueError("round 1 fails twice")
            return f"r{n}"
    """)
    outcome = await world.start(LOOPED)
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["cause"]) == ("child_failed", "code_failed")
    await world.crash()
    outcome = await world.resume(outcome.row.session)
    assert outcome.outputs == {"log": [[0, "r0"], [1, "r1"], [2, "r2"]]}
    assert len(await world.children(outcome.row.session)) == 5


@scenario
async def test_42c_recursion_is_bounded(world: World) -> None:
    """A graph that calls itself for ever: `max_depth` ends it as data."""
    outcome = await world.start("""
        inputs: { n: "int = 0" }
        outputs: { deepest: int, why: str }
        channels: { deepest: { type: int, default: 0 }, why: { type: str, default: "" } }
        start: down
        nodes:
          down: { kind: graph, graph: self, max_depth: 3, with: { n: "${ inputs.n + 1 }" }, writes: { deepest: "${ out.deepest }", why: "${ out.why }" }, next: end, on_error: stop }
          stop: { kind: set, writes: { deepest: "${ inputs.n }", why: "${ error.kind }" }, next: end }
    """)
    assert outcome.outputs == {"deepest": 3, "why": "limit"}
    assert len(await world.sessions()) == 4


FORKED = """
    outputs: { a: any, b: any }
    channels: { a: any, b: any, x: { type: int, default: 1 } }
    start: before
    nodes:
      before: { kind: set, writes: { x: 2 }, next: call }
      call: { kind: graph, graph: sub, with: { x: "${ x }" }, writes: { a: "${ out.y }" }, next: after }
      after: { kind: code, python: "fns:work", with: { x: "${ a }" }, writes: { b: "${ out }" }, next: end }
    graphs:
      sub:
        inputs: { x: int }
        outputs: { y: int }
        channels: { y: { type: int, default: 0 } }
        start: work
        nodes:
          work: { kind: code, python: "fns:child", with: { x: "${ inputs.x }" }, writes: { y: "${ out }" }, next: end }
"""


@scenario_of_calls
async def test_45_forks_before_and_after_a_call(world: World) -> None:
    """A fork of the hub before the call gives the spoke a new session; after the call, the recorded outcome."""
    world.functions(
        WORK
        + """
    def child(x):
        note("child")
        return x * 10
"""
    )
    outcome = await world.start(FORKED)
    session = outcome.row.session
    assert outcome.outputs == {"a": 20, "b": 20}
    # Snapshot 1 is the start, 2 after `before`, 3 after `call`.
    after = await world.fork(session, 3)
    outcome = await world.resume(after.row.session)
    assert outcome.outputs == {"a": 20, "b": 20}
    assert (world.calls("child"), world.calls(20)) == (1, 2)
    assert await world.children(after.row.session) == []
    before = await world.fork(session, 2, {"x": 7})
    outcome = await world.resume(before.row.session)
    assert outcome.outputs == {"a": 70, "b": 70}
    assert world.calls("child") == 2
    (mine,), (theirs,) = await world.children(session), await world.children(before.row.session)
    assert mine.session != theirs.session
    assert mine.seed != theirs.seed
    assert (await world.row(session)).status == "done"


@scenario
async def test_45b_a_fork_while_the_child_waits(world: World) -> None:
    """A fork of a hub that waits for its spoke calls a spoke of its own, which asks under its own id."""
    world.functions(WORK)
    outcome = await world.start(NESTED)
    session = outcome.row.session
    (theirs,) = await world.open(session)
    fork = await world.fork(session, outcome.row.head_superstep)
    forked = await world.resume(fork.row.session)
    assert forked.row.status == "waiting"
    (mine,) = await world.open(fork.row.session)
    assert mine.interrupt != theirs.interrupt
    await world.answer(mine, "no")
    forked = await world.drive(fork.row.session)
    assert forked.outputs == {"said": "no", "log": ["other", "more"]}
    assert [row.interrupt for row in await world.open(session)] == [theirs.interrupt]
    await world.answer(theirs, "yes")
    outcome = await world.drive(session)
    assert outcome.outputs == {"said": "yes", "log": ["other", "more"]}
    assert world.once("other")

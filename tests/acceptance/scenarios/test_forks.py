"""Forks of a superstep that hasn't closed: what was called in it isn't called again, and questions are asked anew."""

from __future__ import annotations

import pytest

from graphagent.errors import ForkOpenWrite
from graphagent.session import operations as ops
from tests.acceptance.scenarios.world import Crash, World, scenario

ASKING = """
    outputs: { log: "list[str]", n: int }
    channels: { log: { type: "list[str]", reducer: append }, n: { type: int, default: 0 } }
    start: [steer, look]
    nodes:
      steer: { kind: code, python: "fns:steer", writes: { log: "${ [out] }" }, next: end }
      look: { kind: code, python: "fns:look", writes: { log: "${ [out] }" }, next: end }
"""
STEER = """
    def measure(what):
        return f"{what}{note(what)}"

    async def steer(context):
        wind = await context.effect("wind", measure, "wind")
        mark = context.uuid().hex
        await context.effect("log", measure, mark, effects="write")
        course = await context.ask("Which course?", options=["north", "south"])
        depth = await context.effect("depth", measure, "depth")
        speed = await context.ask("How fast?", options=["slow", "fast"])
        return f"{wind} {course['choice']} {depth} {speed['choice']}"

    def look():
        return f"look{note('look')}"
"""


@scenario
async def test_33b_a_fork_at_an_open_question(world: World) -> None:
    """The calls before the question aren't made again, writes with an identity of their own neither; the question is
    asked under the fork's own id, and the origin's stays answerable."""
    world.replays_call = True
    world.functions(STEER)
    outcome = await world.start(ASKING)
    session, at = outcome.row.session, outcome.row.head_superstep
    (theirs,) = await world.open(session)
    made = world.noted()
    fork = await world.fork(session, at)
    assert (fork.row.status, fork.row.reason, fork.row.commit_n) == ("waiting", "paused", 0)
    assert fork.row.seed != outcome.row.seed
    assert (await world.drive(fork.row.session)).row.status == "waiting"
    (mine,) = await world.open(fork.row.session)
    assert (mine.question, mine.interrupt == theirs.interrupt) == (theirs.question, False)
    assert world.noted() == made
    await world.answer(mine, "south")
    await world.drive(fork.row.session)
    await world.answer(theirs, "north")
    await world.drive(session)
    for one in (session, fork.row.session):
        await world.answer((await world.asked(one))["How fast?"], "fast")
    mine_out, theirs_out = await world.drive(fork.row.session), await world.drive(session)
    assert mine_out.outputs is not None
    assert theirs_out.outputs is not None
    assert [mine_out.outputs["log"][1], theirs_out.outputs["log"][1]] == [outcome_log(world), "look1"]
    assert mine_out.outputs["log"][0].startswith("wind1 south depth")
    assert theirs_out.outputs["log"][0].startswith("wind1 north depth")
    assert (world.calls("wind"), world.calls("look")) == (1, 1)
    assert world.calls("depth") == 2


def outcome_log(world: World) -> str:
    """What `look` gave at its only call."""
    return f"look{world.calls('look')}"


@scenario
async def test_33c_a_fork_doesnt_see_what_its_origin_does_later(world: World) -> None:
    """Rows that the origin adds to the open superstep after the fork aren't the fork's."""
    world.replays_call = True
    world.functions(STEER)
    session = (await world.start(ASKING)).row.session
    at = (await world.row(session)).head_superstep
    early = await world.fork(session, at)
    await world.answer((await world.asked(session))["Which course?"], "north")
    await world.drive(session)
    late = await world.fork(session, at)
    again = await world.fork(late.row.session, at)
    for fork, question in ((early, "Which course?"), (late, "How fast?"), (again, "How fast?")):
        await world.drive(fork.row.session)
        assert list(await world.asked(fork.row.session)) == [question]
    assert world.calls("depth") == 1
    await world.answer((await world.asked(again.row.session))["How fast?"], "slow")
    outcome = await world.drive(again.row.session)
    assert outcome.outputs is not None
    assert outcome.outputs["log"][0] == "wind1 north depth1 slow"
    assert again.row.lineage == ((await world.fork(session, at)).row.lineage)


@scenario
async def test_47b_edits_and_fresh_forks_begin_the_superstep_anew(world: World) -> None:
    """An edit is a superstep of its own, so the open one isn't carried; `fresh` doesn't carry it either."""
    world.replays_call = True
    world.functions(STEER)
    session = (await world.start(ASKING)).row.session
    at = (await world.row(session)).head_superstep
    for calls, more in ((2, {"edits": {"n": 5}}), (3, {"fresh": True})):
        fork = await world.fork(session, at, **more)
        assert fork.row.carried is None
        outcome = await world.drive(fork.row.session)
        assert outcome.row.status == "waiting"
        assert (world.calls("wind"), world.calls("look")) == (calls, calls)
    assert list(await world.asked(session)) == ["Which course?"]


FAILING = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [pay, bad, each]
    nodes:
      pay: { kind: code, python: "fns:pay", effects: write, writes: { log: "${ [out] }" }, next: end }
      bad: { kind: code, python: "fns:bad", writes: { log: "${ [out] }" }, next: end }
      each: { kind: map, over: "['a', 'b']", do: { kind: code, python: "fns:item", with: { x: "${ item }" } }, writes: { log: "${ results }" }, next: end }
"""
FAILURES = """
    BROKEN = ["bad", "a"]

    def pay():
        note("pay")
        return "paid"

    def ship():
        note("ship")
        return "shipped"

    async def bad(context):
        done = await context.effect("ship", ship, effects="write")
        await context.effect("read", note, "read")
        if "bad" in BROKEN:
            raise ValueError("not yet")
        return done

    def item(x):
        note("item " + x)
        if x in BROKEN:
            raise ValueError("not yet")
        return x
"""


@scenario
async def test_18b_a_fork_of_a_failed_run(world: World) -> None:
    """Finished siblings and finished writes are carried; the failed tasks get a new attempt, as a resume gives it."""
    world.replays_call = True
    world.functions(FAILURES)
    outcome = await world.start(FAILING)
    assert outcome.row.status == "failed"
    session, at = outcome.row.session, outcome.row.head_superstep
    forks = [await world.fork(session, at)]
    forks.append(await world.fork(forks[0].row.session, at))
    broken = await world.drive(forks[0].row.session)
    assert broken.row.status == "failed"
    assert (world.calls("pay"), world.calls("ship"), world.calls("item b")) == (1, 1, 1)
    assert world.calls("item a") == 2
    world.function("BROKEN").clear()
    for module in (world.host.services_of(await world.host.plan_of(outcome.row)),):
        module.function("fns:bad").__globals__["BROKEN"].clear()
    forks.append(await world.fork(forks[0].row.session, at))
    for fork in forks[1:]:
        assert (await world.drive(fork.row.session)).outputs == {"log": ["paid", "shipped", "a", "b"]}
    assert (world.calls("pay"), world.calls("ship"), world.calls("item b")) == (1, 1, 1)
    assert (await world.row(session)).status == "failed"
    assert (await world.resume(session)).outputs == {"log": ["paid", "shipped", "a", "b"]}
    assert (world.calls("pay"), world.calls("ship"), world.calls("item b")) == (1, 1, 1)


@scenario
async def test_18c_a_fork_of_a_failed_run_with_a_corrected_graph(world: World) -> None:
    """With another graph, tasks of nodes that are the same are carried, and changed ones run from their beginning."""
    world.replays_call = True
    world.functions(FAILURES)
    outcome = await world.start(FAILING)
    session, at = outcome.row.session, outcome.row.head_superstep
    mended = world.plan(
        FAILING.replace('"fns:bad", writes: { log: "${ [out] }" }', '"fns:pay", writes: { log: [mended] }').replace(
            "['a', 'b']", "['b', 'c']"
        )
    )
    fork = await world.fork(session, at, plan=mended)
    assert fork.row.carried is not None
    assert {path for path, _, _ in fork.row.carried.keys} == {"pay"}
    assert (await world.drive(fork.row.session)).outputs == {"log": ["paid", "mended", "b", "c"]}
    assert (world.calls("pay"), world.calls("item b"), world.calls("item c")) == (2, 2, 1)


@scenario
async def test_32b_a_fork_of_a_map_that_asks(world: World) -> None:
    """Items that were answered aren't asked or run again; the others ask under the fork's ids."""
    world.replays_call = True
    world.functions("""
        async def item(x, context):
            await context.effect("look", note, x)
            said = await context.ask(f"{x}?", options=["y", "n"])
            return f"{x}{said['choice']}"
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: each
        nodes:
          each: { kind: map, over: "['a', 'b', 'c', 'd']", do: { kind: code, python: "fns:item", with: { x: "${ item }" } }, writes: { log: "${ results }" }, next: end }
    """)
    session, at = outcome.row.session, outcome.row.head_superstep
    asked = await world.asked(session)
    for prompt in ("b?", "d?"):
        await world.answer(asked[prompt], "y")
    assert (await world.drive(session)).row.status == "waiting"
    fork = await world.fork(session, at)
    await world.drive(fork.row.session)
    mine = await world.asked(fork.row.session)
    assert sorted(mine) == ["a?", "c?"]
    assert not {r.interrupt for r in mine.values()} & {r.interrupt for r in asked.values()}
    for row in mine.values():
        await world.answer(row, "n")
    assert (await world.drive(fork.row.session)).outputs == {"log": ["an", "by", "cn", "dy"]}
    assert all(world.calls(x) == 1 for x in "abcd")
    assert sorted(await world.asked(session)) == ["a?", "c?"]


@scenario
async def test_45b_a_fork_beside_a_finished_call(world: World) -> None:
    """The outcome of a child that has ended is carried: the fork makes no child of its own, and the origin's child is
    no more its child than before."""
    world.functions("""
        def work():
            note("work")
            return "worked"

        def bad():
            raise ValueError("always")
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [call, bad]
        nodes:
          call: { kind: graph, graph: spoke, writes: { log: "${ [out.did] }" }, next: end }
          bad: { kind: code, python: "fns:bad", next: end }
        graphs:
          spoke:
            outputs: { did: str }
            channels: { did: { type: str, default: "" } }
            start: work
            nodes: { work: { kind: code, python: "fns:work", writes: { did: "${ out }" }, next: end } }
    """)
    session, at = outcome.row.session, outcome.row.head_superstep
    assert (outcome.row.status, world.once("work")) == ("failed", True)
    calls = world.calls("work")
    fork = await world.fork(session, at)
    assert (await world.drive(fork.row.session)).row.status == "failed"
    assert (world.calls("work"), await world.children(fork.row.session)) == (calls, [])
    before = await world.fork(session, at, fresh=True)
    assert (await world.drive(before.row.session)).row.status == "failed"
    assert (world.calls("work") > calls, len(await world.children(before.row.session))) == (True, 1)


@scenario
async def test_a_fork_beside_a_write_without_an_outcome(world: World) -> None:
    """Such a fork would make the write again: it is refused, edited or not, unless it says that it wants that."""
    world.functions("""
        HOOK = [None]

        def pay():
            note("pay")
            if HOOK[0]:
                HOOK[0]()
            return 1
    """)

    def die() -> None:
        world.wire.cut = True
        raise Crash

    graph = """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: pay
        nodes: { pay: { kind: code, python: "fns:pay", effects: write, writes: { n: "${ out }" }, next: end } }
    """
    session = await world.create(graph)
    hook = (await world.plan_module(session)).__globals__["HOOK"]
    hook[0] = die
    with pytest.raises((Crash, BaseExceptionGroup)):
        await world.calmly(lambda: ops.drive(world.host, session))
    await world.crash()
    at = (await world.row(session)).head_superstep
    for _ in range(2):  # the intent alone first, and then the row that says it is in doubt
        for more in ({}, {"edits": {"n": 5}}, {"dry_run": True}, {"plan": world.plan(graph.replace("pay:", "pay:  "))}):
            with pytest.raises(ForkOpenWrite, match="the write 'fns:pay' of task 'pay'") as refused:
                await world.fork(session, at, **more)
            assert refused.value.hint is not None
            assert refused.value.hint.endswith(f"graphagent fork {session} --at {at} --fresh")
        assert len(await world.sessions()) == 1
        await world.drive(session)
    hook = (await world.plan_module(session)).__globals__["HOOK"]
    hook[0] = None
    fork = await world.fork(session, at, fresh=True)
    assert (await world.drive(fork.row.session)).outputs == {"n": 1}
    assert world.calls("pay") == 2
    below = await world.fork(session, at - 1)
    assert (await world.row(session)).status == "waiting"
    assert below.row.carried is None

"""Forks right before a call of a superstep: what came before it is kept, it and what depends on it is made anew."""

from __future__ import annotations

import pytest

from graphagent.errors import ForkOpenWrite, InputInvalid, NotFound
from graphagent.ids import SessionId
from tests.acceptance.scenarios.world import World, scenario_of_calls

AGENT = """
    outputs: { log: "list[str]", n: int }
    channels: { log: { type: "list[str]", reducer: append }, n: { type: int, default: 0 } }
    start: open
    nodes:
      open: { kind: set, writes: { n: 1 }, next: [{ to: [work, look] }] }
      work: { kind: code, python: "fns:work", writes: { log: "${ [out] }" }, next: after }
      look: { kind: code, python: "fns:look", writes: { log: "${ [out] }" }, next: end }
      after: { kind: code, python: "fns:after", writes: { log: "${ [out] }" }, next: end }
"""
FUNCTIONS = """
    def measure(what):
        return f"{what}{note(what)}"

    async def work(context):
        mark = context.uuid().hex[:6]
        think = await context.effect("think", measure, "think")
        paid = await context.effect("pay", measure, "pay", effects="write")
        more = await context.effect("more", measure, "more")
        return f"{mark} {think} {paid} {more}"

    def look():
        return measure("look")

    def after():
        return measure("after")
"""
CALLS = ("think", "pay", "more", "look", "after")


async def started(world: World) -> tuple[SessionId, list[str]]:
    world.replays_call = True
    world.functions(FUNCTIONS)
    outcome = await world.start(AGENT)
    assert outcome.outputs is not None
    return outcome.row.session, list(outcome.outputs["log"])


def made(world: World, before: list[object]) -> list[str]:
    """What was called since, each once, in the order of CALLS."""
    new = world.noted()[len(before) :]
    return [x for x in CALLS if x in new]


@scenario_of_calls
async def test_a_fork_before_each_call(world: World) -> None:
    """The prefix isn't made again, the call and what follows it is; siblings stay; seeds of the superstep are the
    origin's, so the prefix fits."""
    session, log = await started(world)
    for ordinal, again in (
        (0, ["think", "pay", "more", "after"]),
        (1, ["pay", "more", "after"]),
        (2, ["more", "after"]),
    ):
        before = list(world.noted())
        fork = await world.fork(session, 2, before=f"work:{ordinal}")
        assert fork.row.carried is not None
        outcome = await world.resume(fork.row.session)
        assert outcome.outputs is not None
        assert made(world, before) == again
        assert outcome.outputs["log"][1] == log[1]
        kept = log[0].split(" ")[: ordinal + 1]
        assert outcome.outputs["log"][0].split(" ")[: ordinal + 1] == kept


@scenario_of_calls
async def test_a_fork_before_a_sibling_or_an_opaque_call(world: World) -> None:
    """Only that node runs again, and what follows."""
    session, log = await started(world)
    before = list(world.noted())
    fork = await world.fork(session, 2, before="look:0")
    outcome = await world.resume(fork.row.session)
    assert outcome.outputs is not None
    assert made(world, before) == ["look", "after"]
    assert outcome.outputs["log"][0] == log[0]
    again = await world.fork(fork.row.session, 2, before="work:2")
    before = list(world.noted())
    second = await world.resume(again.row.session)
    assert second.outputs is not None
    assert made(world, before) == ["more", "after"]
    assert second.outputs["log"][1] == outcome.outputs["log"][1]
    assert [e.session for e in again.row.lineage] == [session]


@scenario_of_calls
async def test_what_before_refuses(world: World) -> None:
    session, _ = await started(world)
    count = len(await world.sessions())
    with pytest.raises(NotFound, match="no call work:9") as caught:
        await world.fork(session, 2, before="work:9")
    assert "work:0, work:1, work:2" in str(caught.value.hint)
    for text in ("work", "work:", ":1", "work:-1", "work:x", "work:²"):
        with pytest.raises(InputInvalid, match="names no call"):
            await world.fork(session, 2, before=text)
    with pytest.raises(NotFound):
        await world.fork(session, 1, before="work:0")
    with pytest.raises(NotFound, match="no call work:0"):
        await world.fork(session, 4, before="work:0")
    with pytest.raises(InputInvalid, match="--set"):
        await world.fork(session, 2, {"n": 5}, before="work:1")
    with pytest.raises(InputInvalid, match="--fresh"):
        await world.fork(session, 2, before="work:1", fresh=True)
    assert len(await world.sessions()) == count


@scenario_of_calls
async def test_before_a_call_of_an_open_superstep(world: World) -> None:
    """A question is pending: the fork goes on before an earlier call. A write without an outcome refuses it."""
    world.replays_call = True
    world.functions("""
        def measure(what):
            return f"{what}{note(what)}"

        async def work(context):
            one = await context.effect("one", measure, "one")
            two = await context.effect("two", measure, "two")
            said = await context.ask("Go on?", options=["yes", "no"])
            return f"{one} {two} {said['choice']}"
    """)
    outcome = await world.start("""
        outputs: { log: str }
        channels: { log: { type: str, default: "" } }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", writes: { log: "${ out }" }, next: end }
    """)
    session, at = outcome.row.session, outcome.row.head_superstep
    fork = await world.fork(session, at, before="work:1")
    await world.drive(fork.row.session)
    (mine,) = await world.open(fork.row.session)
    await world.answer(mine, "yes")
    assert (await world.drive(fork.row.session)).outputs == {"log": "one1 two2 yes"}
    (theirs,) = await world.open(session)
    await world.answer(theirs, "no")
    assert (await world.drive(session)).outputs == {"log": "one1 two1 no"}
    late = await world.fork(session, at, before="work:2")
    await world.drive(late.row.session)
    assert list(await world.asked(late.row.session)) == ["Go on?"]
    assert (world.calls("one"), world.calls("two")) == (1, 2)


@scenario_of_calls
async def test_before_a_call_of_a_map_item(world: World) -> None:
    """The other items stay; the map's result is put together anew."""
    world.functions("""
        def item(x):
            return f"{x}{note(x)}"
    """)
    outcome = await world.start("""
        outputs: { each: any }
        channels: { each: any }
        start: each
        nodes:
          each: { kind: map, over: "['a', 'b', 'c']", do: { kind: code, python: "fns:item", with: { x: "${ item }" } }, writes: { each: "${ results }" }, next: end }
    """)
    assert outcome.outputs is not None
    had = outcome.outputs["each"]
    counts = [world.calls(x) for x in "abc"]
    fork = await world.fork(outcome.row.session, 1, before="each[1]:0")
    ran = await world.resume(fork.row.session)
    assert ran.outputs is not None
    assert [ran.outputs["each"][0], ran.outputs["each"][2]] == [had[0], had[2]]
    assert [world.calls("a"), world.calls("c")] == [counts[0], counts[2]]
    assert world.calls("b") > counts[1]


@scenario_of_calls
async def test_before_a_call_of_a_task_that_was_resumed(world: World) -> None:
    """The task failed, a person resumed it, it went on. A fork before a call of its second attempt, or of a sibling,
    takes it as it went, not as failed."""
    world.replays_call = True
    world.functions("""
        BROKEN = ["yes"]

        def measure(what):
            return f"{what}{note(what)}"

        async def bad(context):
            first = await context.effect("first", measure, "first")
            if BROKEN:
                BROKEN.pop()
                raise ValueError("not yet")
            second = await context.effect("second", measure, "second")
            return f"{first} {second}"

        def look():
            return measure("look")
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [bad, look]
        nodes:
          bad: { kind: code, python: "fns:bad", writes: { log: "${ [out] }" }, next: end }
          look: { kind: code, python: "fns:look", writes: { log: "${ [out] }" }, next: end }
    """)
    session = outcome.row.session
    assert outcome.row.status == "failed"
    outcome = await world.resume(session)
    assert outcome.outputs == {"log": ["first2 second1", "look1"]}
    second = await world.resume((await world.fork(session, 1, before="bad:1")).row.session)
    assert second.outputs == {"log": ["first2 second2", "look1"]}
    look = await world.resume((await world.fork(session, 1, before="look:0")).row.session)
    assert look.outputs == {"log": ["first2 second1", "look2"]}
    first = await world.resume((await world.fork(session, 1, before="bad:0")).row.session)
    assert first.outputs == {"log": ["first3 second3", "look1"]}


@scenario_of_calls
async def test_before_a_call_next_to_a_write_in_doubt(world: World) -> None:
    """Nothing may be forked there but fresh."""
    world.replays_call = True
    world.functions("""
        def measure(what):
            note(what)
            return what

        async def slow():
            note("slow")
            await asyncio.sleep(30)

        async def work(context):
            await context.effect("read", measure, "read", effects="read")
            return "x"
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [work, slow]
        nodes:
          work: { kind: code, python: "fns:work", writes: { log: "${ [out] }" }, next: end }
          slow: { kind: code, python: "fns:slow", effects: write, timeout: 50ms, writes: { log: "${ [out] }" }, next: end }
    """)
    assert outcome.row.status == "waiting"
    session, at = outcome.row.session, outcome.row.head_superstep
    with pytest.raises(ForkOpenWrite):
        await world.fork(session, at, before="work:0")
    with pytest.raises(ForkOpenWrite):
        await world.fork(session, at, before="slow:0")
    await world.fork(session, at, fresh=True)

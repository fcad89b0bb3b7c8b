"""Waiting for events and times, and breakpoints."""

from __future__ import annotations

import pytest

from graphagent.codec import decode
from graphagent.errors import Conflict, InputInvalid
from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.session.sending import send
from tests.acceptance.scenarios.world import World, scenario, seeded

HOUR = 3_600_000_000


async def post(world: World, session: SessionId, event: str, data: object = None) -> None:
    await send(world.host, session, event, data)


PAID = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append }, order: { type: str, default: "7" } }
    start: [settle, tick]
    nodes:
      settle:
        kind: wait
        event: [bank.paid, bank.refused]
        returns: { bank.paid: { order: str, amount: float } }
        match: event.order == order
        timeout: 2d
        writes: { log: "${ [event.name + ' ' + event.order] }" }
        on_error: late
        next: end
      late: { kind: set, writes: { log: ["${ error.kind }"] }, next: end }
      tick: { kind: set, writes: { log: [tick] }, next: tock }
      tock: { kind: set, writes: { log: [tock] }, next: end }
"""


@scenario
async def test_28_a_waiting_node_takes_the_event_that_fits(world: World) -> None:
    """`wait` in one branch parks and the other goes on; what doesn't fit `returns` or `match` isn't taken."""
    outcome = await world.start(PAID)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "event")
    assert (await world.values(session))["log"] == ["tick", "tock"]
    for event, data in (
        ("bank.other", {"order": "7", "amount": 1}),
        ("bank.paid", {"order": "8", "amount": 1}),
        ("bank.paid", {"order": "7", "amount": "much"}),
        ("bank.paid", {}),
        ("bank.refused", {}),
    ):
        await post(world, session, event, data)
        assert (await world.drive(session)).row.reason == "event"
    await world.crash()
    await post(world, session, "bank.refused", {"order": "7"})
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["tick", "tock", "bank.refused 7"]}
    with pytest.raises(Conflict):
        await post(world, session, "bank.paid", {"order": "7", "amount": 1})
    assert len(await world.kinds(session, "x.event.received")) == 6


TWICE = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append }, n: { type: int, reducer: sum } }
    limits: { supersteps: 30 }
    start: first
    nodes:
      first: { kind: human, mode: approve, prompt: "Ready?", next: ear }
      ear:
        kind: wait
        event: said
        returns: { text: str }
        writes: { log: "${ [event.text] }", n: 1 }
        next: [{ when: n < 3, to: ear }, { to: end }]
"""


@scenario
async def test_36_an_early_event_is_kept_and_each_is_used_once(world: World) -> None:
    """Events that come before anybody waits are kept in their order; one that comes while a question is open leaves
    it open."""
    session = (await world.start(TWICE)).row.session
    for text in ("a", "b"):
        await post(world, session, "said", {"text": text})
    outcome = await world.drive(session)
    assert outcome.row.reason == "interrupt"
    asked = await world.asked(session)
    assert list(asked) == ["Ready?"]
    await world.crash()
    await world.answer(asked["Ready?"], True)
    outcome = await world.drive(session)
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "event")
    assert (await world.values(session))["log"] == ["a", "b"]
    await post(world, session, "said", {"text": "c"})
    assert (await world.drive(session)).outputs == {"log": ["a", "b", "c"]}


@scenario
async def test_two_waiting_nodes_share_events_in_order(world: World) -> None:
    """The oldest event that fits goes to the token that parked first; each is used once."""
    outcome = await world.start("""
        outputs: { a: str, b: str }
        channels: { a: { type: str, default: "" }, b: { type: str, default: "" } }
        start: [b_node, a_node]
        nodes:
          a_node: { kind: wait, event: said, returns: { text: str }, writes: { a: "${ event.text }" }, next: end }
          b_node: { kind: wait, event: said, match: event.text != 'one', returns: { text: str }, writes: { b: "${ event.text }" }, next: end }
    """)
    session = outcome.row.session
    for text in ("one", "two"):
        await post(world, session, "said", {"text": text})
    assert (await world.drive(session)).outputs == {"a": "one", "b": "two"}


@scenario
async def test_38_a_wait_times_out_once(world: World) -> None:
    """No event in time is the error `timeout`, once, also if the process was down at that moment."""
    session = (await world.start(PAID)).row.session
    world.clock.skipped += 47 * HOUR
    assert (await world.drive(session)).row.status == "waiting"
    world.clock.skipped += HOUR
    await world.crash()
    assert (await world.drive(session)).outputs == {"log": ["tick", "tock", "timeout"]}
    assert len(await world.kinds(session, "x.timer.fired")) == 1


SLEEP = """
    inputs: { until: "str = '2000-01-01'" }
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [nap, past]
    nodes:
      nap: { kind: wait, for: 1h, writes: { log: [nap] }, next: end }
      past: { kind: wait, until: "${ inputs.until }", writes: { log: [past] }, on_error: wrong, next: end }
      wrong: { kind: set, writes: { log: ["${ error.kind }"] }, next: end }
"""


@scenario
async def test_timers(world: World) -> None:
    """A time that is over is due at once, a duration when it is over; a time that is none is an error."""
    session = (await world.start(SLEEP)).row.session
    outcome = await world.drive(session)
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "timer")
    assert (await world.values(session))["log"] == ["past"]
    fork = (await world.fork(session, outcome.row.head_superstep)).row.session
    world.clock.skipped += HOUR
    await world.crash()
    assert (await world.drive(session)).outputs == {"log": ["past", "nap"]}
    assert (await world.drive(fork)).outputs == {"log": ["past", "nap"]}
    outcome = await world.start(SLEEP, {"until": "tomorrow"})
    assert (await world.values(outcome.row.session))["log"] == ["expression"]


@scenario
async def test_a_fork_waits_its_full_time(world: World) -> None:
    """A fork's timers begin when it is made."""
    outcome = await world.drive((await world.start(SLEEP)).row.session)
    world.clock.skipped += HOUR // 2
    fork = (await world.fork(outcome.row.session, outcome.row.head_superstep)).row.session
    world.clock.skipped += HOUR // 2 + 1_000_000
    assert (await world.drive(fork)).row.status == "waiting"
    assert (await world.drive(outcome.row.session)).row.status == "done"
    world.clock.skipped += HOUR // 2
    assert (await world.drive(fork)).outputs == {"log": ["past", "nap"]}


CHILD = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [sub, tick]
    nodes:
      sub: { kind: graph, graph: sleeper, writes: { log: "${ [out.text] }" }, next: end }
      tick: { kind: set, writes: { log: [tick] }, next: end }
    graphs:
      sleeper:
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: ear
        nodes:
          ear: { kind: wait, event: said, returns: { text: str }, timeout: 1h, writes: { text: "${ event.text }" }, on_error: late, next: end }
          late: { kind: set, writes: { text: late }, next: end }
"""


@scenario
async def test_a_child_waits(world: World) -> None:
    """An event for a child wakes its caller; so does its timer."""
    outcome = await world.start(CHILD)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "event")
    (child,) = await world.children(session)
    await post(world, child.session, "said", {"text": "hello"})
    assert (await world.drive(session)).outputs == {"log": ["tick", "hello"]}
    session = (await world.start(CHILD)).row.session
    world.clock.skipped += 2 * HOUR
    assert (await world.drive(session)).outputs == {"log": ["tick", "late"]}


@scenario
async def test_events_that_are_refused(world: World) -> None:
    """Data that is no object, or too much of it, changes nothing."""
    session = (await world.start(TWICE)).row.session
    before = (await world.row(session)).input_n
    for data in ([1], "text", {"text": "x" * 70_000}):
        with pytest.raises(InputInvalid):
            await post(world, session, "said", data)
    for i in range(100):
        await post(world, session, "said", {"text": str(i)})
    with pytest.raises(Conflict):
        await post(world, session, "said", {"text": "101"})
    assert (await world.row(session)).input_n == before + 100
    await world.cancel(session)
    with pytest.raises(Conflict):
        await post(world, session, "said")


STOPS = """
    outputs: {{ log: "list[str]", n: int }}
    channels: {{ log: {{ type: "list[str]", reducer: append }}, n: {{ type: int, reducer: sum }} }}
    limits: {{ supersteps: 30 }}
    start: [work, other]
    nodes:
      work: {{ kind: set, {stop} writes: {{ log: [work], n: 1 }}, next: [{{ when: n < 2, to: work }}, {{ to: join }}] }}
      other: {{ kind: set, writes: {{ log: [other] }}, next: join }}
      join: {{ kind: set, join: all, writes: {{ log: [join] }}, next: end }}
"""


@scenario
async def test_37_breakpoints_of_nodes(world: World) -> None:
    """Static breakpoints before and after a node stop exactly once per visit, and can be resumed without an answer."""
    for stop, seen in (
        ("interrupt: before,", [["other"], ["other", "work"]]),
        ("interrupt: after,", [["work", "other"], ["work", "other", "work"]]),
    ):
        outcome = await world.start(STOPS.format(stop=stop))
        session = outcome.row.session
        for log in seen:
            assert (outcome.row.status, outcome.row.reason) == ("waiting", "paused")
            assert (await world.values(session))["log"] == log
            assert (await world.drive(session)).row.reason == "paused"  # only a resume goes on
            await world.crash()
            outcome = await world.resume(session)
        expected = ["other", "work", "work", "join"] if "before" in stop else ["work", "other", "work", "join"]
        assert outcome.outputs == {"log": expected, "n": 2}
        assert (await world.resume(session)).row.head_superstep == outcome.row.head_superstep


@scenario
async def test_breakpoints_inside_a_child(world: World) -> None:
    """A resume of the root lets its children's tokens go on, and those of a fork."""
    outcome = await world.start("""
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: sub
        nodes: { sub: { kind: graph, graph: inner, interrupt: before, writes: { text: "${ out.text }" }, next: end } }
        graphs:
          inner:
            outputs: { text: str }
            channels: { text: { type: str, default: "" } }
            start: say
            nodes: { say: { kind: set, interrupt: before, writes: { text: hello }, next: end } }
    """)
    session = outcome.row.session
    assert outcome.row.reason == "paused"
    assert await world.children(session) == []
    outcome = await world.resume(session)
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "paused")
    fork = (await world.fork(session, outcome.row.head_superstep)).row.session
    assert (await world.resume(session)).outputs == {"text": "hello"}
    outcome = await world.resume(fork)
    assert outcome.row.reason == "paused"  # the child was called again, and stops again
    assert (await world.resume(fork)).outputs == {"text": "hello"}


@scenario
async def test_a_timer_that_is_due_soon_is_waited_for(world: World) -> None:
    """The command doesn't end for the sake of a moment."""
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: nap
        nodes: { nap: { kind: wait, for: 20ms, writes: { n: 1 }, next: end } }
    """)
    if world.crashing:  # nobody waits any more when the process has died
        outcome = await world.drive(outcome.row.session)
    assert outcome.outputs == {"n": 1}
    inputs = await world.store.inputs(outcome.row.session)
    assert [decode(i.body).get("over") for i in inputs if i.kind == "timer"] == [False]
    assert (await ops.standing(world.host, outcome.row.session)).row.status == "done"


@scenario
async def test_a_breakpoint_is_no_way_around_a_limit(world: World) -> None:
    """Visits and supersteps are counted as if nothing stopped the run; with a higher limit it stops there once more."""
    for stop in ("before", "after"):
        for limits in ("{ supersteps: 3 }", "{ supersteps: 99, visits: { work: 2 } }"):
            outcome = await world.start(f"""
                channels: {{ n: {{ type: int, reducer: sum }} }}
                limits: {limits}
                start: work
                nodes: {{ work: {{ kind: set, interrupt: {stop}, writes: {{ n: 1 }}, next: [{{ when: n < 9, to: work }}, {{ to: end }}] }} }}
            """)
            session = outcome.row.session
            for _ in range(9):
                if outcome.row.status == "failed":
                    break
                assert outcome.row.reason == "paused"
                outcome = await world.resume(session)
            assert (outcome.row.status, outcome.row.reason) == ("failed", "limit")
            assert (await world.values(session))["n"] == (2 if "visits" in limits else 3)
            if "visits" not in limits:
                outcome = await world.resume(session, seeded(1, limits={"supersteps": 4}))
                assert outcome.row.reason == "paused"
                assert (await world.resume(session)).row.reason == "limit"
                assert (await world.values(session))["n"] == 4

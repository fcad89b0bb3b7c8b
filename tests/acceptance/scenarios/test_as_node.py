"""Forks whose edits count as written by a node: it doesn't run, and its routes go on from there."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import InputInvalid
from graphagent.session.documents import fork_document, history_document
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

ROUTED = """
    outputs: { label: str, said: str, count: int }
    channels: { label: { type: str, default: "" }, said: { type: str, default: "" }, count: { type: int, default: 0 } }
    start: classify
    nodes:
      classify:
        kind: code
        python: "fns:work"
        with: { x: left }
        writes: { label: "${ out }" }
        next:
          - { when: "label == 'left'", to: left, writes: { count: "${ count + 1 }" } }
          - { when: "label == 'right'", to: right, writes: { count: "${ count + 10 }" } }
          - { to: end }
      left: { kind: code, python: "fns:work", with: { x: l }, writes: { said: "${ out }" }, next: end }
      right: { kind: code, python: "fns:work", with: { x: r }, writes: { said: "${ out }" }, next: end }
"""
WORK = """
    def work(x):
        note(x)
        return x
"""


@scenario_of_calls
async def test_its_routes_are_taken_on_what_was_set(world: World) -> None:
    """Before the node ran, after it, and after the run: the node isn't called, and the other route is taken."""
    world.functions(WORK)
    session = (await world.start(ROUTED)).row.session
    called = world.calls("left")
    for at, count in ((1, 10), (2, 11), (3, 11)):
        made = await world.fork(session, at, {"label": "right"}, as_node="classify")
        assert (made.row.status, made.row.reason, made.row.head_superstep) == ("waiting", "paused", at + 1)
        document = await fork_document(world.host, made)
        assert (document.as_node, document.preview.due) == ("classify", ["right"])
        outcome = await world.resume(made.row.session)
        assert outcome.outputs is not None
        assert outcome.outputs == {"label": "right", "said": "r", "count": count}
        history = await history_document(world.host, outcome.row, values=False, since=at, limit=9)
        assert (history.supersteps[0].kind, history.supersteps[0].changes[0].writers) == ("edit", ["classify"])
    assert (world.calls("left"), world.calls("l")) == (called, world.calls("l"))
    assert (await world.standing(session)).outputs == {"label": "left", "said": "l", "count": 1}


@scenario_of_calls
async def test_the_run_ends_where_its_route_leads_to_the_end(world: World) -> None:
    world.functions(WORK)
    session = (await world.start(ROUTED)).row.session
    made = await world.fork(session, 1, {"label": "none", "said": "by hand"}, as_node="classify")
    assert made.row.status == "done"
    assert (await world.kinds(made.row.session, "RunCompleted"))[0]["outputs_ref"]["said"] == "by hand"
    assert (await world.drive(made.row.session)).outputs == {"label": "none", "said": "by hand", "count": 0}
    nothing_set = await world.fork(session, 2, as_node="left")
    assert (nothing_set.row.status, (await world.values(nothing_set.row.session))["said"]) == ("done", "")


JOINED = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append }, a: { type: str, default: "" } }
    start: split
    nodes:
      split: { kind: set, writes: { a: none }, next: [{ to: [one, two] }] }
      one: { kind: code, python: "fns:flaky", writes: { log: "${ [out] }" }, next: met }
      two: { kind: code, python: "fns:work", with: { x: two }, writes: { log: "${ [out] }" }, next: third }
      third: { kind: code, python: "fns:work", with: { x: third }, writes: { log: "${ [out] }" }, next: met }
      met: { kind: code, python: "fns:work", with: { x: met }, join: all, writes: { log: "${ [out] }" }, next: end }
"""
FLAKY = (
    WORK
    + """
    def flaky():
        note("one")
        raise ValueError("never")
"""
)


@scenario_of_calls
async def test_a_failed_node_is_done_by_hand_and_the_join_waits_for_the_others(world: World) -> None:
    world.functions(FLAKY)
    outcome = await world.start(JOINED)
    assert outcome.row.status == "failed"
    called, session = world.calls("one"), outcome.row.session
    made = await world.fork(session, outcome.row.head_superstep, {"log": ["by hand"]}, as_node="one")
    document = await fork_document(world.host, made)
    assert document.preview.due == ["two"]
    ran = await world.resume(made.row.session)
    assert ran.outputs == {"log": ["by hand", "two", "third", "met"]}
    assert world.calls("one") == called
    assert (await world.row(session)).status == "failed"


@scenario
async def test_a_person_who_is_asked(world: World) -> None:
    """The node's question isn't asked by the fork any more; its origin's stays open."""
    outcome = await world.start("""
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: ask
        nodes:
          ask: { kind: human, mode: choose, prompt: "Go?", options: [yes, no], writes: { said: "${ out.choice }" }, next: [{ when: "said == 'yes'", to: go }, { to: end }] }
          go: { kind: set, writes: { said: "${ said + '!' }" }, next: end }
    """)
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    made = await world.fork(session, outcome.row.head_superstep, {"said": "yes"}, as_node="ask")
    assert (made.row.status, made.row.reason) == ("waiting", "paused")
    assert await world.open(made.row.session) == []
    assert (await world.resume(made.row.session)).outputs == {"said": "yes!"}
    assert len(await world.open(session)) == 1


@scenario_of_calls
async def test_in_a_loop_and_beside_breakpoints(world: World) -> None:
    """A node before which a breakpoint stops; visits count a node that was done by hand."""
    world.functions(WORK)
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, default: 0 } }
        limits: { supersteps: 50 }
        start: tick
        nodes:
          tick: { kind: set, writes: { n: "${ n + 1 }" }, next: [{ when: "run.visits.tick < 3", to: tick }, { to: stop }] }
          stop: { kind: set, interrupt: before, writes: { n: "${ n * 10 }" }, next: end }
    """)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "paused")
    again = await world.fork(session, 1, {"n": 7}, as_node="tick")
    ran = await world.drive(again.row.session)
    assert (ran.row.reason, (await world.values(again.row.session))["n"]) == ("paused", 9)
    stopped = await world.fork(session, outcome.row.head_superstep, {"n": 5}, as_node="tick")
    assert (stopped.row.status, (await world.values(stopped.row.session))["n"]) == ("waiting", 5)
    assert (await world.resume(stopped.row.session)).outputs == {"n": 50}
    over = await world.fork(session, outcome.row.head_superstep, {"n": 1}, as_node="stop")
    assert (over.row.status, (await world.drive(over.row.session)).outputs) == ("done", {"n": 1})


@scenario_of_calls
async def test_what_is_refused(world: World) -> None:
    """Nothing is left of a fork that is refused."""
    world.functions(FLAKY)
    outcome = await world.start(JOINED)
    session, head = outcome.row.session, outcome.row.head_superstep
    count = len(await world.sessions())
    cases: list[tuple[int, str, dict[str, Any], tuple[str, str]]] = [
        (head, "onne", {}, ("has no node", "did you mean 'one'")),
        (head, "met", {}, ("has no token", "can be named: one, two, split")),
        (0, "split", {}, ("has no token", "a later snapshot")),
        (head, "one", {"before": "two:0"}, ("--as can't be given", "superstep of its own")),
    ]
    for at, node, more, told in cases:
        with pytest.raises(InputInvalid) as caught:
            await world.fork(session, at, as_node=node, **more)
        assert told[0] in caught.value.message
        assert told[1] in str(caught.value.hint)
    assert len(await world.sessions()) == count
    asked = await world.start("""
        outputs: {}
        start: a
        nodes:
          a: { kind: code, python: "fns:work", with: { x: 1 }, next: [{ when: "out == 1", to: b }, { to: end }] }
          b: { kind: set, next: end }
    """)
    with pytest.raises(InputInvalid, match="routes of 'a' can't be taken") as caught:
        await world.fork(asked.row.session, 1, as_node="a", dry_run=True)
    assert "has no `out`" in str(caught.value.hint)


NESTED = """
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: call
    nodes:
      call: { kind: graph, graph: one, writes: { said: "${ out.said }" }, next: end }
    graphs:
      one:
        inputs: {}
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: first
        nodes:
          first: { kind: code, python: "fns:work", with: { x: first }, writes: { said: "${ out }" }, next: second }
          second: { kind: code, python: "fns:work", with: { x: second }, writes: { said: "${ said + out }" }, next: end }
"""


@scenario_of_calls
async def test_inside_a_child_session(world: World) -> None:
    """Its caller goes on with what the forked child ends with, though nothing of that ran."""
    world.functions(WORK)
    outcome = await world.start(NESTED)
    (child,) = await world.children(outcome.row.session)
    called = world.noted()[:]
    made = await world.fork(child.session, 2, {"said": "by hand"}, as_node="second")
    assert made.row.status == "done"
    assert (await world.resume(made.root)).outputs == {"said": "by hand"}
    assert world.noted() == called


RACE = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: split
    nodes:
      split: { kind: set, next: [{ to: [one, two, three] }] }
      one: { kind: human, mode: approve, prompt: one, writes: { log: [one] }, next: met }
      two: { kind: human, mode: approve, prompt: two, writes: { log: [two] }, next: met }
      three: { kind: human, mode: approve, prompt: three, writes: { log: [three] }, next: met }
      met: { kind: set, join: { at_least: 2, cancel: siblings }, writes: { log: [met] }, next: end }
"""


@scenario
async def test_a_race_is_won_by_hand(world: World) -> None:
    """The node counts for the join that its branch belongs to; what the join withdraws asks nobody any more."""
    outcome = await world.start(RACE)
    session, head = outcome.row.session, outcome.row.head_superstep
    first = await world.fork(session, head, {"log": ["by hand"]}, as_node="one")
    assert set(await world.asked(first.row.session)) == {"two", "three"}
    second = await world.fork(first.row.session, first.row.head_superstep, as_node="three")
    assert await world.open(second.row.session) == []
    assert (await world.resume(second.row.session)).outputs == {"log": ["by hand", "met"]}
    again = await world.fork(session, head, {"log": ["anew"]}, as_node="split")
    assert await world.open(again.row.session) == []
    await world.resume(again.row.session)
    asked = await world.asked(again.row.session)
    assert set(asked) == {"one", "two", "three"}
    for name in ("one", "three"):
        await world.answer(asked[name], True)
    assert (await world.drive(again.row.session)).outputs == {"log": ["anew", "one", "three", "met"]}
    assert set(await world.asked(session)) == {"one", "two", "three"}


@scenario_of_calls
async def test_with_another_graph(world: World) -> None:
    """The routes are those of the new graph, on channels in its order."""
    world.functions(WORK)
    session = (await world.start(ROUTED)).row.session
    other = ROUTED.replace("channels: { ", "channels: { extra: { type: int, default: 7 }, ")
    other = other.replace("to: right", "to: LEFT").replace("to: left", "to: right").replace("LEFT", "left")
    plan = world.plan(other)
    made = await world.fork(session, 1, {"label": "right"}, plan=plan, as_node="classify")
    assert (await fork_document(world.host, made)).preview.due == ["left"]
    assert (await world.resume(made.row.session)).outputs == {"label": "right", "said": "l", "count": 10}

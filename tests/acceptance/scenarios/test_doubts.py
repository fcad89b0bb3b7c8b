"""Writes in doubt, settled by an answer: it happened, call it again, or it failed; never repeated otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import InputInvalid, InterruptAnswered
from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.snapshot import EffectState, InterruptRow
from tests.acceptance.scenarios.world import Crash, World, scenario

FUNCTIONS = """
    DYING = []
    HOOK = []

    def pay(x):
        note("pay " + x)
        if x in DYING:
            HOOK[0]()
        return len(x)
"""
PAY = """
    outputs: { n: int, why: "list[str]" }
    channels: { n: { type: int, reducer: sum }, why: { type: "list[str]", reducer: append } }
    start: [pay, other]
    nodes:
      pay: { kind: code, python: "fns:pay", with: { x: aa }, effects: write, returns: int, writes: { n: "${ out }" }, next: end ON_ERROR }
      other: { kind: set, writes: { n: 10 }, next: end }
"""
ROUTED = """, on_error: [{ when: "error.kind == 'KIND'", to: end, writes: { why: "${ [error.kind] }" } }]"""


async def dying(world: World, session: SessionId, *names: str) -> None:
    """Let the process die in these calls, in this process and in no later one."""

    def die() -> None:
        world.wire.cut = True
        raise Crash

    module = (await world.plan_module(session)).__globals__
    module["DYING"][:] = names
    module["HOOK"][:] = [die]


async def drive_and_die(world: World, session: SessionId, *names: str) -> None:
    """Run until the process dies in one of these calls; then it is another process, in which nothing dies."""
    await dying(world, session, *names)
    with pytest.raises((Crash, BaseExceptionGroup)):
        await world.calmly(lambda: ops.drive(world.host, session))
    await world.crash()
    await dying(world, session)


async def doubts(world: World, session: SessionId) -> dict[str, InterruptRow]:
    """The open questions about writes, by task."""
    rows = await world.open(session)
    assert {row.kind for row in rows} <= {"in_doubt"}
    return {row.path: row for row in rows}


@scenario
async def test_a_write_that_happened(world: World) -> None:
    """`done`: the value becomes the outcome, checked against `returns`; nothing is called."""
    world.functions(FUNCTIONS)
    session = await world.create(PAY.replace(" ON_ERROR", ""))
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).row.reason == "interrupt"
    row = (await doubts(world, session))["pay"]
    for wrong, path in (
        ({"decision": "done", "value": "x"}, "$.value"), ({"decision": "done"}, "$.value"),
        ({"decision": "maybe"}, "$.decision"), ({"decision": "retry", "value": 1}, "$.value"), (True, "$"), ({}, "$"),
        ({"decision": "done", "value": 2, "extra": 1}, "$.extra"),
    ):  # fmt: skip
        with pytest.raises(InputInvalid) as refused:
            await world.answer(row, wrong)
        assert refused.value.path == path
    assert list(await doubts(world, session)) == ["pay"]
    answered = await world.answer(row, {"decision": "done", "value": 2}, by="ann")
    assert answered.answered_by == "ann"
    with pytest.raises(InterruptAnswered):
        await world.answer(row, "retry")
    assert (await world.drive(session)).outputs == {"n": 12, "why": []}
    assert world.calls("pay aa") == 1


@scenario
async def test_a_write_that_is_called_again(world: World) -> None:
    """`retry`: one more call under the same key; where that one dies too, another question is asked."""
    world.functions(FUNCTIONS)
    session = await world.create(PAY.replace(" ON_ERROR", ""))
    await drive_and_die(world, session, "aa")
    asked: list[Any] = []
    keys = set()
    for calls in (1, 2):
        assert (await world.drive(session)).row.status == "waiting"
        asked.append((await doubts(world, session))["pay"])
        assert world.calls("pay aa") == calls
        (effect,) = [e for e in await world.store.effects((await world.row(session)).spans()) if e.path == "pay"]
        assert (effect.state, effect.tries) == (EffectState.IN_DOUBT, calls)
        keys.add(effect.write_key)
        await world.answer(asked[-1], "retry")
        if calls == 1:
            await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).outputs == {"n": 12, "why": []}
    assert (world.calls("pay aa"), len(keys), len({row.interrupt for row in asked})) == (3, 1, 2)


@scenario
async def test_a_write_that_failed(world: World) -> None:
    """`fail`: the error goes to its route, or fails the run; resuming that asks again and never calls by itself."""
    world.functions(FUNCTIONS)
    for on_error in (ROUTED.replace("KIND", "timeout"), ""):
        session = await world.create(PAY.replace(" ON_ERROR", on_error))
        calls = world.calls("pay aa")
        await drive_and_die(world, session, "aa")
        assert (await world.drive(session)).row.status == "waiting", "no route takes it"
        await world.answer((await doubts(world, session))["pay"], {"decision": "fail", "note": "no money"})
        outcome = await world.drive(session)
        assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
        assert outcome.error is not None
        assert (outcome.error["kind"], outcome.error["node"]) == ("in_doubt", "pay")
        for _ in range(2):
            assert (await world.resume(session)).row.status == "waiting"
        fork_free = (await doubts(world, session))["pay"]
        await world.answer(fork_free, {"decision": "done", "value": 5})
        assert (await world.drive(session)).outputs == {"n": 15, "why": []}
        assert world.calls("pay aa") == calls + 1
    session = await world.create(PAY.replace(" ON_ERROR", ROUTED.replace("KIND", "in_doubt")))
    calls = world.calls("pay aa")
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).outputs == {"n": 10, "why": ["in_doubt"]}
    assert world.calls("pay aa") == calls + 1


@scenario
async def test_36b_two_writes_in_doubt_are_settled_separately(world: World) -> None:
    """Two tasks, a map's item among them: an answer to one leaves the other open, and calls nothing."""
    world.replays_call = True  # not a replay, but a thread of the dead process, however late it comes
    world.functions(FUNCTIONS)
    session = await world.create("""
        outputs: { n: int, ns: "list[int]" }
        channels: { n: { type: int, reducer: sum }, ns: { type: "list[int]", reducer: append } }
        start: [one, each]
        nodes:
          one: { kind: code, python: "fns:pay", with: { x: a }, effects: write, returns: int, writes: { n: "${ out }" }, next: end }
          each: { kind: map, over: "['bb', 'ccc']", do: { kind: code, python: "fns:pay", with: { x: "${ item }" }, effects: write, returns: int }, writes: { ns: "${ results }" }, next: end }
    """)
    await drive_and_die(world, session, "a", "ccc")
    await world.drive(session)
    rows = await doubts(world, session)
    assert "one" in rows or "each[1]" in rows
    before = {x: world.calls("pay " + x) for x in ("a", "bb", "ccc")}
    for path in list(rows):
        await world.answer(rows[path], {"decision": "done", "value": {"one": 1, "each[0]": 2, "each[1]": 3}[path]})
        outcome = await world.drive(session)
        left = await doubts(world, session)
        assert set(left) == set(rows) - {p for p in rows if p not in left}
        assert path not in left
        assert (outcome.row.status == "waiting") == bool(left)
    assert outcome.outputs == {"n": 1, "ns": [2, 3]}
    for path, x in (("one", "a"), ("each[0]", "bb"), ("each[1]", "ccc")):
        if path in rows:
            # a thread of the dead process may still have been about to call
            assert before[x] <= world.calls("pay " + x) <= 1


@scenario
async def test_equal_writes_of_one_body(world: World) -> None:
    """A process dies in the second of two equal writes: each has its own key, question and answer."""
    world.replays_call = True
    world.functions(
        FUNCTIONS
        + """
    async def both(context):
        first = await context.effect("pay", pay, "x", effects="write")
        second = await context.effect("pay", pay, "x", effects="write")
        return [first, second]
    """
    )
    session = await world.create("""
        outputs: { got: "list[any]" }
        channels: { got: { type: "list[any]", default: [] } }
        start: both
        nodes: { both: { kind: code, python: "fns:both", writes: { got: "${ out }" }, next: end } }
    """)
    module = (await world.plan_module(session)).__globals__
    await dying(world, session)
    real = module["HOOK"][0]
    module["HOOK"][:] = [lambda: real() if world.calls("pay x") == 2 else None]
    module["DYING"][:] = ["x"]
    with pytest.raises((Crash, BaseExceptionGroup)):
        await world.calmly(lambda: ops.drive(world.host, session))
    await world.crash()
    await dying(world, session)
    assert (await world.drive(session)).row.status == "waiting"
    await world.answer((await doubts(world, session))["both"], "retry")
    assert (await world.drive(session)).outputs == {"got": [1, 1]}
    assert world.calls("pay x") == 3
    rows = [e for e in await world.store.effects((await world.row(session)).spans()) if e.write_key is not None]
    assert [(e.ordinal, e.tries) for e in rows] == [(0, 1), (1, 2)]
    assert len({e.write_key for e in rows}) == 2


@scenario
async def test_a_write_with_a_key_is_repeated_under_it(world: World) -> None:
    """Its peer refuses repeats by key, so nobody is asked: after a crash, and in the retry after a timeout."""
    world.functions(
        FUNCTIONS
        + """
    SLOW = []

    @trio_node
    async def slow():
        note("slow")
        if SLOW:
            await trio.sleep(SLOW.pop())
        return 7
    """
    )
    graph = """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: pay
        nodes:
          pay: { kind: code, python: "fns:pay", with: { x: aa }, effects: write, idempotency_key: "${ run.id }", writes: { n: "${ out }" }, next: slow }
          slow: { kind: code, python: "fns:slow", effects: write, idempotency_key: "${ run.id }", timeout: 200ms, retry: { max: 2, on: [timeout], delay: 1ms }, writes: { n: "${ out }" }, next: end }
    """
    session = await world.create(graph)
    await drive_and_die(world, session, "aa")
    (await world.plan_module(session)).__globals__["SLOW"][:] = [10]
    assert (await world.drive(session)).outputs == {"n": 9}
    assert (world.calls("pay aa"), world.calls("slow")) == (2, 2)
    (paid,) = [e for e in await world.store.effects((await world.row(session)).spans()) if e.name == "fns:pay"]
    assert (paid.state, paid.tries) == (EffectState.DONE, 2)


@scenario
async def test_errors_hold_no_id_of_a_session(world: World) -> None:
    """Sessions of one seed end with equal digests, whatever their children, writes and limits fail with."""
    world.functions(FUNCTIONS)
    graph = """
        outputs: { log: "list[any]" }
        channels: { log: { type: "list[any]", reducer: append } }
        start: [pay, fails, limited]
        nodes:
          pay: { kind: code, python: "fns:pay", with: { x: aa }, effects: write, next: end, on_error: ERROR }
          fails: { kind: graph, graph: bad, next: end, on_error: ERROR }
          limited: { kind: graph, graph: endless, next: end, on_error: ERROR }
        graphs:
          bad:
            start: a
            nodes: { a: { kind: code, python: "fns:pay", with: { x: "${ null }" }, next: end } }
          endless:
            limits: { supersteps: 2 }
            channels: { n: { type: int, reducer: sum } }
            start: a
            nodes: { a: { kind: set, writes: { n: 1 }, next: [{ when: "n < 9", to: a }, { to: end }] } }
    """.replace(
        "ERROR", "[{ to: end, writes: { log: '${ [[error.kind, error.cause, error.message, error.hint]] }' } }]"
    )
    ends = []
    for _ in range(2):
        session = await world.create(graph)
        await drive_and_die(world, session, "aa")
        outcome = await world.drive(session)
        assert outcome.row.status == "done"
        assert outcome.outputs is not None
        kinds = [entry[:2] for entry in outcome.outputs["log"]]
        assert kinds == [["in_doubt", None], ["child_failed", "code_failed"], ["child_failed", "limit"]]
        ends.append(await world.digests(session))
        assert "ses_" not in str(outcome.outputs)
    assert ends[0] == ends[1]

"""Corners that the fifty scenarios leave out: what else a superstep may meet."""

from __future__ import annotations

import pytest

from graphagent.codec import encode
from graphagent.errors import Conflict, InterruptExpired
from graphagent.session import operations as ops
from graphagent.session.operations import Options
from graphagent.snapshot import NewInput
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls


@scenario
async def test_null_is_a_value(world: World) -> None:
    """A null in a channel is set, folds like any value, and `has` and `default` pass over it."""
    outcome = await world.start("""
        outputs: { x: any, keep: any, merged: any, joined: any, has_them: "list[bool]", fallback: str }
        channels:
          x: { type: "int | None", default: 1 }
          keep: { type: "int | None", reducer: first }
          merged: { type: "dict[str, any]", reducer: merge }
          joined: { type: "list[any]", reducer: append }
          unset: str
          has_them: { type: "list[bool]", default: [] }
          fallback: { type: str, default: "" }
        start: one
        nodes:
          one: { kind: set, writes: { x: null, keep: null, merged: { a: null, b: 1 }, joined: [null, null] }, next: two }
          two:
            kind: set
            writes: { keep: 5, merged: { b: null }, joined: [0], has_them: "${ [has(x), has(keep), has(unset), has(merged.a)] }", fallback: "${ default(unset, merged.a, 'none') }" }
            next: end
    """)
    assert outcome.outputs == {
        "x": None, "keep": None, "merged": {"a": None, "b": None}, "joined": [None, None, 0],
        "has_them": [False, False, False, False], "fallback": "none",
    }  # fmt: skip


@scenario
async def test_a_guard_that_fails(world: World) -> None:
    """An error in a guard fails its task: its writes and events are not committed, its siblings' are; `on_error` gets
    it."""
    world.functions("def work(x): note(x); return x")
    graph = """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append }, xs: { type: "list[int]", default: [] } }
        start: [bad, fine]
        nodes:
          bad: { kind: code, python: "fns:work", with: { x: bad }, writes: { log: [bad] }, next: [{ when: "xs[3] > 1", to: end }, { to: end }] ON_ERROR }
          shout: { kind: emit, event: shouted, writes: { log: [shout] }, next: [{ when: "xs[3] > 1", to: end }, { to: end }] ON_ERROR }
          fine: { kind: code, python: "fns:work", with: { x: fine }, writes: { log: [fine] }, next: end }
          handler: { kind: set, join: any, writes: { log: "${ [error.node + ' ' + error.kind] }" }, next: end }
    """.replace("start: [bad, fine]", "start: [bad, shout, fine]")
    outcome = await world.start(graph.replace(" ON_ERROR", ", on_error: handler"))
    assert outcome.outputs == {"log": ["fine", "bad expression"]}
    assert (world.calls("bad"), world.calls("fine")) == (1, 1)
    assert await world.kinds(outcome.row.session, "x.user.shouted") == []
    outcome = await world.start(graph.replace(" ON_ERROR", "").replace("          handler:", "          # handler:"))
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["node"]) == ("expression", "bad")
    assert (await world.values(outcome.row.session))["log"] == []
    again = await world.resume(outcome.row.session)
    assert again.row.status == "failed"
    fork = await world.fork(outcome.row.session, outcome.row.head_superstep, {"xs": [1, 2, 3, 4]})
    assert (await world.resume(fork.row.session)).row.status == "done"


@scenario
async def test_a_route_write_that_fails(world: World) -> None:
    """An error in a route's write fails its task; one in the write of an error route fails the run with both."""
    graph = """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append }, xs: { type: "list[str]", default: [] } }
        start: a
        nodes:
          a: { kind: set, writes: { log: [a] }, next: [{ to: b, writes: { log: "${ [xs[0]] }" } }], on_error: [{ to: b, writes: { log: "${ [WRITE] }" } }] }
          b: { kind: set, writes: { log: [b] }, next: end }
    """
    outcome = await world.start(graph.replace("WRITE", "error.kind"))
    assert outcome.outputs == {"log": ["expression", "b"]}
    outcome = await world.start(graph.replace("WRITE", "xs[1]"))
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert outcome.error["kind"] == "expression"
    assert (await world.values(outcome.row.session))["log"] == []


@scenario
async def test_a_result_that_fails(world: World) -> None:
    """A `result` that can't be evaluated fails the run, after its last superstep was committed."""
    outcome = await world.start("""
        outputs: { x: int }
        channels: { xs: { type: "list[int]", default: [] } }
        start: a
        nodes:
          a: { kind: set, writes: { xs: [1] }, next: end }
        result: { x: "${ xs[5] }" }
    """)
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert outcome.error is not None
    assert outcome.error["kind"] == "expression"
    assert "x" in outcome.error["message"]
    assert await world.values(outcome.row.session) == {"xs": [1]}
    again = await world.resume(outcome.row.session)
    assert (again.row.status, again.row.head_superstep) == ("failed", outcome.row.head_superstep)
    # A child's failing result is its caller's error.
    outcome = await world.start("""
        outputs: { why: str }
        channels: { why: { type: str, default: "" } }
        start: call
        nodes:
          call: { kind: graph, graph: sub, next: end, on_error: [{ to: end, writes: { why: "${ error.kind + ' ' + default(error.cause, '?') }" } }] }
        graphs:
          sub:
            outputs: { x: int }
            channels: { xs: { type: "list[int]", default: [] } }
            start: a
            nodes: { a: { kind: set, next: end } }
            result: { x: "${ xs[5] }" }
    """)
    assert outcome.outputs == {"why": "child_failed expression"}


RETRIED = """
    inputs: { boom: int }
    outputs: { log: "list[any]" }
    channels: { log: { type: "list[any]", reducer: append } }
    start: [a, b, c]
    nodes:
      a: { kind: code, python: "fns:KIND", with: { x: a, boom: "${ inputs.boom }" }, EFFECTS retry: { max: 3, on: [code_failed], delay: 1ms }, writes: { log: "${ [out] }" }, next: end, on_error: [{ to: end, writes: { log: "${ [[error.node, error.attempt, error.kind]] }" } }] }
      b:
        kind: map
        over: "[1, 2]"
        need: { at_least: 0 }
        do: { kind: code, python: "fns:KIND", with: { x: "${ item }", boom: "${ inputs.boom }" }, EFFECTS retry: { max: 3, on: [code_failed], delay: 1ms } }
        writes: { log: "${ [results, [[e.index, e.error.attempt] for e in errors]] }" }
        next: end
      c: { kind: set, writes: { log: [c] }, next: end }
"""


@scenario
async def test_attempts_that_all_fail(world: World) -> None:
    """A task that fails for good after several attempts is data with its last attempt; so is it in a replay."""
    world.replays_call = True
    world.functions("""
        def opaque(x, boom):
            if note("opaque", boom, x) <= boom:
                raise ValueError(x)
            return x

        async def open_body(context, x, boom):
            got = await context.effect("inner", opaque, x, boom)
            return got

        def pure(x, boom):
            if boom:
                raise ValueError(x)
            return x
    """)
    for kind, effects in (("opaque", ""), ("open_body", ""), ("pure", "effects: pure,")):
        graph = RETRIED.replace("KIND", kind).replace("EFFECTS", effects)
        outcome = await world.start(graph, {"boom": 99})
        assert outcome.outputs == {"log": [[], [[0, 2], [1, 2]], "c", ["a", 2, "code_failed"]]} or (
            kind == "pure" and outcome.row.status == "done"
        ), (kind, outcome.outputs, outcome.error)
        outcome = await world.start(graph, {"boom": 0 if kind == "pure" else 2})
        assert outcome.outputs == {"log": ["a", [1, 2], [], "c"]}, kind


@scenario
async def test_a_pure_function_that_fails(world: World) -> None:
    """A pure function's failure is data for its route, and the run replays."""
    world.replays_call = True
    world.functions("""
        def pure(x):
            return 1 / x

        @trio_node
        async def slow():
            await trio.sleep(0.03)
            if note("slow") == 1:
                raise ValueError("slow")
            return 1
    """)
    graph = """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, s]
        nodes:
          a: { kind: code, python: "fns:pure", effects: pure, with: { x: 0 }, next: end, on_error: h }
          h: { kind: set, writes: { log: "${ [error.kind + ' ' + str(error.attempt)] }" }, next: end }
          s: { kind: code, python: "fns:slow", next: end }
    """
    outcome = await world.start(graph)
    assert outcome.row.status == "failed"
    await world.crash()
    outcome = await world.resume(outcome.row.session)
    assert outcome.row.status == "done"
    assert outcome.outputs in ({"log": ["code_failed 0"]}, {"log": ["code_failed 1"]})


@scenario
async def test_a_map_that_is_retried(world: World) -> None:
    """`retry` of a map with `item_failed` runs the failed items again, and not the others."""
    world.functions("""
        def work(x):
            if note(x) == 1 and x % 2:
                raise ValueError(x)
            return x
    """)
    outcome = await world.start("""
        outputs: { got: "list[int]" }
        channels: { got: { type: "list[int]", default: [] } }
        start: each
        nodes:
          each: { kind: map, over: "[0, 1, 2, 3]", retry: { max: 2, on: [item_failed], delay: 1ms }, do: { kind: code, python: "fns:work", with: { x: "${ item }" } }, writes: { got: "${ results }" }, next: end }
    """)
    assert outcome.outputs == {"got": [0, 1, 2, 3]}, outcome.error
    assert [world.calls(x) for x in range(4)] == [1, 2, 1, 2]


@scenario
async def test_a_map_whose_items_all_fail(world: World) -> None:
    """Too few items: `item_failed` with the lowest index; resuming runs only the failed items again."""
    world.functions("""
        def work(x):
            if note(x) == 1 and x != 2:
                raise NodeError(f"no {x}", kind="tool_failed")
            return x
    """)
    outcome = await world.start("""
        outputs: { got: "list[int]" }
        channels: { got: { type: "list[int]", default: [] } }
        start: each
        nodes:
          each: { kind: map, over: "[0, 1, 2, 3]", need: { at_least: 2 }, do: { kind: code, python: "fns:work", with: { x: "${ item }" } }, writes: { got: "${ results }" }, next: end }
    """)
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["cause"], outcome.error["details"]) == (
        "item_failed", "tool_failed", {"index": 0},
    )  # fmt: skip
    outcome = await world.resume(outcome.row.session)
    assert outcome.outputs == {"got": [0, 1, 2, 3]}
    assert [world.calls(x) for x in range(4)] == [2, 2, 1, 2]


@scenario
async def test_timeouts_of_map_items(world: World) -> None:
    """A timeout is one item's; its retry has a budget of its own."""
    world.functions("""
        @trio_node
        async def work(x):
            if x == 1 or (x == 2 and note(x) == 1):
                await trio.sleep(10)
            return x
    """)
    outcome = await world.start("""
        outputs: { got: any }
        channels: { got: any }
        start: each
        nodes:
          each: { kind: map, over: "[0, 1, 2]", need: { at_least: 1 }, do: { kind: code, python: "fns:work", timeout: 300ms, retry: { max: 2, delay: 1ms }, with: { x: "${ item }" } }, writes: { got: "${ [results, [[e.index, e.error.kind] for e in errors]] }" }, next: end }
    """)
    assert outcome.outputs == {"got": [[0, 2], [[1, "timeout"]]]}


@scenario
async def test_falsy_answers(world: World) -> None:
    """An empty text, 0, an empty list and null are answers."""
    graph = """
        outputs: { text: str, n: int, xs: "list[int]", anything: any }
        channels: { text: { type: str, default: old }, n: { type: int, default: 7 }, xs: { type: "list[int]", default: [1] }, anything: { type: any, default: x } }
        start: [a, b, c, d]
        nodes:
          a: { kind: human, mode: edit, prompt: text, value: "${ text }", writes: { text: "${ out.value }" }, next: end }
          b: { kind: human, mode: edit, prompt: n, value: "${ n }", writes: { n: "${ out.value }" }, next: end }
          c: { kind: human, mode: edit, prompt: xs, value: "${ xs }", writes: { xs: "${ out.value }" }, next: end }
          d: { kind: human, mode: edit, prompt: anything, value: "${ anything }", writes: { anything: "${ out.value }" }, next: end }
    """
    session = (await world.start(graph)).row.session
    asked = await world.asked(session)
    for prompt, value in (("text", ""), ("n", 0), ("xs", []), ("anything", {"value": None})):
        await world.answer(asked[prompt], value)
    outcome = await world.drive(session)
    assert outcome.outputs == {"text": "", "n": 0, "xs": [], "anything": None}


@scenario
async def test_a_new_run_after_a_failed_one(world: World) -> None:
    """A new run drops the failed run's tokens, closes its questions and cancels its children."""
    world.replays_call = True
    world.functions("""
        def boom(x):
            if x:
                raise ValueError("as told")

        async def ask(context, x):
            if x:
                await context.ask("In code?")
    """)
    graph = """
        inputs: { boom: bool }
        outputs: { n: int, kept: int }
        channels: { n: { type: int, reducer: sum }, kept: { type: int, reducer: sum, scope: session } }
        start: [ask, call, later, code]
        nodes:
          ask: { kind: set, writes: { n: 1, kept: 1 }, next: [{ when: inputs.boom, to: human }, { to: end }] }
          human: { kind: human, mode: approve, prompt: "Human?", next: end }
          call: { kind: graph, graph: sub, with: { ask: "${ inputs.boom }" }, next: end }
          later: { kind: router, next: later2 }
          later2: { kind: router, next: boom }
          boom: { kind: code, python: "fns:boom", with: { x: "${ inputs.boom }" }, next: end }
          code: { kind: router, next: code2 }
          code2: { kind: router, next: open }
          open: { kind: code, python: "fns:ask", with: { x: "${ inputs.boom }" }, next: end }
        graphs:
          sub:
            inputs: { ask: bool }
            start: a
            nodes:
              a: { kind: router, next: [{ when: inputs.ask, to: b }, { to: end }] }
              b: { kind: human, mode: approve, prompt: "Child?", next: end }
    """
    outcome = await world.start(graph, {"boom": True})
    session = outcome.row.session
    assert outcome.row.status == "failed"
    asked = await world.asked(session)
    assert set(asked) == {"Human?", "Child?", "In code?"}
    outcome = await world.run_again(session, {"boom": False})
    assert outcome.outputs == {"n": 1, "kept": 2}
    if not world.crashing:  # after a crash in between, children are cancelled by `cancel` alone
        assert await world.store.interrupts() == []
    for prompt in ("Human?", "In code?"):
        with pytest.raises(InterruptExpired):
            await world.answer(asked[prompt], True)


@scenario
async def test_queued_runs_after_a_failed_one(world: World) -> None:
    """The run that waits behind a failed one starts after it, in order."""
    world.functions("""
        def work(x):
            note(x)
            if x == 1:
                raise ValueError("one")
            return x
    """)
    session = await world.create(
        """
        inputs: { x: int }
        outputs: { log: "list[int]" }
        channels: { log: { type: "list[int]", reducer: append, scope: session } }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", with: { x: "${ inputs.x }" }, writes: { log: "${ [out] }" }, next: end }
    """,
        {"x": 0},
    )
    for x in (1, 2):
        await world.accept(session, NewInput("run", f"m{x}", encode({"inputs": {"x": x}, "limits": {}})))
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": [0, 2]}
    assert world.noted() == [0, 1, 2]


@scenario
async def test_cancel_and_run_in_one_take(world: World) -> None:
    """Inputs that are taken together count in their order: a cancelled run stays cancelled, a later one runs."""
    graph = """
        inputs: { x: int }
        outputs: { x: int }
        channels: { x: { type: int, default: 0 } }
        start: work
        nodes:
          work: { kind: set, writes: { x: "${ inputs.x }" }, next: ask }
          ask: { kind: human, mode: approve, prompt: "Go?", next: end }
    """
    run = NewInput("run", "r", encode({"inputs": {"x": 5}, "limits": {}}))
    cancel = NewInput("cancel", "c", encode({"reason": None}))
    session = (await world.start(graph, {"x": 1})).row.session
    await world.accept(session, cancel)
    await world.accept(session, run)
    outcome = await world.drive(session)
    assert (outcome.row.status, (await world.values(session))["x"]) == ("waiting", 5)
    assert len(await world.open(session)) == 1
    session = await world.create(graph, {"x": 1})
    await world.accept(session, cancel)
    outcome = await world.drive(session)
    assert (outcome.row.status, await world.values(session)) == ("cancelled", {"x": 0})
    assert (await world.drive(session)).row.status == "cancelled"


@scenario
async def test_limits(world: World) -> None:
    """`on_limit` withdraws all tokens, closes their questions and cancels children; its path is free of limits."""
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        limits: { supersteps: 4, on_limit: stop }
        start: [tick, ask, call]
        nodes:
          tick: { kind: set, writes: { log: [tick] }, next: [{ when: "len(log) < 99", to: tick }, { to: end }] }
          ask: { kind: human, mode: approve, prompt: "Human?", next: end }
          call: { kind: graph, graph: sub, next: end }
          stop: { kind: set, writes: { log: "${ [error.kind] }" }, next: stop2 }
          stop2: { kind: set, writes: { log: [stop2] }, next: stop3 }
          stop3: { kind: set, writes: { log: [stop3] }, next: end }
        graphs:
          sub:
            start: a
            nodes: { a: { kind: human, mode: approve, prompt: "Child?", next: end } }
    """)
    assert outcome.outputs == {"log": ["tick"] * 4 + ["limit", "stop2", "stop3"]}
    session = outcome.row.session
    assert await world.store.interrupts(session) == []
    assert len(await world.kinds(session, "x.limit.reached")) == 1
    assert [child.status for child in await world.children(session)] == ["cancelled"]
    visits = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { visits: { tick: 3 } }
        start: tick
        nodes:
          tick: { kind: set, writes: { n: 1 }, next: [{ when: n < 9, to: tick }, { to: end }] }
    """)
    assert (visits.row.status, visits.row.reason) == ("failed", "limit")
    assert (await world.values(visits.row.session))["n"] == 3
    with pytest.raises(Conflict):
        await world.resume(visits.row.session)


@scenario
async def test_a_queued_run_resets_step_channels(world: World) -> None:
    """A run that starts out of the queue finds what any new run finds."""
    session = await world.create(
        """
        inputs: { x: int }
        outputs: { seen: "list[int]", flash: "list[int]" }
        channels:
          flash: { type: "list[int]", reducer: append, scope: step }
          seen: { type: "list[int]", reducer: append, scope: session }
          mine: { type: "list[int]", reducer: append }
        start: work
        nodes:
          work: { kind: set, writes: { seen: "${ [len(flash) * 100 + len(mine) * 10 + inputs.x] }", flash: [1], mine: [1] }, next: end }
    """,
        {"x": 1},
    )
    for x in (2, 3):
        await world.accept(session, NewInput("run", f"m{x}", encode({"inputs": {"x": x}, "limits": {}})))
    outcome = await world.drive(session)
    assert outcome.outputs == {"seen": [1, 2, 3], "flash": [1]}


@scenario
async def test_many_items(world: World) -> None:
    """Append channels keep thousands of items over segments and index blobs; large values go to blobs."""
    world.functions("""
        def more(n):
            return [f"{n}.{i}" for i in range(70)]
    """)
    rounds = 4 if world.crashing else 70
    outcome = await world.start(
        """
        inputs: { rounds: int }
        outputs: { count: int, first: str, last: str, text: str }
        channels: { log: { type: "list[str]", reducer: append }, n: { type: int, reducer: sum }, text: { type: str, default: "" } }
        limits: { supersteps: 500 }
        start: more
        nodes:
          more: { kind: code, python: "fns:more", with: { n: "${ n }" }, writes: { log: "${ out }", n: 1, text: "${ join(out, ',') }" }, next: [{ when: "n < inputs.rounds", to: more }, { to: end }] }
        result: { count: "${ len(log) }", first: "${ log[0] }", last: "${ log[-1] }", text: "${ text }" }
    """,
        {"rounds": rounds},
    )
    session, last = outcome.row.session, rounds - 1
    world.created.clear()  # another number of rounds
    assert outcome.outputs is not None
    assert (outcome.outputs["count"], outcome.outputs["first"]) == (rounds * 70, "0.0")
    assert outcome.outputs["last"] == f"{last}.69"
    await world.crash()
    expected = [f"{n}.{i}" for n in range(rounds) for i in range(70)]
    for at in (2, 3, rounds // 2, rounds, rounds + 1):
        values = await world.values(session, at)
        assert values["log"] == expected[: (at - 1) * 70]
        assert values["text"] == ",".join(expected[(at - 2) * 70 : (at - 1) * 70])
    fork = await world.fork(session, rounds - 1, {"text": "edited"})
    forked = await world.resume(fork.row.session)
    assert forked.outputs == outcome.outputs


@scenario
async def test_errors_travel_with_tokens(world: World) -> None:
    """An error stays with its token as far as the node that the route led to, through a join too."""
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append }, xs: { type: "list[str]", default: [] } }
        start: split
        nodes:
          split: { kind: router, next: [a, b] }
          a: { kind: set, writes: { log: "${ [xs[0]] }" }, next: join, on_error: join }
          b: { kind: set, writes: { log: [b] }, next: join }
          join: { kind: set, join: all, writes: { log: "${ [default(error.node, 'nobody')] }" }, next: after }
          after: { kind: set, writes: { log: [after] }, next: end }
    """)
    assert outcome.outputs == {"log": ["b", "a", "after"]}


@scenario
async def test_join_any_merges(world: World) -> None:
    """Tokens of two branches merge under `join: any`; the fork's other branches and an outer join go on."""
    outcome = await world.start(
        """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [left, right]
        nodes:
          left: { kind: router, next: [a, b] }
          a: { kind: set, writes: { log: [a] }, next: any }
          b: { kind: set, writes: { log: [b] }, next: any }
          any: { kind: set, join: any, writes: { log: [any] }, next: join }
          right: { kind: set, writes: { log: [right] }, next: right2 }
          right2: { kind: set, writes: { log: [right2] }, next: right3 }
          right3: { kind: set, writes: { log: [right3] }, next: right4 }
          right4: { kind: set, writes: { log: [right4] }, next: join }
          join: { kind: set, join: all, writes: { log: [join] }, next: end }
    """.replace("any: {", "merged: {").replace("next: any", "next: merged")
    )
    assert outcome.outputs is not None
    assert outcome.outputs["log"].count("join") == 1
    assert outcome.outputs["log"][-1] == "join"


@scenario
async def test_a_write_in_doubt_parks(world: World) -> None:
    """A write whose process died isn't repeated: the session parks with the question, and says so again."""
    world.functions("""
        HOOK = None

        def pay():
            note("pay")
            HOOK()
    """)

    def die() -> None:
        from tests.acceptance.scenarios.world import Crash

        world.wire.cut = True
        raise Crash

    graph = """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: [pay, other]
        nodes:
          pay: { kind: code, python: "fns:pay", effects: write, writes: { n: 1 }, next: end ON_ERROR }
          other: { kind: set, writes: { n: 10 }, next: end }
    """
    for routed in (False, True):
        on_error = """, on_error: [{ when: "error.kind == 'in_doubt'", to: end, writes: { n: 100 } }, { to: fail }]"""
        session = await world.create(graph.replace(" ON_ERROR", on_error if routed else ""))
        module = (await world.plan_module(session)).__globals__
        module["HOOK"] = die
        before = world.calls("pay")
        outcome = await world.drive(session)
        for _ in range(2):
            assert world.calls("pay") == before + 1
            if routed:
                assert outcome.outputs == {"n": 110}
            else:
                assert (outcome.row.status, outcome.row.reason) == ("waiting", "interrupt")
                assert [row.kind for row in await world.open(session)] == ["in_doubt"]
            outcome = await world.resume(session)


@scenario
async def test_a_write_that_times_out_is_in_doubt(world: World) -> None:
    """A write that is cut off by its timeout is in doubt, without a retry too."""
    world.functions("""
        @trio_node
        async def pay():
            note("pay")
            await trio.sleep(10)
    """)
    outcome = await world.start("""
        outputs: { why: str }
        channels: { why: { type: str, default: "" } }
        start: pay
        nodes:
          pay: { kind: code, python: "fns:pay", effects: write, timeout: 20ms, next: end, on_error: [{ to: end, writes: { why: "${ error.kind }" } }] }
    """)
    assert outcome.outputs == {"why": "in_doubt"}
    assert world.calls("pay") == 1


@scenario
async def test_edits_of_every_kind_of_channel(world: World) -> None:
    """A fork's edit replaces a value whatever its reducer; null and empty values too."""
    graph = """
        outputs: { s: int, m: any, u: any, c: any, x: any, chat: any }
        channels:
          s: { type: int, reducer: sum }
          m: { type: "dict[str, any]", reducer: merge }
          u: { type: "list[int]", reducer: union }
          x: { type: any, default: old }
          chat: { type: "list[Message]", reducer: messages }
          c: { type: "list[int]", reducer: append, default: [9] }
        start: one
        nodes:
          one: { kind: set, writes: { s: 1, m: { a: 1 }, u: [1], c: [1], x: 1, chat: [{ role: user, content: one }] }, next: two }
          two: { kind: set, writes: { s: 2, m: { b: 2 }, u: [1, 2], c: [2], chat: [{ role: user, content: two }] }, next: end }
    """
    session = (await world.start(graph)).row.session
    assert (await world.values(session))["c"] == [9, 1, 2] or (await world.values(session))["c"] == [1, 2]
    edits = {"s": 100, "m": {}, "u": [2], "c": [], "x": None, "chat": [{"role": "user", "content": "edited"}]}
    fork = await world.fork(session, 2, edits)
    outcome = await world.resume(fork.row.session)
    assert outcome.outputs is not None
    assert {k: outcome.outputs[k] for k in "smucx"} == {"s": 102, "m": {"b": 2}, "u": [2, 1], "c": [2], "x": None}
    assert [m["content"] for m in outcome.outputs["chat"]] == ["edited", "two"]
    finished = await world.fork(session, (await world.row(session)).head_superstep, {"s": 5})
    outcome = await world.resume(finished.row.session)
    assert outcome.row.status == "done"
    assert outcome.outputs is not None
    assert outcome.outputs["s"] == 5


@scenario_of_calls
async def test_a_pause_by_request(world: World) -> None:
    """Somebody asks to pause: the run stops at the next barrier and goes on with `resume`."""
    asked = iter([False, False, True])
    options = Options(seed=1, stop=lambda: next(asked, False))
    outcome = await world.start(
        """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { supersteps: 20 }
        start: tick
        nodes:
          tick: { kind: set, writes: { n: 1 }, next: [{ when: n < 6, to: tick }, { to: end }] }
    """,
        options=options,
    )
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "paused")
    assert (await world.values(outcome.row.session))["n"] == 2
    assert (await world.resume(outcome.row.session)).outputs == {"n": 6}


@scenario_of_calls
async def test_inputs_decide_about_the_open_superstep_in_order(world: World) -> None:
    """Limits given to a failed run count, although its superstep is open."""
    world.functions("""
        def work():
            if note("work") == 3:
                raise ValueError("third")
            return 1
    """)
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { supersteps: 4 }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", writes: { n: "${ out }" }, next: [{ when: n < 6, to: work }, { to: end }] }
    """)
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    outcome = await world.resume(outcome.row.session, Options(seed=1, limits={"supersteps": 100}))
    assert outcome.outputs == {"n": 6}, (outcome.row.reason, outcome.error)


@scenario
async def test_a_replay_says_why_a_node_makes_no_call(world: World) -> None:
    """What the node needs is gone: that is told, and not alone that its call is missing."""
    world.functions("def double(n: int) -> int: return 2 * n")
    graph = """
        outputs: { got: int }
        channels: { got: int }
        start: a
        nodes: { a: { kind: code, python: "fns:double", with: { n: 2 }, writes: { got: "${ out }" }, next: end } }
    """
    outcome = await world.start(graph)
    world.functions("def triple(n: int) -> int: return 3 * n")
    await world.crash()
    report = await ops.replay(world.host, outcome.row.session)
    found = report.first_difference
    assert found is not None
    assert (found["kind"], found["expected"]) == ("missing", ["code", "fns:double"])
    assert found["hint"].startswith("the node failed before this call: ")
    assert "double" in found["hint"]
    world.functions("def double(n: int) -> int: return 2 * n")
    await world.crash()


@scenario
async def test_replay_finds_a_changed_function(world: World) -> None:
    """A pure function that was changed is the first difference, with superstep, node, expected and actual."""
    world.replays_call = True
    world.functions("def pure(x): return x + 1")
    outcome = await world.start("""
        outputs: { n: int }
        channels: { n: { type: int, default: 0 } }
        start: a
        nodes:
          a: { kind: code, python: "fns:pure", effects: pure, with: { x: "${ n }" }, writes: { n: "${ out }" }, next: b }
          b: { kind: code, python: "fns:pure", effects: pure, with: { x: "${ n }" }, writes: { n: "${ out }" }, next: end }
    """)
    assert outcome.outputs == {"n": 2}
    world.functions("def pure(x): return x + 1 if x == 0 else x + 2")
    await world.crash()
    report = await ops.replay(world.host, outcome.row.session)
    assert not report.identical
    assert report.first_difference is not None
    found = {key: report.first_difference[key] for key in ("superstep", "node", "kind", "expected", "actual")}
    assert found == {"superstep": 2, "node": "b", "kind": "writes_changed", "expected": {"n": 2}, "actual": {"n": 3}}
    world.functions("def pure(x): return x + 1")
    await world.crash()


@scenario
async def test_an_answer_survives_a_retry(world: World) -> None:
    """A policy retry doesn't ask a person again what was answered in the attempt before; another question is asked."""
    world.replays_call = True
    world.functions("""
        async def work(context):
            first = await context.ask("First?")
            if context.attempt == 0:
                raise ValueError("after the answer")
            second = await context.ask("Second?")
            return [first["decision"], second["decision"]]
    """)
    outcome = await world.start("""
        outputs: { got: "list[str]" }
        channels: { got: { type: "list[str]", default: [] } }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", retry: { max: 2, on: [code_failed], delay: 1ms }, writes: { got: "${ out }" }, next: end }
    """)
    session = outcome.row.session
    await world.answer((await world.asked(session))["First?"], False)
    outcome = await world.drive(session)
    assert list(await world.asked(session)) == ["Second?"]
    await world.answer((await world.asked(session))["Second?"], True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"got": ["reject", "approve"]}
    assert len(await world.store.interrupts(session, status=None)) == 2


@scenario
async def test_a_finished_child_survives_a_retry(world: World) -> None:
    """A retry of a graph node whose child is done takes its outcome: only a failed child is called anew."""
    world.functions("def work(): return note('work')")
    outcome = await world.start("""
        outputs: { n: int, why: str }
        channels: { n: { type: int, default: 0 }, why: { type: str, default: "" } }
        start: call
        nodes:
          call: { kind: graph, graph: sub, retry: { max: 3, on: [invalid_output], delay: 1ms }, writes: { n: "${ out.x }" }, next: end, on_error: [{ to: end, writes: { why: "${ error.kind + ' ' + str(error.attempt) }" } }] }
        graphs:
          sub:
            outputs: { x: any }
            channels: { x: { type: any, default: 0 } }
            start: a
            nodes: { a: { kind: code, python: "fns:work", writes: { x: "${ [out] }" }, next: end } }
    """)
    assert outcome.outputs == {"n": 0, "why": "invalid_output 2"}
    assert world.calls("work") == 1
    assert len(await world.children(outcome.row.session)) == 1

"""Interrupts: scenarios 28 to 39."""

from __future__ import annotations

import pytest

from graphagent.codec import encode
from graphagent.errors import InputInvalid, InterruptAnswered, InterruptExpired, SessionBusy
from graphagent.session.operations import Options
from graphagent.snapshot import NewInput
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls


@scenario
async def test_28_a_parked_branch_does_not_hold_the_other(world: World) -> None:
    """`human` in one branch parks; the other branch goes on for ten supersteps; the answer joins later (the barrier
    is not held)."""
    world.functions("def before(): return note('before')")
    outcome = await world.start("""
        outputs: { n: int, said: str, log: "list[str]" }
        channels:
          n: { type: int, reducer: sum }
          said: { type: str, default: "" }
          log: { type: "list[str]", reducer: append }
        limits: { supersteps: 40 }
        start: [before, tick]
        nodes:
          before: { kind: code, python: "fns:before", next: ask }
          ask: { kind: human, mode: approve, prompt: "Go on?", writes: { said: "${ out.decision + ' by ' + out.by }", log: [answered] }, next: join }
          tick: { kind: set, writes: { n: 1 }, next: [{ when: n < 10, to: tick }, { to: join }] }
          join: { kind: set, join: all, writes: { log: [joined] }, next: end }
    """)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "interrupt")
    assert (await world.values(session))["n"] == 10
    await world.crash()
    asked = await world.asked(session)
    await world.answer(asked["Go on?"], True, by="ann")
    outcome = await world.drive(session)
    assert outcome.outputs == {"n": 10, "said": "approve by ann", "log": ["answered", "joined"]}
    assert world.calls("before") == 1


TWO = """
    outputs: { a: str, b: str, order: "list[str]" }
    channels: { a: { type: str, default: "" }, b: { type: str, default: "" }, order: { type: "list[str]", reducer: append } }
    start: [ask_a, ask_b]
    nodes:
      ask_a: { kind: human, mode: choose, prompt: A, options: [x, y], writes: { a: "${ out.choice }", order: [a] }, next: end }
      ask_b: { kind: human, mode: choose, prompt: B, options: [x, y], writes: { b: "${ out.choice }", order: [b] }, next: end }
"""


@scenario
async def test_29_two_parallel_questions(world: World) -> None:
    """Two parallel `human` nodes: answered in either order, each by its own id; answering one leaves the other
    open."""
    for first, second in (("A", "B"), ("B", "A")):
        session = (await world.start(TWO)).row.session
        asked = await world.asked(session)
        assert len({row.interrupt for row in asked.values()}) == 2
        await world.answer(asked[first], "x")
        assert list(await world.asked(session)) == [second]
        outcome = await world.drive(session)
        assert outcome.row.status == "waiting"
        assert list(await world.asked(session)) == [second]
        await world.answer(asked[second], "y")
        with pytest.raises(InterruptAnswered):
            await world.answer(asked[first], "y")
        await world.answer(asked[first], "x")  # the same answer again changes nothing
        outcome = await world.drive(session)
        assert outcome.outputs == {
            first.lower(): "x", second.lower(): "y", "order": [first.lower(), second.lower()],
        }  # fmt: skip
    session = (await world.start(TWO)).row.session
    for row in await world.open(session):
        await world.answer(row, "y")
    outcome = await world.drive(session)
    assert outcome.outputs == {"a": "y", "b": "y", "order": ["a", "b"]}


@scenario
async def test_30_two_questions_in_one_node(world: World) -> None:
    """Two interrupts one after the other in one node: the second is asked once, the first isn't asked again, effects
    before both run once."""
    world.replays_call = True
    world.functions("""
        STEPS = []

        def step(name):
            STEPS.append(name)
            return name

        async def work(context):
            one = await context.effect("step", step, "before")
            first = await context.ask("First?")
            two = await context.effect("step", step, first["decision"])
            second = await context.ask("Second?", options=["x", "y"])
            three = await context.effect("step", step, second["choice"])
            return [one, two, three]

        def work_blocking(context):
            context.effect("step", step, "before")
            first = context.ask("First?")
            second = context.ask("Second?", options=["x", "y"])
            return [first["decision"], second["choice"]]
    """)
    for name, expected in (("work", ["before", "reject", "x"]), ("work_blocking", ["reject", "x"])):
        outcome = await world.start(f"""
            outputs: {{ steps: "list[str]" }}
            channels: {{ steps: {{ type: "list[str]", default: [] }} }}
            start: work
            nodes:
              work: {{ kind: code, python: "fns:{name}", writes: {{ steps: "${{ out }}" }}, next: end }}
        """)
        session = outcome.row.session
        assert outcome.row.status == "waiting"
        first = await world.asked(session)
        assert list(first) == ["First?"]
        await world.crash()
        await world.answer(first["First?"], False)
        outcome = await world.drive(session)
        assert outcome.row.status == "waiting"
        second = await world.asked(session)
        assert list(second) == ["Second?"]
        assert second["Second?"].interrupt != first["First?"].interrupt
        await world.crash()
        assert list(await world.asked(session)) == ["Second?"]
        await world.answer(second["Second?"], "x")
        outcome = await world.drive(session)
        assert outcome.outputs == {"steps": expected}
        assert world.function("STEPS")[:3] == ["before", "reject", "x"]
        assert len(world.function("STEPS")) == (3 if name == "work" else 4)
        assert len(await world.store.interrupts(session, status=None)) == 2


@scenario
async def test_31_a_question_in_a_loop(world: World) -> None:
    """An interrupt in a loop: every round has its own id and answer."""
    outcome = await world.start(
        """
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        limits: { supersteps: 40 }
        start: ask
        nodes:
          ask: { kind: human, mode: choose, prompt: "${ 'n/a' }", options: [again, stop], writes: { log: "${ [out.choice] }" }, next: [{ when: "len(log) < 3", to: ask }, { to: end }] }
    """.replace("\"${ 'n/a' }\"", '"Round {{ n }}?", with: { n: "${ len(log) + 1 }" }')
    )
    session = outcome.row.session
    seen = set()
    for n in (1, 2, 3):
        asked = await world.asked(session)
        assert list(asked) == [f"Round {n}?"]
        row = asked[f"Round {n}?"]
        seen.add(row.interrupt)
        await world.answer(row, "again")
        outcome = await world.drive(session)
    assert len(seen) == 3
    assert outcome.outputs == {"log": ["again"] * 3}


ITEMS = """
    outputs: { got: "list[str]" }
    channels: { got: { type: "list[str]", default: [] } }
    start: each
    nodes:
      each:
        kind: map
        over: "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
        concurrency: 4
        do: { kind: code, python: "fns:work", with: { x: "${ item }" } }
        writes: { got: "${ results }" }
        next: end
"""


@scenario
async def test_32_questions_in_map_items(world: World) -> None:
    """Interrupts in ten map items: ten ids; three answered, crash, seven still open, three not run again."""
    world.replays_call = True
    world.functions("""
        STEPS = []

        def step(x):
            STEPS.append(x)
            return x

        async def work(context, x):
            await context.effect("before", step, f"before {x}")
            answer = await context.ask(f"Item {x}?")
            await context.effect("after", step, f"after {x}")
            return answer["decision"]

        def steps():
            return STEPS
    """)
    outcome = await world.start(ITEMS)
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    asked = await world.asked(session)
    assert sorted(asked) == [f"Item {x}?" for x in range(10)]
    for x in (1, 5, 9):
        await world.answer(asked[f"Item {x}?"], True)
    outcome = await world.drive(session)
    assert outcome.row.status == "waiting"
    await world.crash()
    left = await world.asked(session)
    assert sorted(left) == [f"Item {x}?" for x in (0, 2, 3, 4, 6, 7, 8)]
    assert {row.interrupt for row in left.values()} <= {row.interrupt for row in asked.values()}
    steps = world.function("STEPS")
    assert len(steps) == 13
    for row in left.values():
        await world.answer(row, False)
    outcome = await world.drive(session)
    assert outcome.outputs == {"got": ["approve" if x in (1, 5, 9) else "reject" for x in range(10)]}
    assert sorted(steps) == sorted([f"{when} {x}" for when in ("before", "after") for x in range(10)])
    assert len(await world.store.interrupts(session, status=None)) == 10


HELD = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [agent, quick, slow]
    nodes:
      agent: { kind: code, python: "fns:agent", writes: { log: "${ [out] }" }, next: end }
      quick: { kind: code, python: "fns:quick", writes: { log: "${ [out] }" }, next: end }
      slow: { kind: code, python: "fns:slow", writes: { log: "${ [out] }" }, next: end }
"""
HELD_FUNCTIONS = """
    MODEL = []

    def model():
        MODEL.append(1)
        return "plan"

    async def agent(context):
        plan = await context.effect("model", model)
        answer = await context.ask(f"Do {plan}?")
        return answer["decision"]

    def quick():
        note("quick")
        return "quick"

    @trio_node
    async def slow():
        await trio.sleep(0.02)
        if note("slow") == 1 and FAIL:
            raise ValueError("slow broke")
        return "slow"

"""


@scenario
async def test_33_a_question_in_a_running_node(world: World) -> None:
    """An approval in a running agent: its finished siblings stay finished; the model call before it isn't
    repeated."""
    world.replays_call = True
    world.functions(HELD_FUNCTIONS + "    FAIL = False\n")
    outcome = await world.start(HELD)
    session, head = outcome.row.session, outcome.row.head_superstep
    assert (outcome.row.status, outcome.row.reason) == ("waiting", "interrupt")
    await world.crash()
    again = await world.drive(session)
    assert (again.row.status, again.row.head_superstep) == ("waiting", head)
    await world.answer((await world.asked(session))["Do plan?"], True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["approve", "quick", "slow"]}
    assert (world.calls("quick"), world.calls("slow"), len(world.function("MODEL"))) == (1, 1, 1)
    assert len(await world.store.interrupts(session, status=None)) == 1


@scenario
async def test_34_one_fails_another_waits(world: World) -> None:
    """One node in an open superstep fails while another waits for an answer: both are visible, and both are settled
    separately."""
    world.replays_call = True
    world.functions(HELD_FUNCTIONS + "    FAIL = True\n")
    for answer_first in (True, False):
        world.forget()
        outcome = await world.start(HELD)
        session = outcome.row.session
        assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
        assert outcome.error is not None
        assert outcome.error["node"] == "slow"
        asked = await world.asked(session)
        assert list(asked) == ["Do plan?"]
        if answer_first:
            await world.answer(asked["Do plan?"], True)
            assert (await world.drive(session)).row.status == "failed"
            outcome = await world.resume(session)
        else:
            outcome = await world.resume(session)
            assert outcome.row.status == "waiting"
            await world.answer(asked["Do plan?"], True)
            outcome = await world.drive(session)
        assert outcome.outputs == {"log": ["approve", "quick", "slow"]}
        assert (world.calls("quick"), world.calls("slow"), len(world.function("MODEL"))) == (1, 2, 1)


@scenario
async def test_35_an_answer_that_does_not_fit(world: World) -> None:
    """An answer that violates the schema leaves all as it was, also with other answers given at the same time."""
    session = (
        await world.start("""
        outputs: { a: any, b: any, c: any }
        channels: { a: any, b: any, c: any, text: { type: str, default: draft } }
        start: [ask_a, ask_b, ask_c]
        nodes:
          ask_a: { kind: human, mode: choose, prompt: A, options: [x, y], writes: { a: "${ out.choice }" }, next: end }
          ask_b: { kind: human, mode: form, prompt: B, form: { n: int, why: "str = 'none'" }, writes: { b: "${ out.form }" }, next: end }
          ask_c: { kind: human, mode: edit, prompt: C, value: "${ text }", writes: { c: "${ out.value }" }, next: end }
    """)
    ).row.session
    asked = await world.asked(session)
    before = await world.row(session)
    for prompt, value in [
        ("A", "z"), ("A", True), ("A", {"choice": "x", "more": 1}), ("A", {}), ("A", None),
        ("B", {"n": "three"}), ("B", {"why": "no n"}), ("B", {"n": 1, "extra": 2}), ("B", 5),
        ("C", 7), ("C", {"value": 7}),
    ]:  # fmt: skip
        with pytest.raises(InputInvalid):
            await world.answer(asked[prompt], value)
    after = await world.row(session)
    assert (after.input_n, after.head_digest) == (before.input_n, before.head_digest)
    assert list(await world.asked(session)) == list(asked)
    await world.answer(asked["B"], {"n": 3})
    with pytest.raises(InputInvalid):
        await world.answer(asked["A"], "z")
    outcome = await world.drive(session)
    assert outcome.row.status == "waiting"
    assert list(await world.asked(session)) == ["A", "C"]
    await world.answer(asked["A"], {"choice": "y"})
    await world.answer(asked["C"], {"value": "final"})
    outcome = await world.drive(session)
    assert outcome.outputs == {"a": "y", "b": {"n": 3, "why": "none"}, "c": "final"}
    with pytest.raises(InterruptAnswered):  # before anything is said about its shape
        await world.answer(asked["A"], "z")


@scenario
async def test_36_a_new_run_waits_for_the_current_one(world: World) -> None:
    """The input of a new run starts after the current run, in order."""
    graph = """
        inputs: { x: int }
        outputs: { log: "list[str]", said: str }
        channels: { log: { type: "list[str]", reducer: append, scope: session }, said: { type: str, default: "" } }
        start: ask
        nodes:
          ask: { kind: human, mode: choose, prompt: "Run {{ x }}?", with: { x: "${ inputs.x }" }, options: [a, b], writes: { said: "${ out.choice }", log: "${ [str(inputs.x) + out.choice] }" }, next: end }
    """
    session = (await world.start(graph, {"x": 1})).row.session
    for x in (2, 3):
        body = encode({"inputs": {"x": x}, "limits": {}})
        for _ in range(2):  # the same message twice is one run
            await world.accept(session, NewInput("run", f"message {x}", body))
    with pytest.raises(SessionBusy):
        await world.run_again(session, {"x": 4})
    outcome = await world.drive(session)
    assert outcome.row.status == "waiting"
    for x, choice in ((1, "a"), (2, "b"), (3, "a")):
        asked = await world.asked(session)
        assert list(asked) == [f"Run {x}?"]
        await world.answer(asked[f"Run {x}?"], choice)
        outcome = await world.drive(session)
    assert outcome.row.status == "done"
    assert outcome.outputs == {"log": ["1a", "2b", "3a"], "said": "a"}
    assert len(await world.kinds(session, "RunStarted")) == 3


@scenario_of_calls
async def test_37_breakpoints(world: World) -> None:
    """Static breakpoints before a node stop exactly once per visit, and can be resumed without an answer."""
    world.functions("def work(): return note('work')")
    options = Options(seed=1, until=frozenset({"work"}))
    outcome = await world.start(
        """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        limits: { supersteps: 20 }
        start: first
        nodes:
          first: { kind: set, writes: { n: 100 }, next: work }
          work: { kind: code, python: "fns:work", writes: { n: 1 }, next: [{ when: n < 103, to: work }, { to: end }] }
    """,
        options=options,
    )
    session = outcome.row.session
    for visit in range(3):
        assert (outcome.row.status, outcome.row.reason) == ("waiting", "paused"), visit
        assert world.calls("work") == visit
        outcome = await world.resume(session, options)
    assert outcome.outputs == {"n": 103}
    # A snapshot to stop at.
    outcome = await world.start(outcome.plan, options=Options(seed=1, until_snapshot=3))
    assert (outcome.row.status, outcome.row.head_superstep) == ("waiting", 3)
    outcome = await world.resume(outcome.row.session)
    assert outcome.outputs == {"n": 103}


EXPIRING = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [ask, other]
    nodes:
      ask: { kind: human, mode: approve, prompt: "Quick?", timeout: 1h, writes: { log: [answered] }, next: end, on_error: late }
      other: { kind: human, mode: approve, prompt: "Slow?", writes: { log: [other] }, next: end }
      late: { kind: set, writes: { log: "${ ['late: ' + error.kind] }" }, next: end }
"""


@scenario
async def test_38_an_expired_question(world: World) -> None:
    """An expired interrupt takes its timeout route once, also if the process was down at that moment."""
    session = (await world.start(EXPIRING)).row.session
    asked = await world.asked(session)
    assert (await world.drive(session)).row.status == "waiting"
    world.clock.skipped += 3_700_000_000
    await world.crash()
    with pytest.raises(InterruptExpired):
        await world.answer(asked["Quick?"], True)
    for _ in range(2):
        outcome = await world.drive(session)
        assert outcome.row.status == "waiting"
        assert (await world.values(session))["log"] == ["late: timeout"]
        assert list(await world.asked(session)) == ["Slow?"]
    await world.answer(asked["Slow?"], True)
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["late: timeout", "other"]}
    assert len(await world.kinds(session, "x.interrupt.expired")) == 1


@scenario
async def test_39_cancelling_closes_questions(world: World) -> None:
    """Cancelling a session closes its interrupts; an answer afterwards is 410."""
    world.functions("""
        async def ask(context):
            await context.ask("In code?")
    """)
    world.replays_call = True
    graph = """
        outputs: { n: int }
        channels: { n: { type: int, reducer: sum } }
        start: [ask, code, call]
        nodes:
          ask: { kind: human, mode: approve, prompt: "Human?", writes: { n: 1 }, next: end }
          code: { kind: code, python: "fns:ask", writes: { n: 1 }, next: end }
          call: { kind: graph, graph: sub, next: end }
        graphs:
          sub:
            start: inner
            nodes:
              inner: { kind: human, mode: approve, prompt: "Inner?", next: end }
    """
    session = (await world.start(graph)).row.session
    asked = await world.asked(session)
    assert {"In code?", "Inner?"} <= set(asked)
    outcome = await world.cancel(session)
    assert (outcome.row.status, outcome.outputs, outcome.error) == ("cancelled", None, None)
    assert await world.open(session) == []
    assert await world.store.interrupts() == []
    for row in asked.values():
        with pytest.raises(InterruptExpired):
            await world.answer(row, True)
    assert [child.status for child in await world.children(session)] == ["cancelled"]
    again = await world.resume(session)
    assert (again.row.status, again.row.head_superstep) == ("cancelled", outcome.row.head_superstep)
    # The same for questions of parked tokens alone, and of a run that ends by a route to `fail`.
    parked = (await world.start(TWO)).row.session
    await world.cancel(parked)
    assert await world.store.interrupts() == []
    failed = await world.start("""
        outputs: {}
        start: [ask, boom]
        nodes:
          ask: { kind: human, mode: approve, prompt: "Still there?", next: end }
          boom: { kind: router, next: wait }
          wait: { kind: router, next: fail }
    """)
    assert failed.row.status == "failed"
    assert await world.store.interrupts() == []

"""Tool nodes: functions with their effects class, keys and checks; graphs; tools that the caller runs."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import InputInvalid, NotRunnable
from graphagent.session import operations
from graphagent.snapshot import SessionQuery
from tests.acceptance.scenarios.test_doubts import doubts, drive_and_die
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

FUNCTIONS = """
    import graphagent
    DYING = []
    HOOK = []
    STATE = {"verdict": "unknown"}

    def look(order: str) -> dict:
        note("look " + order)
        return {"order": order, "price": 5}

    def add(a: int, b: int) -> int:
        return a + b

    def fail(order: str) -> str:
        raise graphagent.ToolFailed("no such order", cause="not_found", hint="try another")

    def broken(order: str) -> str:
        return {}[order]

    def pay(order: str, idempotency_key: str) -> str:
        note("pay " + order + " " + (idempotency_key if len(idempotency_key) < 20 else "own"))
        if order in DYING:
            HOOK[0]()
        return "paid " + order

    def paid(order: str, idempotency_key: str):
        note("asked " + order)
        verdict = STATE["verdict"]
        return {"found": "paid before"} if verdict == "found" else verdict
"""
HEAD = """
    outputs: { got: "list[any]" }
    channels: { got: { type: "list[any]", reducer: append } }
"""


@scenario
async def test_a_read_and_a_pure_tool(world: World) -> None:
    world.functions(FUNCTIONS)
    session = await world.create(HEAD + """
    tools: { look: { python: "fns:look", effects: read }, add: { python: "fns:add", effects: pure } }
    start: look
    nodes:
      look: { kind: tool, tool: look, with: { order: a }, writes: { got: "${ [out.price] }" }, next: add }
      add: { kind: tool, tool: add, with: { a: 1, b: 2 }, writes: { got: "${ [out] }" }, next: end }
    """)  # fmt: skip
    assert (await world.drive(session)).outputs == {"got": [5, 3]}
    assert world.calls("look a") == 1


@scenario
async def test_a_failure_has_the_cause_that_the_tool_gives(world: World) -> None:
    world.functions(FUNCTIONS)
    session = await world.create(HEAD + """
    tools: { fail: { python: "fns:fail", effects: read }, broken: { python: "fns:broken", effects: read } }
    start: known
    nodes:
      known: { kind: tool, tool: fail, with: { order: a }, on_error: [{ when: "default(error.cause, '') == 'not_found'", to: broken, writes: { got: "${ [error.kind, error.message] }" } }], next: end }
      broken: { kind: tool, tool: broken, with: { order: a }, on_error: [{ to: end, writes: { got: "${ [error.kind, error.cause, error.message] }" } }], next: end }
    """)  # fmt: skip
    got = ["tool_failed", "no such order", "tool_failed", None, "KeyError: 'a'"]
    assert (await world.drive(session)).outputs == {"got": got}


PAY = (
    HEAD
    + """
    tools: { pay: { python: "fns:pay" MORE } }
    start: pay
    nodes:
      pay: { kind: tool, tool: pay, with: { order: aa }, writes: { got: "${ [out] }" }, next: end }
"""
)


@scenario_of_calls
async def test_a_tool_asks_to_be_tried_again(world: World) -> None:
    """`ToolRetry` is tried again as often as the node allows; `ToolFailed` isn't."""
    world.functions("""
        import graphagent

        def shy(order: str) -> str:
            if note("shy " + order) < 3:
                raise graphagent.ToolRetry("not yet", cause="busy")
            return order

        def sure(order: str) -> str:
            note("sure")
            raise graphagent.ToolFailed("never", cause="gone")
    """)
    session = await world.create(HEAD + """
    tools: { shy: { python: "fns:shy", effects: read }, sure: { python: "fns:sure", effects: read } }
    defaults: { retry: { max: 3, delay: 1ms } }
    start: shy
    nodes:
      shy: { kind: tool, tool: shy, with: { order: a }, writes: { got: "${ [out] }" }, next: once }
      once: { kind: tool, tool: shy, with: { order: b }, retry: { max: 2, delay: 1ms }, on_error: [{ to: sure, writes: { got: "${ [error.kind, error.cause] }" } }], next: end }
      sure: { kind: tool, tool: sure, with: { order: c }, on_error: [{ to: end, writes: { got: "${ [error.cause] }" } }], next: end }
    """)  # fmt: skip
    assert (await world.drive(session)).outputs == {"got": ["a", "tool_failed", "busy", "gone"]}
    assert [world.calls(name) for name in ("shy a", "shy b", "sure")] == [3, 2, 1]


@scenario
async def test_a_race_withdraws_a_graph_that_is_a_tool(world: World) -> None:
    """Its child session is cancelled, also if the process died at that barrier."""
    session = await world.create(HEAD + """
    tools: { asks: { graph: asks } }
    start: [first, sub]
    nodes:
      first: { kind: set, writes: { got: [first] }, next: second }
      second: { kind: set, next: done }
      sub: { kind: tool, tool: asks, next: done }
      done: { kind: set, join: { at_least: 1, cancel: siblings }, writes: { got: [done] }, next: last }
      last: { kind: set, next: end }
    graphs:
      asks: { start: ask, nodes: { ask: { kind: human, mode: approve, prompt: "Child?", next: end } } }
    """)  # fmt: skip
    assert (await world.drive(session)).outputs == {"got": ["first", "done"]}
    assert [child.status for child in await world.children(session)] == ["cancelled"]
    assert await world.open(session) == []


@scenario
async def test_a_write_gets_a_key_and_is_never_repeated_by_itself(world: World) -> None:
    world.functions(FUNCTIONS)
    session = await world.create(PAY.replace("MORE", ""))
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).row.reason == "interrupt"
    row = (await doubts(world, session))["pay"]
    await world.answer(row, {"decision": "done", "value": "paid by hand"})
    assert (await world.drive(session)).outputs == {"got": ["paid by hand"]}
    assert world.calls("pay aa own") == 1


@scenario
async def test_a_write_with_a_key_of_the_author_is_made_again_under_it(world: World) -> None:
    world.functions(FUNCTIONS)
    session = await world.create(PAY.replace("MORE", ', idempotency_key: "${ args.order }-1"'))
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).outputs == {"got": ["paid aa"]}
    assert world.calls("pay aa aa-1") == 2


async def checked_after_a_crash(world: World, verdict: str) -> Any:
    """The outputs of a write whose process died in it, when its check says this; None where a person is asked."""
    world.functions(FUNCTIONS.replace('"verdict": "unknown"', f'"verdict": "{verdict}"'))
    session = await world.create(PAY.replace("MORE", ', check: "fns:paid"'))
    await drive_and_die(world, session, "aa")
    outcome = await world.drive(session)
    assert world.calls("asked aa") == 1
    if outcome.outputs is None:
        assert list(await doubts(world, session)) == ["pay"]
    return outcome.outputs


@scenario
async def test_a_check_finds_that_a_write_happened(world: World) -> None:
    assert await checked_after_a_crash(world, "found") == {"got": ["paid before"]}
    assert world.calls("pay aa own") == 1


@scenario
async def test_a_check_finds_that_a_write_did_not_happen(world: World) -> None:
    assert await checked_after_a_crash(world, "not_found") == {"got": ["paid aa"]}
    assert world.calls("pay aa own") == 2


@scenario
async def test_a_check_that_does_not_know_leaves_it_to_a_person(world: World) -> None:
    assert await checked_after_a_crash(world, "unknown") is None
    assert world.calls("pay aa own") == 1


@scenario
async def test_a_graph_as_a_tool(world: World) -> None:
    session = await world.create(HEAD + """
    tools: { twice: { graph: twice } }
    start: a
    nodes:
      a: { kind: tool, tool: twice, with: { n: 4 }, writes: { got: "${ [out.n] }" }, next: end }
    graphs:
      twice: { inputs: { n: int }, outputs: { n: int }, channels: { n: { type: int, default: 0 } }, start: a, nodes: { a: { kind: set, writes: { n: "${ inputs.n * 2 }" }, next: end } } }
    """)  # fmt: skip
    assert (await world.drive(session)).outputs == {"got": [8]}


CLIENT = (
    HEAD
    + """
    tools: { locate: { client: { params: { precise: "bool = false" }, returns: { lat: float, lon: float } }, about: Where are you, effects: read } }
    start: a
    nodes:
"""
)


@scenario
async def test_a_tool_that_the_caller_runs(world: World) -> None:
    session = await world.create(CLIENT + """
      a: { kind: tool, tool: locate, with: { precise: true }, writes: { got: "${ [out.lat] }" }, next: end }
    """)  # fmt: skip
    assert (await world.drive(session)).row.reason == "interrupt"
    (row,) = await world.open(session)
    assert row.kind == "tool"
    with pytest.raises(InputInvalid) as refused:
        await world.answer(row, {"value": {"lat": "north", "lon": 1}})
    assert refused.value.path == "$.value.lat"
    await world.answer(row, {"value": {"lat": 1.5, "lon": 2}})
    assert (await world.drive(session)).outputs == {"got": [1.5]}


@scenario
async def test_a_tool_that_the_caller_runs_for_each_item(world: World) -> None:
    session = await world.create(CLIENT + """
      a: { kind: map, over: "[1, 2]", do: { kind: tool, tool: locate }, collect: "${ out.lon }", writes: { got: "${ results }" }, next: end }
    """)  # fmt: skip
    assert (await world.drive(session)).row.reason == "interrupt"
    rows = await world.open(session)
    assert [row.path for row in rows] == ["a[0]", "a[1]"]
    for i, row in enumerate(rows):
        await world.answer(row, {"lat": 0, "lon": i} if i else {"value": {"lat": 0, "lon": i}})
    assert (await world.drive(session)).outputs == {"got": [0, 1]}


@scenario
async def test_a_key_of_a_code_node(world: World) -> None:
    world.functions(FUNCTIONS)
    session = await world.create(HEAD + """
    inputs: { n: "str = 'x'" }
    start: pay
    nodes:
      pay: { kind: code, python: "fns:pay", effects: write, idempotency_key: "${ inputs.n }-key", with: { order: aa }, writes: { got: "${ [out] }" }, next: end }
    """)  # fmt: skip
    await drive_and_die(world, session, "aa")
    assert (await world.drive(session)).outputs == {"got": ["paid aa"]}
    assert world.calls("pay aa x-key") == 2


@scenario
async def test_a_function_that_no_model_can_call_is_refused_before_anything_is_stored(world: World) -> None:
    """What only importing the module shows: a type without JSON Schema."""
    world.functions("""
        from collections.abc import Callable

        def odd(order: Callable[[], int]) -> str:
            return ""
    """)
    graph = world.plan(HEAD + """
    tools: { odd: { python: "fns:odd", effects: read } }
    start: odd
    nodes: { odd: { kind: tool, tool: odd, with: { order: a }, next: end } }
    """)  # fmt: skip
    with pytest.raises(NotRunnable, match=r"the tool 'odd'.*`order`"):
        await operations.start(world.host, graph, {})
    assert await world.host.store.sessions(SessionQuery()) == []

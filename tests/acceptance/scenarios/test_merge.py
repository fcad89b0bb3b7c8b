"""Merge and route: scenarios 1 to 17."""

from __future__ import annotations

from graphagent.session.operations import Options
from tests.acceptance.scenarios.world import SEED, World, scenario, scenario_of_calls, seeded


@scenario
async def test_01_append_in_plan_order(world: World) -> None:
    """Three parallel nodes finish in any order; an `append` channel gets their items in plan order."""
    world.functions("""
        @trio_node
        async def wait(name, after):
            while after is not None and ("done", after) not in CALLS:
                await trio.sleep(0.001)
            note("done", name)
            return name
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, b, c]
        nodes:
          a: { kind: code, python: "fns:wait", with: { name: a, after: b }, writes: { log: "${ [out] }" }, next: end }
          b: { kind: code, python: "fns:wait", with: { name: b, after: c }, writes: { log: "${ [out] }" }, next: end }
          c: { kind: code, python: "fns:wait", with: { name: c, after: null }, writes: { log: "${ [out] }" }, next: end }
    """)
    assert outcome.outputs == {"log": ["a", "b", "c"]}
    assert world.noted() == [("done", "c"), ("done", "b"), ("done", "a")]


@scenario
async def test_02_map_results_in_item_order(world: World) -> None:
    """Map items finish in any order; results are in item order, also when item 0 was the slowest and was retried."""
    world.functions("""
        @trio_node
        async def slow(x):
            if x == 0:
                await trio.sleep(0.02)
                if note("item", x) == 1:
                    raise NodeError("try again", kind="unavailable")
            else:
                note("item", x)
            return x * 10
    """)
    outcome = await world.start("""
        outputs: { got: "list[int]", log: "list[int]" }
        channels: { got: { type: "list[int]", default: [] }, log: { type: "list[int]", reducer: append } }
        start: each
        nodes:
          each:
            kind: map
            over: "[0, 1, 2, 3]"
            do: { kind: code, python: "fns:slow", with: { x: "${ item }" }, retry: { max: 2, delay: 1ms, jitter: false } }
            collect: "${ out + index }"
            writes: { got: "${ results }", log: "${ results }" }
            next: end
    """)
    assert outcome.outputs == {"got": [0, 11, 22, 33], "log": [0, 11, 22, 33]}
    assert world.calls("item", 0) == 2
    assert world.calls("item", 3) == 1


CONFLICT = """
    outputs: { x: int }
    channels: { x: { type: int, default: 0 }, log: { type: "list[str]", reducer: append } }
    start: set_up
    nodes:
      set_up: { kind: set, writes: { log: [start] }, next: [a, b] }
      # graphagent: allow GA406 that is what the scenario is about
      a: { kind: code, python: "fns:one", writes: { x: "${ out }", log: [a] }, next: end }
      # graphagent: allow GA406 that is what the scenario is about
      b: { kind: code, python: "fns:one", writes: { x: "${ out }" }, next: end }
"""


@scenario_of_calls
async def test_03_two_writers_of_a_last_channel(world: World) -> None:
    """Two nodes write one `last` channel in a superstep: error naming both; resume doesn't hide it; nothing was
    committed."""
    world.functions("""
        def one():
            note("one")
            return 1
    """)
    outcome = await world.start(CONFLICT)
    head = outcome.row.head_superstep
    for _ in range(2):
        assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
        assert outcome.error is not None
        assert outcome.error["kind"] == "write_conflict"
        assert "'a'" in outcome.error["message"]
        assert "'b'" in outcome.error["message"]
        assert outcome.row.head_superstep == head
        assert await world.values(outcome.row.session) == {"x": 0, "log": ["start"]}
        outcome = await world.resume(outcome.row.session)
    assert world.calls("one") == 2


@scenario
async def test_04_values_are_frozen(world: World) -> None:
    """A node changes a value in place that it read: impossible, or without effect on siblings, the channel and the
    next read."""
    world.replays_call = True
    world.functions("""
        def spoil(xs):
            xs.append(99)
            xs[0]["n"] = 99
            return len(xs)

        async def spoil_async(xs):
            xs.clear()
            return 0

        @trio_node
        async def look(xs):
            return xs
    """)
    outcome = await world.start(
        """
        inputs: { xs: "list[any]" }
        outputs: { seen: any, later: any, xs: any, given: any }
        channels: { xs: any, seen: any, later: any, n: { type: int, reducer: sum } }
        start: fill
        nodes:
          fill: { kind: set, writes: { xs: "${ inputs.xs }" }, next: [a, b, c, d] }
          a: { kind: code, python: "fns:spoil", effects: pure, with: { xs: "${ xs }" }, writes: { n: "${ out }" }, next: join }
          b: { kind: code, python: "fns:spoil", with: { xs: "${ inputs.xs }" }, writes: { n: "${ out }" }, next: join }
          c: { kind: code, python: "fns:spoil_async", with: { xs: "${ xs }" }, next: join }
          d: { kind: code, python: "fns:look", with: { xs: "${ xs }" }, writes: { seen: "${ out }" }, next: join }
          join: { kind: set, join: all, writes: { later: "${ xs }" }, next: end }
        result: { seen: "${ seen }", later: "${ later }", xs: "${ xs }", given: "${ inputs.xs }" }
    """,
        {"xs": [{"n": 1}, {"n": 2}]},
    )
    untouched = [{"n": 1}, {"n": 2}]
    assert outcome.outputs == {"seen": untouched, "later": untouched, "xs": untouched, "given": untouched}


@scenario
async def test_05_guards_see_siblings_writes(world: World) -> None:
    """A route of node A sees what sibling B wrote in the same superstep."""
    outcome = await world.start("""
        outputs: { way: str }
        channels: { flag: { type: bool, default: false }, way: { type: str, default: none } }
        start: [a, b]
        nodes:
          a: { kind: router, next: [{ when: flag, to: yes_way }, { to: no_way }] }
          b: { kind: set, writes: { flag: true }, next: end }
          yes_way: { kind: set, writes: { way: "saw it" }, next: end }
          no_way: { kind: set, writes: { way: "missed it" }, next: end }
    """)
    assert outcome.outputs == {"way": "saw it"}


@scenario
async def test_06_on_update(world: World) -> None:
    """`on_update`: a write made in the same superstep in which the subscriber ran makes it due again; an unchanged
    channel doesn't."""
    outcome = await world.start("""
        outputs: { seen: "list[int]" }
        channels:
          price: { type: int, default: 0 }
          other: { type: int, default: 0 }
          seen: { type: "list[int]", reducer: append }
        limits: { supersteps: 20 }
        start: one
        nodes:
          one: { kind: set, writes: { price: 1 }, next: two }
          two: { kind: set, writes: { price: 2 }, next: three }
          three: { kind: set, writes: { other: 5 }, next: four }
          four: { kind: set, next: end }
          audit: { kind: set, on_update: [price], writes: { seen: "${ [price] }" }, next: end }
    """)
    # `two` writes 2 in the superstep in which `audit` runs for 1.
    assert outcome.outputs == {"seen": [1, 2]}
    ran = [nodes for nodes in await world.ran(outcome.row.session) if nodes]
    assert ran == [["one"], ["two", "audit"], ["three", "audit"], ["four"]]


@scenario
async def test_07_a_node_that_triggers_itself(world: World) -> None:
    """A node that writes its own trigger channel runs again, bounded by visits and budget."""
    outcome = await world.start("""
        outputs: { n: int, why: str }
        channels: { n: { type: int, reducer: sum }, why: { type: str, default: "" } }
        limits: { visits: { count: 4 }, on_limit: stop }
        start: kick
        nodes:
          kick: { kind: set, writes: { n: 1 }, next: end }
          count: { kind: set, on_update: [n], writes: { n: 1 }, next: end }
          stop: { kind: set, writes: { why: "${ error.kind }" }, next: end }
    """)
    assert outcome.outputs == {"n": 5, "why": "limit"}


@scenario
async def test_08_join_all_over_dead_branches(world: World) -> None:
    """`join: all` over conditional branches closes when an untaken branch is dead, including chains of dead
    branches."""
    graph = """
        inputs: { deep: bool, alive: bool }
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: split
        nodes:
          split: { kind: router, next: [a, b] }
          a: { kind: set, writes: { log: [a] }, next: a2 }
          a2: { kind: set, writes: { log: [a2] }, next: join }
          b: { kind: router, next: [{ when: inputs.deep, to: [c, d] }, { to: end }] }
          c: { kind: router, next: [{ when: inputs.alive, to: inner }, { to: end }] }
          d: { kind: router, next: [{ when: inputs.alive, to: inner }, { to: end }] }
          inner: { kind: set, join: all, writes: { log: [inner] }, next: join }
          join: { kind: set, join: all, writes: { log: [join] }, next: end }
    """
    for deep, alive, expected in [
        (False, False, ["a", "a2", "join"]),
        (True, False, ["a", "a2", "join"]),
        (True, True, ["a", "a2", "inner", "join"]),
    ]:
        outcome = await world.start(graph, {"deep": deep, "alive": alive})
        assert outcome.row.status == "done"
        assert outcome.outputs == {"log": expected}


@scenario
async def test_09_join_in_a_loop_starts_empty(world: World) -> None:
    """A join inside a loop starts empty in every round."""
    outcome = await world.start("""
        outputs: { log: "list[str]", n: int }
        channels: { log: { type: "list[str]", reducer: append }, n: { type: int, reducer: sum } }
        limits: { supersteps: 40 }
        start: split
        nodes:
          split: { kind: set, writes: { n: 1 }, next: [a, b] }
          a: { kind: set, writes: { log: ["${ 'a' + str(n) }"] }, next: join }
          b: { kind: set, writes: { log: ["${ 'b' + str(n) }"] }, next: [{ when: n == 2, to: end }, { to: b2 }] }
          b2: { kind: set, writes: { log: ["${ 'c' + str(n) }"] }, next: join }
          join: { kind: set, join: all, writes: { log: ["${ 'j' + str(n) }"] }, next: [{ when: n < 3, to: split }, { to: end }] }
    """)
    assert outcome.outputs == {"log": ["a1", "b1", "c1", "j1", "a2", "b2", "j2", "a3", "b3", "c3", "j3"], "n": 3}


@scenario
async def test_10_two_tokens_one_node(world: World) -> None:
    """Two routes bring a token to one node in one superstep: it runs once (or as often as its join says)."""
    outcome = await world.start("""
        outputs: { n: int, late: int }
        channels: { n: { type: int, reducer: sum }, late: { type: int, reducer: sum } }
        start: [a, b, c]
        nodes:
          a: { kind: router, next: x }
          b: { kind: router, next: x }
          c: { kind: router, next: c2 }
          c2: { kind: router, next: x }
          x: { kind: set, join: any, writes: { n: 1 }, next: end }
    """)
    # a and b arrive together, c2 a superstep later.
    assert outcome.outputs == {"n": 2, "late": 0}


@scenario
async def test_11_map_over_an_empty_list(world: World) -> None:
    """`map` over an empty list goes on to the next node with an empty result."""
    world.functions("def never(x): note('never')")
    outcome = await world.start("""
        outputs: { got: "list[any]", bad: int, after: bool }
        channels:
          got: { type: "list[any]", default: [1] }
          bad: { type: int, default: 7 }
          log: { type: "list[any]", reducer: append }
          after: { type: bool, default: false }
        start: each
        nodes:
          each:
            kind: map
            over: "[x for x in [1, 2] if x > 5]"
            do: { kind: code, python: "fns:never", with: { x: "${ item }" } }
            writes: { got: "${ results }", bad: "${ len(errors) }", log: "${ results }" }
            next: [{ when: "len(results) == 0", to: after }, { to: fail }]
          after: { kind: set, writes: { after: true }, next: end }
    """)
    assert outcome.outputs == {"got": [], "bad": 0, "after": True}
    assert world.calls("never") == 0


@scenario
async def test_12_map_inside_map(world: World) -> None:
    """`map` inside `map` (a sub-graph per item), with one failing inner item and `need` below `all`: the other slots
    stand, `errors` holds the one."""
    world.functions("""
        def work(x):
            if note("work", x) and x == 22:
                raise ValueError("twenty-two")
            return x
    """)
    outcome = await world.start("""
        outputs: { got: "list[any]" }
        channels: { got: { type: "list[any]", default: [] } }
        start: outer
        nodes:
          outer:
            kind: map
            over: "[1, 2]"
            do: { kind: graph, graph: row, with: { base: "${ item * 10 }" } }
            writes: { got: "${ results }" }
            next: end
        graphs:
          row:
            inputs: { base: int }
            outputs: { good: "list[int]", bad: "list[any]" }
            channels: { good: { type: "list[int]", default: [] }, bad: { type: "list[any]", default: [] } }
            start: inner
            nodes:
              inner:
                kind: map
                over: "[1, 2, 3]"
                need: { at_least: 0.5 }
                do: { kind: code, python: "fns:work", with: { x: "${ inputs.base + item }" } }
                writes: { good: "${ results }", bad: "${ [[e.index, e.item, e.error.kind] for e in errors] }" }
                next: end
    """)
    assert outcome.outputs == {
        "got": [
            {"good": [11, 12, 13], "bad": []},
            {"good": [21, 23], "bad": [[1, 2, "code_failed"]]},
        ]
    }
    assert all(world.once("work", x) for x in (11, 12, 13, 21, 22, 23))
    assert len(await world.children(outcome.row.session)) == 2


@scenario
async def test_13_mistakes_have_a_position(world: World) -> None:
    """A key that isn't a declared channel, a route to an unknown node, a value of the wrong type: errors with
    position, never ignored."""
    found = world.findings("""
        outputs: { n: int }
        channels: { n: { type: int, default: 0 } }
        start: a
        nodes:
          a: { kind: set, writes: { m: 1 }, next: b }
          b: { kind: set, writes: { n: "text" }, next: nowhere }
    """)
    assert ("GA102", 6) in found
    assert ("GA101", 7) in found
    assert ("GA301", 7) in found
    # What only turns out in the run is an error as data, and nothing of it is written.
    outcome = await world.start(
        """
        inputs: { x: any }
        outputs: { n: int }
        channels: { n: { type: int, default: 0 }, m: { type: int, default: 0 } }
        start: a
        nodes:
          a: { kind: set, writes: { m: 1, n: "${ inputs.x }" }, next: end }
    """,
        {"x": "text"},
    )
    assert outcome.row.status == "failed"
    assert outcome.error is not None
    assert outcome.error["kind"] == "invalid_output"
    assert "n" in outcome.error["message"]
    assert await world.values(outcome.row.session) == {"n": 0, "m": 0}


@scenario
async def test_14_one_node_writes_twice(world: World) -> None:
    """A node writes the same channel twice: both items, in order of writing; on `last`, the later."""
    outcome = await world.start("""
        outputs: { log: "list[str]", x: int, n: int }
        channels: { log: { type: "list[str]", reducer: append }, x: { type: int, default: 0 }, n: { type: int, reducer: sum } }
        start: a
        nodes:
          a:
            kind: set
            writes: { log: [node], x: 1, n: 1 }
            next: [{ when: "x == 1", to: b, writes: { log: [route], x: 2, n: 10 } }, { to: fail }]
          b: { kind: set, writes: { log: ["${ str(x) }"] }, next: end }
    """)
    assert outcome.outputs == {"log": ["node", "route", "2"], "x": 2, "n": 11}


@scenario
async def test_15_falsy_results(world: World) -> None:
    """A falsy result (`0`, `""`, `[]`, `null`) is a result: written, not run again, not taken for missing."""
    world.functions("""
        def zero(): note("zero"); return 0
        async def text(): note("text"); return ""
        def items(): note("items"); return []
        def nothing(): note("nothing"); return None
        def no(): note("no"); return False
        def item(x): note("item", x); return x
        def boom():
            if note("boom") == 1:
                raise ValueError("once")
    """)
    graph = """
        outputs: { a: any, b: any, c: any, d: any, e: any, each: any, had: "list[bool]" }
        channels:
          a: { type: any, default: 1 }
          b: { type: any, default: 1 }
          c: { type: any, default: 1 }
          d: { type: any, default: 1 }
          e: { type: any, default: 1 }
          each: { type: any, default: 1 }
          had: { type: "list[bool]", default: [] }
        start: [a, b, c, d, e, each, boom]
        nodes:
          a: { kind: code, python: "fns:zero", writes: { a: "${ out }" }, next: join }
          b: { kind: code, python: "fns:text", writes: { b: "${ out }" }, next: join }
          c: { kind: code, python: "fns:items", writes: { c: "${ out }" }, next: join }
          d: { kind: code, python: "fns:nothing", writes: { d: "${ out }" }, next: join }
          e: { kind: code, python: "fns:no", writes: { e: "${ out }" }, next: join }
          each: { kind: map, over: "[0, false, '', null]", do: { kind: code, python: "fns:item", with: { x: "${ item }" } }, writes: { each: "${ results }" }, next: join }
          boom: { kind: code, python: "fns:boom", next: join }
          join: { kind: set, join: all, writes: { had: "${ [has(a), has(b), has(c), has(d), has(e)] }" }, next: end }
    """
    outcome = await world.start(graph)
    assert outcome.row.status == "failed"
    await world.crash()
    outcome = await world.resume(outcome.row.session)
    assert outcome.outputs == {
        "a": 0, "b": "", "c": [], "d": None, "e": False, "each": [0, False, "", None],
        "had": [True, True, True, False, True],
    }  # fmt: skip
    assert world.calls("boom") == 2
    assert [world.calls(name) for name in ("zero", "text", "items", "nothing", "no")] == [1, 1, 1, 1, 1]
    assert len([n for n in world.noted() if isinstance(n, tuple)]) == 4


@scenario
async def test_16_messages(world: World) -> None:
    """`messages`: same id twice in one superstep, replace, remove, remove an unknown id, clear; read equals live at
    every checkpoint."""
    outcome = await world.start(
        """
        inputs: { msgs: "list[any]" }
        outputs: { chat: any }
        channels: { chat: { type: "list[Message]", reducer: messages } }
        start: one
        nodes:
          one:
            kind: set
            writes: { chat: [{ id: a, role: user, content: first }, { id: b, role: user, content: b }, { id: a, role: user, content: second }] }
            next: two
          two: { kind: set, writes: { chat: [{ id: b, role: assistant, content: replaced }] }, next: three }
          three: { kind: set, writes: { chat: [{ remove: nobody }, { remove: a }] }, next: four }
          four: { kind: set, writes: { chat: [{ remove: all }, { id: c, role: user, content: c }] }, next: five }
          five: { kind: set, writes: { chat: [{ role: user, content: same }] }, next: six }
          six: { kind: set, writes: { chat: "${ inputs.msgs }" }, next: end }
    """,
        {"msgs": [{"role": "user", "content": "same"}, {"role": "user", "content": "same"}]},
    )
    assert outcome.row.status == "done"
    session = outcome.row.session

    async def chat(at: int) -> list[tuple[str, str]]:
        return [(m["id"], m["content"]) for m in (await world.values(session, at))["chat"]]

    assert await chat(2) == [("a", "second"), ("b", "b")]
    assert await chat(3) == [("a", "second"), ("b", "replaced")]
    assert await chat(4) == [("b", "replaced")]
    assert await chat(5) == [("c", "c")]
    last = await chat(7)
    assert [content for _, content in last] == ["c", "same", "same", "same"]
    assert len({identity for identity, _ in last}) == 4


LOOP = """
    outputs: { n: int }
    channels: { n: { type: int, reducer: sum } }
    limits: { supersteps: 5 }
    start: tick
    nodes:
      tick: { kind: code, python: "fns:tick", writes: { n: 1 }, next: [{ when: n < 9, to: tick }, { to: end }] }
"""


@scenario_of_calls
async def test_17_superstep_limit(world: World) -> None:
    """The superstep limit ends the run with a committed checkpoint and a resumable status; the last allowed superstep
    isn't lost."""
    world.functions("def tick(): note('tick')")
    outcome = await world.start(LOOP)
    session = outcome.row.session
    assert (outcome.row.status, outcome.row.reason) == ("failed", "limit")
    assert outcome.error is not None
    assert outcome.error["kind"] == "limit"
    assert (await world.values(session))["n"] == 5
    assert world.calls("tick") == 5
    outcome = await world.resume(session, seeded(1, limits={"supersteps": 7}))
    assert (outcome.row.status, outcome.row.reason) == ("failed", "limit")
    assert (await world.values(session))["n"] == 7
    outcome = await world.resume(session, seeded(1, limits={"supersteps": 100}))
    assert outcome.outputs == {"n": 9}
    assert world.calls("tick") == 9
    # A run that ends with its last allowed superstep has met no limit.
    exact = await world.start(LOOP.replace("n < 9", "n < 5"))
    assert (exact.row.status, exact.outputs) == ("done", {"n": 5})
    tight = await world.start(LOOP, options=Options(seed=1, limits={"supersteps": 2}))
    assert (tight.row.reason, (await world.values(tight.row.session))["n"]) == ("limit", 2)
    assert SEED.limits == {}


@scenario
async def test_events_of_items_are_in_their_order(world: World) -> None:
    """The last item ends first: which one does isn't told by any event, nor by the digest."""
    world.functions("""
        async def tell(n: int, context) -> int:
            while n < 3 and n + 1 not in CALLS:
                await asyncio.sleep(0.001)
            context.emit("told", {"n": n})
            note(n)
            return n
    """)
    world.replays_call = True
    outcome = await world.start("""
    outputs: { got: "list[int]" }
    channels: { got: { type: "list[int]", reducer: append } }
    start: each
    nodes:
      each: { kind: map, over: "[1, 2, 3]", as: n, do: { kind: code, python: "fns:tell", with: { n: "${ n }" } }, collect: "${ out }", writes: { got: "${ results }" }, next: end }
    """)  # fmt: skip
    assert outcome.outputs == {"got": [1, 2, 3]}
    told = await world.kinds(outcome.row.session, "x.user.told")
    assert told == [{"n": n, "item": n - 1} for n in (1, 2, 3)]

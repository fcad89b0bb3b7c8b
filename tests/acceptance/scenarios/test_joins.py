"""Joins that wait for a number of branches, and races."""

from __future__ import annotations

import pytest

from graphagent.errors import InterruptExpired
from tests.acceptance.scenarios.world import World, scenario

THREE = """
    outputs: {{ log: "list[str]", n: int }}
    channels: {{ log: {{ type: "list[str]", reducer: append }}, n: {{ type: int, reducer: sum }} }}
    start: [a, b, c]
    nodes:
      a: {{ kind: set, writes: {{ log: [a] }}, next: {a} }}
      b: {{ kind: set, writes: {{ log: [b] }}, next: {b} }}
      c: {{ kind: set, writes: {{ log: [c] }}, next: c2 }}
      c2: {{ kind: set, writes: {{ log: [c2] }}, next: {c} }}
      join: {{ kind: set, join: {join}, writes: {{ log: [join], n: 1 }}, on_error: {on_error}, next: end }}
      short: {{ kind: set, writes: {{ log: ["${{ error.kind }}"] }}, next: end }}
"""


def three(join: str, a: str = "join", b: str = "join", c: str = "join", on_error: str = "short") -> str:
    return THREE.format(join=join, a=a, b=b, c=c, on_error=on_error)


@scenario
async def test_it_runs_when_enough_branches_came_and_absorbs_the_rest(world: World) -> None:
    """`at_least` runs once; a later arrival doesn't run it again."""
    for count, expected in (
        ("2", ["a", "b", "c", "c2", "join"]),  # `join` and `c2` share a superstep
        ("3", ["a", "b", "c", "c2", "join"]),
        ("1", ["a", "b", "c", "c2", "join"]),
        ("0.5", ["a", "b", "c", "c2", "join"]),
        ("0.7", ["a", "b", "c", "c2", "join"]),
    ):
        outcome = await world.start(three(f"{{ at_least: {count} }}"))
        assert outcome.outputs == {"log": expected, "n": 1}, count
        ran = await world.ran(outcome.row.session)
        late = count in ("3", "0.7")
        assert ran == ([["a", "b", "c"], ["c2"], ["join"]] if late else [["a", "b", "c"], ["c2", "join"]]), count


@scenario
async def test_it_fails_when_it_cannot_get_enough(world: World) -> None:
    """Too few branches can come: `join_unsatisfied` at once, which `on_error` may take."""
    outcome = await world.start(three("{ at_least: 2 }", a="end", b="end"))
    assert outcome.outputs == {"log": ["a", "b", "c", "c2", "join_unsatisfied"], "n": 0}
    assert await world.ran(outcome.row.session) == [["a", "b", "c"], ["c2", "join"], ["short"]]
    gone = "[{ when: n > 9, to: join }, { to: end }]"
    outcome = await world.start(three("{ at_least: 1 }", a=gone, b=gone, c=gone))
    assert outcome.outputs == {"log": ["a", "b", "c", "c2", "join_unsatisfied"], "n": 0}
    outcome = await world.start(
        three("{ at_least: 3 }", a="end", on_error="[{ when: \"error.kind == 'timeout'\", to: short }]")
    )
    assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
    assert outcome.error is not None
    assert outcome.error["kind"] == "join_unsatisfied"
    assert outcome.error["message"] == "1 branches arrived at 'join', which needs 3, and no more can come"
    assert (await world.values(outcome.row.session))["log"] == ["a", "b", "c"]


@scenario
async def test_09_a_counting_join_starts_empty_in_every_round(world: World) -> None:
    """A join inside a loop starts empty in every round."""
    outcome = await world.start("""
        outputs: { log: "list[str]", n: int }
        channels: { log: { type: "list[str]", reducer: append }, n: { type: int, reducer: sum } }
        limits: { supersteps: 30 }
        start: go
        nodes:
          go: { kind: set, writes: { log: [go] }, next: [a, b, c] }
          a: { kind: set, writes: { log: [a] }, next: join }
          b: { kind: set, writes: { log: [b] }, next: join }
          c: { kind: set, writes: { log: [c] }, next: end }
          join: { kind: set, join: { at_least: 2, cancel: siblings }, writes: { n: 1 }, next: [{ when: n < 3, to: go }, { to: end }] }
    """)
    assert outcome.outputs == {"log": ["go", "a", "b", "c"] * 3, "n": 3}


@scenario
async def test_10_one_fork_feeds_several_joins(world: World) -> None:
    """Each of them counts for itself, and tokens that merge on the way stand for all their branches."""
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, b, c]
        nodes:
          a: { kind: set, writes: { log: [a] }, next: both }
          b: { kind: set, writes: { log: [b] }, next: both }
          c: { kind: set, writes: { log: [c] }, next: slow }
          slow: { kind: set, next: slower }
          slower: { kind: set, next: [{ when: "len(log) > 99", to: one }, { to: two }] }
          both: { kind: set, writes: { log: [both] }, next: [{ when: "len(log) > 99", to: two }, { to: one }] }
          one: { kind: set, join: { at_least: 2 }, writes: { log: [one] }, next: end }
          two: { kind: set, join: { at_least: 1 }, writes: { log: [two] }, next: end }
    """)
    assert outcome.outputs == {"log": ["a", "b", "c", "both", "one", "two"]}
    assert await world.ran(outcome.row.session) == [["a", "b", "c"], ["slow", "both"], ["slower", "one"], ["two"]]


@scenario
async def test_merged_branches_do_not_pass_a_join_of_all(world: World) -> None:
    """Two branches that became one token are both waited for, with the third."""
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, b, c]
        nodes:
          a: { kind: set, next: both }
          b: { kind: set, next: both }
          both: { kind: set, writes: { log: [both] }, next: join }
          c: { kind: set, next: c2 }
          c2: { kind: set, next: c3 }
          c3: { kind: set, writes: { log: [c3] }, next: join }
          join: { kind: set, join: all, writes: { log: [join] }, next: end }
    """)
    assert outcome.outputs == {"log": ["both", "c3", "join"]}


@scenario
async def test_19_running_losers_finish_and_waiting_ones_are_withdrawn(world: World) -> None:
    """Siblings of the winner of a race run to their end and their outcomes are journaled; waiting losers are withdrawn
    at that barrier."""
    world.functions("""
        async def quick(): note('quick')
        async def slow():
            await asyncio.sleep(0.02)
            note('slow')
    """)
    outcome = await world.start("""
        outputs: { log: "list[str]", said: str }
        channels: { log: { type: "list[str]", reducer: append }, said: { type: str, default: nobody } }
        start: [quick, slow, ask, sub]
        nodes:
          quick: { kind: code, python: "fns:quick", writes: { log: [quick] }, next: done }
          slow: { kind: code, python: "fns:slow", writes: { log: [slow] }, next: after }
          after: { kind: set, writes: { log: [after] }, next: done }
          ask: { kind: human, mode: approve, prompt: "Me?", writes: { said: "${ out.by }" }, next: done }
          sub: { kind: graph, graph: asks, next: done }
          done: { kind: set, join: { at_least: 1, cancel: siblings }, writes: { log: [done] }, next: last }
          last: { kind: set, writes: { log: [last] }, next: end }
        graphs:
          asks:
            channels: { yes: { type: bool, default: false } }
            start: ask
            nodes: { ask: { kind: human, mode: approve, prompt: "Child?", writes: { yes: true }, next: end } }
    """)
    session = outcome.row.session
    assert outcome.outputs == {"log": ["quick", "slow", "done", "last"], "said": "nobody"}
    assert world.once("quick")
    assert world.once("slow")
    assert await world.open(session) == []
    asked = await world.store.interrupts(session, status=None)
    assert [row.status for row in asked] == ["cancelled"]
    with pytest.raises(InterruptExpired):
        await world.answer(asked[0], True)
    assert [child.status for child in await world.children(session)] == ["cancelled"]


@scenario
async def test_a_race_between_two_people(world: World) -> None:
    """The first answer wins; the other question is closed with it, in a loop again and again."""
    outcome = await world.start("""
        outputs: { said: "list[str]" }
        channels: { said: { type: "list[str]", reducer: append }, n: { type: int, reducer: sum } }
        limits: { supersteps: 30 }
        start: go
        nodes:
          go: { kind: set, writes: { n: 1 }, next: [ann, bob] }
          ann: { kind: human, mode: choose, prompt: A, options: [x, y], writes: { said: "${ ['ann ' + out.choice] }" }, next: done }
          bob: { kind: human, mode: choose, prompt: B, options: [x, y], writes: { said: "${ ['bob ' + out.choice] }" }, next: done }
          done: { kind: set, join: { at_least: 1, cancel: siblings }, next: [{ when: n < 2, to: go }, { to: end }] }
    """)
    session = outcome.row.session
    for name in ("A", "B"):
        asked = await world.asked(session)
        assert sorted(asked) == ["A", "B"]
        await world.crash()
        await world.answer(asked[name], "x")
        outcome = await world.drive(session)
    assert outcome.outputs == {"said": ["ann x", "bob x"]}
    statuses = [row.status for row in await world.store.interrupts(session, status=None)]
    assert sorted(statuses) == ["answered", "answered", "cancelled", "cancelled"]


@scenario
async def test_a_fork_keeps_what_a_join_has_counted(world: World) -> None:
    """A fork between two arrivals goes on counting; the origin isn't touched."""
    outcome = await world.start("""
        outputs: { log: "list[str]" }
        channels: { log: { type: "list[str]", reducer: append } }
        start: [a, ask]
        nodes:
          a: { kind: set, writes: { log: [a] }, next: join }
          ask: { kind: human, mode: approve, prompt: "Go?", writes: { log: [yes] }, next: join }
          join: { kind: set, join: { at_least: 2 }, writes: { log: [join] }, next: end }
    """)
    session = outcome.row.session
    made = await world.fork(session, outcome.row.head_superstep)
    for at in (made.row.session, session):
        await world.answer((await world.asked(at))["Go?"], True)
        assert (await world.drive(at)).outputs == {"log": ["a", "yes", "join"]}

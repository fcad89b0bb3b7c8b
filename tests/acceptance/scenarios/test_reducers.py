"""Reducers of the author's own."""

from __future__ import annotations

from tests.acceptance.scenarios.world import World, scenario

GRAPH = """
    outputs: { best: "dict[str, int]" }
    channels: { best: { type: "dict[str, int]", reducer: "fns:better", default: { z: 0 } }, seen: { type: "dict[str, int]", reducer: "fns:better" } }
    start: [a, b]
    nodes:
      a: { kind: set, writes: { best: { a: 2, z: 1 }, seen: { a: 1 } }, next: again }
      b: { kind: set, writes: { best: { a: 1, b: 5 }, seen: { a: 3 } }, next: end }
      again: { kind: set, writes: { best: { b: 9 } }, next: end }
"""
WORK = "def work(): note('work'); return {'a': 1}"
BETTER = """
    from graphagent import reducer

    @reducer(commutative=True)
    def better(value, write):
        for key, number in write.items():
            value[key] = max(number, value.get(key, number))
        return value
"""


@scenario
async def test_an_authors_reducer_folds_in_plan_order(world: World) -> None:
    """It gets copies, starts from the default or the first write, and forks and replays like any other."""
    world.functions(BETTER)
    outcome = await world.start(GRAPH)
    assert outcome.outputs == {"best": {"a": 2, "b": 9, "z": 1}}
    assert (await world.values(outcome.row.session))["seen"] == {"a": 3}
    fork = await world.fork(outcome.row.session, 2, {"best": {"b": 1}})
    assert (await world.resume(fork.row.session)).outputs == {"best": {"b": 9}}


@scenario
async def test_a_reducer_that_fails(world: World) -> None:
    """The run fails at the last checkpoint, says why, and loses nothing: with the function put right it goes on."""
    for body, message in (
        ("raise KeyError('no')", "KeyError: 'no'"),
        ("return [1]", "what it returned doesn't fit"),
        ("return {'a': object()}", "what it returned doesn't fit"),
    ):
        world.functions(f"""
            {WORK}
            from graphagent import reducer

            @reducer(ordered=True)
            def better(value, write):
                {body}
        """)
        await world.crash()  # the next process imports it
        outcome = await world.start("""
            outputs: { best: "dict[str, int]" }
            channels: { best: { type: "dict[str, int]", reducer: "fns:better", default: { z: 0 } } }
            start: a
            nodes: { a: { kind: code, python: "fns:work", writes: { best: "${ out }" }, next: end } }
        """)
        session = outcome.row.session
        assert (outcome.row.status, outcome.row.reason) == ("failed", "error")
        assert outcome.error is not None
        assert "the reducer 'fns:better' of channel 'best' failed: " + message in outcome.error["message"]
        assert outcome.error["node"] == "a"
        called = world.calls("work")
        world.functions(f"    {WORK}" + BETTER)
        await world.crash()
        outcome = await world.resume(session)
        assert outcome.outputs == {"best": {"z": 0, "a": 1}}
        assert called >= 1
        assert world.calls("work") == 0

"""A wall clock that jumps."""

from __future__ import annotations

from tests.acceptance.scenarios.world import World, scenario

HOUR = 3_600_000_000
GRAPH = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: [nap, tick]
    nodes:
      nap: { kind: wait, for: 2h, writes: { log: [nap] }, next: end }
      tick: { kind: set, writes: { log: [tick] }, next: ask }
      ask: { kind: human, mode: choose, prompt: "Which?", options: [red], timeout: 3h, writes: { log: "${ [out.choice] }" }, on_error: [{ to: end, writes: { log: [late] } }], next: end }
"""


@scenario
async def test_a_clock_that_jumps(world: World) -> None:
    """Backwards it makes nothing early and no commit older than the one before it; forwards each timer fires once."""
    session = (await world.start(GRAPH)).row.session
    heads = [(await world.row(session)).head_superstep]
    for jump in (-HOUR, HOUR, HOUR):
        world.clock.skipped += jump
        assert (await world.drive(session)).row.status == "waiting"
        heads.append((await world.row(session)).head_superstep)
    assert len(set(heads)) == 1, "something was early"
    world.clock.skipped += HOUR
    assert (await world.drive(session)).row.status == "waiting"
    world.clock.skipped -= 2 * HOUR
    assert (await world.values(session))["log"] == ["tick", "nap"]
    assert len(await world.open(session)) == 1
    world.clock.skipped += 3 * HOUR
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": ["tick", "nap", "late"]}
    times = [c.committed_at for c in await world.store.checkpoints(outcome.row.spans(), limit=1_000)]
    assert times == sorted(times)

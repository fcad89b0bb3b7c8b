"""What is too large is an error as data."""

from __future__ import annotations

from tests.acceptance.scenarios.world import World, scenario


@scenario
async def test_an_output_of_100_mb(world: World) -> None:
    world.functions("""
        def flood():
            return "x" * 100_000_000
    """)
    outcome = await world.start("""
        outputs: { why: "list[any]" }
        channels: { why: { type: "list[any]", reducer: append }, text: { type: str, default: "" } }
        start: flood
        nodes:
          flood: { kind: code, python: "fns:flood", writes: { text: "${ out }" }, next: end, on_error: [{ to: end, writes: { why: "${ [error.kind, error.cause] }" } }] }
    """)
    assert outcome.outputs == {"why": ["code_failed", "output_too_large"]}
    rows = await world.store.effects(outcome.row.spans())
    assert max(len(row.outcome or b"") for row in rows) < 10_000

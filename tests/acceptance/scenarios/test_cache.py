"""Results that are reused across runs and sessions."""

from __future__ import annotations

from graphagent.llm.scripted import ScriptedModel
from tests.acceptance.scenarios.world import World, scenario

GRAPH = """
    inputs: {{ n: int, salt: "str = ''" }}
    outputs: {{ x: int }}
    channels: {{ x: {{ type: int, default: 0 }} }}
    start: work
    nodes:
      work: {{ kind: code, python: "fns:work", with: {{ n: "${{ inputs.n }}" }}, returns: int, cache: {{ key: "${{ inputs.n }}"{ttl} }}, writes: {{ x: "${{ out }}" }}, on_error: bad, next: end }}
      bad: {{ kind: set, writes: {{ x: -1 }}, next: end }}
"""
WORK = """
    def work(n):
        note('work')
        if n < 0:
            raise ValueError(n)
        return n * 2
"""


@scenario
async def test_a_result_is_reused(world: World) -> None:
    """By another session with the same key; not with another key, after its time, for failures or by changed code."""
    world.functions(WORK)
    graph = GRAPH.format(ttl=", ttl: 1h")
    for n, expected, called in ((2, 4, 1), (2, 4, 1), (3, 6, 2), (2, 4, 2)):
        outcome = await world.start(graph, {"n": n})
        assert outcome.outputs == {"x": expected}
        assert world.calls("work") == called, n
    rows = [r for r in await world.store.effects(outcome.row.spans(0)) if r.ordinal >= 0]
    assert [(r.kind, r.name) for r in rows] == [("cache", "work")]
    world.clock.skipped += 3_600_000_000
    assert (await world.start(graph, {"n": 2})).outputs == {"x": 4}
    assert world.calls("work") == 3
    for _ in range(2):
        assert (await world.start(graph, {"n": -1})).outputs == {"x": -1}
    assert world.calls("work") == 5
    world.functions(WORK.replace("* 2", "* 3"))
    await world.crash()
    assert (await world.start(graph, {"n": 2})).outputs == {"x": 6}


@scenario
async def test_items_and_histories(world: World) -> None:
    """Items of a map reuse results too; a reused model call costs nothing, and its messages get ids of their own."""
    world.models["m"] = model = ScriptedModel(["first", "one", "uno", "two", "never"])
    outcome = await world.start("""
        outputs: { tokens: "list[int]", texts: "list[str]", talk: "list[Message]" }
        models: { m: scripted/m }
        channels:
          talk: { type: "list[Message]", reducer: messages }
          tokens: { type: "list[int]", reducer: append }
          texts: { type: "list[str]", reducer: append }
          n: { type: int, reducer: sum }
        limits: { supersteps: 20 }
        start: ask
        nodes:
          ask: { kind: llm, model: m, prompt: Hi, history: { channel: talk, last: 10 }, cache: { key: k }, writes: { tokens: "${ [usage.output_tokens] }", texts: "${ [out.text] }", n: 1 }, next: [{ when: n < 2, to: ask }, { to: each }] }
          each:
            kind: map
            over: "[1, 1, 2]"
            concurrency: 1
            do: { kind: llm, model: m, prompt: "Item {{ x }}", with: { x: "${ item }" }, cache: { key: "${ item }" } }
            collect: "${ out.text }"
            writes: { texts: "${ results }", n: 1 }
            next: [{ when: n < 4, to: each }, { to: end }]
    """)
    assert outcome.outputs is not None
    assert outcome.outputs["texts"] == ["first", "first", "one", "uno", "two", "uno", "uno", "two"]
    assert [tokens > 0 for tokens in outcome.outputs["tokens"]] == [True, False]
    talk = outcome.outputs["talk"]
    assert [(m["role"], m["content"]) for m in talk] == [("user", "Hi"), ("assistant", "first")] * 2
    assert len({m["id"] for m in talk}) == 4
    assert model.unused == [4]

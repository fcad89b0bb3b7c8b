"""Models that stand in for each other, and prompts by name."""

from __future__ import annotations

from graphagent.errors import ModelError
from graphagent.llm.scripted import ScriptedModel
from tests.acceptance.scenarios.world import World, scenario

FALLBACK = """
    outputs: { said: str }
    models: { main: { use: scripted/main, fallback: [second] }, second: { use: scripted/second, fallback: [third] }, third: scripted/third }
    channels: { said: { type: str, default: "" } }
    start: ask
    nodes:
      ask: { kind: llm, model: main, prompt: Hello, retry: { max: 2, delay: 1ms }, writes: { said: "${ out.text }" }, on_error: failed, next: end }
      failed: { kind: set, writes: { said: "${ error.kind }" }, next: end }
"""


def down(kind: str = "unavailable") -> ModelError:
    return ModelError(f"{kind}!", kind=kind)


@scenario
async def test_the_next_model_is_asked_when_one_is_down(world: World) -> None:
    """Retries are spent first; every model's call is in the journal, and an event tells of each change."""
    world.models |= {
        "main": ScriptedModel([down(), down("rate_limit")]),
        "second": ScriptedModel([down("timeout"), down("timeout")]),
        "third": ScriptedModel(["from the third"]),
    }
    outcome = await world.start(FALLBACK)
    session = outcome.row.session
    assert outcome.outputs == {"said": "from the third"}
    rows = [r for r in await world.store.effects(outcome.row.spans(0)) if r.ordinal >= 0]
    assert [(r.name, r.state.name, r.tries) for r in rows] == [
        ("main", "FAILED", 2),
        ("second", "FAILED", 2),
        ("third", "DONE", 1),
    ]
    changes = await world.kinds(session, "x.model.fallback")
    assert [(c["model"], c["next"], c["cause"]) for c in changes] == [
        ("main", "second", "rate_limit"), ("second", "third", "timeout"),
    ]  # fmt: skip


@scenario
async def test_a_failure_that_another_model_cannot_help(world: World) -> None:
    """What isn't a matter of reaching a model is no reason to ask another; the last one's failure is the node's."""
    world.models |= {
        "main": ScriptedModel([down("auth")]),
        "second": ScriptedModel(["never"]),
        "third": ScriptedModel([]),
    }
    assert (await world.start(FALLBACK)).outputs == {"said": "auth"}
    world.models |= {name: ScriptedModel([down("rate_limit")] * 2) for name in ("main", "second", "third")}
    outcome = await world.start(FALLBACK)
    assert outcome.outputs == {"said": "rate_limit"}


@scenario
async def test_prompts_by_name(world: World) -> None:
    """A named prompt, from a text or a file, with blocks replaced where it is used."""
    (world.project / "prompts").mkdir()
    (world.project / "prompts" / "ask.md.j2").write_text(
        "{% block tone %}Plain.{% endblock %} {{ what }}?{% block end %}{% endblock %}"
    )
    outcome = await world.start("""
        inputs: { what: "str = 'Why'" }
        outputs: { said: "list[str]" }
        models: { m: scripted/echo }
        prompts:
          file: { file: prompts/ask.md.j2 }
          text: { text: "{% block tone %}Text.{% endblock %} {{ what }}!" }
        channels: { said: { type: "list[str]", reducer: append } }
        defaults: { model: m }
        start: a
        nodes:
          a: { kind: llm, prompt: { use: file }, with: { what: "${ inputs.what }" }, writes: { said: "${ [out.text] }" }, next: b }
          b: { kind: llm, prompt: { use: file, blocks: { tone: "Rude, {{ what }}.", end: " Now" } }, with: { what: "${ inputs.what }" }, writes: { said: "${ [out.text] }" }, next: c }
          c: { kind: human, mode: approve, prompt: { use: text, blocks: { tone: "{% for x in what %}{{ x }}-{% endfor %}" } }, with: { what: "${ inputs.what }" }, next: end }
    """)
    assert list(await world.asked(outcome.row.session)) == ["W-h-y- Why!"]
    said = (await world.values(outcome.row.session))["said"]
    assert "Plain. Why?" in said[0]
    assert "Rude, Why. Why? Now" in said[1]

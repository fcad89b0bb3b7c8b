"""Models that stand in for each other, and prompts by name."""

from __future__ import annotations

from dataclasses import replace

from graphagent.errors import ModelError
from graphagent.llm.scripted import AnyTurn, ScriptedModel
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


def with_window(turns: list[AnyTurn], size: int | None) -> ScriptedModel:
    model = ScriptedModel(turns)
    model.info = replace(model.info, context_window=size)
    return model


@scenario
async def test_only_a_larger_model_is_asked_when_the_prompt_is_too_long(world: World) -> None:
    """The second is smaller and isn't asked. A replay takes the same way, from the journal alone."""
    world.models |= {
        "main": with_window([down("context_overflow")], 4_096),
        "second": with_window([], 2_048),
        "third": with_window(["from the third"], 8_192),
    }
    outcome = await world.start(FALLBACK)
    assert outcome.outputs == {"said": "from the third"}
    changes = await world.kinds(outcome.row.session, "x.model.fallback")
    assert [(c["model"], c["next"], c["cause"]) for c in changes] == [("main", "third", "context_overflow")]
    world.models |= {name: ScriptedModel([]) for name in ("main", "second", "third")}  # at the end all is replayed


@scenario
async def test_a_prompt_that_is_too_long_for_all(world: World) -> None:
    """A window that nobody knows is not a larger one."""
    world.models |= {
        "main": with_window([down("context_overflow")], 4_096),
        "second": with_window(["never"], 4_096),
        "third": with_window(["never"], None),
    }
    assert (await world.start(FALLBACK)).outputs == {"said": "context_overflow"}


@scenario
async def test_no_second_model_hides_what_is_wrong(world: World) -> None:
    """Kinds that a second model could only hide."""
    for kind in ("auth", "content_filter", "limit", "invalid_input", "cancelled"):
        second = ScriptedModel(["never"])
        world.models |= {"main": ScriptedModel([down(kind)] * 2), "second": second}
        assert (await world.start(FALLBACK)).outputs == {"said": kind}
        assert second.unused == [0]


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

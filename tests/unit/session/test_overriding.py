"""Prompts that a caller gives in place of a graph's: checked before the run, and kept with the session."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from graphagent.errors import Conflict, GraphInvalid, InputInvalid, NotFound, ReplayDivergence
from graphagent.graph.overriding import original_hash
from graphagent.session.documents.prompts import prompts_document
from graphagent.session.graph_file import read_graph_file
from graphagent.testing import ScriptedModel

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: asker }
inputs: { topic: str, tags: "list[str]" }
outputs: { answer: str }
models: { m: scripted/m }
prompts:
  rules: |
    You know {{ topic }}. {% block tone %}Be long.{% endblock %}
  spare: "Nobody renders {{ this }}."
channels: { answer: str, ok: bool }
start: first
nodes:
  first:
    kind: llm
    model: m
    system: { use: rules }
    prompt: "First."
    with: { topic: "${ inputs.topic }", tags: "${ inputs.tags }" }
    next: ask
  ask: { kind: human, mode: approve, prompt: Go on?, writes: { ok: "${ out.decision == 'approve' }" }, next: second }
  second:
    kind: llm
    model: m
    system: { use: rules }
    prompt: "Second."
    with: { topic: "${ inputs.topic }" }
    writes: { answer: "${ out.text }" }
    next: end
"""
INPUTS: dict[str, Any] = {"topic": "bees", "tags": ["a"]}
BRIEF: dict[str, Any] = {"rules": {"blocks": {"tone": "Be brief about {{ topic }}."}}}


def project(folder: Path, model: ScriptedModel) -> closing[ga.Project]:
    return closing(ga.Project(folder, store="memory:", models={"m": model}))


def system(model: ScriptedModel) -> list[str]:
    return [str(request.messages[0]["content"]) for request in model.requests]


def test_a_session_keeps_the_prompts_that_it_began_with(tmp_path: Path) -> None:
    model = ScriptedModel(["one", "two", "three", "four"])
    graph = ga.loads(GRAPH)
    with project(tmp_path, model) as here:
        waiting = graph.run(INPUTS, project=here, options=ga.RunOptions(prompts=BRIEF))
        done = waiting.session.answer(True)
        session = done.session.refresh()
        assert system(model) == ["You know bees. Be brief about bees."] * 2
        session.replay().check()
        with pytest.raises(ReplayDivergence) as found:
            session.replay(graph=graph).check()
        assert found.value.first_difference["hint"] == "a prompt has changed since: `system`, `prompt`"
        session.replay(graph=graph.with_prompts(BRIEF)).check()
        fork = session.fork(2)
        fork.resume()
        fork.answer(True)
        assert system(model)[2:] == ["You know bees. Be brief about bees."]
        plain = session.fork(1, graph=graph)
        plain.resume()
        assert system(model)[3:] == ["You know bees. Be long."]


def test_another_run_of_a_session_cannot_have_other_prompts(tmp_path: Path) -> None:
    model = ScriptedModel(["one", "two", "three", "four"])
    with project(tmp_path, model) as here:
        waiting = ga.loads(GRAPH).run(INPUTS, project=here, options=ga.RunOptions(prompts=BRIEF))
        session = waiting.session.answer(True).session.refresh()
        for other in ({"rules": "Be rude."}, {"rules": {"blocks": {"tone": "Be rude."}}}):
            with pytest.raises(Conflict, match="began with other prompts"):
                session.run(INPUTS, options=ga.RunOptions(prompts=other))
            with pytest.raises(Conflict, match="began with other prompts"):
                session.resume(options=ga.RunOptions(prompts=other))
        assert session.run(INPUTS, options=ga.RunOptions(prompts=BRIEF)).status == "waiting"


def test_what_a_node_does_not_give_is_found_before_the_run(tmp_path: Path) -> None:
    model = ScriptedModel([])
    options = ga.RunOptions(prompts={"rules": "About {{ topic }}\nand {{ tags.x }}."})
    with project(tmp_path, model) as here, pytest.raises(GraphInvalid) as found:
        ga.loads(GRAPH).run(INPUTS, project=here, options=options)
    shown = str(found.value)
    assert [(d.code, d.span.file, d.span.line, d.span.column) for d in found.value.diagnostics] == [
        ("GA501", "prompts.rules", 2, 8),  # the node `second` gives no tags
        ("GA502", "prompts.rules", 2, 13),
    ]
    assert "2 | and {{ tags.x }}.\n  |        ^^^^ not in `with`" in shown
    assert "used by `$.nodes.second`" in shown
    assert model.requests == []


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ({"ruls": "x"}, "prompts.ruls", "no prompt 'ruls'"),
        ({"rules": {"blocks": {"ton": "x"}}}, "prompts.rules.blocks.ton", "no block 'ton'"),
        ({"rules": {"blocks": {}}}, "prompts.rules", "a text, or the texts of blocks"),
        ({"rules": {"text": "a", "blocks": {"tone": "b"}}}, "prompts.rules", "a text, or the texts of blocks"),
        ({"rules": 3}, "prompts.rules", "a text, or the texts of blocks"),
    ],
)
def test_an_override_of_what_is_not_there_is_refused(given: Any, place: str, message: str) -> None:
    with pytest.raises(InputInvalid, match=message) as found:
        ga.loads(GRAPH).with_prompts(given)
    assert found.value.path == place
    assert found.value.hint


def test_texts_that_cannot_be_read_are_refused_although_no_node_has_them() -> None:
    with pytest.raises(GraphInvalid, match=r"prompts\.spare:1:4"):
        ga.loads(GRAPH).with_prompts({"spare": "{% if"})


IMPORTER = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: outer }
inputs: { topic: str }
outputs: { answer: str }
imports:
  one:
    from: inner.graph.yaml
    override:
      prompts: { rules: { blocks: { tone: "Be kind, TOPIC." } } }
channels: { answer: str }
start: call
nodes:
  call:
    kind: graph
    graph: one
    with: { topic: "${ inputs.topic }", tags: "${ [] }" }
    writes: { answer: "${ out.answer }" }
    next: end
"""


def importer(folder: Path, tone: str = "{{ topic }}") -> Path:
    (folder / "inner.graph.yaml").write_text(GRAPH)
    file = folder / "outer.graph.yaml"
    file.write_text(IMPORTER.replace("TOPIC", tone))
    return file


def test_the_chain_of_a_prompt_is_shown(tmp_path: Path) -> None:
    file = read_graph_file(importer(tmp_path), tmp_path)
    (found,) = prompts_document(file.compiled(), file.analysis, "one.rules").prompts
    assert [(layer.by, layer.file, layer.line) for layer in found.chain] == [
        ("override", "outer.graph.yaml", 11),
        ("graph", "inner.graph.yaml", 9),
    ]
    assert found.used_by == ["$.graphs.one.nodes.first", "$.graphs.one.nodes.second"]
    assert found.blocks == {"tone": "Be kind, {{ topic }}."}
    graph = ga.load(tmp_path / "outer.graph.yaml").with_prompts({"one.rules": "Hi {{ topic }}."})
    (over,) = prompts_document(graph.compile(), None, "one.rules").prompts
    assert [(layer.by, layer.text and layer.text[:9]) for layer in over.chain] == [
        ("call", "Hi {{ top"), ("graph", "You know "),
    ]  # fmt: skip
    assert over.prompt_hash != found.prompt_hash
    assert "  override  outer.graph.yaml:11\n    {% block tone %}" in str(prompts_document(
        file.compiled(), file.analysis
    ))  # fmt: skip
    with pytest.raises(NotFound, match="no prompt 'rules'"):
        prompts_document(file.compiled(), file.analysis, "rules")


def test_an_importers_override_is_checked_against_the_nodes_of_the_import(tmp_path: Path) -> None:
    file = read_graph_file(importer(tmp_path, "{{ topc }}"), tmp_path)
    errors = [d for d in file.diagnostics if d.severity == "error"]
    assert [(d.code, d.span.line, d.help) for d in errors] == [("GA501", 11, "did you mean `topic`?")]


def test_an_override_of_an_imports_prompt_is_checked_too(tmp_path: Path) -> None:
    graph = ga.load(importer(tmp_path))
    with pytest.raises(GraphInvalid, match=r"unknown template variable `topc`"):
        graph.with_prompts({"one.rules": {"blocks": {"tone": "{{ topc }}"}}})
    before = graph.compile()
    assert original_hash(graph.with_prompts({"one.rules": {"blocks": {"tone": "Hi."}}}).compile()) == before.hash
    after = graph.with_prompts({"one.rules": "Hi."}).compile()
    assert after.hash != before.hash
    assert original_hash(after) == before.hash == original_hash(before)
    assert after.graphs["one"].nodes[0].position == before.graphs["one"].nodes[0].position is not None

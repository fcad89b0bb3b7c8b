"""One spec and one compiler: what the builder writes is what YAML says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from graphagent.errors import GraphInvalid
from graphagent.graph.builder import GraphBuilder, X, channel, end, file, route
from graphagent.graph.compile import compile_spec
from graphagent.graph.project import ProjectFolder
from graphagent.graph.spec import Spec
from graphagent.graph.validate import validate_text
from tests.unit.graph.rebuilt import rebuilt

GOLDEN = Path(__file__).parents[2] / "golden"
VALID = sorted((GOLDEN / "valid").glob("*.graph.yaml"))
SUMMARIZE = """\
apiVersion: graphagent/v1
kind: Graph
metadata: { name: summarize-documents }
types:
  Doc:     { id: str, text: str }
  Summary: { id: str, bullets: "list[str]", tokens: int }
inputs:  { docs: "list[Doc]", max_chars: "int = 8000" }
outputs: { summary: str, failed: "list[str]" }
models:  { fast: openai/gpt-5-mini, smart: openai/gpt-5.1 }
channels:
  chunks:    { type: "list[Doc]", default: [] }
  summaries: { type: "list[Summary]", reducer: append }
  failed:    { type: "list[str]", reducer: append }
  summary:   str
defaults: { retry: { max: 2, on: [rate_limit, timeout] }, timeout: 60s }
start: split
nodes:
  split:
    kind: code
    python: my_graph.split:by_size
    effects: pure
    with: { docs: "${ inputs.docs }", limit: "${ inputs.max_chars }" }
    writes: { chunks: "${ out }" }
    next: summarize_each
  summarize_each:
    kind: map
    over: chunks
    as: doc
    need: { at_least: 0.8 }
    do:
      kind: llm
      model: fast
      prompt: "Summarise in 3 bullets:\\n\\n{{ doc.text }}"
      with: { doc: "${ doc }" }
      returns: { bullets: "list[str]" }
    collect: { id: "${ doc.id }", bullets: "${ out.bullets }", tokens: "${ usage.output_tokens }" }
    writes: { summaries: "${ results }", failed: "${ [e.item.id for e in errors] }" }
    next: [{ when: "sum([s.tokens for s in summaries]) > 6000", to: condense }, { to: reduce }]
  condense:
    kind: graph
    graph: self
    max_depth: 2
    with:
      docs: "${ [{'id': s.id, 'text': join(s.bullets, '; ')} for s in summaries] }"
      max_chars: ${ inputs.max_chars }
    writes: { summary: "${ out.summary }" }
    next: end
  reduce:
    kind: llm
    model: smart
    prompt: { file: prompts/reduce.md.j2 }
    with: { summaries: "${ summaries }" }
    writes: { summary: "${ out.text }" }
    next: end
"""


class Doc(BaseModel):
    id: str
    text: str


class Summary(BaseModel):
    id: str
    bullets: list[str]
    tokens: int


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the function and the prompt of the example."""
    code = "def by_size(docs: list, limit: int) -> list:\n    return docs\n"
    for name, text in {"my_graph/split.py": code, "prompts/reduce.md.j2": "{{ summaries }}"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("my_graph", "my_graph.split"):
        sys.modules.pop(name, None)


def summarize(by_size: Any) -> GraphBuilder:
    g = GraphBuilder("summarize-documents", inputs={"docs": list[Doc], "max_chars": (int, 8000)},
                     outputs={"summary": str, "failed": list[str]})  # fmt: skip
    g.models(fast="openai/gpt-5-mini", smart="openai/gpt-5.1")
    g.channels(chunks=channel(list[Doc], default=[]), summaries=channel(list[Summary], reducer="append"),
               failed=channel(list[str], reducer="append"), summary=str)  # fmt: skip
    g.defaults(retry={"max": 2, "on": ["rate_limit", "timeout"]}, timeout="60s")
    g.start("split")
    g.code("split", python=by_size, effects="pure",
           with_={"docs": X("inputs.docs"), "limit": X("inputs.max_chars")},
           writes={"chunks": X("out")}).next("summarize_each")  # fmt: skip
    with g.map("summarize_each", over="chunks", as_="doc", need={"at_least": 0.8},
               collect={"id": X("doc.id"), "bullets": X("out.bullets"), "tokens": X("usage.output_tokens")},
               writes={"summaries": X("results"), "failed": X("[e.item.id for e in errors]")}) as m:  # fmt: skip
        m.do.llm(model="fast", prompt="Summarise in 3 bullets:\n\n{{ doc.text }}", with_={"doc": X("doc")},
                 returns={"bullets": list[str]})  # fmt: skip
    m.next(route("condense", when="sum([s.tokens for s in summaries]) > 6000"), route("reduce"))
    g.graph("condense", graph="self", max_depth=2,
            with_={"docs": X("[{'id': s.id, 'text': join(s.bullets, '; ')} for s in summaries]"),
                   "max_chars": X("inputs.max_chars")},
            writes={"summary": X("out.summary")}).next(end)  # fmt: skip
    g.llm("reduce", model="smart", prompt=file("prompts/reduce.md.j2"),
          with_={"summaries": X("summaries")}, writes={"summary": X("out.text")}).next(end)  # fmt: skip
    return g


def spec_of(text: str) -> Spec:
    spec, found, _ = validate_text(text, "t.graph.yaml")
    assert found == []
    assert spec is not None
    return spec


def plan_hash(spec: Spec) -> bytes:
    return compile_spec(spec, lambda name: f"text of {name}").hash


def test_the_example_of_the_language_is_the_same_spec_and_plan(folder: Path) -> None:
    project = ProjectFolder(folder)
    g = summarize(importlib.import_module("my_graph.split").by_size)
    built = g.checked(project)
    assert built.diagnostics == []
    written = spec_of(SUMMARIZE)
    assert built.spec == written
    assert plan_hash(written) == plan_hash(spec_of(g.to_yaml()))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name.removesuffix(".graph.yaml"))
def test_yaml_and_builder_and_yaml_again_are_equal(path: Path) -> None:
    spec, _, _ = validate_text(path.read_bytes(), path.name)
    assert spec is not None
    again = GraphBuilder.of_spec(spec).to_yaml()
    built = rebuilt(spec)
    specs = [validate_text(text, "again")[0] for text in (again, built.to_yaml())]
    if path.stem == "silenced.graph":  # the comment that silences isn't part of the spec
        assert specs == [None, None]
        assert built.to_yaml() == again
        return
    assert specs == [spec, spec]
    assert built.checked().spec in (spec, None)  # None: its functions aren't in the project
    assert {plan_hash(found) for found in specs if found is not None} == {plan_hash(spec)}


def test_views_show_what_is_there() -> None:
    g = GraphBuilder("views", inputs={"n": (int, 2)}, outputs={"text": str}, version="1.2.0")
    g.channels(text=channel(str, default=""))
    g.start("a")
    g.graph("a", graph="other", with_={"q": X("str(inputs.n)")}, writes={"text": "x"}).next(end)
    sub = g.subgraph("other", inputs={"q": str}, outputs={})
    sub.start("b")
    sub.emit("b", event="seen", data={"q": X("inputs.q")}).next(end)
    assert (g.name, g.version, g.inputs, g.outputs) == ("views", "1.2.0", {"n": "int = 2"}, {"text": "str"})
    assert list(g.nodes) == ["a"]
    assert (g.channels["text"].default, len(g.channels), list(g.channels)) == ("", 1, ["text"])
    assert (sub.inputs, list(sub.nodes)) == ({"q": "str"}, ["b"])
    assert g.checked().diagnostics == []


def test_a_graph_can_be_written_on_after_it_was_checked() -> None:
    g = GraphBuilder("later")
    g.start("a")
    node = g.set("a")
    assert [item.code for item in g.checked().diagnostics] == ["GA005"]
    before = g.edits
    node.next(end)
    assert g.edits > before
    assert g.checked().diagnostics == []


def test_to_yaml_refuses_what_yaml_cannot_say() -> None:
    g = GraphBuilder("lambda")
    g.start("a")
    g.code("a", python=lambda: 1).next(end)
    with pytest.raises(GraphInvalid, match="GA512"):
        g.to_yaml()


def test_to_yaml_needs_no_valid_graph_but_a_readable_one() -> None:
    g = GraphBuilder("draft")
    g.start("a")
    g.set("a", writes={"nowhere": 1}).next("b")
    assert "nowhere: 1" in g.to_yaml()


def test_importing_the_builder_loads_no_pydantic() -> None:
    import subprocess

    program = "import sys, graphagent.graph.builder; print({'pydantic', 'yaml', 'trio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Imports end in one document: names, overrides, prompts and functions of other files are found from it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.errors import GraphInvalid, NotFound
from graphagent.graph.builder import GraphBuilder, X, end
from graphagent.graph.compile import compile_spec, load_plan
from graphagent.graph.plan import Plan
from graphagent.graph.project import ProjectFolder
from graphagent.graph.validate import Checked, check_text
from graphagent.nodes.prompts import template_of
from graphagent.prompts.render import render
from graphagent.session.graph import load
from graphagent.session.graph_file import read_graph_file
from graphagent.session.project import Project
from graphagent.session.services import code_roots

GOLDEN = Path(__file__).parents[3] / "golden" / "project"
HEAD = "apiVersion: graphagent/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\n"


def write(folder: Path, name: str, body: str, kind: str = "Graph") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD.format(kind=kind, name=file.name.partition(".")[0].replace("_", "-")) + body)
    return file


def checked(file: Path) -> Checked:
    return check_text(file.read_bytes(), file.name, ProjectFolder(file.parent), str(file.resolve()))


def plan_of(found: Checked) -> Plan:
    assert found.linked is not None, found.diagnostics
    return compile_spec(found.linked, found.template, found.positions, None, found.folders)


def test_names_of_imports_become_part_of_the_plan() -> None:
    found = checked(GOLDEN / "uses_imports.graph.yaml")
    plan = plan_of(found)
    assert {item.code for item in found.diagnostics} == {"GA603"}
    assert list(plan.graphs) == ["", "critic", "mine"]
    assert set(plan.types) == {"archive.Doc", "critic.Flaw"}
    assert plan.models["critic.main"].use == "scripted/hard"
    judge = plan.graphs["critic"].nodes[0]
    assert judge.model == "critic.main"
    assert judge.position is not None
    assert judge.position.file == "critic.graph.yaml"
    assert load_plan(plan.document).hash == plan.hash


def test_a_graph_that_takes_the_place_of_another_is_called() -> None:
    plan = plan_of(checked(GOLDEN / "uses_imports.graph.yaml"))
    second = plan.graphs["critic"].nodes[1]
    assert getattr(second.body, "graph", None) == "mine"
    assert "critic.check" not in plan.graphs


def test_imports_of_imports_and_their_prompt_files(tmp_path: Path) -> None:
    (tmp_path / "lib" / "prompts").mkdir(parents=True)
    (tmp_path / "lib" / "prompts" / "say.md.j2").write_text("Say {{ x }}.")
    write(
        tmp_path, "lib/base.library.yaml", "types: { Doc: { id: str } }\nmodels: { small: scripted/small }\n", "Library"
    )
    write(tmp_path, "lib/speaker.graph.yaml", (
        "imports: { base: base.library.yaml }\ninputs: { doc: base.Doc }\noutputs: { text: str }\n"
        'channels: { text: { type: str, default: "" } }\nstart: say\nnodes:\n'
        '  say: { kind: llm, model: base.small, prompt: { file: prompts/say.md.j2 }, with: { x: "${ inputs.doc.id }" },'
        ' writes: { text: "${ out.text }" }, next: end }\n'))  # fmt: skip
    main = write(tmp_path, "main.graph.yaml", (
        "imports: { speaker: ./lib/speaker.graph.yaml }\ninputs: { doc: speaker.base.Doc }\noutputs: { text: str }\n"
        'channels: { text: { type: str, default: "" } }\nstart: call\nnodes:\n'
        '  call: { kind: graph, graph: speaker, with: { doc: "${ inputs.doc }" }, writes: { text: "${ out.text }" },'
        " next: end }\n"))  # fmt: skip
    plan = plan_of(checked(main))
    assert plan.templates == {"speaker:prompts/say.md.j2": "Say {{ x }}."}
    assert plan.graphs["speaker"].nodes[0].model == "speaker.base.small"
    assert set(plan.models) == {"speaker.base.small"}


def test_inline_prompts_of_an_import_include_its_own_files(tmp_path: Path) -> None:
    """Also those of its own import, of named prompts, and below `do`; the importer has files of the same names."""
    for folder, who in ((tmp_path, "main"), (tmp_path / "lib", "lib"), (tmp_path / "lib/deep", "deep")):
        folder.mkdir(exist_ok=True)
        (folder / "part.md.j2").write_text(who + "{% include 'more.md.j2' %}")
        (folder / "more.md.j2").write_text("!")
    include = "\"{% include 'part.md.j2' %} {{ x }}\""
    node = (
        "kind: llm, model: m, prompt: "
        + include
        + ', with: { x: "${ inputs.x }" }, writes: { text: "${ [out.text] }" }, next: '
    )
    head = (
        "models: { m: scripted/echo }\ninputs: { x: str }\noutputs: { text: 'list[str]' }\n"
        "channels: { text: { type: 'list[str]', reducer: append } }\n"
    )
    write(tmp_path, "lib/deep/deep.graph.yaml", f"{head}start: say\nnodes:\n  say: {{ {node}end }}\n")
    write(tmp_path, "lib/lib.graph.yaml", (
        f"imports: {{ deep: deep/deep.graph.yaml }}\n{head}prompts: {{ named: {include} }}\nstart: say\nnodes:\n"
        f"  say: {{ {node}call }}\n"
        '  call: { kind: graph, graph: deep, with: { x: "${ inputs.x }" }, writes: { text: "${ out.text }" },'
        ' next: each }\n'
        "  each: { kind: map, over: '[1]', do: { kind: llm, model: m, prompt: { use: named }, with: { x: a } },"
        ' collect: "${ out.text }", writes: { text: "${ results }" }, next: end }\n'))  # fmt: skip
    main = write(tmp_path, "main.graph.yaml", (
        f"imports: {{ lib: lib/lib.graph.yaml }}\n{head}start: say\nnodes:\n  say: {{ {node}call }}\n"
        '  call: { kind: graph, graph: lib, with: { x: "${ inputs.x }" }, writes: { text: "${ out.text }" },'
        " next: end }\n"
    ))  # fmt: skip
    plan = plan_of(checked(main))
    assert load_plan(plan.document).hash == plan.hash
    said = [
        rendered(plan, graph, index) for graph, index in (("", 0), ("lib", 0), ("lib.deep", 0), ("lib", 2))
    ]  # fmt: skip
    assert said == ["main! X", "lib! X", "deep! X", "lib! X"]


def test_blocks_that_an_importer_fills(tmp_path: Path) -> None:
    """In the text and in the file of a named prompt, by an override and where it is used."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "named.md.j2").write_text("File, {% block tone %}plain{% endblock %}: {{ x }}")
    head = "models: { m: scripted/echo }\ninputs: { x: str }\n"
    say = 'kind: llm, model: m, with: { x: "${ inputs.x }" }, next: '
    write(tmp_path, "lib/lib.graph.yaml", (
        f'{head}prompts:\n  a: "Text, {{% block tone %}}plain{{% endblock %}}: {{{{ x }}}}"\n'
        "  b: { file: named.md.j2 }\n"
        f"start: a\nnodes:\n  a: {{ prompt: {{ use: a }}, {say}b }}\n  b: {{ prompt: {{ use: b }}, {say}end }}\n"
    ))  # fmt: skip
    main = write(tmp_path, "main.graph.yaml", (
        "imports:\n  lib:\n    from: lib/lib.graph.yaml\n    override:\n      prompts:\n"
        "        a: { blocks: { tone: kind } }\n        b: { blocks: { tone: rude } }\n"
        f"{head}start: call\nnodes:\n"
        '  call: { kind: graph, graph: lib, with: { x: "${ inputs.x }" }, next: own }\n'
        f"  own: {{ prompt: {{ use: lib.a, blocks: {{ tone: mine }} }}, {say}end }}\n"))  # fmt: skip
    plan = plan_of(checked(main))
    said = [rendered(plan, graph, index) for graph, index in (("lib", 0), ("lib", 1), ("", 1))]
    assert said == ["Text, kind: X", "File, rude: X", "Text, mine: X"]


def rendered(plan: Plan, graph: str, index: int) -> str:
    """The prompt of a node, for `x` = X."""
    node = plan.graphs[graph].nodes[index]
    prompt = getattr((node.item or node).body, "prompt", None)
    assert prompt is not None
    return render(template_of(plan, prompt), {"x": "X"}, tuple(plan.templates.items()))


def test_functions_of_an_import_are_found_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "imported_words.py").write_text("def double(text: str) -> str:\n    return text * 2\n")
    write(tmp_path, "lib/twice.graph.yaml", (
        "inputs: { text: str }\noutputs: { text: str }\n"
        'channels: { text: { type: str, default: "" } }\nstart: a\nnodes:\n'
        '  a: { kind: code, python: "imported_words:double", with: { text: "${ inputs.text }" },'
        ' writes: { text: "${ out }" }, next: end }\n'))  # fmt: skip
    main = write(tmp_path, "main.graph.yaml", (
        "imports: { twice: lib/twice.graph.yaml }\noutputs: { text: str }\n"
        'channels: { text: { type: str, default: "" } }\nstart: a\nnodes:\n'
        '  a: { kind: graph, graph: twice, with: { text: ab }, writes: { text: "${ out.text }" }, next: end }\n'
    ))  # fmt: skip
    assert (tmp_path / "lib").resolve() in [p.resolve() for p in code_roots(read_graph_file(main).compiled(), tmp_path)]
    project = Project(tmp_path, store="memory:")
    assert load(main).run(project=project).outputs == {"text": "abab"}
    project.close()


def test_one_module_name_for_two_files_is_refused(tmp_path: Path) -> None:
    for folder, text in (("", "def f() -> str:\n    return 'a'\n"), ("lib", "def f() -> str:\n    return 'b'\n")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "same_name.py").write_text(text)
    node = '  a: { kind: code, python: "same_name:f", next: end }\n'
    write(tmp_path, "lib/other.graph.yaml", f"start: a\nnodes:\n{node}")
    main = write(tmp_path, "main.graph.yaml", f"imports: {{ other: lib/other.graph.yaml }}\nstart: b\nnodes:\n"
                 f"  b: {{ kind: graph, graph: other, next: a }}\n{node}")  # fmt: skip
    assert "GA108" in {item.code for item in checked(main).diagnostics}


def test_findings_of_an_import_show_its_own_lines(tmp_path: Path) -> None:
    write(tmp_path, "broken.graph.yaml", "start: a\nnodes: { a: { kind: set, next: b } }\n")
    main = write(tmp_path, "main.graph.yaml", "imports: { broken: broken.graph.yaml }\nstart: a\n"
                 "nodes: { a: { kind: graph, graph: broken, next: end } }\n")  # fmt: skip
    with pytest.raises(GraphInvalid) as caught:
        load(main)
    assert "broken.graph.yaml:5" in str(caught.value)
    assert "nodes: { a: { kind: set, next: b } }" in str(caught.value)


def test_a_link_that_leaves_the_project_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.graph.yaml", "start: a\nnodes: { a: { kind: set, next: end } }\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link.graph.yaml").symlink_to(outside)
    main = write(tmp_path, "project/main.graph.yaml", "imports: { link: link.graph.yaml }\nstart: a\n"
                 "nodes: { a: { kind: graph, graph: link, next: end } }\n")  # fmt: skip
    assert [item.code for item in checked(main).diagnostics] == ["GA103"]


def test_a_library_does_not_run(tmp_path: Path) -> None:
    file = write(tmp_path, "x.library.yaml", "types: { Doc: { id: str } }\n", "Library")
    with pytest.raises(NotFound, match="no graph to run"):
        read_graph_file(file).compiled()
    with pytest.raises(NotFound, match="no graph to run"):
        load(file)


def test_the_builder_imports_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "part.graph.yaml", "inputs: { x: int }\noutputs: { y: int }\n"
          "channels: { y: { type: int, default: 0 } }\nstart: a\n"
          'nodes: { a: { kind: set, writes: { y: "${ inputs.x + 1 }" }, next: end } }\n')  # fmt: skip
    monkeypatch.chdir(tmp_path)
    g = GraphBuilder("main", outputs={"y": int})
    g.source = tmp_path / "main.py"
    g.imports(part={"from_": "part.graph.yaml"})
    g.channels(y=int)
    g.start("a")
    g.graph("a", graph="part", with_={"x": 1}, writes={"y": X("out.y")}).next(end)
    found = g.checked()
    assert found.diagnostics == []
    assert list(plan_of(found).graphs) == ["", "part"]
    assert "imports" in g.to_yaml()


def test_an_override_of_a_model_is_used(tmp_path: Path) -> None:
    write(tmp_path, "say.graph.yaml", "outputs: { text: str }\nmodels: { main: scripted/one }\n"
          'channels: { text: { type: str, default: "" } }\nstart: a\nnodes:\n'
          '  a: { kind: llm, model: main, prompt: Hi., writes: { text: "${ out.text }" }, next: end }\n')  # fmt: skip
    main = write(tmp_path, "main.graph.yaml", "imports: { say: { from: say.graph.yaml, override: { models: "
                 "{ main: scripted/two } } } }\noutputs: { text: str }\nchannels: { text: str }\nstart: a\n"
                 "nodes:\n"
                 '  a: { kind: graph, graph: say, writes: { text: "${ out.text }" }, next: end }\n')  # fmt: skip
    assert plan_of(checked(main)).models["say.main"].use == "scripted/two"

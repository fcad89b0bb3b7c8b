"""Skills are found beside their graph, checked with it, and part of its plan."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import graphagent as ga
from graphagent.graph.skills import read_skills
from graphagent.session.graph_file import read_graph_file
from graphagent.testing import ScriptedModel, Turn

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: desk }
inputs: { question: str }
outputs: { answer: str }
models: { m: scripted/m }
channels: { answer: str }
start: desk
nodes:
  desk:
    kind: agent
    model: m
    system: You are the desk.
    prompt: "{{ question }}"
    with: { question: "${ inputs.question }" }
    tools: [std.skills]
    writes: { answer: "${ out.text }" }
    next: end
"""
REFUNDS = "---\nname: refunds\ndescription: How to\n  pay money back.\n---\n\nPay {{ twice }}.\n"


def calls(tool: str, *arguments: dict[str, str]) -> Turn:
    return Turn(tool_calls=tuple({"name": tool, "arguments": given} for given in arguments))


def skill(folder: Path, file: str, text: str) -> Path:
    path = folder / "prompts" / "skills" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def desk(folder: Path) -> Path:
    skill(folder, "refunds.md", REFUNDS)
    skill(folder, "mails.md", "---\nname: mails\ndescription: How to write.\n---\nBe kind.\n")
    file = folder / "desk.graph.yaml"
    file.write_text(GRAPH)
    return file


def test_a_skill_is_named_in_the_prompt_and_read_on_demand(tmp_path: Path) -> None:
    model = ScriptedModel([calls("read_skill", {"name": "refunds"}), Turn("Paid.")])
    graph = ga.load(desk(tmp_path))
    with closing(ga.Project(tmp_path, store="memory:", models={"m": model})) as project:
        result = graph.run({"question": "Money back?"}, project=project)
        assert result.outputs == {"answer": "Paid."}
        first, second = (request.messages for request in model.requests)
        assert first[0]["content"] == (
            "You are the desk.\n\nSkills that you can read with read_skill before you do such work:\n"
            "- mails: How to write.\n- refunds: How to pay money back."
        )
        assert "twice" not in str(first), "the text is read on demand"
        assert second[-1]["content"] == "Pay {{ twice }}.", "and isn't rendered"
        for file in (tmp_path / "prompts" / "skills").iterdir():
            file.unlink()
        result.session.replay().check()  # the texts are part of the plan that the session is stored with


def test_a_name_that_is_not_there_is_told_to_the_model(tmp_path: Path) -> None:
    model = ScriptedModel([calls("read_skill", {"name": "../refunds"}, {"name": "rfunds"}), Turn("Sorry.")])
    graph = ga.load(desk(tmp_path))
    with closing(ga.Project(tmp_path, store="memory:", models={"m": model})) as project:
        assert graph.run({"question": "?"}, project=project).outputs == {"answer": "Sorry."}
    told = [str(message["content"]) for message in model.requests[1].messages if message["role"] == "tool"]
    assert ["bad_arguments" in text and "refunds" in text for text in told] == [True, True]


def test_a_changed_skill_is_another_plan(tmp_path: Path) -> None:
    file = desk(tmp_path)
    before = ga.load(file).hash
    skill(tmp_path, "refunds.md", REFUNDS.replace("twice", "once"))
    assert ga.load(file).hash != before


def test_an_import_has_the_skills_beside_its_own_file(tmp_path: Path) -> None:
    desk(tmp_path / "inner")
    skill(tmp_path, "own.md", "---\nname: own\ndescription: Of the outer one.\n---\nMine.\n")
    outer = tmp_path / "outer.graph.yaml"
    outer.write_text(
        GRAPH.replace("name: desk }", "name: outer }\nimports: { one: inner/desk.graph.yaml }")
        .replace("next: end", "next: call\n  call: CALL")
        .replace("CALL", "{ kind: graph, graph: one, with: { question: x }, WRITES, next: end }")
        .replace("WRITES", 'writes: { answer: "${ out.answer }" }')
        .replace("tools: [std.skills]", "tools: [std.skills]\n    delegates: { sub: { about: Helps., do: DO } }")
        .replace("DO", "{ kind: agent, model: m, prompt: Help., tools: [std.skills] }")
    )
    model = ScriptedModel([calls("sub", {"task": "x"}), Turn("Helped."), Turn("Outer."), Turn("Inner.")])
    with closing(ga.Project(tmp_path, store="memory:", models={"m": model, "one.m": model})) as project:
        ga.load(outer).run({"question": "?"}, project=project)
    listed = ["- own" in str(r.messages[0]["content"]) for r in model.requests]
    assert listed == [True, True, True, False]
    assert "- refunds" in str(model.requests[3].messages[0]["content"])


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("Pay.", 1, 1, "a skill begins with its name and description"),
        ("---\nname: x", 1, 1, "its front matter has no end"),
        ("---\nname: x\n---\nPay.", 1, 1, "`description` is missing"),
        ("---\ndescription: x\n---\nPay.", 1, 1, "`name` is missing"),
        ("---\nname: ../x\ndescription: x\n---\nPay.", 2, 7, "`../x` is no name for a skill"),
        ("---\nname: X y\ndescription: x\n---\nPay.", 2, 7, "`X y` is no name for a skill"),
        ("---\r\nname: x\r\ndescription: [a]\r\n---\r\nPay.", 3, 14, "`description` has to be a text"),
        ("---\nname: x\ndescription: ''\n---\nPay.", 3, 14, "`description` has to be a text"),
        (f"---\nname: x\ndescription: {'a' * 1025}\n---\nPay.", 3, 14, "the description has 1,025 characters"),
        ("---\nname: x\ndescription: x\n---\n\n", 4, 1, "there is no text below its front matter"),
        ("---\n- a\n---\nPay.", 1, 1, "its front matter is no mapping"),
        ('---\nname: "x\n---\nPay.', 2, 7, "this quote is never closed"),
        ("---\nname: x\nname: y\ndescription: x\n---\nPay.", 3, 1, "duplicate key `name`"),
    ],
)
def test_a_file_that_is_no_skill_is_told_with_its_place(text: str, line: int, column: int, message: str) -> None:
    skills, faults = read_skills([("prompts/skills/x.md", text)])
    assert skills == []
    assert [(fault.span.line, fault.span.column) for fault in faults] == [(line, column)]
    assert message in faults[0].message


def test_faults_are_shown_in_their_file(tmp_path: Path) -> None:
    file = desk(tmp_path)
    skill(tmp_path, "second.md", REFUNDS)
    skill(tmp_path, "link.md", "").unlink()
    (tmp_path / "prompts" / "skills" / "link.md").symlink_to("/etc/hostname")
    skill(tmp_path, "bytes.md", "").write_bytes(b"\xff")
    found = read_graph_file(file, tmp_path)
    assert [(d.code, d.message) for d in found.diagnostics] == [
        ("GA514", "the skill `prompts/skills/bytes.md` can't be read"),
        ("GA514", "the skill `prompts/skills/link.md` can't be read"),
        ("GA514", "two skills are called `refunds`"),
    ]
    assert " --> prompts/skills/second.md:2:7\n  |\n2 | name: refunds\n  |       ^^^^^^^" in found.frames


def test_an_empty_folder_has_no_skills(tmp_path: Path) -> None:
    file = desk(tmp_path)
    for one in (tmp_path / "prompts" / "skills").iterdir():
        one.unlink()
    (found,) = read_graph_file(file, tmp_path).diagnostics
    assert found.message == "`std.skills` offers what is in `prompts/skills`, which has no skill in it"
    assert (found.span.line, found.span.column) == (17, 13)

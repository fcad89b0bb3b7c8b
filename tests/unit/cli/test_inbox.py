"""`graphagent inbox`: what people are asked, of all sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal

ASKS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: asks }
inputs: { who: str }
outputs: { said: str }
channels: { said: { type: str, default: "" } }
start: call
nodes:
  call: { kind: graph, graph: inner, with: { who: "${ inputs.who }" }, writes: { said: "${ out.said }" }, next: end }
graphs:
  inner:
    inputs: { who: str }
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: ask
    nodes:
      ask:
        kind: human
        mode: choose
        prompt: "Go on, {{ who }}?"
        with: { who: "${ inputs.who }" }
        assign: "${ inputs.who }"
        options: ["yes", "no"]
        writes: { said: "${ out.choice }" }
        next: end
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "asks.graph.yaml").write_text(ASKS)
    for who in ("ann", "bob"):
        assert command(tmp_path, "run", str(tmp_path / "asks.graph.yaml"), "-i", f"who={who}", "--name", who)[0] == 4
    return tmp_path


def command(folder: Path, *words: str, **flags: Any) -> tuple[int, str, str]:
    screen = terminal(project=str(folder), **flags)
    code = main(list(words), screen)
    return code, out(screen), err(screen)


def asked(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The questions of the document."""
    code, text, _ = command(folder, "inbox", *words, json=True)
    assert code == 0
    found: list[dict[str, Any]] = json.loads(text)["interrupts"]
    return found


def test_it_lists_the_questions_of_all_sessions(project: Path) -> None:
    found = asked(project)
    assert [q["prompt"] for q in found] == ["Go on, ann?", "Go on, bob?"]
    assert [(q["graph"]["name"], q["node"], q["assignee"]) for q in found] == [
        ("asks.inner", "ask", "ann"), ("asks.inner", "ask", "bob"),
    ]  # fmt: skip
    code, text, told = command(project, "inbox")
    assert code == 0
    assert text.index("Go on, ann?") < text.index("Go on, bob?")
    assert found[0]["id"] in told
    assert [q["id"] for q in asked(project, "--assignee", "bob")] == [found[1]["id"]]
    assert [q["id"] for q in asked(project, "--session", "@last")] == [found[1]["id"]]
    assert command(project, "inbox", "--session", "nobody-knows")[0] == 2


def test_what_is_answered_is_left_out_unless_all_are_wanted(project: Path) -> None:
    first = asked(project)[0]["id"]
    assert command(project, "answer", first, "--choose", "yes", "-q")[0] == 0
    assert [q["assignee"] for q in asked(project)] == ["bob"]
    assert [(q["status"], q["assignee"]) for q in asked(project, "--all")] == [("answered", "ann"), ("open", "bob")]
    assert "answered for ann" in command(project, "inbox", "--all")[1]


def test_where_nothing_is_stored_nobody_is_asked(tmp_path: Path) -> None:
    assert command(tmp_path, "inbox") == (0, "", "nobody is asked anything\n")
    assert asked(tmp_path) == []
    assert not (tmp_path / ".graphagent").exists()

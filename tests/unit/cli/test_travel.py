"""The commands that go back in time: what they print, their exit codes, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: count, version: 1.0.0 }
inputs: { n: int }
outputs: { text: str }
channels:
  notes: { type: "list[str]", reducer: append }
  i: { type: int, default: 0 }
  text: { type: str, default: "" }
start: step
nodes:
  step:
    kind: set
    writes: { notes: "${ ['note ' + str(i)] }", i: "${ i + 1 }" }
    next: [{ when: i < inputs.n, to: step }, { to: tell }]
  tell: { kind: set, writes: { text: "${ 'wrote ' + str(len(notes)) }" }, next: end }
"""


def command(folder: Path, *words: str, **flags: Any) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    screen = terminal(project=str(folder), **flags)
    code = main(list(words), screen)
    return code, out(screen), err(screen)


def document(folder: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(folder, *words, json=True)[1])
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "count.graph.yaml").write_text(GRAPH)
    return tmp_path


def started(project: Path, n: int = 3) -> str:
    return str(document(project, "run", str(project / "count.graph.yaml"), "-i", f"n={n}")["session"])


def test_diff_shows_what_differs_and_says_so_by_its_exit_code(project: Path) -> None:
    session = started(project)
    fork = command(project, "fork", session, "--at", "2", "--set", "i=0")[1].strip()
    assert command(project, "resume", fork)[0] == 0
    code, text, _ = command(project, "diff", session, fork)
    assert code == 0
    assert "first difference: superstep 2" in text
    assert [line for line in text.splitlines() if line.startswith(("+", "-"))][:3:2] == ['- "note 1"', '+ "note 0"']
    assert command(project, "diff", session, fork, "--exit-code")[0] == 5
    assert command(project, "diff", session, session, "--exit-code")[0] == 0
    assert command(project, "diff", f"{session}@2", f"{fork}@2", "--exit-code")[0] == 0
    assert command(project, "diff", session, fork, "--graph", "--exit-code")[:2] == (0, "one and the same graph\n")
    only = document(project, "diff", session, fork, "--channel", "text")
    assert [c["channel"] for c in only["changes"]] == ["text"]
    stat = command(project, "diff", session, fork, "--stat")[1]
    assert not [line for line in stat.splitlines() if line.startswith(("+", "-"))]
    colored = command(project, "diff", session, fork, color="always")[1]
    assert '\x1b[31m- "note 1"\x1b[0m' in colored
    assert text.isascii() is False
    assert command(project, "diff", session, fork, ascii=True)[1].isascii()


def test_diff_refuses_what_isnt_there(project: Path) -> None:
    session = started(project)
    for words in ([session, f"{session}@99"], [session, "ses_nope00"], [session, session, "--channel", "nope"]):
        code, text, told = command(project, "diff", *words)
        assert (code, text) == (2, "")
        assert "error: " in told
    assert "is no snapshot" in command(project, "diff", session, f"{session}@x")[2]

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


NODES = """
async def work(context):
    one = await context.effect("one", len, "x", effects="read")
    two = await context.effect("two", len, "yy", effects="read")
    return one + two
"""
CALLING = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: hub }
outputs: { n: int }
channels: { n: { type: int, default: 0 } }
start: call
nodes:
  call: { kind: graph, graph: spoke, writes: { n: "${ out.n }" }, next: end }
graphs:
  spoke:
    outputs: { n: int }
    channels: { n: { type: int, default: 0 }, m: { type: int, default: 1 } }
    start: work
    nodes:
      work: { kind: code, python: "nodes:work", writes: { n: "${ out }" }, next: more }
      more: { kind: set, writes: { n: "${ n + m }" }, next: end }
"""


@pytest.fixture
def hub(tmp_path: Path) -> tuple[Path, str, str]:
    """A project, a session in it, and the child session that it called."""
    (tmp_path / "hub.graph.yaml").write_text(CALLING)
    (tmp_path / "nodes.py").write_text(NODES)
    session = document(tmp_path, "run", str(tmp_path / "hub.graph.yaml"))["session"]
    return tmp_path, session, document(tmp_path, "show", session, "--node", "call")["tasks"][0]["child"]


def test_a_fork_in_a_child_takes_its_caller_along(hub: tuple[Path, str, str]) -> None:
    project, session, child = hub
    code, told, said = command(project, "fork", child, "--at", "2", "--set", "m=10")
    assert code == 0
    root = said.split("resume ")[1].strip()
    assert "forked with it: " + root in said
    assert command(project, "resume", root)[1].strip() == "n: 13"
    assert document(project, "show", told.strip())["status"] == "done"
    made = document(project, "fork", child, "--at", "2", "--set", "m=20", "--run")
    assert [f["origin"]["session"] for f in made["family"]] == [session]
    assert made["run"]["outputs"] == {"n": 23}
    assert made["run"]["session"] == made["family"][0]["session"]
    alone = document(project, "fork", child, "--at", "2", "--alone", "--run")
    assert (alone["family"], alone["run"]["session"]) == ([], alone["session"])
    code, _, told = command(project, "fork", child, "--at", "0")
    assert code == 7
    assert f"fork {session} --at 1" in told


def test_a_fork_before_a_call(hub: tuple[Path, str, str]) -> None:
    project, _, child = hub
    made = document(project, "fork", child, "--at", "1", "--before", "work:1", "--run")
    assert made["run"]["outputs"] == {"n": 4}
    assert [s["name"] for s in made["preview"]["side_effects"]] == ["two"]
    for words, code in (
        (["--before", "work:7"], 2), (["--before", "work"], 2), (["--before", "work:1", "--fresh"], 2),
        (["--before", "work:1", "--set", "m=1"], 2),
    ):  # fmt: skip
        assert command(project, "fork", child, "--at", "1", *words)[0] == code
    assert "work:0, work:1" in command(project, "fork", child, "--at", "1", "--before", "x:0")[2]


def test_a_fork_as_a_node_goes_on_along_its_routes(project: Path) -> None:
    session = started(project)
    preview = command(project, "fork", session, "--at", "1", "--set", "i=3", "--as", "step", "--dry-run")[1]
    assert "as        step, which doesn't run: its routes are taken" in preview
    assert "due       tell" in preview
    made = document(project, "fork", session, "--at", "1", "--set", "i=3", "--as", "step", "--run")
    assert (made["as_node"], made["run"]["outputs"]) == ("step", {"text": "wrote 0"})
    assert made["preview"]["due"] == ["tell"]
    shown = document(project, "show", f"{made['session']}@2", "--changed")
    assert [(c["channel"], c["writers"]) for c in shown["changes"]] == [("i", ["step"])]
    code, _, told = command(project, "fork", session, "--at", "1", "--as", "stepp")
    assert code == 2
    assert "did you mean 'step'" in told
    assert document(project, "fork", session, "--at", "1")["as_node"] is None


def test_show_tells_of_nodes_changes_and_calls(hub: tuple[Path, str, str]) -> None:
    project, session, child = hub
    code, text, _ = command(project, "show", child, "--node", "work")
    assert code == 0
    assert "work:1" in text
    assert "n: differs  (unset to version 1 by work)" in text
    assert "--at 1 --before work:1" in text
    changed = command(project, "show", f"{child}@3", "--changed")[1]
    assert ("- 3" in changed, "+ 4" in changed) == (True, True)
    assert "work:0" in command(project, "show", f"{child}@2", "--effects")[1]
    assert "no calls" in command(project, "show", f"{child}@3", "--effects")[1]
    assert command(project, "show", session, "--node", "nope")[0] == 2
    assert command(project, "show", session, "--channel", "n", "--changed")[0] == 2
    assert "x.task.finished" in command(project, "history", session, "--events")[1]
    (step,) = document(project, "history", child, "--events", "--since", "2")["supersteps"]
    assert step["events"][-1]["kind"] == "RunCompleted"


def test_a_session_goes_on_with_another_version(project: Path) -> None:
    """With a report first; with upcasters from a module that the settings name."""
    session = started(project)
    text = GRAPH.replace("1.0.0", "2.0.0").replace("tell:", "told:").replace("to: tell }", "to: told }")
    (project / "new.graph.yaml").write_text(text)
    new = str(project / "new.graph.yaml")
    code, told, _ = command(project, "migrate", session, "--to", new, "--check")
    assert (code, "could go on with" in told, "+ told, - tell" in told) == (0, True, True)
    checked = document(project, "migrate", session, "--to", new, "--check")
    assert (checked["ok"], checked["migrated"], checked["conflicts"]) == (True, False, [])
    assert document(project, "show", session)["graph"]["version"] == "1.0.0"
    code, told, said = command(project, "migrate", session, "--to", new)
    assert (code, "goes on with" in told, "resume" in said) == (0, True, True)
    assert document(project, "show", session)["graph"]["version"] == "2.0.0"
    assert "runs this graph already" in command(project, "migrate", session, "--to", new)[1]
    assert command(project, "replay", session)[0] == 0
    again = document(project, "run", new, "--session", session, "-i", "n=2")
    assert again["status"] == "done"
    typed = text.replace('notes: { type: "list[str]"', 'notes: { type: "list[int]"').replace("'note ' + str(i)", "i")
    (project / "typed.graph.yaml").write_text(typed)
    code, _, said = command(project, "migrate", session, "--to", str(project / "typed.graph.yaml"))
    assert (code, "list[str] -> list[int]" in said, "graphagent.toml" in said) == (7, True, True)
    assert command(project, "migrate", session, "--to", str(project / "typed.graph.yaml"), "--check")[0] == 7
    (project / "graphagent.toml").write_text('upcasters = ["casts"]\n')
    (project / "casts.py").write_text(
        "import graphagent\n\n\n"
        '@graphagent.upcaster("count", "notes", "list[str]", "list[int]")\n'
        "def numbers(notes):\n    return [int(note.split()[1]) for note in notes]\n"
    )
    assert command(project, "migrate", session, "--to", str(project / "typed.graph.yaml"))[0] == 0
    assert json.loads(command(project, "show", session, "--channel", "notes")[1]) == [0, 1]
    assert command(project, "replay", session)[0] == 0


def test_migrate_keeps_files_and_sessions_apart(project: Path) -> None:
    session = started(project)
    file = str(project / "count.graph.yaml")
    for words in (
        [session], [session, file, "--to", file], [session, "--to", file, "--write"], [file, "--check"],
        [session, "--to", "nope.graph.yaml"], ["ses_nope00", "--to", file],
    ):  # fmt: skip
        code, text, told = command(project, "migrate", *words)
        assert (code, text, "error: " in told) == (2, "", True), words
    assert command(project, "migrate", file)[0] == 0

"""Export, import, labels, deletion and the store itself on the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

import graphagent as ga
from graphagent.cli.main import main
from tests.acceptance.test_cli import graph
from tests.unit.cli.screen import err, out, terminal

ASKS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: asks }
inputs: { text: str }
outputs: { said: str }
channels: { said: { type: str, default: "" }, key: { type: str, default: "", secret: true } }
start: ask
nodes:
  ask: { kind: human, mode: choose, prompt: "Which?", options: [a, b], writes: { said: "${ inputs.text + out.choice }", key: "${ out.choice }" }, next: end }
"""
STORE = Path(".graphagent") / "sessions.db"


@dataclass(frozen=True)
class Done:
    """What a command wrote."""

    stdout: str
    stderr: str


def call(folder: Path, *words: str, code: int = 0) -> Done:
    """Run a command in the project folder, in this process; it has to end with this code."""
    screen = terminal()
    with chdir(folder):
        ended = main(list(words), screen)
    assert ended == code, (ended, out(screen), err(screen))
    return Done(out(screen), err(screen))


@pytest.fixture
def asks(tmp_path: Path) -> Path:
    """A project with a session that waits."""
    folder = tmp_path / "here"
    folder.mkdir()
    graph(folder, ASKS)
    call(folder, "run", "g.graph.yaml", "-i", "text=x", "--name", "first", code=4)
    return folder


def newest(folder: Path) -> str:
    listed = json.loads(call(folder, "sessions", "--json").stdout)
    return str(listed["sessions"][0]["session"])


def test_a_session_moves_to_another_project_and_goes_on(asks: Path, tmp_path: Path) -> None:
    session, there = newest(asks), tmp_path / "there"
    there.mkdir()
    exported = call(asks, "export", "@last", "-o", "x.gasession")
    assert exported.stdout == "x.gasession\n"
    assert "secret channels key" in exported.stderr
    less = call(asks, "export", "@last", "-o", "less.gasession", "--redact", "secrets")
    assert "secret channels" not in less.stderr
    assert "redacted (secrets): it can be read, not imported or replayed" in less.stderr
    assert "without --redact" in call(there, "import", str(asks / "less.gasession"), code=7).stderr
    assert "channel:NAME" in call(asks, "export", "@last", "-o", "no.gasession", "--redact", "word", code=2).stderr
    assert not (asks / "no.gasession").exists()
    document = json.loads(call(asks, "export", "@last", "-o", "x.gasession", "--json").stdout)
    file = asks / "x.gasession"
    assert (document["session"], document["bytes"]) == (session, file.stat().st_size)
    assert file.stat().st_mode & 0o077 == 0
    assert call(there, "import", str(file)).stdout == f"{session}\n"
    again = call(there, "import", str(file), code=7)
    assert "is there already" in again.stderr
    assert "--new-ids" in again.stderr
    assert call(there, "replay", "@last").stdout
    assert call(there, "answer", "@last", "--choose", "b").stdout == "xb\n"
    imported = json.loads(call(there, "import", str(file), "--new-ids", "--json").stdout)
    assert imported["session"] != session
    assert (imported["status"], imported["sessions"]) == ("waiting", [imported["session"]])
    assert call(there, "answer", imported["session"], "--choose", "a").stdout == "xa\n"
    assert json.loads(call(there, "show", session, "--json").stdout)["status"] == "done"


def test_a_session_goes_through_a_pipe(asks: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    line = [sys.executable, "-m", "graphagent", "export", "@last", "-o", "-"]
    done = subprocess.run(line, cwd=asks, env=env, capture_output=True, timeout=60, check=True)
    call(asks, "export", "@last", "-o", "x.gasession")
    assert done.stdout == (asks / "x.gasession").read_bytes()
    call(asks, "export", "@last", "-o", "-", "--json", code=2)


def test_events_go_to_other_tools_without_secrets(asks: Path) -> None:
    call(asks, "answer", "@last", "--choose", "b")
    call(asks, "export", "@last", "-o", "x.jsonl")
    events = [json.loads(line) for line in (asks / "x.jsonl").read_text().splitlines()]
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert events[-1]["kind"] == "RunCompleted"
    assert call(asks, "export", "@last", "-o", "x.zip", code=2).stdout == ""
    assert call(asks, "export", "@last", "-o", "none/x.jsonl", code=7).stdout == ""


def test_a_damaged_file_changes_nothing(asks: Path, tmp_path: Path) -> None:
    call(asks, "export", "@last", "-o", "x.gasession")
    data = (asks / "x.gasession").read_bytes()
    (asks / "half.gasession").write_bytes(data[: len(data) // 2])
    refused = json.loads(call(tmp_path, "import", str(asks / "half.gasession"), "--json", code=7).stdout)
    assert "cut off" in refused["error"]["message"]
    call(tmp_path, "import", "nothing.gasession", code=2)
    assert json.loads(call(asks, "sessions", "--json").stdout)["sessions"] != []
    assert not json.loads(call(tmp_path, "sessions", "--json").stdout)["sessions"]


def test_labels(asks: Path) -> None:
    labels = json.loads(call(asks, "sessions", "rename", "@last", "second", "--json").stdout)
    assert labels["name"] == "second"
    assert json.loads(call(asks, "sessions", "tag", "@last", "a", "b", "--json").stdout)["tags"] == ["a", "b"]
    labels = json.loads(call(asks, "sessions", "tag", "@last", "c", "--remove", "a", "--json").stdout)
    assert (labels["name"], labels["tags"]) == ("second", ["b", "c"])
    assert len(json.loads(call(asks, "sessions", "--tag", "c", "--json").stdout)["sessions"]) == 1


def test_sessions_that_changed_lately(asks: Path) -> None:
    session = newest(asks)
    lately = json.loads(call(asks, "sessions", "--since", "1h", "--json").stdout)
    assert [entry["session"] for entry in lately["sessions"]] == [session]
    with apsw.Connection(str(asks / STORE)) as rows:
        rows.execute("update sessions set updated_at = updated_at - 7200000000")
    assert json.loads(call(asks, "sessions", "--since", "1h", "--json").stdout)["sessions"] == []
    assert session in call(asks, "sessions", "--since", "3h").stdout
    assert "'soon' is no duration" in call(asks, "sessions", "--since", "soon", code=2).stderr


def test_deleting_asks_first(asks: Path) -> None:
    """Nobody there: `--yes` is wanted. On a terminal it asks, and takes no for an answer."""
    session = newest(asks)
    assert "--yes" in call(asks, "sessions", "delete", session, code=7).stderr
    fork = json.loads(call(asks, "fork", session, "--at", "1", "--json").stdout)["session"]
    refused = call(asks, "sessions", "delete", session, "--yes", code=7)
    assert f"session {fork} is a fork of {session}" in refused.stderr
    assert on_terminal(asks, "n\n", "sessions", "delete", fork) == 7
    assert newest(asks) == fork
    assert on_terminal(asks, "y\n", "sessions", "delete", fork) == 0
    gone = json.loads(call(asks, "sessions", "delete", session, "--yes", "--json").stdout)
    assert gone["sessions"] == [session]
    call(asks, "sessions", "delete", session, "--yes", code=2)
    assert json.loads(call(asks, "db", "verify", "--json").stdout)["blobs"] == 0


def on_terminal(folder: Path, typed: str, *command: str) -> int:
    """The exit code of a command whose streams are a terminal on which something is typed."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb"}
    line = [sys.executable, "-m", "graphagent", *command]
    with subprocess.Popen(line, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        code = process.wait(60)
        os.close(ours)
    return code


def test_a_store_is_checked_verified_and_collected(asks: Path) -> None:
    checked = json.loads(call(asks, "db", "check", "--json").stdout)
    assert (checked["ok"], checked["schema_version"], checked["pending"]) == (True, checked["newest_version"], [])
    assert json.loads(call(asks, "db", "migrate", "--json").stdout)["applied"] == []
    assert "all whole" in call(asks, "db", "verify").stdout
    assert "0 sessions" in call(asks, "db", "gc", "--older-than", "1ms").stdout, "it waits for an answer"
    call(asks, "answer", "@last", "--choose", "b")
    assert "would remove 1 sessions" in call(asks, "db", "gc", "--older-than", "1ms", "--dry-run").stdout
    assert "removed 0 sessions" in call(asks, "db", "gc").stdout, "30 days"
    call(asks, "db", "gc", "--older-than", "1ms", code=7)
    call(asks, "db", "gc", "--older-than", "soon", code=2)
    rules = asks / "graphagent.toml"
    rules.write_text('[retention]\nolder_than = "1ms"\ntags = { audit = "forever" }\n')
    assert "would remove 1 sessions" in call(asks, "db", "gc", "--dry-run").stdout
    assert "removed 0 sessions" in call(asks, "db", "gc", "--older-than", "30d", "--yes").stdout, "flags go first"
    call(asks, "sessions", "tag", "@last", "audit")
    assert "removed 0 sessions" in call(asks, "db", "gc", "--older-than", "1ms", "--yes").stdout
    call(asks, "sessions", "tag", "@last", "--remove", "audit")
    rules.write_text("[retention]\nkeep_every = 0\n")
    assert "retention.keep_every of graphagent.toml" in call(asks, "db", "gc", code=2).stderr
    rules.unlink()
    assert "removed 1 sessions" in call(asks, "db", "gc", "--older-than", "1ms", "--yes").stdout
    assert json.loads(call(asks, "sessions", "--json").stdout)["sessions"] == []


def test_damage_is_told_by_exit_code_7(asks: Path) -> None:
    session = newest(asks)
    db = apsw.Connection(str(asks / STORE))
    db.execute("update checkpoints set manifest = x'00' where superstep = 0")
    db.close()
    found = call(asks, "db", "verify", code=7)
    assert f"session {session}" in found.stderr
    assert "checkpoint ckp_" in found.stderr
    damaged = json.loads(call(asks, "db", "verify", "--json", code=7).stdout)
    assert (damaged["ok"], damaged["problems"][0]["session"]) == (False, session)
    call(asks, "export", "@last", code=7)


def test_a_store_of_a_newer_release_is_refused(asks: Path) -> None:
    db = apsw.Connection(str(asks / STORE))
    db.execute("update meta set value = '99' where key = 'min_reader'")
    db.close()
    for command in (("db", "check"), ("db", "migrate"), ("db", "verify"), ("db", "gc"), ("sessions",)):
        assert "newer release" in call(asks, *command, code=7).stderr
    (asks / STORE).write_bytes(b"SQLite format 3\0" + bytes(5000))
    call(asks, "db", "check", code=7)
    call(asks, "db", "check", "--store", "none.db", code=2)


def test_the_same_from_python(asks: Path, tmp_path: Path) -> None:
    here, there = ga.Project(asks), ga.Project(tmp_path / "there", store="memory:")
    session = here.session("@last")
    file = session.export(tmp_path / "x.gasession")
    moved = there.import_session(file)
    assert (moved.id, moved.status, moved.replay().identical) == (session.id, "waiting", True)
    assert moved.answer("a").outputs == {"said": "xa"}
    with pytest.raises(ga.Conflict, match="is there already"):
        there.import_session(file)
    assert there.import_session(file, new_ids=True).id != session.id
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ga.ArchiveInvalid, match="cut off"):
        there.import_session(file)
    fork = session.fork(1)
    with pytest.raises(ga.Conflict, match="is a fork of"):
        session.delete()
    fork.delete()
    session.delete()
    with pytest.raises(ga.NotFound):
        here.session(session.id)
    here.close()
    there.close()


DRAWS = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: draws }
outputs: { drawn: Artifact }
channels: { drawn: Artifact }
start: draw
nodes:
  draw: { kind: code, python: "draws:draw", returns: Artifact, writes: { drawn: "${ out }" }, next: end }
"""


def test_artifacts_are_shown_moved_left_out_and_collected(tmp_path: Path) -> None:
    folder, there = tmp_path / "here", tmp_path / "there"
    for made in (folder, there):
        made.mkdir()
    graph(folder, DRAWS)
    draw = "def draw(context):\n    return context.save_artifact('../\\u001b[31mred.txt', 'text', 'text/plain')\n"
    (folder / "draws.py").write_text(draw)
    call(folder, "run", "g.graph.yaml")
    (shown,) = json.loads(call(folder, "show", "@last", "--artifacts", "--json").stdout)["artifacts"]
    assert (shown["size"], shown["media_type"], shown["here"], shown["superstep"]) == (4, "text/plain", True, 1)
    assert json.loads(call(folder, "show", "@last@1", "--artifacts", "--json").stdout)["artifacts"] == []
    assert "artifacts" not in json.loads(call(folder, "show", "@last", "--json").stdout)
    listed = call(folder, "show", "@last", "--artifacts").stdout
    assert shown["id"] in listed
    assert "\x1b" not in listed
    assert "no artifacts" in call(folder, "show", "@last@1", "--artifacts").stdout
    content = folder / f"{STORE}.artifacts"
    (file,) = (p for p in content.rglob("*") if p.is_file() and p.name != "lock")
    assert file.read_text() == "text"
    assert "1 artifacts" in call(folder, "export", "@last", "-o", str(tmp_path / "whole.gasession")).stderr
    bare = ("export", "@last", "--no-artifacts", "-o", str(tmp_path / "bare.gasession"))
    assert "artifacts" not in call(folder, *bare).stderr
    call(there, "import", str(tmp_path / "bare.gasession"))
    assert "4, left out" in call(there, "show", "@last", "--artifacts").stdout
    call(there, "db", "verify")
    call(there, "import", str(tmp_path / "whole.gasession"), "--new-ids")
    assert "left out" not in call(there, "show", "@last", "--artifacts").stdout
    assert "2 artifacts: all whole" in call(there, "db", "verify").stdout
    file.write_text("tex!")
    assert shown["id"] in call(folder, "db", "verify", code=7).stderr
    assert "--no-artifacts" in call(folder, "export", "@last", code=7).stderr
    assert not list(folder.glob("*.gasession")) + list(folder.glob(".*.part"))
    os.utime(file, (1, 1))
    removed = call(folder, "db", "gc", "--older-than", "0s", "--yes").stdout
    assert (
        removed
        == "removed 1 sessions, 0 checkpoints and 0 blobs of others, the bytes of 1 artifacts that have no row\n"
    )
    assert not file.exists()

"""Questions of MCP servers in the middle of a call: real servers, of the newest protocol and of the one before it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from graphagent.errors import InputInvalid
from graphagent.testing import ScriptedModel, Turn

ROOT = Path(__file__).parents[2]
NEW = [sys.executable, "-m", "tests.mcp_server"]
OLD = [*NEW, "--old"]
GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: shop }}
outputs: {{ got: str }}
models: {{ m: scripted/m }}
tools:
  shop: {{ mcp: {{ command: {command}, env: {{ ORDERS: "{orders}" }} }}, effects: {effects} }}
channels: {{ got: {{ type: str, default: "" }} }}
start: call
nodes:
"""
TOOL = """
  call:
    kind: tool
    tool: shop.{tool}
    with: {{ item: shoe }}
    writes: {{ got: "${{ out }}" }}
    on_error: [{{ to: end, writes: {{ got: "${{ error.kind + ' ' + error.message }}" }} }}]
    next: end
"""
AGENT = """
  call: {{ kind: agent, model: m, prompt: Order., tools: [shop.order], writes: {{ got: "${{ out.text }}" }}, next: end }}
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the graph; the folder is a project in which both servers may be started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")  # where the server's command finds itself
    allowed = json.dumps([shlex.join(NEW), shlex.join(OLD)])
    (tmp_path / "graphagent.toml").write_text(f"[tools]\nallow_commands = {allowed}\n")

    def write(command: list[str], *, tool: str = "order", effects: str = "write", node: str = TOOL) -> Path:
        file = tmp_path / "shop.graph.yaml"
        values = {"command": json.dumps(command), "orders": tmp_path / "orders", "effects": effects, "tool": tool}
        file.write_text((GRAPH + node).format(**values))
        return file

    return write


def asked(result: ga.Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.document["interrupts"]
    return found


def cli(*words: str, code: int = 0) -> dict[str, Any]:
    """The document that a command prints in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "graphagent", *words, "--json"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_the_answer_of_another_process_reaches_the_server(tmp_path: Path, write: Write) -> None:
    """The process that asked is gone, and its server with it: the call is made again, under the key of the first."""
    write(OLD)
    (question,) = cli("run", "shop.graph.yaml", code=4)["interrupts"]
    assert (question["kind"], question["prompt"]) == ("elicitation", "Which size of shoe?")
    assert question["payload"] == {"tool": "shop.order"}
    assert question["answer_schema"]["properties"]["value"]["properties"]["size"]["maximum"] == 50
    refused = cli("answer", question["id"], '{"size": 99}', code=2)
    assert refused["error"]["message"].startswith("$.value.size: ")
    document = cli("answer", question["id"], '{"size": 3}')
    assert document["outputs"] == {"got": "shoe of size 3"}
    first, second = (tmp_path / "orders").read_text().splitlines()
    assert first == second
    assert first.startswith("shoe ")
    assert cli("replay", "@last")["identical"] is True
    assert len((tmp_path / "orders").read_text().splitlines()) == 2, "a replay calls nobody"


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        ({"action": "accept", "value": {"size": 7, "note": "red"}}, "shoe of size 7"),
        (False, "no shoe: decline"),
        ("cancel", "no shoe: cancel"),
    ],
)
def test_what_people_answer_is_what_the_server_gets(tmp_path: Path, write: Write, answer: Any, got: str) -> None:
    graph = ga.load(write(OLD))
    with closing(ga.Project(tmp_path, store="memory:")) as project:
        waiting = graph.run(project=project)
        assert waiting.status == "waiting"
        assert waiting.session.answer(answer).outputs == {"got": got}


def test_an_answer_that_does_not_fit_changes_nothing(tmp_path: Path, write: Write) -> None:
    graph = ga.load(write(OLD))
    with closing(ga.Project(tmp_path, store="memory:")) as project:
        session = graph.run(project=project).session
        wrong: dict[str, Any] = {
            "$.value.size": {"size": 0}, "$.value.colour": {"size": 1, "colour": "red"}, "$.value": {"action": "accept"},
            "$.action": {"action": "perhaps"}, "$": "yes", "$.other": {"action": "decline", "other": 1},
        }  # fmt: skip
        for path, answer in wrong.items():
            with pytest.raises(InputInvalid) as found:
                session.answer(answer)
            assert found.value.path == path
        with pytest.raises(InputInvalid, match="`decline` has no value"):
            session.answer({"action": "decline", "value": {"size": 1}})
        assert session.answer({"size": 1}).outputs == {"got": "shoe of size 1"}


def test_a_newer_server_ends_its_call_to_ask(tmp_path: Path, write: Write) -> None:
    graph = ga.load(write(NEW, tool="measure"))
    with closing(ga.Project(tmp_path)) as project:
        waiting = graph.run(project=project)
        (question,) = asked(waiting)
        assert question["prompt"] == "How large is shoe?"
    with closing(ga.Project(tmp_path)) as project:
        done = project.session("@last").answer({"size": 9})
        assert done.outputs == {"got": "shoe is 9"}
        done.session.replay().check()


def test_calls_of_one_turn_are_each_given_their_own_answer(tmp_path: Path, write: Write) -> None:
    """An old server doesn't say for which of the calls it asks; the answers come one by one, from other processes."""
    orders = tuple({"name": "shop_order", "arguments": {"item": item}} for item in ("shoe", "hat", "glove"))
    file = write(OLD, node=AGENT, effects="read")
    models = {"m": ScriptedModel([Turn(tool_calls=orders)])}
    with closing(ga.Project(tmp_path, models=models)) as project:
        questions = asked(ga.load(file).run(project=project))
    sizes = {"Which size of shoe?": 1, "Which size of hat?": 2, "Which size of glove?": 3}
    assert {question["prompt"] for question in questions} == set(sizes)
    last = ScriptedModel([Turn("Done.")])
    for question in questions:
        with closing(ga.Project(tmp_path, models={"m": last})) as project:
            session = project.session("@last")
            result = session.answer({"size": sizes[question["prompt"]]}, interrupt=question["id"])
    assert result.outputs == {"got": "Done."}
    told = [str(message["content"]) for message in last.requests[0].messages if message["role"] == "tool"]
    assert told == ["shoe of size 1", "hat of size 2", "glove of size 3"]


def test_a_write_whose_server_dies_after_the_answer_is_in_doubt(tmp_path: Path, write: Write) -> None:
    """Its first call was broken off and is settled; the second was begun, and nobody knows how it ended."""
    graph = ga.load(write(OLD, effects="write", node=TOOL.replace("    on_error:", "    # on_error:")))
    with closing(ga.Project(tmp_path, store="memory:")) as project:
        doubtful = graph.run(project=project).session.answer({"size": 3, "note": "die"})
        assert [question["kind"] for question in asked(doubtful)] == ["in_doubt"]
        assert len((tmp_path / "orders").read_text().splitlines()) == 2
        done = doubtful.session.answer({"decision": "done", "value": "it came"})
        assert done.outputs == {"got": "it came"}
        assert len((tmp_path / "orders").read_text().splitlines()) == 2, "it isn't called again by itself"
        done.session.replay().check()

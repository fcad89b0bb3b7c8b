"""The command line, in processes of its own, as people use it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import warm

ROOT = Path(__file__).parents[2]

ASK = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: ask }
inputs: { name: str }
outputs: { said: str }
channels: { said: { type: str, default: "" } }
start: count
nodes:
  count: { kind: code, python: "nodes:count", with: { name: "${ inputs.name }" }, returns: str, writes: { said: "${ out }" }, next: ask }
  ask: { kind: human, mode: approve, prompt: "Say {{ said }}?", with: { said: "${ said }" }, next: [{ when: out.decision == 'approve', to: end }, { to: fail }] }
"""
NODES = """
import time
from pathlib import Path

def count(name):
    with open(Path(__file__).parent / "calls.txt", "a") as file:
        file.write(name + chr(10))
    return "Hello, " + name

def boom(name):
    raise KeyError(name)

def slow(name):
    Path(__file__).with_name("started.txt").write_text("yes")
    time.sleep(1.5)
    return name

def pure(name):
    return name.upper()
"""
ONE = """
apiVersion: graphagent/v1
kind: Graph
metadata: {{ name: one }}
inputs: {{ name: str }}
outputs: {{ said: str }}
models: {{ m: {{ use: openai/x, base_url: "http://127.0.0.1:9/v1", api_key: none }} }}
channels: {{ said: {{ type: str, default: "" }} }}
start: first
nodes:
  first: {{ kind: set, writes: {{ said: start }}, next: second }}
  second: {{ {node}, next: third }}
  third: {{ kind: set, next: end }}
"""


def graph(folder: Path, text: str, name: str = "g") -> Path:
    """A graph file with its functions beside it."""
    (folder / "nodes.py").write_text(NODES)
    (folder / ".graphagent").mkdir(exist_ok=True)
    file = folder / f"{name}.graph.yaml"
    file.write_text(text)
    return file


def one(folder: Path, node: str) -> Path:
    """A graph whose second node is this one."""
    return graph(folder, ONE.format(node=node))


def environment() -> dict[str, str]:
    """The environment of a child: this package, and no settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT")}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def call(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in the project folder; it has to end with this code."""
    done = warm.graphagent(words, folder, environment())
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def pasted(folder: Path, text: str, word: str) -> Sequence[str]:
    """The words of a printed command, without how this process was started."""
    found = re.search(rf"graphagent ({word} .*)$", text, re.M)
    assert found, text
    return found[1].split()


def calls(folder: Path) -> int:
    """How often the counting node was called."""
    return len((folder / "calls.txt").read_text().splitlines())


def test_a_question_outlives_the_process_and_no_node_runs_twice(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    asked = call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees", code=4)
    assert "Say Hello, bees?" in asked.stderr
    answered = call(tmp_path, *pasted(tmp_path, asked.stderr, "answer"))
    assert answered.stdout.strip() == "Hello, bees"
    assert calls(tmp_path) == 1


def test_an_answer_without_waiting_is_taken_by_the_next_resume(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    run = json.loads(call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees", "--json", code=4).stdout)
    assert run["status"] == "waiting"
    receipt = json.loads(call(tmp_path, "answer", "@last", "--approve", "--no-wait", "--json").stdout)
    assert receipt["accepted"] is True
    assert call(tmp_path, "resume", run["session"]).stdout.strip() == "Hello, bees"
    assert calls(tmp_path) == 1
    call(tmp_path, "answer", run["interrupts"][0]["id"], "--reject", code=7)


def test_a_missing_input_names_its_field_and_creates_nothing(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    told = call(tmp_path, "run", "g.graph.yaml", code=2)
    assert "name" in told.stderr
    document = json.loads(call(tmp_path, "run", "g.graph.yaml", "-i", "name=x", "-i", "nam=y", "--json", code=2).stdout)
    assert document["schema"] == "graphagent/error@1"
    assert not (tmp_path / ".graphagent" / "sessions.db").exists()


def test_all_errors_of_a_graph_are_shown_at_once_and_nothing_is_created(tmp_path: Path) -> None:
    broken = (
        ASK.replace("${ inputs.name }", "${ inputs.nam }")
        .replace("out.decision", "out.decison")
        .replace("kind: Graph", "kind: Graph\ncolour: red")
    )
    graph(tmp_path, broken)
    told = call(tmp_path, "run", "g.graph.yaml", "-i", "name=x", code=3)
    assert {"GA004", "GA204"} <= set(re.findall(r"GA\d{3}", told.stderr))
    assert "decison" in told.stderr
    assert "^^^" in told.stderr
    assert not (tmp_path / ".graphagent" / "sessions.db").exists()


def test_a_node_that_raises_is_shown_with_both_frames_and_can_be_resumed(tmp_path: Path) -> None:
    one(tmp_path, 'kind: code, python: "nodes:boom", with: { name: "${ inputs.name }" }')
    told = call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees", code=1).stderr
    assert "KeyError: 'bees'" in told
    assert "g.graph.yaml:" in told
    assert "raise KeyError(name)" in told
    (tmp_path / "nodes.py").write_text(NODES.replace("raise KeyError(name)", "return name"))
    call(tmp_path, *pasted(tmp_path, told, "resume"))
    assert pasted(tmp_path, told, "fork")


def test_a_model_that_cant_be_reached_is_one_error_and_the_session_stays(tmp_path: Path) -> None:
    one(tmp_path, "kind: llm, model: m, prompt: Hello")
    told = call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees", code=1).stderr
    assert "127.0.0.1:9" in told
    assert "Traceback" not in told
    resumed = [*pasted(tmp_path, told, "resume"), "--model", "scripted/echo"]
    call(tmp_path, *resumed)


def test_ctrl_c_keeps_the_checkpoint_and_prints_the_resume_command(tmp_path: Path) -> None:
    one(tmp_path, 'kind: code, python: "nodes:slow", with: { name: "${ inputs.name }" }, writes: { said: "${ out }" }')
    process = subprocess.Popen(
        [sys.executable, "-m", "graphagent", "run", "g.graph.yaml", "-i", "name=bees"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(200):
        if (tmp_path / "started.txt").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert call(tmp_path, *pasted(tmp_path, told, "resume")).stdout.strip() == "bees"


def test_validate_watches_until_ctrl_c(tmp_path: Path) -> None:
    file = graph(tmp_path, ASK.replace("kind: Graph", "kind: Grph"))
    process = subprocess.Popen(
        [sys.executable, "-m", "graphagent", "validate", ".", "--watch"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr is not None
    told = [""]
    while "watching 1 file" not in told[-1] and process.poll() is None:
        told.append(process.stderr.readline())
    file.write_text(ASK)
    while "all good" not in told[-1] and process.poll() is None:
        told.append(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    found, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "GA001" in found


def test_replay_is_identical_until_a_node_is_changed(tmp_path: Path) -> None:
    one(
        tmp_path,
        'kind: code, python: "nodes:pure", effects: pure, with: { name: "${ inputs.name }" }, writes: { said: "${ out }" }',
    )
    call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees")
    assert json.loads(call(tmp_path, "replay", "@last", "--json").stdout)["identical"] is True
    (tmp_path / "nodes.py").write_text(NODES.replace("name.upper()", "name.lower()"))
    found = json.loads(call(tmp_path, "replay", "@last", "--json", code=5).stdout)["first_difference"]
    assert (found["superstep"], found["node"], found["kind"]) == (2, "second", "writes_changed")
    assert (found["expected"], found["actual"]) == ({"said": "BEES"}, {"said": "bees"})


def test_a_fork_goes_on_with_another_value(tmp_path: Path) -> None:
    one(tmp_path, "kind: set")
    call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees")
    made = json.loads(call(tmp_path, "fork", "@last", "--at", "2", "--set", 'said="edited"', "--run", "--json").stdout)
    assert made["run"]["outputs"] == {"said": "edited"}
    history = json.loads(call(tmp_path, "history", made["session"], "--json").stdout)
    assert [s["kind"] for s in history["supersteps"]][:3] == ["input", "superstep", "edit"]


def test_a_fork_before_the_inputs_is_run_with_others(tmp_path: Path) -> None:
    """Nothing is due there, so it can't be run at once, and what is printed next is what works."""
    one(tmp_path, "kind: set")
    call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees")
    refused = call(tmp_path, "fork", "@last", "--at", "0", "--run", code=2)
    assert "--at 1 has its inputs" in refused.stderr
    made = call(tmp_path, "fork", "@last", "--at", "0")
    assert f"run GRAPH --session {made.stdout.strip()} -i ..." in made.stderr
    again = call(tmp_path, "run", "g.graph.yaml", "--session", made.stdout.strip(), "-i", "name=ants", "--json")
    assert json.loads(again.stdout)["status"] == "done"


def test_a_damaged_store_is_refused_by_name(tmp_path: Path) -> None:
    one(tmp_path, "kind: set")
    call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees")
    file = tmp_path / ".graphagent" / "sessions.db"
    data = bytearray(file.read_bytes())
    data[4096 : len(data)] = b"\xa5" * (len(data) - 4096)
    file.write_bytes(bytes(data))
    told = call(tmp_path, "sessions", code=7).stderr
    assert "sessions.db" in told


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["explain"], ["explain", "GA203"], ["doctor"]])
def test_help_explain_and_doctor(tmp_path: Path, words: list[str]) -> None:
    assert call(tmp_path, *words).stdout


@pytest.mark.parametrize("template", ["hello", "approval", "mapreduce"])
def test_a_new_project_works_as_it_is_written(tmp_path: Path, template: str) -> None:
    call(tmp_path, "init", "new", "--template", template)
    call(tmp_path, "validate", f"new/{template}.graph.yaml")
    call(tmp_path, "init", "new", "--template", template, code=7)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "new", env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_demo_runs_through_with_recorded_answers(tmp_path: Path) -> None:
    done = call(tmp_path, "demo", "--model", "scripted", "--keep", "kept", "--check")
    assert "recorded answers" in done.stderr
    assert "identical" in done.stderr
    call(tmp_path, *pasted(tmp_path, done.stderr, "--project .* visualize"))


def test_a_drawing_in_every_format(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    assert "human" in call(tmp_path, "visualize", "g.graph.yaml").stdout
    assert call(tmp_path, "visualize", "g.graph.yaml", "--format", "svg").stdout.startswith("<svg")
    assert "flowchart" in call(tmp_path, "visualize", "g.graph.yaml", "--format", "mermaid").stdout
    for ending in ("svg", "html", "mmd", "txt", "json"):
        call(tmp_path, "visualize", "g.graph.yaml", "-o", f"made.{ending}", "--channels", "--theme", "dark")
        assert "human" in (tmp_path / f"made.{ending}").read_text(encoding="utf-8")
    assert "no format ends in '.gif'" in call(tmp_path, "visualize", "g.graph.yaml", "-o", "x.gif", code=2).stderr


def test_a_page_of_a_session_lists_its_supersteps(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    call(tmp_path, "run", "g.graph.yaml", "-i", "name=bees", code=4)
    call(tmp_path, "visualize", "@last", "-o", "now.html")
    call(tmp_path, "visualize", "@last@0", "-o", "before.html")
    now, before = ((tmp_path / name).read_text(encoding="utf-8") for name in ("now.html", "before.html"))
    assert "<h2>Supersteps</h2>" in now
    assert "waiting" in now
    assert "<h2>Supersteps</h2>" not in before


def test_a_picture_goes_to_a_file_or_a_pipe_and_needs_its_extra(tmp_path: Path) -> None:
    graph(tmp_path, ASK)
    if importlib.util.find_spec("resvg_py") is None:
        done = call(tmp_path, "visualize", "g.graph.yaml", "-o", "x.png", code=7)
        assert "pip install 'graphagent[png]'" in done.stderr
        assert not (tmp_path / "x.png").exists()
        return
    call(tmp_path, "visualize", "g.graph.yaml", "-o", "x.png")
    command = [sys.executable, "-m", "graphagent", "visualize", "g.graph.yaml", "--format", "png"]
    piped = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=True).stdout
    assert piped == (tmp_path / "x.png").read_bytes()
    assert piped.startswith(b"\x89PNG")

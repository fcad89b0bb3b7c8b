"""Every example runs as its README says: outputs, order of nodes, and a replay that finds no difference."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/expected.json"))
LATER = {"code_writer"}
"""They need a part of the language that doesn't run yet."""
RUNS = [
    pytest.param(folder, run, id=f"{folder.name}-{i}")
    for folder in EXAMPLES
    for i, run in enumerate(json.loads((folder / "expected.json").read_text(encoding="utf-8")))
]


@pytest.fixture(autouse=True)
def _modules_of_examples(tmp_path: Path) -> Iterator[None]:
    """What an example imports is forgotten afterwards."""
    before = set(sys.modules)
    yield
    for name, module in list(sys.modules.items()):
        if name not in before and str(tmp_path) in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def place(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example's folder, with the servers that it needs, and where it runs."""
    place = tmp_path / folder.name
    shutil.copytree(folder, place)
    monkeypatch.chdir(place)
    with SERVERS.get(folder.name, alone)(place, monkeypatch):
        yield place


@contextmanager
def alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Most examples need nothing."""
    yield


@contextmanager
def github(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An `npx` that starts a server of ours, and the token that it wants."""
    npx = place / "bin" / "npx"
    npx.parent.mkdir()
    npx.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/acceptance/github_server.py"\n')
    npx.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npx.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    yield


@contextmanager
def knowledge_base(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The knowledge base of the example, on a port that is free."""
    command = [sys.executable, "knowledge_base.py", "0"]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        spec = place / "specs" / "kb.yaml"
        spec.write_text(spec.read_text(encoding="utf-8").replace("http://127.0.0.1:8090", url), encoding="utf-8")
        yield
        server.terminate()


SERVERS: Mapping[str, Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[None]]] = {
    "react_assistant": github, "support_with_agents": knowledge_base,
}  # fmt: skip


@pytest.fixture
def graph(place: Path, monkeypatch: pytest.MonkeyPatch) -> ga.Graph:
    files = list(place.glob(f"{place.name}.graph.yaml"))
    if files:
        return ga.load(files[0])
    monkeypatch.syspath_prepend(place)
    program = next(place.glob("*.py"))
    built: ga.Graph = importlib.import_module(program.stem).build()
    return built


@pytest.fixture
def project(place: Path) -> Iterator[ga.Project]:
    script = place / "script.yaml"
    made = ga.Project(place, store="memory:")
    if script.is_file():
        made = ga.Project(place, store="memory:", scripted=script, models={"*": "scripted/recorded"})
    yield made
    made.close()


@pytest.mark.parametrize(("folder", "run"), RUNS)
def test_an_example_runs_as_expected(
    folder: Path, run: dict[str, Any], place: Path, graph: ga.Graph, project: ga.Project
) -> None:
    result = play(graph, run, folder, project)
    assert result.outputs == run["outputs"]
    assert order(result.session) == run["order"]
    for file, text in run.get("files", {}).items():
        assert (place / file).read_text(encoding="utf-8") == text
    replay = result.session.replay()
    replay.check()
    assert replay.identical


def play(graph: ga.Graph, run: dict[str, Any], folder: Path, project: ga.Project) -> ga.Result:
    """A run of `expected.json`, with its events and answers."""
    inputs = run.get("inputs") or json.loads((folder / run["inputs_file"]).read_text(encoding="utf-8"))
    result = graph.run(inputs, project=project)
    for event, data in run.get("events", []):
        assert result.status == "waiting"
        result.session.send(event, data)
        result = result.session.resume()
    for answer in run.get("answers", []):
        assert result.status == "waiting"
        result = result.session.answer(answer)
    return result


def order(session: ga.Session) -> list[list[str]]:
    """The nodes that ran, superstep by superstep; a map counts once, and so does a question that is answered."""
    steps = session.history().data()["supersteps"]
    return [list(dict.fromkeys(task["node"] for task in step["tasks"])) for step in steps if step["tasks"]]


def test_every_example_can_be_read() -> None:
    assert {folder.name for folder in EXAMPLES} == {
        folder.name for folder in (ROOT / "examples").iterdir() if folder.name not in LATER
    }
    for folder in EXAMPLES:
        readme = (folder / "README.md").read_text(encoding="utf-8")
        assert readme.startswith("# ")
        for file in folder.glob("*.*"):
            assert file.name in readme or file.suffix == ".json" or file.name == "README.md", file


def test_the_program_of_the_builder_runs_from_any_folder(tmp_path: Path) -> None:
    program = next((ROOT / "examples" / "builder").glob("*.py"))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(program)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-2:] == ["the comes 4 times", "True"]
    assert "python: count_words:words" in done.stdout


@pytest.mark.parametrize(
    "page", ["examples/approval/README.md", "docs/howto/build-a-graph-in-python.md", "docs/howto/draw-a-graph.md"]
)
def test_python_in_a_page_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "notes.py").write_text("\n".join(blocks), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "notes.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] in {"sent", "2 notes, all calm", "drawn"}

"""Every ready-made graph runs with its script: outputs, order of nodes, a replay without a difference, a drawing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from graphagent.snapshot import SessionQuery
from tests.acceptance.test_examples import order

ROOT = Path(__file__).parents[2]
GRAPHS = ROOT / "graphs"
RUNS = [
    pytest.param(file.name.removesuffix(".runs.json"), run, id=f"{file.name.partition('.')[0]}-{i}")
    for file in sorted(GRAPHS.glob("*.runs.json"))
    for i, run in enumerate(json.loads(file.read_text(encoding="utf-8")))
]
NAMES = sorted(file.name.removesuffix(".graph.yaml") for file in GRAPHS.glob("*.graph.yaml"))


@pytest.fixture
def project(name: str, run: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ga.Project]:
    """A folder with what the run says is in it, and `python` as this one."""
    for file, text in run.get("project", {}).items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    for file in run.get("copies", []):
        shutil.copy(GRAPHS / file, tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    script = GRAPHS / f"{name}.script.yaml"
    made = ga.Project(tmp_path, store="memory:", scripted=script, models={"*": "scripted/recorded"})
    yield made
    made.close()


def play(name: str, run: dict[str, Any], project: ga.Project) -> ga.Result:
    """A run of `NAME.runs.json`, with its events and answers."""
    graph = ga.load(f"graphagent:{name}.graph.yaml")
    inputs = dict(run.get("inputs", {}))
    for key, file in run.get("files", {}).items():
        inputs[key] = (GRAPHS / file).read_text(encoding="utf-8")
    result = graph.run(inputs, project=project)
    for event, data in run.get("events", []):
        if result.status == "done":  # something that it started in the background waits
            started = project.sessions(SessionQuery(tag=f"by:{result.session.id}", status="waiting"))
            project.session(started.data()["sessions"][0]["session"]).send(event, data)
            continue
        assert result.status == "waiting"
        waits = next(token["session"] for token in result.document["waiting"] if event in token["events"])
        project.session(waits).send(event, data)
        result = result.session.resume()
    for answer in run.get("answers", []):
        assert result.status == "waiting"
        result = result.session.answer(answer)
    for again in run.get("then", []):
        result = result.session.run(again)
    return result


@pytest.mark.parametrize(("name", "run"), RUNS)
def test_it_runs_as_expected(name: str, run: dict[str, Any], project: ga.Project) -> None:
    result = play(name, run, project)
    assert result.outputs == run["outputs"]
    assert order(result.session) == run["order"]
    replay = result.session.replay()
    replay.check()
    assert replay.identical


@pytest.mark.parametrize("name", NAMES)
def test_it_is_told_and_drawn(name: str) -> None:
    graph = ga.load(f"graphagent:{name}.graph.yaml")
    assert graph.diagnostics == []
    assert (GRAPHS / f"{name}.script.yaml").is_file()
    page = (ROOT / "docs" / "reference" / "ready-made-graphs.md").read_text(encoding="utf-8")
    assert f"graphagent:{name}.graph.yaml" in page
    assert f"![{graph.name}](../pictures/graphs/{name}.svg)" in page
    assert (ROOT / "docs" / "pictures" / "graphs" / f"{name}.svg").read_text(encoding="utf-8") == graph.draw().svg()


def test_every_graph_but_the_demo_has_runs() -> None:
    assert {name for name, *_ in (param.values for param in RUNS)} == set(NAMES) - {"summarize"}


def test_the_newest_session_is_one_that_somebody_ran(tmp_path: Path) -> None:
    """What it has started in the background changed later, and isn't meant."""
    project = ga.Project(
        tmp_path, store="memory:", scripted=GRAPHS / "background.script.yaml", models={"*": "scripted/recorded"}
    )
    try:
        graph = ga.load("graphagent:background.graph.yaml")
        first = graph.run({"message": "Please count the bees."}, project=project).session.id
        assert len(project.sessions().data()["sessions"]) == 2
        assert project.session("@last").id == first
        with pytest.raises(ga.NotFound):
            project.session("@-2")
    finally:
        project.close()

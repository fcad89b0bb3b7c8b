"""The five graphs that show the language load without findings, compile and draw; what can't run yet is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphagent as ga
from graphagent.cli.main import main
from tests.unit.cli.screen import err, terminal

EXAMPLES = Path(__file__).parents[2] / "examples"
FIVE = ["react_assistant", "research_team", "summarize_documents", "support_with_agents", "code_writer"]
LATER = {"code_writer": "run"}


@pytest.mark.parametrize("name", FIVE)
def test_it_loads_compiles_and_draws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / name)
    graph = ga.load(EXAMPLES / name / f"{name}.graph.yaml")
    assert graph.diagnostics == [] or {item.code for item in graph.diagnostics} == {"GA603"}
    drawing = graph.draw().svg()
    for node in graph.nodes:
        assert node in drawing
    assert ga.loads(graph.to_yaml()).compile().hash == graph.compile().hash


@pytest.mark.parametrize("name", LATER)
def test_what_does_not_run_yet_is_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path))
    graph = EXAMPLES / name / f"{name}.graph.yaml"
    inputs = {"code_writer": ["-i", "task=x", "-i", "tests={}"]}[name]
    assert main(["run", str(graph), *inputs], screen) == 2
    assert LATER[name] in err(screen)
    assert not (tmp_path / ".graphagent" / "sessions.db").exists()

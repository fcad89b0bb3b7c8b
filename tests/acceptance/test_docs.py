"""What the pages tell a reader to do works, and gives what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphagent as ga
from tests.acceptance.pages import ROOT, fits, follow


def test_the_tutorial(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "tutorial" / "first-graph.md", tmp_path, {}) == 15


def test_travel_in_time(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "travel-in-time.md", tmp_path, {}) == 17


def test_classes_as_types(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "use-classes-as-types.md", tmp_path, {}) == 2


def test_sessions_are_kept_and_moved(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert follow(ROOT / "docs" / "howto" / "keep-and-move-sessions.md", tmp_path / "here", {}) == 14


def test_an_agent(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "write-an-agent.md", tmp_path, {}) == 8


def test_guarding_model_calls(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "guard-model-calls.md", tmp_path, {}) == 4


def test_ready_made_graphs(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "use-ready-made-graphs.md", tmp_path, {}) == 5


def test_artifacts(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "use-artifacts.md", tmp_path, {}) == 3


def test_simulated_crashes(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "simulate-crashes.md", tmp_path, {}) == 1


def test_choosing_models(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "choose-models.md", tmp_path, {}) == 2


def test_tools(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "give-tools.md", tmp_path, {}) == 5


def test_workers(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "howto" / "run-workers.md", tmp_path, {}) == 4


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a", "b"), ["a", "b"], True),
        (("a", "b"), ["a", "b", "c"], False),
        (("a", "..."), ["a", "b", "c"], True),
        (("...", "c"), ["a", "b", "c"], True),
        (("a", "...", "d"), ["a", "b", "c"], False),
        (("a", "...", "c", "..."), ["a", "b", "c", "d"], True),
        (("...", "b", "a", "..."), ["a", "b"], False),
        (("ses_abc 0.1s",), ["ses_xyz 12 ms"], True),
        (("sha256:12ab",), ["sha256:cd"], True),
        (("3 supersteps",), ["4 supersteps"], False),
        ((), ["whatever"], True),
    ],
)
def test_what_fits(shown: tuple[str, ...], printed: list[str], same: bool) -> None:
    assert fits(shown, printed) is same


def test_the_readme(tmp_path: Path) -> None:
    """With recorded answers: what the small local model said when the page was written."""
    said = "Bees are tiny, winged creatures that are incredibly skilled pollinators, playing a vital role in the ecosystem."
    (tmp_path / "script.yaml").write_text(f'models: {{ writer: [{{ match: bees, text: "{said}", repeat: true }}] }}')

    def recorded(text: str) -> str:
        agent = f"--scripted {ROOT / 'graphs' / 'react.script.yaml'} --model scripted/recorded"
        text = text.replace('2026-03-01?"', f'2026-03-01?" {agent}')
        text = text.replace("-i topic=bees", "-i topic=bees --scripted script.yaml --model writer=scripted/writer")
        project = 'ga.Project(scripted="script.yaml", models={"writer": "scripted/writer"})'
        return text.replace('run(topic="bees")', f'run(topic="bees", project={project})')

    assert follow(ROOT / "README.md", tmp_path, {}, recorded) == 7
    both = [ga.load(tmp_path / "approval.graph.yaml").compile().hash, _built(tmp_path / "approval.py").compile().hash]
    assert both[0] == both[1]


def _built(program: Path) -> ga.Graph:
    space: dict[str, Any] = {"__name__": "approval"}
    exec(program.read_text(), space)
    graph: ga.Graph = space["build"]()
    return graph

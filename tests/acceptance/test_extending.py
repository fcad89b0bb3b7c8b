"""The page about extending, followed to the letter: files and registry lines into a copy of the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "extend.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`(graphagent/\S+\.py)`\n\n```python\n(.*?)^```", PAGE, re.M | re.S)
LINES = re.findall(r"^The line, in `(\w+)` of `(\S+)`:\n\n```python\n(.*?)^```", PAGE, re.M | re.S)
GRAPH = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)[0]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as the page leaves it, and the graph of the page."""
    home = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "graphagent", home / "graphagent", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES:
        assert not (home / name).exists()
        (home / name).write_text(text, encoding="utf-8")
    for registry, name, line in LINES:
        text = (home / name).read_text(encoding="utf-8")
        new, count = re.subn(
            rf"^({registry}\b[^\n]*= \{{)\n?(.*?)\}}$", rf"\1\n\2{line}}}", text, count=1, flags=re.M | re.S
        )  # fmt: skip
        assert count == 1, registry
        (home / name).write_text(new, encoding="utf-8")
    (home / "work").mkdir()
    (home / "work" / "winners.graph.yaml").write_text(GRAPH, encoding="utf-8")
    return home


def graphagent(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(home), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "graphagent", *words], cwd=home / "work", env=env, capture_output=True, text=True,
        check=False, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_each_is_one_file_and_one_line() -> None:
    assert len(FILES) == len(LINES) == 3
    assert all(len(line.splitlines()) == 1 for _, _, line in LINES)


def test_the_kind_and_the_reducer_run_and_replay(extended: Path) -> None:
    names = ["ann", "bo", "cy"]
    done = graphagent(extended, "run", "winners.graph.yaml", "-i", f"names={json.dumps(names)}", "--json")
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout.splitlines()[-1])
    winners = out["outputs"]["winners"]
    assert len(winners) == 2
    assert [name for name in names if name in winners] == winners
    again = graphagent(extended, "replay", out["session"])
    assert again.returncode == 0, again.stderr + again.stdout


def test_the_check_finds_and_explains(extended: Path) -> None:
    found = graphagent(extended, "validate", "winners.graph.yaml")
    assert "warning[GA901]: `draw` has no description" in found.stdout + found.stderr
    page = graphagent(extended, "explain", "GA901")
    assert "show it to people who don't know the graph" in " ".join(page.stdout.split())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("count: 2", "coumt: 2", "did you mean `count`?"),
        ("    count: 2\n", "", "the key `count` is missing"),
        ("count: 2", "count: none", "GA006"),
        ("inputs.names }", "inputs.nams }", "GA204"),
        ("kind: pick", "kind: pik", "did you mean `pick`?"),
        ("winners: \"${ out }\"", "winners: \"${ out.first }\"", "GA2"),
        ("reducer: recent", "reducer: recemt", "did you mean `recent`?"),
    ],
)  # fmt: skip
def test_mistakes_are_found(extended: Path, old: str, new: str, expected: str) -> None:
    assert old in GRAPH
    (extended / "work" / "wrong.graph.yaml").write_text(GRAPH.replace(old, new), encoding="utf-8")
    found = graphagent(extended, "validate", "wrong.graph.yaml")
    assert found.returncode == 3
    assert expected in found.stdout + found.stderr


def test_the_drawing_and_the_builder_take_the_kind(extended: Path) -> None:
    drawn = graphagent(extended, "visualize", "winners.graph.yaml")
    assert drawn.returncode == 0, drawn.stderr
    assert "pick" in drawn.stdout
    code = (
        "from graphagent import Graph, X\n"
        "g = Graph('winners', inputs={'names': 'list[str]'}, outputs={'winners': 'list[any]'})\n"
        "g.channels(winners={'type': 'list[any]', 'reducer': 'recent'})\n"
        "g.node('draw', 'pick', **{'from': X('inputs.names')}, count=2, writes={'winners': X('out')}, next='end')\n"
        "g.start('draw')\n"
        "text = g.to_yaml()\nassert 'kind: pick' in text and 'count: 2' in text, text\n"
        "assert [d.code for d in g.checked().diagnostics] == ['GA901'], g.checked().diagnostics\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=extended / "work", env={**os.environ, "PYTHONPATH": str(extended)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

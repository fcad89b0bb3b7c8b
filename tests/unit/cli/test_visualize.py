"""What `visualize` writes where; the drawings themselves are tested with `graphagent.drawing`."""

from __future__ import annotations

import json
import sys
import webbrowser
from pathlib import Path

import pytest

from graphagent.cli.main import main
from graphagent.cli.visualize import ENDINGS, scratch_file

TEXT = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: small }
channels: { n: { type: int, default: 0 } }
start: count
nodes:
  count: { kind: set, writes: { n: 1 }, next: end }
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.graph.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "small.graph.yaml"


def run(*words: str) -> int:
    return main(list(words))


def test_the_ending_chooses_the_format(file: Path) -> None:
    for ending, begins in ((".svg", "<svg"), (".html", "<!doctype"), (".mmd", "flowchart"), (".json", "{")):
        assert run("visualize", str(file), "-o", f"x{ending}", "--channels", "--dir", "lr") == 0
        assert (file.parent / f"x{ending}").read_text(encoding="utf-8").startswith(begins)
    document = json.loads((file.parent / "x.json").read_text(encoding="utf-8"))
    assert document["direction"] == "lr"
    assert set(document["channels"][0]) >= {"id", "writers", "readers", "x", "y", "w", "h"}


def test_a_format_wins_over_the_ending(file: Path) -> None:
    assert run("visualize", str(file), "-o", "x.txt", "--format", "svg", "--theme", "dark") == 0
    assert (file.parent / "x.txt").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "x.gif"], "no format ends in '.gif'"),
        (["-o", "missing/x.svg"], "can't write missing/x.svg"),
        (["--expand", "nothing"], "no subgraph or map 'nothing'"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    file: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("visualize", str(file), *words) == 2
    assert said in capsys.readouterr().err


def test_a_missing_extra_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert run("visualize", str(file), "-o", "x.png") == 7
    assert "pip install 'graphagent[png]'" in capsys.readouterr().err
    assert not (file.parent / "x.png").exists()


@pytest.mark.parametrize("found", [True, False])
def test_open_shows_a_page(
    file: Path, found: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []

    def browse(url: str) -> bool:
        shown.append(url)
        return found

    monkeypatch.setattr(webbrowser, "open", browse)
    assert run("visualize", str(file), "--open", "-o", "page.html") == 0
    assert shown == [(file.parent / "page.html").resolve().as_uri()]
    assert ("no browser was found" in capsys.readouterr().err) is not found


def test_a_drawing_that_is_only_looked_at_has_a_place_of_its_own() -> None:
    for ending, format in ENDINGS.items():
        made = scratch_file(format)
        made.parent.rmdir()
        assert made.suffix == ending

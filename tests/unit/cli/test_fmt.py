from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from graphagent.cli.main import main
from tests.unit.cli.plans import HEAD
from tests.unit.cli.screen import err, out, terminal

UNTIDY = HEAD + "start: a\nnodes:\n    a: {kind: set,next: end}  # one\n"
TIDY = HEAD + "start: a\nnodes:\n  a: { kind: set, next: end }  # one\n"
BROKEN = "nodes: [\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("a.graph.yaml", UNTIDY), ("b.graph.yaml", TIDY), ("sub/c.library.yaml", UNTIDY)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def texts(folder: Path) -> list[str]:
    return [path.read_bytes().decode() for path in sorted(folder.rglob("*.yaml"))]


def test_files_are_written_and_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    screen = terminal()
    assert main(["fmt", "."], screen) == 0
    assert out(screen) == "a.graph.yaml\nsub/c.library.yaml\n"
    assert err(screen) == "2 formatted, 1 unchanged\n"
    assert texts(folder) == [TIDY] * 3
    screen = terminal()
    assert main(["fmt", "a.graph.yaml", "sub", "--check"], screen) == 0
    assert out(screen) == ""


def test_check_and_diff_write_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before = texts(folder)
    found = {}
    for words in (["--check"], ["--check", "-v"], ["--diff"], ["--diff", "--check"]):
        screen = terminal()
        found[" ".join(words)] = (main(["fmt", *words, "."], screen), out(screen))
    assert texts(folder) == before
    assert found["--check"] == (3, "a.graph.yaml\nsub/c.library.yaml\n")
    code, shown = found["--diff"]
    assert code == 0
    assert "--- a.graph.yaml\tbefore\n+++ a.graph.yaml\tafter\n" in shown
    assert "-    a: {kind: set,next: end}  # one\n+  a: { kind: set, next: end }  # one\n" in shown
    assert found["--check -v"] == found["--diff --check"] == (3, shown)


def test_a_file_that_cant_be_read_is_left_alone(folder: Path) -> None:
    (folder / "a.graph.yaml").write_text(BROKEN)
    screen = terminal()
    assert main(["fmt", str(folder)], screen) == 3
    assert "error[GA002]" in err(screen)
    assert "1 formatted, 1 unchanged, 1 left alone" in err(screen)
    assert texts(folder) == [BROKEN, TIDY, TIDY]


def test_ready_made_graphs_stay(folder: Path) -> None:
    screen = terminal()
    assert main(["fmt", "graphagent:summarize.graph.yaml"], screen) == 2
    assert "stays as it is" in err(screen)


def test_nothing_is_written_if_one_isnt_there(folder: Path) -> None:
    before = texts(folder)
    assert main(["fmt", str(folder), str(folder / "none.graph.yaml")], terminal()) == 2
    assert texts(folder) == before


def test_a_file_that_cant_be_written_doesnt_stop_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(os, "access", lambda path, mode: "a.graph" not in str(path))
    screen = terminal()
    assert main(["fmt", str(folder)], screen) == 7
    assert "a.graph.yaml: it is read-only" in err(screen)
    assert texts(folder) == [UNTIDY, TIDY, TIDY]


class Stdin(io.TextIOWrapper):
    """A stream with bytes below."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    ("text", "words", "code", "shown"),
    [
        (UNTIDY, [], 0, TIDY),
        (UNTIDY.replace("\n", "\r\n"), [], 0, TIDY.replace("\n", "\r\n")),
        (TIDY, [], 0, TIDY),
        (TIDY, ["--check"], 0, ""),
        (UNTIDY, ["--check"], 3, "<stdin>\n"),
        (BROKEN, [], 3, ""),
    ],
)
def test_stdin(monkeypatch: pytest.MonkeyPatch, text: str, words: list[str], code: int, shown: str) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(text))
    screen = terminal()
    assert main(["fmt", "-", *words], screen) == code
    assert out(screen) == shown


def test_stdout_gets_the_bytes_whatever_the_terminal_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin("a:  漢\r\n"))
    screen = terminal()
    raw = io.BytesIO()
    screen.out = io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace")
    assert main(["fmt", "-"], screen) == 0
    assert raw.getvalue() == "a: 漢\r\n".encode()


def test_stdin_stands_alone(folder: Path) -> None:
    screen = terminal()
    assert main(["fmt", "-", str(folder)], screen) == 2
    assert "- stands alone" in err(screen)


def test_the_document(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "b.graph.yaml").write_text(BROKEN)
    screen = terminal()
    assert main(["fmt", ".", "--json"], screen) == 3
    document = json.loads(out(screen))
    assert (document["schema"], document["ok"]) == ("graphagent/fmt@1", False)
    assert [(f["file"], f["status"], f["written"]) for f in document["files"]] == [
        ("a.graph.yaml", "changed", True), ("b.graph.yaml", "invalid", False), ("sub/c.library.yaml", "changed", True),
    ]  # fmt: skip
    assert document["diagnostics"][0]["code"] == "GA002"
    assert texts(folder) == [TIDY, BROKEN, TIDY]


def test_colours(folder: Path) -> None:
    screen = terminal()
    main(["fmt", "--diff", "--color", "always", str(folder / "a.graph.yaml")], screen)
    assert "\x1b[31m-    a: {kind" in out(screen)
    assert "\x1b[32m+  a: { kind" in out(screen)

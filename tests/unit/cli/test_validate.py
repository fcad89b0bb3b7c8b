from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphagent.cli.main import main
from tests.unit.cli.plans import HEAD
from tests.unit.cli.screen import err, out, terminal

WRONG = HEAD + (
    "channels: { sums: { type: int, default: 0 } }\r\nstart: a\r\nnodes:\r\n"
    "  a: { kind: set, writes: { sums: '${ smus + sumz }' }, next: end }\r\n"
)
GOOD = HEAD + "start: a\nnodes:\n  a: { kind: set, next: b }\n  b: { kind: set, next: end }\n"
DOUBTFUL = GOOD.replace("start: a", "channels: { s: { type: str, default: yes } }\nstart: a")


def graph(folder: Path, text: str) -> str:
    file = folder / "g.graph.yaml"
    file.write_bytes(text.encode())
    return str(file)


def test_findings_are_the_result(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["validate", graph(tmp_path, WRONG)], screen) == 3
    assert out(screen).count("error[GA203]") == 2
    assert "2 errors in 1 file" in out(screen)


def test_a_good_graph_has_nothing_to_say_on_stdout(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["validate", graph(tmp_path, GOOD)], screen) == 0
    assert out(screen) == ""
    assert "2 nodes" in err(screen)


def test_fixes_are_applied_and_line_ends_stay(tmp_path: Path) -> None:
    file = graph(tmp_path, WRONG)
    screen = terminal()
    assert main(["validate", "--fix", file], screen) == 0
    assert "g.graph.yaml:7:39: GA203 unknown channel `smus`; replaced by `sums`" in err(screen)
    assert "2 fixed, 0 left" in err(screen)
    assert Path(file).read_bytes().decode() == WRONG.replace("smus", "sums").replace("sumz", "sums")


def test_warnings_fail_if_strict(tmp_path: Path) -> None:
    file = graph(tmp_path, DOUBTFUL)
    assert [main(["validate", file, *more], terminal()) for more in ([], ["--strict"])] == [0, 3]


def test_many_files_and_folders_each_once(tmp_path: Path) -> None:
    for name in ("a", "deep/b", ".hidden/c", "node_modules/d", "venv/e"):
        file = tmp_path / f"{name}.graph.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(GOOD)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "deep" / "l.library.yaml").write_text(
        GOOD.replace("kind: Graph", "kind: Library").partition("start")[0]
    )
    screen = terminal()
    assert main(["validate", str(tmp_path), str(tmp_path / "a.graph.yaml"), "--json"], screen) == 0
    found = json.loads(out(screen))
    assert [Path(f["file"]).name for f in found["files"]] == ["a.graph.yaml", "b.graph.yaml", "l.library.yaml"]
    assert [f["hash"] is None for f in found["files"]] == [False, False, True]


def test_what_cant_be_read_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    wrong = ([tmp_path / "no.graph.yaml"], [tmp_path / "empty"], ["--fix", "--watch", graph(tmp_path, GOOD)])
    for words in wrong:
        screen = terminal()
        assert main(["validate", *map(str, words)], screen) == 2
        assert "error:" in err(screen)


def test_errors_of_all_files_in_one_run_at_most_fifty(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"g{number:02}.graph.yaml").write_text(WRONG)
    screen = terminal()
    assert main(["validate", str(tmp_path)], screen) == 3
    assert out(screen).count("error[GA203]") == 50
    assert "... and 10 more" in out(screen)
    assert "60 errors in 30 files" in out(screen)


def test_a_broken_file_tells_what_could_be_read(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["validate", "--json", graph(tmp_path, WRONG)], screen) == 3
    (file,) = json.loads(out(screen))["files"]
    assert (file["ok"], file["graph"], file["hash"], file["nodes"], file["channels"]) == (False, "t", None, 1, 1)


def test_findings_of_an_import_have_its_line_in_the_document(tmp_path: Path) -> None:
    (tmp_path / "inner.graph.yaml").write_text(WRONG)
    text = GOOD.replace("start:", "imports: { inner: inner.graph.yaml }\nstart:")
    screen = terminal()
    assert main(["validate", "--json", graph(tmp_path, text)], screen) == 3
    found = [d for d in json.loads(out(screen))["diagnostics"] if d["file"].endswith("inner.graph.yaml")]
    assert found
    for item in found:
        assert f"\n{item['span']['line']} | {WRONG.splitlines()[item['span']['line'] - 1]}" in item["frame"]


def test_comments_that_silence_are_listed(tmp_path: Path) -> None:
    text = "  # graphagent: allow GA403 nobody else\n  # graphagent: allow GA404\n"
    screen = terminal()
    assert main(["validate", graph(tmp_path, GOOD + text)], screen) == 0
    assert ":8: this comment silences nothing" in err(screen)
    assert ":9: this comment is ignored: it gives no reason" in err(screen)


def test_the_project_is_found_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "work.py").write_text("def go() -> str:\n    return ''\n")
    file = graph(tmp_path / "graphs", GOOD.replace("kind: set, next: b", "kind: code, python: 'work:go', next: b"))
    assert main(["validate", file], terminal()) == 3
    monkeypatch.chdir(tmp_path)
    assert main(["validate", file], terminal()) == 0
    monkeypatch.chdir("/")
    (tmp_path / "graphagent.toml").touch()
    assert main(["validate", file], terminal()) == 0


def test_the_formats_for_other_tools(tmp_path: Path) -> None:
    file = graph(tmp_path, WRONG)
    screens = {name: terminal() for name in ("json", "github", "sarif")}
    for name, screen in screens.items():
        assert main(["validate", "--format", name, file], screen) == 3
    document = json.loads(out(screens["json"]))
    assert (document["schema"], document["ok"], document["counts"]["error"]) == ("graphagent/validate@1", False, 2)
    assert out(screens["github"]).splitlines()[0].startswith("::error file=")
    assert ",title=GA203::unknown channel" in out(screens["github"])
    assert [r["ruleId"] for r in json.loads(out(screens["sarif"]))["runs"][0]["results"]] == ["GA203", "GA203"]

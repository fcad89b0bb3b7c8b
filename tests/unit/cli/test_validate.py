from __future__ import annotations

import json
from pathlib import Path

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
    assert "2 changes applied" in err(screen)
    assert Path(file).read_bytes().decode() == WRONG.replace("smus", "sums").replace("sumz", "sums")


def test_warnings_fail_if_strict(tmp_path: Path) -> None:
    file = graph(tmp_path, DOUBTFUL)
    assert [main(["validate", file, *more], terminal()) for more in ([], ["--strict"])] == [0, 3]


def test_the_formats_for_other_tools(tmp_path: Path) -> None:
    file = graph(tmp_path, WRONG)
    screens = {name: terminal() for name in ("json", "github", "sarif")}
    for name, screen in screens.items():
        assert main(["validate", "--format", name, file], screen) == 3
    document = json.loads(out(screens["json"]))
    assert (document["schema"], document["ok"], document["counts"]["error"]) == ("graphagent/validate@1", False, 2)
    assert out(screens["github"]).splitlines()[0].startswith("::error file=")
    assert ",title=GA203::unknown channel" in out(screens["github"])
    found = json.loads(out(screens["sarif"]))["runs"][0]["results"]
    assert [r["ruleId"] for r in found] == ["GA203", "GA203"]

from __future__ import annotations

import json
from pathlib import Path

from graphagent.cli.main import main
from tests.unit.cli.plans import HEAD
from tests.unit.cli.screen import out, terminal


def test_a_line_for_everything_and_the_command_that_mends(tmp_path: Path) -> None:
    (tmp_path / "bad.graph.yaml").write_text(HEAD + "start: x\n")
    screen = terminal(project=str(tmp_path))
    assert main(["doctor"], screen) == 1
    lines = out(screen).splitlines()
    assert all(line[0] in "✔⚠✖" for line in lines)
    broken = next(line for line in lines if "bad.graph.yaml" in line)
    assert broken.endswith(f"graphagent --project {tmp_path} validate bad.graph.yaml")
    assert not (tmp_path / ".graphagent").exists()


def test_as_a_document(tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path), json=True)
    assert main(["doctor"], screen) == 0
    found = {f["what"]: f["state"] for f in json.loads(out(screen))["findings"]}
    assert found["Python"] == found["disk"] == "ok"


def test_a_server_that_is_away_is_a_finding(tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path), json=True, store="postgresql://ann:s3cret@127.0.0.1:1/agents")
    assert main(["doctor"], screen) == 1
    found = {f["what"]: f for f in json.loads(out(screen))["findings"]}
    assert found["store"]["state"] == "error"
    assert "postgresql://ann:***@127.0.0.1:1/agents can't be reached" in found["store"]["told"]
    assert "s3cret" not in out(screen)


def test_a_hook_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "graphagent.toml").write_text('hooks.before = ["policy:screen"]\n')
    screen = terminal(project=str(tmp_path), json=True)
    assert main(["doctor"], screen) == 1
    found = {f["what"]: f for f in json.loads(out(screen))["findings"]}
    assert found["hooks"]["state"] == "error"
    assert "$.hooks.before[0].function: policy:screen: no module 'policy'" in found["hooks"]["told"]
    (tmp_path / "policy.py").write_text("def screen(messages): ...\n")
    screen = terminal(project=str(tmp_path), json=True)
    assert main(["doctor"], screen) == 0
    found = {f["what"]: f for f in json.loads(out(screen))["findings"]}
    assert (found["hooks"]["state"], found["hooks"]["told"]) == ("ok", "policy:screen")

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphagent.cli.main import main
from graphagent.graph import migrations
from tests.unit.cli.plans import HEAD
from tests.unit.cli.screen import err, out, terminal
from tests.unit.graph.migrations.steps import STEPS

GOLDEN = Path(__file__).parents[2] / "golden" / "migrate"
OLD = (GOLDEN / "beta_to_v1.in.yaml").read_bytes()
NEW = (GOLDEN / "beta_to_v1.out.yaml").read_bytes()
GOOD = HEAD + "start: a\nnodes:\n  a:   {kind: set, next: end}\n"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(migrations, "STEPS", STEPS)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "old.graph.yaml"
    file.write_bytes(OLD)
    return file


def test_changes_are_shown(old: Path) -> None:
    screen = terminal()
    assert main(["migrate", "old.graph.yaml"], screen) == 0
    assert old.read_bytes() == OLD
    assert "-apiVersion: graphagent/beta    # the first\n" in out(screen)
    assert "+apiVersion: graphagent/v1 " in out(screen)
    assert "graphagent/beta to graphagent/v1, would be migrated; graphagent migrate --write old.graph.yaml" in err(
        screen
    )
    assert "decide: old.graph.yaml:20: `priority` is gone" in err(screen)


def test_files_are_written(old: Path) -> None:
    screen = terminal()
    assert main(["migrate", "--write", "--to", "v1", str(old)], screen) == 0
    assert old.read_bytes() == NEW
    assert out(screen) == "old.graph.yaml\n"


@pytest.mark.parametrize("json_too", [False, True])
def test_what_would_have_errors_isnt_written(old: Path, json_too: bool) -> None:
    wrong = OLD.replace(b"tries: ${ True }", b"tries: ${ Treu }")
    old.write_bytes(wrong)
    screen = terminal()
    assert main(["migrate", "--write", *(["--json"] if json_too else []), str(old)], screen) == 3
    assert old.read_bytes() == wrong
    if json_too:
        (file,) = json.loads(out(screen))["files"]
        assert not file["written"]
    else:
        assert out(screen) == ""
        assert "error[GA203]: unknown channel `Treu`" in err(screen)
        assert "old.graph.yaml was left as it is" in err(screen)


def test_a_sound_file_is_written_beside_one_with_errors(old: Path) -> None:
    wrong = old.with_name("wrong.graph.yaml")
    wrong.write_bytes(OLD.replace(b"tries: ${ True }", b"tries: ${ Treu }"))
    screen = terminal()
    assert main(["migrate", "--write", str(old.parent)], screen) == 3
    assert old.read_bytes() == NEW
    assert b"graphagent/beta" in wrong.read_bytes()
    assert out(screen) == "old.graph.yaml\n"


def test_a_file_is_checked_beside_what_its_imports_become(old: Path) -> None:
    outer = old.with_name("a.graph.yaml")
    outer.write_bytes(OLD.replace(b"kind: Graph\n", b"kind: Graph\nimports: { inner: ./old.graph.yaml }\n", 1))
    screen = terminal()
    assert main(["migrate", "--write", str(old.parent)], screen) == 0, err(screen)
    assert out(screen) == "a.graph.yaml\nold.graph.yaml\n"


def test_the_document(old: Path) -> None:
    screen = terminal()
    assert main(["migrate", "--json", str(old)], screen) == 0
    document = json.loads(out(screen))
    assert (document["schema"], document["ok"], document["to"]) == ("graphagent/migrate@1", True, "graphagent/v1")
    (file,) = document["files"]
    assert (file["from"], file["status"], file["written"]) == ("graphagent/beta", "changed", False)
    assert file["decisions"][0]["line"] == 20


def test_a_file_that_cant_be_written(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    screen = terminal()
    assert main(["migrate", "--write", str(old)], screen) == 7
    assert "read-only" in err(screen)
    assert old.read_bytes() == OLD


def test_a_file_of_this_version_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "g.graph.yaml"
    file.write_text(GOOD)
    screen = terminal()
    assert main(["migrate", "--write", str(tmp_path)], screen) == 0
    assert file.read_text() == GOOD
    assert out(screen) == ""
    assert "graphagent/v1 already" in err(screen)


@pytest.mark.parametrize(
    ("version", "told"),
    [("graphagent/v2", "upgrade graphagent"), ("graphagent/v0", "unknown `apiVersion`"), ("[]", "must be text")],
)
def test_a_version_that_isnt_known_is_ga001(tmp_path: Path, version: str, told: str) -> None:
    file = tmp_path / "g.graph.yaml"
    file.write_text(GOOD.replace("graphagent/v1", version))
    screen = terminal()
    assert main(["migrate", "--write", str(file)], screen) == 3
    assert "error[GA001]" in err(screen)
    assert told in err(screen)


def test_an_unknown_target_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "g.graph.yaml"
    file.write_text(GOOD)
    screen = terminal()
    assert main(["migrate", "--to", "v7", str(file)], screen) == 2
    assert "one of v1" in err(screen)

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from graphagent.cli.main import COMMANDS, main
from tests.unit.cli.screen import err, out, terminal

CLI = Path(__file__).parents[3] / "graphagent"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_registry_says_what_the_command_says(name: str) -> None:
    target, text = COMMANDS[name]
    module, _, attribute = target.partition(":")
    assert (getattr(import_module(module), attribute).__doc__ or "").splitlines()[0] == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    screen = terminal()
    main([*name.split(), "--help"], screen)
    assert err(screen) == ""


def test_no_text_names_a_command_or_flag_that_isnt_there() -> None:
    """Hints and help texts of the whole package, as far as they write `graphagent WORD` in a string."""
    firsts = {name.split()[0] for name in COMMANDS} | {"COMMAND"}
    for file in CLI.rglob("*.py"):
        for word in re.findall(r"[\"'`(]graphagent ([a-z-]+)", file.read_text(encoding="utf-8")):
            assert word in firsts, (file.name, word)


def test_a_name_of_two_words_and_what_was_meant() -> None:
    screen = terminal()
    assert main(["local"], screen) == 2
    assert "Did you mean 'local install'?" in err(screen)
    assert main(["resum", "x"], screen) == 2
    assert "'resume'" in err(screen)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "Missing argument 'GRAPH'"),
        (["run", "g", "--nope"], "No such option: --nope"),
        (["sessions", "--limit", "0"], "0 is not >= 1"),
        (["run", "g", "--max-supersteps", "x"], "'x' is not a valid int"),
        (["visualize", "g", "--dir", "up"], "'up' is not one of 'tb', 'lr'"),
    ],
)
def test_wrong_usage_is_told_with_what_to_do(words: list[str], told: str) -> None:
    screen = terminal()
    assert main(words, screen) == 2
    assert told in err(screen)
    assert f"hint: graphagent {words[0]} --help" in err(screen)
    assert out(screen) == ""


def test_wrong_usage_as_a_document() -> None:
    screen = terminal()
    assert main(["run", "--json"], screen) == 2
    document = json.loads(out(screen))
    assert document["schema"] == "graphagent/error@1"
    assert "GRAPH" in document["error"]["message"]


def test_flags_may_stand_before_the_command_and_behind_it() -> None:
    for words in (["--json", "explain", "4"], ["explain", "4", "--json"], ["explain", "--json", "4"]):
        screen = terminal()
        assert main(words, screen) == 0
        assert json.loads(out(screen))["code"] == "4"
    screen = terminal()
    main(["-v", "explain", "-v", "4"], screen)
    assert screen.flags.verbose == 2


def test_a_project_that_isnt_there(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["--project", str(tmp_path / "none"), "sessions"], screen) == 2
    assert "is no folder" in err(screen)


def test_a_file_that_isnt_there_creates_nothing(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["--project", str(tmp_path), "run", "none.graph.yaml"], screen) == 2
    assert "no file none.graph.yaml" in err(screen)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_isnt_ours_asks_for_a_report(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["init", str(tmp_path / "a" / "\0")], screen) == 1
    assert "please report" in err(screen)
    assert "Traceback" not in err(screen)


def test_version() -> None:
    screen = terminal()
    assert main(["--version"], screen) == 0
    assert re.fullmatch(r"graphagent \d+\.\d+\.\d+\n", out(screen))


def test_a_bad_label_of_a_worker_is_a_mistake_in_use(tmp_path: Path) -> None:
    screen = terminal(project=str(tmp_path))
    assert main(["worker", "--label", "gpu"], screen) == 2
    assert "'gpu' is no label k=v" in err(screen)
    assert "did you mean gpu=VALUE?" in err(screen)
    assert not (tmp_path / ".graphagent").exists()

"""A session in the middle of a run, and graphs that it could or couldn't go on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphagent.cli.main import main
from tests.unit.cli.screen import err, out, terminal

GOLDEN = Path(__file__).parents[1] / "golden" / "against"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a session that waits for an answer and for an event; beside one of them a join has begun."""
    store = str(tmp_path / "sessions.db")
    monkeypatch.chdir(GOLDEN)
    assert main(["run", "held.graph.yaml", "-i", "topic=bees"], terminal(store=store)) == 4
    return store


def test_every_conflict_is_shown_at_its_place(store: str) -> None:
    screen = terminal(store=store)
    assert main(["validate", "conflicts.graph.yaml", "--against", "@last"], screen) == 3
    assert out(screen) == (GOLDEN / "conflicts.txt").read_text(encoding="utf-8")


def test_a_graph_that_fits_says_so_and_a_fork_goes_on_with_it(store: str) -> None:
    screen = terminal(store=store)
    assert main(["validate", "fits.graph.yaml", "held.graph.yaml", "--against", "@last"], screen) == 0
    assert out(screen) == ""
    assert err(screen).count("could go on with it from snapshot 3") == 2
    assert main(["fork", "@last", "--at", "-1", "--graph", "fits.graph.yaml"], terminal(store=store)) == 0
    assert main(["answer", "@last", "--approve"], terminal(store=store)) == 4
    done = terminal(store=store, json=True)
    assert main(["send", "@last", "said"], done) == 0
    assert json.loads(out(done))["outputs"] == {"notes": ["bees"], "tone": "plain"}


def test_a_fork_is_refused_for_the_same_reasons(store: str) -> None:
    screen = terminal(store=store)
    assert main(["fork", "@last", "--at", "-1", "--graph", "conflicts.graph.yaml"], screen) == 7
    assert "the session waits at `listen`, which is gone" in err(screen)
    assert "`count` is a `int`, not a `str`" in err(screen)


def test_after_the_run_only_what_is_kept_counts(store: str) -> None:
    main(["answer", "@last", "--approve"], terminal(store=store))
    assert main(["send", "@last", "said"], terminal(store=store)) == 0
    screen = terminal(store=store)
    assert main(["validate", "conflicts.graph.yaml", "--against", "@last"], screen) == 3
    assert out(screen).count("error[GA606]") == 3
    assert "channel `count`" in out(screen)
    assert "waits" not in out(screen)


def test_a_session_that_is_not_there(store: str, tmp_path: Path) -> None:
    screen = terminal(store=store)
    assert main(["validate", "held.graph.yaml", "--against", "ses_00000000000000000000000000"], screen) == 2
    assert "no session" in err(screen)
    screen = terminal(store=str(tmp_path / "none.db"))
    assert main(["validate", "held.graph.yaml", "--against", "@last"], screen) == 2
    assert "no session yet" in err(screen)
    assert not (tmp_path / "none.db").exists()


def test_a_graph_with_errors_shows_those_first(store: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.graph.yaml"
    wrong.write_text((GOLDEN / "conflicts.graph.yaml").read_text().replace("next: end", "next: ned"))
    screen = terminal(store=store)
    assert main(["validate", str(wrong), "--against", "@last"], screen) == 3
    assert "GA101" in out(screen)
    assert "GA606" not in out(screen)

from __future__ import annotations

from typing import Any

from graphagent.cli.cards import card
from graphagent.cli.exits import exit_of
from tests.unit.cli.screen import err, terminal

USAGE = {"input_tokens": 3000, "output_tokens": 812, "cost_usd": 0.0052}


def run(status: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "session": "ses_x", "status": status, "reason": reason, "supersteps": 9, "wall_ms": 14_200, "usage": USAGE,
        "head": {"snapshot": 9}, "interrupts": [], "waiting": [], "next": [], "error": None, **more,
    }  # fmt: skip


def shown(document: dict[str, Any], **flags: Any) -> str:
    screen = terminal(environ={"COLUMNS": "200"}, **flags)
    card(screen, document)
    return err(screen)


def test_done() -> None:
    told = shown(run("done"))
    assert told.startswith("✔ done   9 supersteps · 14.2 s · 3,812 tok · $0.0052")
    assert "show: graphagent show @last" in told
    assert "fork: graphagent fork @last --at 4" in told
    assert "@last" not in shown(run("done"), store="memory:")


def test_waiting_names_the_command_that_answers() -> None:
    question = {"id": "itr_1", "node": "ask", "superstep": 7, "prompt": "Publish\nthis?", "options": ["a", "b"]}
    told = shown(run("waiting", "interrupt", interrupts=[question], next=["graphagent answer itr_1 --choose a"]))
    assert told.startswith("⏸ waiting   ask (superstep 7): Publish this?  [a / b]")
    assert "answer: graphagent answer itr_1 --choose a" in told


def test_paused_limited_and_cancelled() -> None:
    assert "go on: graphagent resume ses_x" in shown(run("waiting", "paused"))
    limit = run("failed", "limit", error={"message": "5 are allowed"}, next=["graphagent resume ses_x"])
    assert shown(limit, project="p").splitlines()[0].startswith("✖ limit   5 are allowed")
    assert "graphagent --project p resume ses_x" in shown(limit, project="p")
    assert shown(run("cancelled")).startswith("⊘ cancelled")


def test_exit_codes_of_documents() -> None:
    found = {
        (s, r): int(exit_of(run(s, r)))
        for s, r in [
            ("done", None), ("waiting", "interrupt"), ("waiting", "paused"), ("failed", "error"), ("failed", "limit"),
            ("cancelled", None), ("corrupt", None),
        ]
    }  # fmt: skip
    assert list(found.values()) == [0, 4, 4, 1, 6, 1, 7]

from __future__ import annotations

import pytest

from graphagent.cli.targets import looks_like_session, split_target


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("@last", ("@last", None)),
        ("@last@4", ("@last", "4")),
        ("@-2@-1", ("@-2", "-1")),
        ("ses_abc@last", ("ses_abc", "last")),
        ("ses_abc", ("ses_abc", None)),
    ],
)
def test_a_session_and_its_snapshot(text: str, parts: tuple[str, str | None]) -> None:
    assert split_target(text) == parts


def test_sessions_and_files() -> None:
    assert looks_like_session("@last")
    assert looks_like_session("ses_1")
    assert not looks_like_session("sessions.graph.yaml")

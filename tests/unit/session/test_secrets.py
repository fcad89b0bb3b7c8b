"""What is shown holds no secret, nor what is left of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.session.secrets import Secrets

LONG, PART = "sk-live-4f9a2b7c-and-more", "sk-live-4f9a2b7c"


@pytest.fixture
def secrets() -> Secrets:
    found = Secrets({}, Path(), {"LONG": LONG, "PART": PART, "PIN": "1234"})
    for name in ("PART", "LONG", "PIN"):
        assert found.get(name)
    return found


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{LONG} and {PART} and 1234.", "*** and *** and ***."),
        (f"the server said: {LONG[:-3]}", "the server said: ***"),
        ("the server said: sk-live-4", "the server said: ***"),
        ("the server said: sk-live", "the server said: sk-live"),
        (LONG[:12], "***"),
        ("", ""),
    ],
)
def test_secrets_go_whole_one_in_another_and_cut_off(secrets: Secrets, text: str, left: str) -> None:
    assert secrets.redact({"a": [text]}) == {"a": [left]}

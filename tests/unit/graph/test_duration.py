from __future__ import annotations

import pytest

from graphagent.graph.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("500ms", 500),
        ("30s", 30_000),
        ("10m", 600_000),
        ("4h", 14_400_000),
        ("7d", 604_800_000),
        ("1.5s", 1_500),
        ("0s", 0),
    ],
)
def test_durations(text: str, ms: int) -> None:
    found = parse_duration(text)
    assert found is not None
    assert (found.text, found.ms, found.seconds) == (text, ms, ms / 1000)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "5S", "1h30m", "0.0001s", "1.5ms", "9" * 13 + "s", "\u0665s"]
)
def test_what_is_none(text: str) -> None:
    assert parse_duration(text) is None

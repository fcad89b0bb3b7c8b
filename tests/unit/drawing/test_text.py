from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.drawing.metrics import cell_width, pixel_width
from graphagent.drawing.text import plain, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\n lines\t", "two lines"),
        ("a\x1b[31mred", "a\N{REPLACEMENT CHARACTER}[31mred"),
        ("a\u202eb\u2066c\ufeff", "abc"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("要約", "要約"),
    ],
)
def test_text_is_made_harmless(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(max_size=80), st.integers(1, 30))
def test_wrapping_keeps_every_character_and_the_limit(text: str, limit: int) -> None:
    text = plain(text)
    lines = wrap(text, limit, len)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= limit for line in lines)


def test_lines_are_about_equally_long() -> None:
    assert wrap("len(findings) >= 3 and verdict == 'accept'", 30, len) == (
        "len(findings) >= 3 and",
        "verdict == 'accept'",
    )


def test_long_words_break_where_they_have_joints() -> None:
    assert wrap("a_very_long_name_of_a_node", 12, len) == ("a_very_", "long_name_", "of_a_node")
    assert wrap("abcdefgh", 3, len) == ("abc", "def", "gh")


def test_widths() -> None:
    assert pixel_width("", 14) == 0
    assert pixel_width("iii", 14) < pixel_width("mmm", 14) < pixel_width("mmm", 14, True)
    assert pixel_width("要約", 10) == 20
    assert pixel_width("e\u0301", 10) == pixel_width("e", 10)
    assert (cell_width("abc"), cell_width("要約"), cell_width("e\u0301"), cell_width("🚀")) == (3, 4, 1, 2)

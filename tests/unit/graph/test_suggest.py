from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.graph.suggest import distance, suggest


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("sumaries", ["summaries", "summary"], "summaries"),
        ("acept", ["accept", "revise"], "accept"),
        ("adn", ["and", "add"], "add"),  # both one step away: the first by name
        ("Topic", ["topic"], "topic"),
        ("x", ["y"], None),
        ("abc", ["xyz"], None),
        ("", ["a"], None),
        ("same", ["same"], None),
        ("a" * 100, ["a" * 99], None),
    ],
)
def test_nearest_name(word: str, candidates: list[str], expected: str | None) -> None:
    assert suggest(word, candidates) == expected


def test_a_third_of_the_length_may_differ() -> None:
    assert suggest("abcdef", ["abxxef"]) == "abxxef"
    assert suggest("abcdef", ["axxxef"]) is None


def test_neighbours_that_changed_places_are_one_step() -> None:
    assert distance("ab", "ba") == 1
    assert distance("kitten", "sitting") == 3


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_a_symmetric_measure(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))

"""What the graph calls: an ordinary function. Its parameters are the keys of `with`, what it returns is `out`."""

from __future__ import annotations


def count(text: str) -> int:
    """How many letters a text has."""
    return sum(letter.isalpha() for letter in text)

"""What the sub-graph calls: each function does one small step, and the routes decide which comes next."""

from __future__ import annotations


def squeeze(text: str) -> str:
    """One space between words."""
    return " ".join(text.split())


def without_last_word(text: str) -> str:
    """The text without its last word; half of it if it has only one."""
    head, space, _ = text.rpartition(" ")
    return head if space else text[: len(text) // 2]

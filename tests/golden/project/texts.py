"""Functions that the graphs of the golden tests name."""

from __future__ import annotations


def count(text: str, at_least: int = 0) -> int:
    return max(at_least, len(text.split()))


def split(text: str, **options: str) -> list[str]:
    return text.split(options.get("by"))

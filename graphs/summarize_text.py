"""Functions of `summarize.graph.yaml`. They are pure: the same arguments give the same result."""

from __future__ import annotations

import re

PART_WORDS = 110


def split(text: str, size: int = PART_WORDS) -> list[str]:
    """The text in parts of about `size` words, cut between sentences, and between paragraphs where that fits."""
    parts: list[str] = []
    part: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
            if part and count(" ".join(part)) + count(sentence) > size:
                parts.append(" ".join(part))
                part = []
            part.append(sentence)
        if count(" ".join(part)) > size * 2 // 3:
            parts.append(" ".join(part))
            part = []
    if part and any(part):
        parts.append(" ".join(part))
    return parts


def join(notes: list[str]) -> str:
    """The notes as one text: whole sentences, each said once."""
    seen: set[str] = set()
    out = []
    for note in notes:
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(note.split())):
            known = re.sub(r"\W+", " ", sentence).strip().lower()
            if known and known not in seen:
                seen.add(known)
                out.append(sentence if sentence[-1] in ".!?" else sentence + ".")
    return " ".join(out)


def count(text: str) -> int:
    """How many words a text has."""
    return len(text.split())

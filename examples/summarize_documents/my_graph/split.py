"""Cuts documents into parts that a model can read."""

from __future__ import annotations

from typing import Any


def by_size(docs: list[dict[str, str]], limit: int) -> list[Any]:
    """The documents in parts of at most `limit` characters, cut between words."""
    out: list[dict[str, str]] = []
    for doc in docs:
        part, parts = "", 0
        for word in doc["text"].split():
            if part and len(part) + 1 + len(word) > limit:
                out.append({"id": f"{doc['id']}.{parts}", "text": part})
                part, parts = "", parts + 1
            part = f"{part} {word}".strip()
        out.append({"id": f"{doc['id']}.{parts}" if parts else doc["id"], "text": part})
    return out

"""What the graph calls. Values are plain data: a `Doc` of the graph is a dict here."""

from __future__ import annotations

from typing import Any


def without_empty(docs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents that say something."""
    return [doc for doc in docs if doc["text"].strip()]

"""Functions with marks, contexts and effects, for the checks that look at them."""

from __future__ import annotations

from typing import Any

import graphagent


async def fetch(url: str) -> str:
    return url


def asked(question: str, context: Any) -> str:
    return question


@graphagent.trio_node
def marked(text: str) -> str:
    return text


@graphagent.trio_node
async def awaited(text: str) -> str:
    return text


def look(order: str) -> str:
    return order


def described(order: str) -> str:
    """Finds an order."""
    return order


def pay(order: str, idempotency_key: str) -> str:
    """Pays an order."""
    return order


def fold(value: list[str], write: list[str]) -> list[str]:
    return [*value, *write]


@graphagent.reducer(ordered=True)
def fold_in_order(value: list[str], write: list[str]) -> list[str]:
    return [*value, *write]


def loose(query, *words: str, **options: str) -> str:  # type: ignore[no-untyped-def]
    """Finds something."""
    return ""


def closed(query: str, /) -> str:
    """Finds something."""
    return query


def told(query: str, context: Any) -> str:
    """Finds something."""
    return query


def watched(query: str, progress: graphagent.ToolContext) -> str:
    """Finds something."""
    return query

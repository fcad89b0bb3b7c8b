"""Looks things up; in this example from a few pages that come with it."""

from __future__ import annotations

PAGES = {
    "https://example.org/bees": "Bees dance to show each other the way to food.",
    "https://example.org/lamps": "Lighthouse lenses bundle light into a beam.",
}


def search(query: str, limit: int = 5) -> list[dict[str, str]]:
    """Finds pages that hold a word of the query.

    Args:
        query: Words to look for.
        limit: How many pages at most.
    """
    words = query.lower().split()
    found = [{"url": url, "text": text} for url, text in PAGES.items() if any(w in text.lower() for w in words)]
    return found[:limit]


def fetch(url: str) -> str:
    """Gives the text of a page."""
    return PAGES[url]

"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LENGTH = 60


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to `word`, or None if all are further than max(1, a third of its length).

    Letters in the wrong case count half. Of several equally near, the first in alphabetical order.
    """
    if not word or len(word) > _MAX_LENGTH:
        return None
    limit = max(1, len(word) // 3)
    best: tuple[float, str] | None = None
    for candidate in candidates:
        if candidate == word or abs(len(candidate) - len(word)) > limit or len(candidate) > _MAX_LENGTH:
            continue
        if candidate.lower() == word.lower():
            found = 0.5
        else:
            found = float(distance(word, candidate))
            if found > limit or found >= max(len(word), len(candidate)):
                continue  # nothing of the word is left
        if best is None or (found, candidate) < best:
            best = (found, candidate)
    return best[1] if best else None


def distance(a: str, b: str) -> int:
    """Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]

"""Text on its way into a drawing: made harmless, then wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache

Measure = Callable[[str], int]

_BREAK_AFTER = frozenset("_-./,:|([")
_SPACES = frozenset("\t\n\r\v\f\x85\u2028\u2029")


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """One line without control characters, direction overrides or lone surrogates.

    A terminal must not obey a label, and XML has no way to write most of these characters.
    """
    if text.isprintable() and text.isascii():
        return text.strip()
    return " ".join("".join(map(_plain_char, text)).split())


def _plain_char(char: str) -> str:
    if char in _SPACES:
        return " "
    if unicodedata.category(char) == "Cf":
        return char if char in "\u200c\u200d" else ""  # joiners shape letters and emoji; the rest hides or reorders
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cs", "Cn") else char


def wrap(text: str, limit: int, measure: Measure) -> tuple[str, ...]:
    """Breaks text into the fewest lines of at most `limit`, as equal in width as can be.

    Breaks at spaces, then behind `_ - . /` and the like, then anywhere: nothing is cut off.
    """
    if measure(text) <= limit:
        return (text,)
    atoms = _atoms(text, limit, measure)
    lines = _fill(atoms, limit, measure)
    low, high = measure(text) // len(lines), limit
    while low < high:
        middle = (low + high) // 2
        tighter = _fill(atoms, middle, measure)
        if len(tighter) == len(lines) and max(map(measure, tighter)) <= middle:
            high = middle
        else:
            low = middle + 1
    return _fill(atoms, high, measure)


def _atoms(text: str, limit: int, measure: Measure) -> list[tuple[str, bool]]:
    """The unbreakable pieces of a text, each with whether a space stands before it."""
    atoms: list[tuple[str, bool]] = []
    for word in text.split(" "):
        pieces = [word] if measure(word) <= limit else _pieces(word, limit, measure)
        atoms.extend((piece, i == 0) for i, piece in enumerate(pieces))
    return atoms


def _pieces(word: str, limit: int, measure: Measure) -> list[str]:
    pieces, start = [], 0
    for i, char in enumerate(word):
        if char in _BREAK_AFTER and i + 1 < len(word):
            pieces.append(word[start : i + 1])
            start = i + 1
    pieces.append(word[start:])
    return [part for piece in pieces for part in _chop(piece, limit, measure)]


def _chop(piece: str, limit: int, measure: Measure) -> list[str]:
    parts, part = [], ""
    for char in piece:
        if part and measure(part + char) > limit:
            parts.append(part)
            part = ""
        part += char
    return [*parts, part]


def _fill(atoms: list[tuple[str, bool]], limit: int, measure: Measure) -> tuple[str, ...]:
    lines: list[str] = []
    line = ""
    for atom, spaced in atoms:
        longer = f"{line} {atom}" if spaced and line else line + atom
        if line and measure(longer) > limit:
            lines.append(line)
            line = atom
        else:
            line = longer
    return (*lines, line)

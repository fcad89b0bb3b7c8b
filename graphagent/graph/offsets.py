"""From a character of a scalar's value back to its place in the YAML text.

Quoting, escapes, folding and indentation only ever add characters to the text or change white space, so the
characters of the value appear in the text in the same order: the table is made by walking both side by side.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)", re.DOTALL)
_NAMED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BLANK = frozenset(" \t\r\n\x85\u2028\u2029")
_BREAKS = frozenset("\r\n\x85\u2028\u2029")
Place = tuple[int, int]


@lru_cache(maxsize=256)
def offsets(raw: str, value: str, style: str) -> list[Place]:
    """(start, end) in `raw` of each character of `value`, and one place more for its end."""
    atoms = _atoms(raw, style)
    out: list[Place] = []
    i, n, m = 0, 0, len(atoms)
    end_of_text = atoms[-1][2] if atoms else len(raw)
    while n < len(value):
        if value[n] in _BLANK and not (i < m and atoms[i][0] == value[n] and atoms[i][3]):
            n, i = _match_blanks(value, n, atoms, i, out, end_of_text)
            continue
        while i < m and atoms[i][0] != value[n]:
            i += 1  # white space that folding took away
        if i == m:
            out.append((end_of_text, end_of_text))
        else:
            out.append((atoms[i][1], atoms[i][2]))
            i += 1
        n += 1
    out.append((out[-1][1], out[-1][1]) if out else (atoms[0][1] if atoms else end_of_text, end_of_text))
    return out


Atom = tuple[str, int, int, bool]  # character, start, end, whether it was written as an escape


def _match_blanks(value: str, n: int, atoms: list[Atom], i: int, out: list[Place], end_of_text: int) -> tuple[int, int]:
    """Places for a run of white space, which folding may have made longer or shorter."""
    first = i
    while i < len(atoms) and atoms[i][0] in _BLANK and not atoms[i][3]:
        i += 1
    run = atoms[first:i]
    stop = n
    while stop < len(value) and value[stop] in _BLANK:
        stop += 1
    length = stop - n
    for k in range(length):
        # The first characters belong to the start of the run, those after the last line break to its end.
        tail = length - k <= len(run) and "\n" not in value[n + k : stop] and "\n" in value[n:stop]
        index = len(run) - (length - k) if tail else min(k, len(run) - 1)
        out.append((run[index][1], run[index][2]) if run else (end_of_text, end_of_text))
    return stop, i


def _atoms(raw: str, style: str) -> list[Atom]:
    start = _PROPERTIES.match(raw).end() if style != "" or raw[:1] in "&!" else 0  # type: ignore[union-attr]
    if style == '"':
        return _double_quoted(raw, start + 1)
    if style == "'":
        return _single_quoted(raw, start + 1)
    if style in {"|", ">"}:
        while start < len(raw) and raw[start] not in _BREAKS:
            start += 1  # the header, and a comment after it
    return [(c, k, k + 1, False) for k, c in enumerate(raw[start:], start)]


def _single_quoted(raw: str, start: int) -> list[Atom]:
    out: list[Atom] = []
    k, stop = start, len(raw) - 1
    while k < stop:
        width = 2 if raw.startswith("''", k) else 1
        out.append((raw[k], k, k + width, False))
        k += width
    return out


def _double_quoted(raw: str, start: int) -> list[Atom]:
    out: list[Atom] = []
    k, stop = start, len(raw) - 1
    while k < stop:
        match = _ESCAPE.match(raw, k) if raw[k] == "\\" else None
        if match is None:
            out.append((raw[k], k, k + 1, False))
            k += 1
            continue
        code, k_end = match[1], match.end()
        if code[0] not in _BREAKS:
            char = chr(int(code[1:], 16)) if code[0] in "xuU" and len(code) > 1 else _NAMED.get(code, code)
            out.append((char, k, k_end, True))
        k = k_end
    return out

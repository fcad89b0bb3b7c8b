"""A grid of characters on which lines join and cross as box-drawing characters do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from graphagent.drawing.metrics import char_cells

Stroke = Literal["plain", "dashed", "heavy", "heavy dashed"]
Style = Callable[[str, str], str]
"""Given a role (`title`, `edge`, `edge red`, `border done`, ...) and text, returns the text as it shall be shown."""

UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8

_LIGHT = " ╵╶╰╷│╭├╴╯─┴╮┤┬┼"
_HEAVY = " ╹╺┗╻┃┏┣╸┛━┻┓┫┳╋"
_ASCII = " |-+||++-+-++++++"
_ASCII_HEAVY = " #=##########==##"
_DASHED = {UP | DOWN: ("╎", ":"), LEFT | RIGHT: ("╌", "."), UP: ("╎", ":"), DOWN: ("╎", ":")}
_HEAVY_DASHED = {UP | DOWN: ("╏", ":"), LEFT | RIGHT: ("╍", "."), UP: ("╏", ":"), DOWN: ("╏", ":")}


class Canvas:
    """Characters, and lines under them that are turned into characters at the end."""

    def __init__(self, width: int, height: int, *, ascii: bool = False) -> None:
        self._ascii = ascii
        self._chars = [[" "] * width for _ in range(height)]
        self._roles = [[""] * width for _ in range(height)]
        self._lines: dict[tuple[int, int], tuple[int, Stroke, str]] = {}

    def put(self, x: int, y: int, text: str, role: str = "") -> int:
        """Writes text; returns the column behind it. Wide characters take two cells."""
        chars, roles = self._chars[y], self._roles[y]
        for char in text:
            cells = char_cells(char)
            if cells == 0:
                if x:
                    chars[x - 1 if chars[x - 1] else x - 2] += char
                continue
            chars[x], roles[x] = char, role
            if cells == 2:
                chars[x + 1], roles[x + 1] = "", role
            x += cells
        return x

    def line(self, x: int, y: int, bits: int, stroke: Stroke, role: str) -> None:
        """Adds a piece of a line to a cell; `bits` are the sides at which it leaves the cell."""
        old, old_stroke, old_role = self._lines.get((x, y), (0, stroke, role))
        if stroke != old_stroke:
            stroke = "heavy" if "heavy" in stroke or "heavy" in old_stroke else "plain"
        self._lines[x, y] = (old | bits, stroke, old_role)

    def swap(self, x: int, y: int, others: dict[str, str]) -> None:
        """Replaces the character of a cell by another one."""
        self._chars[y][x] = others.get(self._chars[y][x], self._chars[y][x])

    def erase(self, x: int, y: int, width: int) -> None:
        """Takes the lines away from a stretch of cells."""
        for i in range(x, x + width):
            self._lines.pop((i, y), None)

    def text(self, style: Style | None = None) -> str:
        """All rows, without blanks at their ends."""
        for (x, y), (bits, stroke, role) in self._lines.items():
            if self._chars[y][x] == " ":
                self._chars[y][x] = self._line_char(bits, stroke)
                self._roles[y][x] = role
        rows = [self._row(y, style) for y in range(len(self._chars))]
        return "\n".join(rows) + "\n"

    def _line_char(self, bits: int, stroke: Stroke) -> str:
        heavy = "heavy" in stroke
        if "dashed" in stroke and bits in _DASHED:
            return (_HEAVY_DASHED if heavy else _DASHED)[bits][self._ascii]
        if self._ascii:
            return (_ASCII_HEAVY if heavy else _ASCII)[bits]
        return (_HEAVY if heavy else _LIGHT)[bits]

    def _row(self, y: int, style: Style | None) -> str:
        if style is None:
            return "".join(self._chars[y]).rstrip()
        end = len("".join(self._chars[y]).rstrip())
        parts: list[str] = []
        run, role = "", ""
        for char, its_role in zip(self._chars[y], self._roles[y], strict=True):
            if its_role != role:
                parts.append(style(role, run) if role and run else run)
                run, role = "", its_role
            run += char[:end]
            end -= len(char[:end])
        return "".join([*parts, style(role, run) if role and run else run])

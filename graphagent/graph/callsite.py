"""Where the author's Python program calls the builder: the place that findings point to."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import FrameType

from graphagent.graph.diagnostics import Span

_PACKAGE = __name__.partition(".")[0]


def here() -> Span:
    """The call that led into this package, from its first to its last character."""
    frame = caller()
    name, line = frame.f_code.co_filename, frame.f_lineno
    for i, place in enumerate(frame.f_code.co_positions()):
        if i == frame.f_lasti // 2:
            start, end, column, end_column = place
            if start is None or end is None or column is None or end_column is None:
                break
            first = _code_points(name, start, column)
            return Span(shown(name), start, first + 1, end, _code_points(name, end, end_column) + 1)
    return Span(shown(name), line, 1, line, 1)


def caller() -> FrameType:
    """The nearest frame outside of this package; the outermost one if there is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _inside(frame):
        frame = frame.f_back
    return frame


def caller_file() -> Path | None:
    """The file of the author's program; None in a console or notebook."""
    file = Path(caller().f_code.co_filename)
    return file.resolve() if file.is_file() else None


def shown(name: str) -> str:
    """The file's name as people see it: relative to the working folder if it is below."""
    path = Path(name)
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_absolute() and path.is_relative_to(here) else name


def text_of(name: str) -> str:
    """The text of a file by the name that is shown, notebook cells included; empty if nobody has it."""
    lines = linecache.getlines(name) or linecache.getlines(str(Path.cwd() / name))
    return "".join(lines)


def _inside(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE


def _code_points(name: str, line: int, column: int) -> int:
    """The compiler counts bytes of UTF-8, people count letters."""
    text = linecache.getline(name, line)
    return column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))

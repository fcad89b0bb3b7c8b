"""Findings about a graph and the plain ASCII frames in which people see them.

The frame is the same text in the terminal, over HTTP, in a notebook and in the tests.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]

MAX_FRAMES: Final = 50
_TAB: Final = "    "
_MAX_COLUMNS: Final = 160
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML 1.1 parsers count as the end of a line


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a file. Lines and columns start at 1 and count code points; ends are exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that helps to understand a finding, with the place it speaks of."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the piece `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that `graphagent validate --fix` may make by itself."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `path` is where in the document: `$.nodes.write.next[0]`. `label` stands at the caret, `notes` name other
    places, `help` says what to do.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    path: str = "$"
    label: str | None = None
    notes: tuple[Note, ...] = ()
    help: str | None = None
    fix: Fix | None = None

    def document(self, source: str | None = None) -> dict[str, Any]:
        """The `Diagnostic` of the JSON documents. `source` is the text of the file, for the frame."""
        fix = self.fix and {
            "title": self.fix.title,
            "edits": [{"span": edit.span.document(), "text": edit.text} for edit in self.fix.edits],
        }
        notes = [{"message": note.message, "span": note.span and note.span.document()} for note in self.notes]
        return {
            "code": self.code, "severity": self.severity, "message": self.message, "file": self.span.file,
            "span": self.span.document(), "path": self.path, "label": self.label, "notes": notes, "help": self.help,
            "frame": frame(self, source), "fix": fix,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment that silences one code on a line: the one below it, or its own if it stands behind something.

    `silenced` are the findings that it holds back.
    """

    code: str
    reason: str
    span: Span
    line: int
    silenced: tuple[Diagnostic, ...] = ()
    refused: str | None = None
    """Why it is ignored."""

    @property
    def note(self) -> str:
        """What became of it, in one sentence."""
        if self.refused is not None:
            return f"this comment is ignored: {self.refused}"
        if not self.silenced:
            where = "this" if self.line == self.span.line else "the next"
            return f"this comment silences nothing: there is no {self.code} on {where} line"
        return f"{self.code} is silenced here: {self.reason}"


def place(diagnostic: Diagnostic) -> tuple[Any, ...]:
    """Sort key: file, line, column; errors before warnings at one place."""
    span = diagnostic.span
    return (span.file, span.line, span.column, diagnostic.severity, diagnostic.code, diagnostic.message)


def show_path(path: Iterable[str | int]) -> str:
    """`("nodes", "a b", "next", 0)` as `$.nodes["a b"].next[0]`."""
    out = "$"
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_][\w-]*", part):
            out += f".{part}"
        else:
            out += f'["{part}"]'
    return out


@lru_cache(maxsize=16)
def split_lines(text: str) -> tuple[str, ...]:
    """The lines of a text without their ends, split where the YAML parser counts lines."""
    return tuple(_BREAK.split(text))


def frame(diagnostic: Diagnostic, source: str | None) -> str:
    """The finding with its line of `source` and carets below; no line where there is no source."""
    span = diagnostic.span
    lines = split_lines(source) if source is not None else ()
    gutter = " " * len(str(span.line))
    out = [f"{diagnostic.severity}[{diagnostic.code}]: {_clean(diagnostic.message)}"]
    out.append(f"{gutter}--> {_clean(span.file)}:{span.line}:{span.column}")
    if 1 <= span.line <= len(lines):
        shown, before, width = _excerpt(lines[span.line - 1], span)
        label = f" {_clean(diagnostic.label)}" if diagnostic.label else ""
        out.append(f"{gutter} |")
        out.append(f"{span.line} | {shown}".rstrip())
        out.append(f"{gutter} | {' ' * before}{'^' * width}{label}")
        if diagnostic.notes or diagnostic.help:
            out.append(f"{gutter} |")
    for note in diagnostic.notes:
        out.append(f"note: {_clean(note.message)}")
        if note.span is not None:
            out.append(f"{gutter}--> {_clean(note.span.file)}:{note.span.line}:{note.span.column}")
    if diagnostic.help:
        applies = "   (`graphagent validate --fix` applies it)" if diagnostic.fix else ""
        out.append(f"help: {_clean(diagnostic.help)}{applies}")
    return "\n".join(out)


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """All frames in order of place, at most 50 and how many more there are, and the summary line.

    Args:
        diagnostics: The findings.
        sources: Texts by file name.
    """
    found = sorted(diagnostics, key=place)
    if not found:
        return ""
    parts = [frame(item, sources.get(item.span.file)) for item in found[:MAX_FRAMES]]
    if len(found) > MAX_FRAMES:
        parts.append(f"... and {len(found) - MAX_FRAMES} more")
    parts.append(summary(found))
    return "\n\n".join(parts)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning in 1 file.  graphagent explain GA203`; the code is the first error's."""
    found = sorted(diagnostics, key=place)
    errors = [item for item in found if item.severity == "error"]
    files = len({item.span.file for item in found})
    counts = [_count(len(errors), "error")] if errors else []
    if len(found) > len(errors):
        counts.append(_count(len(found) - len(errors), "warning"))
    first = (errors or found)[0].code
    return f"{', '.join(counts)} in {_count(files, 'file')}.  graphagent explain {first}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _excerpt(line: str, span: Span) -> tuple[str, int, int]:
    """The line as shown, the columns before the carets, and the number of carets."""
    start = min(span.column - 1, len(line))
    end = len(line.rstrip()) if span.end_line > span.line else min(span.end_column - 1, len(line))
    end = max(end, start)
    head, marked, tail = (_visible(part) for part in (line[:start], line[start:end], line[end:]))
    if display_width(head) > _MAX_COLUMNS // 2:
        head = "..." + _last(head, _MAX_COLUMNS // 2)
    marked = _first(marked, _MAX_COLUMNS)
    return head + marked + _first(tail, _MAX_COLUMNS // 2), display_width(head), max(1, display_width(marked))


def _first(text: str, columns: int) -> str:
    if display_width(text) <= columns:
        return text
    out = text[:columns]
    while display_width(out) > columns:
        out = out[:-1]
    return out + "..."


def _last(text: str, columns: int) -> str:
    out = text[-columns:]
    while display_width(out) > columns:
        out = out[1:]
    return out


def _visible(text: str) -> str:
    """Tabs as spaces, and what would steer a terminal (escapes, direction marks) as its escape sequence."""
    return _clean(text.replace("\t", _TAB))


def _clean(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _harmless(c) else c.encode("unicode_escape", "replace").decode() for c in text)


def _harmless(c: str) -> bool:
    category = unicodedata.category(c)
    return category not in {"Cc", "Cs", "Zl", "Zp"} and (category != "Cf" or c == "\u200d")


def display_width(text: str) -> int:
    """Terminal columns of a text: wide letters and emoji take two, combining marks and joined emoji none."""
    if text.isascii():
        return len(text)
    total, previous = 0, ""
    for c in text:
        if previous != "\u200d" and not _zero_width(c):
            total += 2 if unicodedata.east_asian_width(c) in "WF" else 1
        previous = c
    return total


def _zero_width(c: str) -> bool:
    return unicodedata.category(c) in {"Mn", "Me", "Cf"} or "\U0001f3fb" <= c <= "\U0001f3ff"

"""Applying the changes that findings offer: again and again until there is none left, and no file half written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from graphagent.errors import Conflict
from graphagent.graph.diagnostics import Diagnostic, Edit, split_lines
from graphagent.session.graph_file import GraphFile
from graphagent.session.replacing import replace_file

MAX_ROUNDS: Final = 10
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file after its fixes: as it is now, the findings that were fixed, and why it couldn't be written."""

    file: GraphFile
    applied: tuple[Diagnostic, ...]
    refused: str | None = None


def fix_file(file: GraphFile, read: Callable[[GraphFile], GraphFile]) -> Fixed:
    """Apply all fixes of a file, check it again, and go on until nothing changes or ten rounds are over.

    Args:
        file: The file as it was checked.
        read: Checks it again.
    """
    applied: list[Diagnostic] = []
    for _ in range(MAX_ROUNDS):
        chosen = _chosen(file)
        if not chosen:
            break
        edits = sorted({edit for found in chosen for edit in _edits(found, file.name)}, key=lambda edit: edit.span)
        try:
            _replace(file, edited(file.text, edits))
        except Conflict as error:
            return Fixed(read(file), tuple(applied), error.message)
        applied += chosen
        file = read(file)
    return Fixed(file, tuple(applied))


def edited(text: str, edits: list[Edit]) -> str:
    """The text with these edits, which are in order and don't overlap."""
    starts = list(_starts(text))
    out, position = [], 0
    for edit in edits:
        begin = starts[edit.span.line - 1] + edit.span.column - 1
        out += [text[position:begin], edit.text]
        position = starts[edit.span.end_line - 1] + edit.span.end_column - 1
    return "".join([*out, text[position:]])


def _starts(text: str) -> Iterator[int]:
    """Where each line begins."""
    at = 0
    for line in split_lines(text):
        yield at
        at += len(line)
        at += 2 if text[at : at + 2] == "\r\n" else 1


def _chosen(file: GraphFile) -> list[Diagnostic]:
    """The findings whose fix can be applied now; of two that overlap, the first: the other comes in the next round."""
    out: list[Diagnostic] = []
    taken: set[Edit] = set()
    for found in file.diagnostics:
        edits = _edits(found, file.name)
        free = all(edit in taken or not any(_overlap(edit, other) for other in taken) for edit in edits)
        if edits and free:
            out.append(found)
            taken |= set(edits)
    return out


def _edits(found: Diagnostic, name: str) -> tuple[Edit, ...]:
    """The edits of a finding; none if one of them is in another file than this."""
    edits = found.fix.edits if found.fix is not None else ()
    return edits if all(edit.span.file == name for edit in edits) else ()


def _overlap(a: Edit, b: Edit) -> bool:
    first, second = sorted((a, b), key=lambda edit: edit.span)
    end = (first.span.end_line, first.span.end_column)
    begin = (second.span.line, second.span.column)
    return begin < end or begin == (first.span.line, first.span.column)


def _replace(file: GraphFile, text: str) -> None:
    """Put a text in the place of the one that was checked. Raises Conflict if it is another by now."""
    read = file.path.read_bytes()
    mark = _BOM if read.startswith(_BOM) else b""
    replace_file(file.path, mark + text.encode(), mark + file.text.encode())

"""`graphagent fmt`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphagent.cli.terminal import Terminal
    from graphagent.graph.formatting.text import Formatted

STDIN = "-"
SHOWN_STDIN = "<stdin>"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file and what came of it; `path` is None for stdin."""

    path: Path | None
    name: str
    content: bytes
    result: Formatted

    @property
    def invalid(self) -> bool:
        """Whether it can't be read as YAML."""
        return self.result.text is None

    @property
    def changed(self) -> bool:
        """Whether it isn't formatted yet."""
        return self.result.text is not None and self.result.text.encode() != self.content


def fmt(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Graphs, libraries, folders with some, or - for stdin to stdout."),
    ],
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; exit code 3 if a file isn't formatted. With -v: show the changes."
        ),
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show the changes.")] = False,
) -> int:
    """Write graphs in the one style; comments, order and meaning stay.

    A file that can't be read as YAML is left alone; its errors are shown and the exit code is 3.
    """
    terminal = terminal_of(ctx)
    seen = [look(file) for file in sources(files)]
    failed = False
    for one in seen:
        if one.invalid:
            tell_findings(terminal, one)
        elif STDIN in files and not (check or diff) and not terminal.flags.json:
            write_raw(terminal, one.result.text or "")
        elif one.changed:
            failed |= not settle(terminal, one, write=not (check or diff), shown=diff or (check and wordy(terminal)))
    invalid = any(one.invalid for one in seen)
    changed = any(one.changed for one in seen)
    if terminal.flags.json:
        terminal.document(document(seen, check=check, wrote=not (check or diff) and not failed))
    elif STDIN not in files or check:
        terminal.say(summary(seen, wrote=not (check or diff)))
    if failed:
        return Exit.REFUSED
    return Exit.INVALID if invalid or (check and changed) else Exit.OK


def sources(files: Sequence[str]) -> list[Path | None]:
    """What to read; None is stdin."""
    from graphagent.errors import InputInvalid
    from graphagent.session.graph_file import find_own_graphs

    if STDIN not in files:
        return list(find_own_graphs(files))
    if len(files) > 1:
        raise InputInvalid("FILE", "- stands alone", hint="format stdin and files in two calls")
    return [None]


def look(path: Path | None) -> Seen:
    """Read a file and format what is in it."""
    from graphagent.graph.formatting.text import format_text
    from graphagent.session.graph_file import read_content, shown_name

    if path is None:
        content = sys.stdin.buffer.read()
        return Seen(None, SHOWN_STDIN, content, format_text(content, SHOWN_STDIN))
    name = shown_name(path, None)
    content = read_content(path, name)
    return Seen(path, name, content, format_text(content, name))


def settle(terminal: Terminal, seen: Seen, *, write: bool, shown: bool) -> bool:
    """Write a changed file or show what would change. Returns False if it can't be written, which is told."""
    from graphagent.cli.diffs import show_diff
    from graphagent.cli.failures import tell
    from graphagent.errors import Conflict
    from graphagent.session.replacing import replace_file

    text = seen.result.text
    assert text is not None
    if write and seen.path is not None:
        try:
            replace_file(seen.path, text.encode(), seen.content)
        except Conflict as error:
            tell(terminal, error.message, error.hint)
            return False
    if terminal.flags.json:
        return True
    if shown:
        show_diff(terminal, seen.name, seen.result.before, text)
    else:
        terminal.result(seen.name)
    return True


def write_raw(terminal: Terminal, text: str) -> None:
    """Write a file to stdout: in UTF-8 and with its own line ends, whatever the terminal takes."""
    terminal.out.flush()
    raw = getattr(terminal.out, "buffer", None)
    if raw is None:
        terminal.out.write(text)
    else:
        raw.write(text.encode())
    terminal.out.flush()


def wordy(terminal: Terminal) -> bool:
    """Whether more is wanted than the names."""
    return terminal.flags.verbose > 0


def tell_findings(terminal: Terminal, seen: Seen) -> None:
    """Show why a file was left alone."""
    from graphagent.cli.failures import tell_diagnostics
    from graphagent.graph.diagnostics import render

    tell_diagnostics(terminal, render(seen.result.diagnostics, {seen.name: seen.result.before}))


def summary(seen: Sequence[Seen], *, wrote: bool) -> str:
    """`2 formatted, 3 unchanged`."""
    changed, invalid = sum(one.changed for one in seen), sum(one.invalid for one in seen)
    done = "formatted" if wrote else "to format"
    counts = ((changed, done), (len(seen) - changed - invalid, "unchanged"), (invalid, "left alone"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def document(seen: Sequence[Seen], *, check: bool, wrote: bool) -> dict[str, Any]:
    """What came of each file. `text` is what stdin became."""
    from graphagent.session.documents.validate import diagnostic_parts

    texts = {one.name: one.result.before for one in seen}
    found = diagnostic_parts([d for one in seen for d in one.result.diagnostics], texts)
    return {
        "schema": "graphagent/fmt@1",
        "ok": not any(one.invalid or (check and one.changed) for one in seen),
        "files": [
            {
                "file": one.name, "status": "invalid" if one.invalid else "changed" if one.changed else "unchanged",
                "written": wrote and one.changed and one.path is not None,
                **({"text": one.result.text} if one.path is None else {}),
            }
            for one in seen
        ],
        "diagnostics": [part.data() for part in found],
    }  # fmt: skip

"""`graphagent migrate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.exits import Exit
from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from graphagent.cli.terminal import Terminal
    from graphagent.graph.diagnostics import Diagnostic
    from graphagent.graph.migrations.chain import Migrated

PREFIX = "graphagent/"


def migrate(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...|S", help="Graphs, libraries, or folders with some; or a session, for --to FILE."
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION|FILE",
            help="Such as v1; by default the newest that this release reads. For a session the graph to go on with.",
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the files, instead of showing what changes.")] = False,
    only_check: Annotated[
        bool, typer.Option("--check", help="Of a session: only tell whether it could go on, and what would change.")
    ] = False,
) -> int:
    """Bring graphs to another version of the language, or a session to another version of its graph.

    Of files comments and order stay. The result is formatted as `fmt` does it, and checked as `validate` does it before
    it is written: with errors the file is left as it is, and the exit code is 3. Files that have the version already
    are only checked.
    """
    from graphagent.cli.targets import looks_like_session, project_folder
    from graphagent.errors import InputInvalid
    from graphagent.session.graph_file import find_own_graphs

    terminal = terminal_of(ctx)
    if looks_like_session(files[0]):
        return _session(terminal, files, to, write=write, check=only_check)
    if only_check:
        raise InputInvalid("--check", "it is for sessions", hint="without --write files are only checked")
    target = version_of(to)
    moved = [bring(file, target) for file in find_own_graphs(files)]
    planned = {one.path: one.result.text.encode() for one in moved if one.result.text is not None}
    checked = [Checked(one, *check(one, project_folder(terminal), planned)) for one in moved]
    refused = [one for one in checked if one.moved.changed and not settle(terminal, one, write=write)]
    written = {one.moved.path for one in checked if write and one.sound and one not in refused}
    if terminal.flags.json:
        terminal.document(document(checked, target, written))
    else:
        for one in checked:
            tell_outcome(terminal, one, target, wrote=one.moved.path in written)
    if refused:
        return Exit.REFUSED
    return Exit.OK if all(one.sound for one in checked) else Exit.INVALID


def _session(terminal: Terminal, given: Sequence[str], to: str | None, *, write: bool, check: bool) -> int:
    """The same command for a session."""
    from graphagent.cli.session_migrate import migrate_session
    from graphagent.errors import InputInvalid

    if len(given) > 1:
        raise InputInvalid("S", "one session at a time", hint=f"graphagent migrate {given[0]} --to FILE")
    if to is None:
        raise InputInvalid("--to", "the graph is missing", hint=f"graphagent migrate {given[0]} --to FILE")
    if write:
        raise InputInvalid("--write", "it is for files", hint="--check only tells what would change")
    return migrate_session(terminal, given[0], to, check=check)


@dataclass(frozen=True, slots=True)
class Moved:
    """A file and what it becomes."""

    path: Path
    name: str
    content: bytes
    result: Migrated

    @property
    def changed(self) -> bool:
        """Whether its text becomes another."""
        return self.result.text is not None and self.result.text.encode() != self.content


@dataclass(frozen=True, slots=True)
class Checked:
    """What validation says about the result, and the texts that its findings point into."""

    moved: Moved
    diagnostics: Sequence[Diagnostic]
    texts: Mapping[str, str]

    @property
    def sound(self) -> bool:
        """Whether it has no errors, so that it may be written."""
        return not any(found.severity == "error" for found in self.diagnostics)


def version_of(to: str | None) -> str:
    """The version that is meant: `v1` or `graphagent/v1`."""
    from graphagent.errors import InputInvalid
    from graphagent.graph.migrations import STEPS
    from graphagent.graph.migrations.chain import known_versions
    from graphagent.graph.spec import API_VERSION

    if to is None:
        return API_VERSION
    version = PREFIX + to.removeprefix(PREFIX)
    known = known_versions(STEPS)
    if version not in known:
        listed = ", ".join(name.removeprefix(PREFIX) for name in known)
        raise InputInvalid("--to", f"this release doesn't know the version {to!r}", hint=f"one of {listed}")
    return version


def bring(path: Path, target: str) -> Moved:
    """Read a file and take it to a version."""
    from graphagent.graph.migrations import STEPS
    from graphagent.graph.migrations.chain import migrate_text
    from graphagent.session.graph_file import read_content, shown_name

    name = shown_name(path, None)
    content = read_content(path, name)
    return Moved(path, name, content, migrate_text(content, name, target, STEPS))


def settle(terminal: Terminal, checked: Checked, *, write: bool) -> bool:
    """Write a sound file that has changed, or show its changes. Returns False if it can't be written, which is told."""
    from graphagent.cli.diffs import show_diff
    from graphagent.cli.failures import tell
    from graphagent.errors import Conflict
    from graphagent.session.replacing import replace_file

    moved = checked.moved
    text = moved.result.text or ""
    if write and not checked.sound:
        return True
    if write:
        try:
            replace_file(moved.path, text.encode(), moved.content)
        except Conflict as error:
            tell(terminal, error.message, error.hint)
            return False
    if not terminal.flags.json:
        if write:
            terminal.result(moved.name)
        else:
            show_diff(terminal, moved.name, moved.result.before, text)
    return True


def check(
    moved: Moved, root: Path | None, planned: Mapping[Path, bytes]
) -> tuple[Sequence[Diagnostic], Mapping[str, str]]:
    """The findings about what a file becomes, beside what its imports become."""
    from graphagent.session.graph_file import read_graph_file

    if moved.result.text is None:
        return moved.result.diagnostics, {moved.name: moved.result.before}
    checked = read_graph_file(moved.path, root, moved.result.text.encode(), planned)
    return checked.diagnostics, checked.texts


def tell_outcome(terminal: Terminal, checked: Checked, target: str, *, wrote: bool) -> None:
    """What came of a file: findings, decisions, or that there was nothing to do."""
    from graphagent.cli.failures import tell_diagnostics
    from graphagent.graph.diagnostics import render

    moved = checked.moved
    if checked.diagnostics:
        tell_diagnostics(terminal, render(checked.diagnostics, checked.texts))
    if moved.result.text is None:
        return
    if not moved.changed:
        terminal.say(f"{terminal.symbol('done')} {moved.name}: {target} already")
        return
    if not checked.sound:
        what = f"{moved.name} was left as it is: from {moved.result.version} to {target} it would have these errors"
        terminal.tell(f"{terminal.paint('error:', 'red', 'bold')} {what}")
        tell_decisions(terminal, moved)
        return
    done = "migrated" if wrote else f"would be migrated; {terminal.command('migrate', '--write', moved.name)}"
    terminal.say(f"{terminal.symbol('done')} {moved.name}: {moved.result.version} to {target}, {done}")
    tell_decisions(terminal, moved)


def tell_decisions(terminal: Terminal, moved: Moved) -> None:
    """What a person has to decide, with its place in the migrated text."""
    for line, what in moved.result.decisions:
        terminal.tell(f"{terminal.paint('decide:', 'yellow')} {moved.name}:{line}: {what}")


def document(checked: Sequence[Checked], target: str, written: Collection[Path]) -> dict[str, Any]:
    """What came of each file."""
    from graphagent.session.documents.validate import diagnostic_parts

    found = [part.data() for one in checked for part in diagnostic_parts(one.diagnostics, one.texts)]
    return {
        "schema": "graphagent/migrate@1",
        "ok": all(one.sound for one in checked),
        "to": target,
        "files": [
            {
                "file": one.moved.name, "from": one.moved.result.version,
                "written": one.moved.changed and one.moved.path in written,
                "status": status(one.moved),
                "decisions": [{"line": line, "what": what} for line, what in one.moved.result.decisions],
            }
            for one in checked
        ],
        "diagnostics": found,
    }  # fmt: skip


def status(moved: Moved) -> str:
    """What a file is to the chain."""
    return "invalid" if moved.result.text is None else "changed" if moved.changed else "unchanged"

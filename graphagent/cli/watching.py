"""`validate --watch`: looks at the files twice a second, and checks again what was changed, came or went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from graphagent.cli.checking import Check, counted
from graphagent.errors import NotFound
from graphagent.session.graph_file import GraphFile, find_graphs

INTERVAL_S: Final = 0.5

Stamp: TypeAlias = "tuple[int, int, int] | None"
"""Time of change, size and number of a file; None if it isn't there."""


def stamp(file: Path) -> Stamp:
    """What tells one version of a file from the next."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def changes(
    watched: Callable[[], Iterable[Path]], before: Mapping[Path, Stamp], pause: Callable[[float], None] = time.sleep
) -> Iterator[frozenset[Path]]:
    """The files that were changed, came or went since the last look. It never ends.

    Args:
        watched: The files to look at; asked anew each time, since folders get new ones.
        before: What they were before they were checked for the first time.
        pause: Waits that many seconds.
    """
    known = {**{file: stamp(file) for file in watched()}, **before}
    while True:
        pause(INTERVAL_S)
        now = {file: stamp(file) for file in (*watched(), *known)}
        changed = frozenset(file for file in now if known.get(file) != now[file])
        if changed:
            yield changed
            now |= {file: stamp(file) for file in watched() if file not in now}
        known = now


class Watch:
    """The files that are watched, as they were checked last. To be made before the first check."""

    def __init__(self, check: Check) -> None:
        self.check, self.terminal = check, check.terminal
        self.known: dict[Path, GraphFile] = {}
        self.before = {path: stamp(path) for path in self.named()}

    def run(self, checked: Sequence[GraphFile], pause: Callable[[float], None] = time.sleep) -> None:
        """Until somebody presses Ctrl-C. `checked` is what the first check found."""
        self.known = {file.path: file for file in checked}
        self.terminal.say(f"watching {counted(len(self.known), 'file')}; Ctrl-C ends", "dim")
        for changed in changes(self.watched, self.before, pause):
            self.look(changed)

    def named(self) -> set[Path]:
        """The graphs that are there now."""
        out: set[Path] = set()
        for file in self.check.files:
            try:
                out |= {Path(found).resolve() for found in find_graphs([file]) if Path(found).is_file()}
            except NotFound:
                continue  # the last graph of a folder is gone: there may be one again
        return out

    def watched(self) -> set[Path]:
        """The graphs, and what they were checked with: functions and prompts."""
        return {*self.known, *self.named(), *(other for file in self.known.values() for other in file.others)}

    def look(self, changed: frozenset[Path]) -> None:
        """Check what these files are part of, and tell."""
        named = self.named()
        gone = {path for path in self.known if path not in named and not path.is_file()}
        for path in gone:
            del self.known[path]
        due = {path for path in {*named, *self.known} if path not in self.known or path in changed}
        due |= {path for path, file in self.known.items() if changed & set(file.others)}
        for path in due:
            try:
                self.known[path] = self.check.one(path)
            except NotFound:  # it went while we looked
                self.known.pop(path, None)
                gone |= {path}
        self.tell(changed, gone, [self.known[path] for path in sorted(due - gone)])

    def tell(self, changed: frozenset[Path], gone: set[Path], checked: Sequence[GraphFile]) -> None:
        """What happened, what was found, and how many files are good."""
        names = ", ".join(sorted(path.name + (" is gone" if path in gone else "") for path in changed | gone))
        clock = datetime.now().strftime("%H:%M:%S")
        self.terminal.say("")
        self.terminal.say(f"{self.terminal.symbol('replayed')} {clock}  {names}", "bold")
        if checked or self.check.format != "text":
            self.check.show(checked)
        bad = sum(self.check.fails(file.diagnostics) for file in self.known.values())
        total = counted(len(self.known), "file")
        self.terminal.say(f"{bad} of {total} with findings" if bad else f"{total}, all good", "dim")

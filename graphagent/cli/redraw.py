"""`--watch`: the same document again and again, drawn anew whenever it has changed.

A terminal sees one picture that changes; anything else gets the lines that are new, or with `--json` a document a line.
A store that tells of changes (LISTEN/NOTIFY, Redis) wakes the watch; of a file the time of its last change is looked
at; behind both stands a slow look at the document itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from graphagent.cli.exits import Exit
from graphagent.cli.terminal import Terminal, columns, harmless
from graphagent.cli.watching import Stamp, stamp
from graphagent.cli.work import Work
from graphagent.errors import StoreUnavailable

if TYPE_CHECKING:
    from graphagent.session.documents.part import Document
    from graphagent.session.host import Host
    from graphagent.session.project import Project

LOOK_S: Final = 0.25
"""How often the file of a store is looked at."""
READ_S: Final = 2.0
"""How often the document is read though nothing tells that it has changed; of a store without a file half of that."""

D = TypeVar("D", bound="Document")


class Picture:
    """Draws texts one after the other: over each other on a terminal, else only the lines that are new."""

    def __init__(self, terminal: Terminal) -> None:
        env = terminal.environ
        self.terminal = terminal
        self.moves = terminal.out.isatty() and not env.get("CI") and env.get("TERM") != "dumb"
        self.lines: Sequence[str] = ()
        self.rows = 0

    def draw(self, text: str) -> None:
        """Show a text in place of the one before."""
        lines = harmless(text).splitlines()
        if self.moves:
            self._redraw(lines)
        else:
            new = [line for line in lines if line not in self.lines]
            if new:
                self.terminal.table("\n".join(new))
        self.lines = lines

    def _redraw(self, lines: Sequence[str]) -> None:
        width, height = shutil.get_terminal_size((100, 24))
        shown, rows = fitted(lines, width, height - 1)
        if self.rows:
            self.terminal.out.write(f"\x1b[{self.rows}A\r\x1b[J")
        self.terminal.table("\n".join(shown))
        self.rows = rows


def fitted(lines: Sequence[str], width: int, height: int) -> tuple[list[str], int]:
    """The first lines that fit a terminal, and how many rows they take; a last one says how many more there are."""
    taken = [max(1, -(-columns(line) // max(width, 1))) for line in lines]
    if sum(taken) <= height:
        return list(lines), sum(taken)
    out: list[str] = []
    rows = 0
    for line, needed in zip(lines, taken, strict=True):
        if rows + needed > height - 1:
            break
        out.append(line)
        rows += needed
    more = f"… {len(lines) - len(out)} more lines"[: max(width, 1)]
    return [*out, more], rows + 1


class Watch:
    """Reads a document until somebody presses Ctrl-C, and shows it whenever it has changed.

    Args:
        text: The document as people see it.
    """

    def __init__(self, terminal: Terminal, text: Callable[[Any], str]) -> None:
        self.terminal, self.text = terminal, text
        self.picture = Picture(terminal)
        self.changed, self.ended = trio.Event(), trio.Event()
        self.away = False

    def end(self) -> None:
        """Ctrl-C. Called on the loop."""
        self.ended.set()
        self.changed.set()

    async def run(self, host: Host, read: Callable[[Host, Project], Awaitable[Document]], project: Project) -> None:
        """Show it until `end` is called."""
        last: Document | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, host)
            while not self.ended.is_set():
                self.changed, before = trio.Event(), self._stamps(host)
                try:
                    document = await read(host, project)
                except StoreUnavailable as error:
                    self._tell_away(error)
                else:
                    self.away = False
                    if document != last:
                        self._show(document)
                    last = document
                await self._change(host, before)
            nursery.cancel_scope.cancel()

    def _show(self, document: Document) -> None:
        if self.terminal.flags.json:
            self.terminal.document(document.data())
        else:
            self.picture.draw(self.text(document))

    def _tell_away(self, error: StoreUnavailable) -> None:
        if not self.away:
            self.terminal.tell(f"the store is away: {error.message}", "yellow")
        self.away = True

    async def _listen(self, host: Host) -> None:
        """Wake the watch when the store tells of something."""
        while True:
            await host.store.woken()
            self.changed.set()
            await trio.sleep(LOOK_S)  # many changes at once are one picture

    async def _change(self, host: Host, before: Sequence[Stamp]) -> None:
        """Return when the document may have changed."""
        with trio.move_on_after(READ_S if before else READ_S / 2):
            while not self.changed.is_set():
                with trio.move_on_after(LOOK_S):
                    await self.changed.wait()
                if before and self._stamps(host) != before:
                    return

    def _stamps(self, host: Host) -> list[Stamp]:
        file = host.settings.store_file
        return [] if file is None else [stamp(file), stamp(Path(f"{file}-wal"))]


def watched(terminal: Terminal, read: Callable[[Host, Project], Awaitable[D]], text: Callable[[D], str]) -> int:
    """Watch a document until Ctrl-C. A store that isn't there yet is waited for."""
    watch = Watch(terminal, text)
    with Work(terminal, on_interrupt=watch.end) as work:
        if not work.stored:
            terminal.say("there is no session yet; Ctrl-C ends", "dim")
        while not work.stored:
            time.sleep(LOOK_S)
        work.call(watch.run, read, work.project)
    return Exit.INTERRUPTED

"""Shows a run while it goes on: a live tree on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, Protocol

from graphagent.cli.story import Story
from graphagent.cli.terminal import PLAIN, Terminal, one_line
from graphagent.cli.tree import Frame, Line, Plain, tree
from graphagent.cli.turns import plain_turns
from graphagent.events import Event

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

REDRAWS_PER_SECOND = 10


class View(Protocol):
    """Who shows a run."""

    story: Story

    def feed(self, event: Event) -> None:
        """Take in one event; must not block."""
        ...

    def tick(self) -> None:
        """Draw what has changed."""
        ...

    def shown(self) -> Any:
        """Context manager: what the author's code prints goes to stderr while it is open."""
        ...


def view_of(terminal: Terminal, graph: str) -> View:
    """The view that fits the terminal."""
    if terminal.flags.quiet:
        return Silent()
    return LiveTree(terminal, graph) if terminal.live else Lines(terminal, graph)


class Silent:
    """Shows nothing."""

    def __init__(self) -> None:
        self.story = Story()

    def feed(self, event: Event) -> None:
        """See `View`."""
        self.story.feed(event)

    def tick(self) -> None:
        """See `View`."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """See `View`."""
        with redirect_stdout(sys.stderr):
            yield


class Lines:
    """One line for each task when its superstep is committed, and for what can't wait."""

    def __init__(self, terminal: Terminal, graph: str) -> None:
        self.terminal, self.story, self.plain = terminal, Story(), Plain(graph)

    def feed(self, event: Event) -> None:
        """See `View`."""
        first = self.story.root is None
        view = self.story.feed(event)
        if first:
            self.terminal.say(f"{self.plain.graph} {event.session}")
        who = self.plain.where(self.story, view)
        number = event.superstep or 0
        if event.kind == "x.superstep.committed":
            for line in self.plain.committed(self.story, view, view.steps[number]):
                self.terminal.say(line)
        elif event.kind == "x.task.retry":
            cause, wait_s = event.data["cause"], event.data["wait_ms"] / 1000
            self.terminal.say(f"{who}superstep {number} * {event.task} {cause}, next attempt in {wait_s:.1f}s")
        elif event.kind == "x.task.finished" and event.provisional and event.data["status"] == "failed":
            self.terminal.say(f"{who}superstep {number} x {event.task} {one_line(event.data['error']['message'], 200)}")
            for line in plain_turns(view.steps[number].turns_of(event.task or ""), f"{who}  "):
                self.terminal.say(line)

    def tick(self) -> None:
        """See `View`."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """See `View`."""
        with redirect_stdout(sys.stderr):
            yield


class LiveTree:
    """The superstep tree, drawn over itself at most ten times a second. What isn't committed is dim."""

    def __init__(self, terminal: Terminal, graph: str) -> None:
        self.terminal, self.graph, self.story = terminal, graph, Story()
        self._live: Any = None
        self._drawn = 0.0
        self._started_us = time.time_ns() // 1000
        self._screen = self._console()

    def feed(self, event: Event) -> None:
        """See `View`."""
        self.story.feed(event)
        if time.monotonic() - self._drawn > 1 / REDRAWS_PER_SECOND:
            self.tick()

    def tick(self) -> None:
        """See `View`."""
        if self._live is not None:
            self._drawn = time.monotonic()
            self._live.update(self.text(fit=True), refresh=True)

    def text(self, *, fit: bool) -> Text:
        """The tree as it stands; the last one is whole."""
        from rich.text import Text

        size = self._screen.size
        height = max(size.height - 2, 4) if fit else 0
        now_us, full = time.time_ns() // 1000, self.terminal.flags.verbose > 0
        frame = Frame(self.graph, min(size.width, 120), height, self._started_us, now_us, full)
        lines = tree(self.story, frame)
        if height and len(lines) > height:
            lines = [*lines[: height - 1], [("…", "dim")]]
        return Text("\n", no_wrap=True, overflow="ellipsis").join([self._line(line) for line in lines])

    def _line(self, line: Line) -> Text:
        from rich.text import Text

        ascii = self.terminal.ascii
        return Text.assemble(*((t.translate(PLAIN) if ascii else t, style) for t, style in line), no_wrap=True)

    def _console(self) -> Console:
        from rich.console import Console

        return Console(
            file=self.terminal.err, highlight=False, markup=False, emoji=False,
            no_color=not self.terminal.colored(self.terminal.err),
        )  # fmt: skip

    @contextmanager
    def shown(self) -> Iterator[None]:
        """See `View`."""
        from rich.live import Live

        with Live(console=self._screen, auto_refresh=False, transient=False) as live:
            self._live = live
            self.terminal.above = sys.stderr.write  # rich's own while it draws
            try:
                yield
            finally:
                self._live = self.terminal.above = None
                live.update(self.text(fit=False), refresh=True)

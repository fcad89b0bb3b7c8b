"""`graphagent worker`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphagent.cli.flags import terminal_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphagent.cli.terminal import Terminal
    from graphagent.session.host import Host
    from graphagent.session.worker import Worker


TWICE_S = 0.5
"""Signals that come within so many seconds are one wish."""
LABEL_HELP = "Only sessions with the tag K=V (run --tag K=V). Repeated: either value of one key, all keys."


def worker(
    ctx: typer.Context,
    slots: Annotated[int, typer.Option(metavar="N", min=1, help="So many sessions run at once.")] = 16,
    graph: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only sessions of this graph. May be repeated.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="K=V", help=LABEL_HELP)] = None,
    drain_timeout: Annotated[
        str, typer.Option(metavar="D", help="How long open supersteps may take to end after SIGTERM or Ctrl-C.")
    ] = "25s",
) -> int:
    """Run what others left or asked for: abandoned runs, new inputs, timers that are due."""
    import signal

    import trio

    from graphagent.cli.work import Work
    from graphagent.errors import InputInvalid
    from graphagent.graph.duration import parse_duration
    from graphagent.session.placement import Placement, read_labels
    from graphagent.session.worker import Worker

    terminal = terminal_of(ctx)
    length = parse_duration(drain_timeout)
    if length is None:
        raise InputInvalid("--drain-timeout", f"{drain_timeout!r} is no duration", hint="a number with a unit: 10s, 2m")
    placement = Placement(frozenset(graph or ()), read_labels(label or []))
    takes = f"{slots} slots" + ("" if placement.everything else f", takes {placement}")
    working: list[Worker] = []

    async def heed_signals(host: Host, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGUSR1) as received:
            task_status.started()
            async for number in received:
                if number == signal.SIGUSR1:
                    tell_tables(terminal, host)
                else:
                    stop()

    async def serve(host: Host) -> None:
        await host.store.serve()
        working.append(Worker(host, slots, placement, length.seconds, Telling(terminal)))
        async with trio.open_nursery() as nursery:
            await nursery.start(heed_signals, host)
            await working[0].run(ready=lambda: terminal.say(f"worker of {host.store.name}: ready, {takes}"))
            nursery.cancel_scope.cancel()

    stop = Stopping(terminal, working)
    with Work(terminal, creates=True, on_interrupt=stop) as work:
        work.call(serve)
    return 0


def tell_tables(terminal: Terminal, host: Host) -> None:
    """Write what the hot tables hold and how they did."""
    for name, counts in host.tables.metrics().items():
        told = [f"{key.replace('_', ' ')} {round(value, 3):,}" for key, value in counts.items()]
        terminal.say(f"{name}: {', '.join(told)}")


class Stopping:
    """Asks a worker to end, each time that it is called: first by draining. What comes at once again is the same wish,
    since `timeout` sends its signal to a command and to its group."""

    def __init__(self, terminal: Terminal, working: list[Worker]) -> None:
        self._terminal, self._working = terminal, working
        self._asked = -math.inf

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._asked < TWICE_S:
            return
        self._asked = now
        for each in self._working:
            again = each.draining
            each.drain()
            told = "stopping now" if again else "draining: open supersteps end first; once more stops now"
            self._terminal.say(told, "yellow")


class Telling:
    """Writes a line for what a worker does."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def __call__(self, what: str, facts: Mapping[str, Any]) -> None:
        terminal, session = self.terminal, facts.get("session")
        if what == "ended":
            reason = f" ({facts['reason']})" if facts["reason"] else ""
            terminal.say(f"{session}: {facts['status']}{reason}")
        elif what == "failed":
            terminal.tell(f"{terminal.paint('error:', 'red', 'bold')} {session}: {facts['error']}")
        elif what == "away":
            terminal.tell(f"{terminal.paint('error:', 'red', 'bold')} the store is away: {facts['error']}")
        elif what == "collected":
            found = facts["found"]
            terminal.say(f"retention: {len(found.deleted)} sessions deleted, {len(found.trimmed)} trimmed", "dim")
        elif what == "blocked":
            self._blocked(facts["seconds"], facts["stack"])

    def _blocked(self, seconds: float, stack: tuple[str, ...]) -> None:
        warning = self.terminal.paint("warning:", "yellow", "bold")
        if not stack:
            self.terminal.tell(f"{warning} nothing went on for {seconds:.1f} s")
            return
        told = [f"{warning} nothing goes on for {seconds:.1f} s: this neither awaits nor runs in a thread", *stack]
        told.append("  a node's function that computes for long is a `def`, not an `async def`")
        self.terminal.tell("\n".join(told))

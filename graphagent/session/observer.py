"""Turning what lines do into the one stream of events, children included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphagent.engine.eventlog import run_id
from graphagent.engine.run import Line, Watcher
from graphagent.engine.step import LiveEvent
from graphagent.events import Event
from graphagent.ids import EventId, SessionId


class Observer:
    """Sends every event of the lines that it watches to one function, in order.

    Provisional events have `seq` None. The function must not block.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self.send = send

    def watcher(self, line: Line) -> Watcher:
        """The watcher of one line."""
        session = line.session

        def live(event: LiveEvent) -> None:
            self.send(provisional(session, line.snapshot.run_id, line.clock.now_us(), event))

        def committed(events: Sequence[Event]) -> None:
            for event in events:
                self.send(event)

        return Watcher(live, committed)


def provisional(session: SessionId, run: str | None, now_us: int, live: LiveEvent) -> Event:
    """A live event as an event without number."""
    identity = EventId.derive(session, live.superstep or 0, live.task or "", live.attempt or 0, live.kind, "live")
    return Event(
        None, identity, session, run_id(run), live.superstep, None, live.node, live.task, live.attempt,
        now_us, live.kind, live.data,
    )  # fmt: skip

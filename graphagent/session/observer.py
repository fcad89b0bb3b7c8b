"""Turning what lines do into the one stream of events, children included."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from graphagent.engine.emitted import event_id
from graphagent.engine.eventlog import SUPERSTEP_STARTED, run_id
from graphagent.engine.run import Line, Watcher
from graphagent.engine.step import LiveEvent
from graphagent.events import Event
from graphagent.ids import EventId, SessionId

ONCE: Final = frozenset({SUPERSTEP_STARTED, "x.task.started", "x.task.finished"})
"""Kinds that each superstep, or each attempt of a task, has once."""


class Observer:
    """Sends every event of the lines that it watches to one function, in order.

    Provisional events have `seq` None. The function must not block.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self.send = send

    def watcher(self, line: Line) -> Watcher:
        """The watcher of one line."""
        session, count = line.session, itertools.count()

        def live(event: LiveEvent) -> None:
            self.send(provisional(session, line.snapshot.run_id, line.clock.now_us(), event, next(count)))

        def committed(events: Sequence[Event]) -> None:
            for event in events:
                self.send(event)

        return Watcher(live, committed)


def provisional(session: SessionId, run: str | None, now_us: int, live: LiveEvent, n: int) -> Event:
    """A live event as an event without number.

    One that is committed later has the id that it will have then; any other is the `n`-th of this watcher.
    """
    superstep, attempt = live.superstep or 0, live.attempt or 0
    if live.place is not None:
        identity = event_id(session, superstep, live.place[0], attempt, live.kind, live.place[1])
    elif live.kind in ONCE:
        identity = event_id(session, superstep, live.task or "", attempt, live.kind, 0)
    else:
        identity = EventId.derive(session, superstep, live.task or "", attempt, live.kind, "live", n)
    return Event(
        None, identity, session, run_id(run), live.superstep, live.step, live.node, live.task, live.attempt,
        now_us, live.kind, live.data,
    )  # fmt: skip

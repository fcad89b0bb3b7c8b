"""A run as a stream of events, for trio, asyncio and a plain `for`."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from graphagent.concurrency import Bridge, lone_nursery
from graphagent.events import Event
from graphagent.session.observer import Observer
from graphagent.session.operations import Options

if TYPE_CHECKING:
    from graphagent.session.session import Result

Produce = Callable[[Observer, Options], Awaitable["Result"]]


class Stream(Bridge[Event, "Result"]):
    """The events of a run as they happen: `async for` on trio and asyncio, `for` in a script.

    Leaving early pauses the run at its next barrier. `result` is there after the last event.
    """

    def __init__(self, produce: Produce, options: Options) -> None:
        self._left = False
        self._asked = options.stop
        chosen = replace(options, stop=self._stopping)

        async def pump(send: Callable[[Event], Awaitable[None]]) -> Result:
            return await _pump(produce, chosen, send)

        super().__init__(pump, stop=self._leave, ahead=256)

    def _leave(self) -> None:
        self._left = True

    def _stopping(self) -> bool:
        return self._left or (self._asked is not None and self._asked())


async def _pump(produce: Produce, options: Options, send: Callable[[Event], Awaitable[None]]) -> Result:
    """Run, and hand every event on; the run never waits for who reads."""
    into, out = trio.open_memory_channel[Event](math.inf)
    ended: list[Result] = []

    async def run() -> None:
        with into:
            ended.append(await produce(Observer(into.send_nowait), options))

    async with lone_nursery() as nursery:
        nursery.start_soon(run)
        async for event in out:
            await send(event)
    return ended[0]

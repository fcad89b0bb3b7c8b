"""Posting events for the `wait` nodes of a session."""

from __future__ import annotations

import os
from typing import Any

from graphagent.codec import encode, freeze
from graphagent.errors import Conflict, InputInvalid
from graphagent.ids import SessionId, encode128
from graphagent.session.host import Host
from graphagent.session.parked import callers_woken
from graphagent.snapshot import InputRow, NewInput

EVENT_LIMIT = 64 * 1024
KEPT_EVENTS = 100
"""How large an event may be, and how many a session keeps that nothing has taken yet."""


async def send(
    host: Host, session: SessionId, event: str, data: Any = None, *, by: str | None = None,
    message_id: str | None = None,
) -> InputRow:  # fmt: skip
    """Post an event for the `wait` nodes of a session, durably; nothing runs yet.

    Raises:
        InputInvalid: the data is no object, or too large.
        Conflict: no run is going on that could wait for it, or too many events wait to be taken.
    """
    if not event:
        raise InputInvalid("event", "a name is expected")
    value = freeze({} if data is None else data)
    if not isinstance(value, dict):
        raise InputInvalid("$", "the data of an event is an object", hint='such as {"amount": 12}')
    body = encode({"event": event, "data": value})
    if len(body) > EVENT_LIMIT:
        raise InputInvalid("$", f"the event has {len(body):,} bytes, {EVENT_LIMIT:,} are allowed")
    row = await host.store.session(session)
    waiting_inputs = await host.store.inputs(session, after=row.taken_n)
    if row.status in ("done", "cancelled", "idle") and not any(i.kind == "run" for i in waiting_inputs):
        raise Conflict(f"{session} is {row.status}: no run waits for events", hint=f"graphagent show {session}")
    assert row.head is not None
    control = await host.control_at(row, await host.plan_of(row), await host.store.checkpoint(row.head))
    if len(control.events) + sum(i.kind == "event" for i in waiting_inputs) >= KEPT_EVENTS:
        message = f"{session} keeps {KEPT_EVENTS} events already that nothing has taken"
        raise Conflict(message, hint=f"graphagent show {session}")
    new = NewInput("event", message_id or f"event:{encode128(os.urandom(16))}", body, by)
    accepted = await host.store.accept(session, new)
    for caller, wake in await callers_woken(host, row, new.message_id):
        await host.store.accept(caller, wake)
    return accepted

"""What the waiting tokens of a session wait for, those of the children that it waits for included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphagent.codec import encode
from graphagent.engine.inputs import child_of, interrupt_of
from graphagent.engine.waits import timer_of
from graphagent.errors import NotFound
from graphagent.graph.plan import NodePlan
from graphagent.ids import InterruptId, SessionId
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import Control, NewInput, SessionRow, Waiting

if TYPE_CHECKING:
    from graphagent.session.host import Host


@dataclass(frozen=True, slots=True)
class ParkedToken:
    """A token that waits.

    `due_at` is when its timer is due or, where `over`, when it has waited as long as it may; in microseconds.
    """

    row: SessionRow
    node: NodePlan
    waiting: Waiting
    due_at: int | None
    over: bool = True

    @property
    def interrupt(self) -> InterruptId | None:
        """The question that it waits for."""
        if self.waiting.reason != "interrupt":
            return None
        waiting = self.waiting
        return InterruptId.derive(self.row.session, waiting.superstep, self.node.name, waiting.attempt, waiting.ordinal)

    @property
    def stopped(self) -> bool:
        """Whether a breakpoint stopped it."""
        return self.waiting.reason in ("before", "after")

    @property
    def release_name(self) -> list[Any]:
        """The token in the input that lets it go on."""
        return [self.waiting.superstep, self.node.name]


async def parked_tokens(host: Host, row: SessionRow, control: Control | None = None) -> AsyncIterator[ParkedToken]:
    """The waiting tokens of a session, in the order in which they parked, each child's in place of its caller's.

    Args:
        control: The control state of its head, if that is known.
    """
    plan = await host.plan_of(row)
    graph = plan.graph
    if control is None:
        assert row.head is not None
        control = await host.control_at(row, plan, await host.store.checkpoint(row.head))
    for waiting in control.waiting:
        node = graph.nodes[waiting.token.node]
        if waiting.reason == "child":
            try:
                child = await host.store.session(child_of(row.session, graph, waiting))
            except NotFound:
                continue  # a fork's, which its caller calls again
            async for token in parked_tokens(host, child):
                yield token
        elif waiting.reason == "interrupt":
            yield ParkedToken(row, node, waiting, await _expiry(host, row, waiting))
        else:
            yield ParkedToken(row, node, waiting, *await due_at(host, row, waiting))


async def _expiry(host: Host, row: SessionRow, waiting: Waiting) -> int | None:
    if waiting.expires_us is None:
        return None
    graph = (await host.plan_of(row)).graph
    try:
        asked = await host.store.interrupt(interrupt_of(row.session, graph, waiting))
    except NotFound:
        return None
    return asked.expires_at if asked.status == "open" else None


async def due_at(host: Host, row: SessionRow, waiting: Waiting) -> tuple[int | None, bool]:
    """When the token is woken, and whether because it waited too long."""
    times = [] if waiting.until_us is None else [(waiting.until_us, False)]
    lengths = [(us, over) for us, over in ((waiting.due_us, False), (waiting.expires_us, True)) if us is not None]
    if lengths:
        start = await _parked_at(host, row, waiting)
        times += [(start + us, over) for us, over in lengths]
    return min(times, default=(None, True))


async def _parked_at(host: Host, row: SessionRow, waiting: Waiting) -> int:
    """When a token began to wait: the commit that parked it. A fork's tokens began when the fork was made."""
    if row.forked_at is not None and waiting.superstep < row.forked_at:
        return row.created_at
    return (await checkpoint_at(host.store, row, waiting.superstep + 1)).committed_at


async def fired(host: Host, token: ParkedToken) -> NewInput:
    """The input for a token whose time has come; however often it is sent, it counts once."""
    waiting, row = token.waiting, token.row
    graph = (await host.plan_of(row)).graph
    if waiting.reason == "interrupt":
        interrupt = interrupt_of(row.session, graph, waiting)
        return NewInput("timer", f"timer:{interrupt}", encode({"interrupt": interrupt}))
    timer = timer_of(graph, waiting)
    name = ":".join(map(str, timer))
    return NewInput("timer", f"timer:{name}", encode({"timer": timer, "over": token.over}))


async def callers_woken(host: Host, row: SessionRow, why: str) -> list[tuple[SessionId, NewInput]]:
    """The inputs that make the callers of a session, up to the root, look after their child again."""
    inputs = []
    while row.caller is not None:
        new = NewInput("child", f"child:{row.session}:{why}", encode({"child": row.session}))
        inputs.append((row.caller, new))
        row = await host.store.session(row.caller)
    return inputs


async def next_due(host: Host, row: SessionRow, *, questions: bool = False) -> int | None:
    """When the first timer of a waiting session, or of one below it, is due; None if there is none.

    Args:
        questions: Also where a person is asked, who may need longer than this process lives.
    """
    if row.status != "waiting" or (row.reason == "interrupt" and not questions):
        return None
    times = [t.due_at async for t in parked_tokens(host, row) if t.due_at is not None]
    return min(times, default=None)

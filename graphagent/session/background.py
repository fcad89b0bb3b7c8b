"""Sessions that were started to run beside others. Each is a session of its own, in the family of its starter.

Where a worker runs, it finds them as it finds every session. Any other process runs those that it starts beside the run
that started them, and stays until they rest: they are done, have failed, or wait for somebody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import trio

from graphagent.concurrency import lone_nursery
from graphagent.engine.environment import RunFacts, environment
from graphagent.engine.run import Stop
from graphagent.errors import GraphAgentError
from graphagent.graph.plan import GraphPlan
from graphagent.ids import SessionId
from graphagent.snapshot import SessionQuery, SessionRow, Snapshot

if TYPE_CHECKING:
    from graphagent.session.host import Host

TAG: Final = "by:"
_OPEN: Final = ("idle", "running", "waiting")
Asked = Callable[[], bool]
_beside: ContextVar[tuple[trio.Nursery, Asked | None] | None] = ContextVar("graphagent_beside", default=None)


def started_by(session: SessionId) -> str:
    """The tag of the sessions that this one has started."""
    return f"{TAG}{session}"


def in_background(row: SessionRow) -> bool:
    """Whether another session has started this one."""
    return any(tag.startswith(f"{TAG}ses_") for tag in row.tags)


@asynccontextmanager
async def beside(stop: Asked | None = None) -> AsyncIterator[None]:
    """What is started in this block runs beside it. The block ends when all of it rests.

    Args:
        stop: Asked at every barrier whether to pause there.
    """
    if _beside.get() is not None:
        yield
        return
    async with lone_nursery() as nursery:
        token = _beside.set((nursery, stop))
        try:
            yield
        finally:
            _beside.reset(token)


def attach(host: Host, row: SessionRow) -> None:
    """Run a session in this process if nobody runs it and it has something to do; a worker leaves it to its slots."""
    found = _beside.get()
    rests = row.status not in ("idle", "running") and row.input_n == row.taken_n
    if found is not None and not rests and row.session not in host.busy:
        nursery, stop = found
        nursery.start_soon(_run, host, row.session, Stop(asked=stop))


async def _run(host: Host, session: SessionId, stop: Stop) -> None:
    try:
        line = await host.open(session)
        try:
            await host.advance(line, stop)
        finally:
            await host.release(line)
    except GraphAgentError:
        return  # its row says how it stands; another process may have it, or its store may be away


async def outputs(host: Host, row: SessionRow) -> dict[str, Any]:
    """The outputs of the newest run of a session that is done."""
    assert row.head is not None
    plan = await host.plan_of(row)
    snapshot = await host.snapshot_at(row, plan, await host.store.checkpoint(row.head))
    return outputs_at(plan.graph, snapshot, row.session)


def outputs_at(graph: GraphPlan, snapshot: Snapshot, session: SessionId) -> dict[str, Any]:
    """The outputs of a run that has ended with this snapshot: its `result`."""
    facts = RunFacts(snapshot.run_id or "", session)
    env: Mapping[str, Any] = environment(
        graph, snapshot.values, snapshot.control, facts, snapshot.superstep, snapshot.committed_at
    )
    ports = {port.name: port for port in graph.outputs}
    return {name: ports[name].check(value.evaluate(env)) for name, value in graph.result}


async def still_open(host: Host, session: SessionId) -> list[SessionId]:
    """The sessions that this one has started and that haven't ended."""
    entries = await host.store.sessions(SessionQuery(tag=started_by(session), limit=1_000))
    return [entry.row.session for entry in entries if entry.row.status in _OPEN]

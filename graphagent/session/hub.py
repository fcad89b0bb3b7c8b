"""Child sessions: created under an id that the call derives, found again by it after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphagent.codec import encode
from graphagent.engine.call_ids import background_id
from graphagent.engine.limits import narrower
from graphagent.engine.run import Line, Stop
from graphagent.engine.step import ChildCall, ChildEnd
from graphagent.errors import NodeError, NotFound, SessionPoisoned
from graphagent.faults import fault
from graphagent.graph.compile import sub_plan
from graphagent.ids import SessionId
from graphagent.session import background
from graphagent.session.background import outputs_at, started_by
from graphagent.session.inputs import check_inputs
from graphagent.session.new import NewSession
from graphagent.session.observer import Observer
from graphagent.session.reading import last_error
from graphagent.session.tables import SubAgent
from graphagent.snapshot import NOTHING_SPENT, NewInput

if TYPE_CHECKING:
    from graphagent.session.host import Host

SUB_AGENT_BYTES = 512


class Hub:
    """`engine.step.Children` over a host: every child is a session with checkpoints of its own."""

    def __init__(self, host: Host, observer: Observer | None) -> None:
        self.host, self.observer = host, observer

    async def call(self, child: SessionId, call: ChildCall) -> ChildEnd:
        """See `engine.step.Children`."""
        await self._find(child, call)
        fault("child.attach")
        try:
            line = await self._open(child, call)
        except SessionPoisoned as error:
            return ChildEnd("poisoned", "crashed", None, {"message": error.message, "kind": None, "hint": error.hint},
                            NOTHING_SPENT)  # fmt: skip
        try:
            if line.row.status == "failed" and not line.inputs:
                await self._load_error(line)
            else:
                await self.host.advance(line, Stop())
            return await self._end(line)
        finally:
            await self.host.release(line)

    async def _find(self, child: SessionId, call: ChildCall) -> None:
        """Create the child unless it is there; one that is remembered needn't be asked for."""
        known = self.host.tables.sub_agent_contexts
        agent = SubAgent(call.caller, call.superstep, call.path, call.graph)
        if known.get(child, lambda left: left == agent) is not None:
            return
        with known.rebuilding():
            try:
                await self.host.store.session(child)
            except NotFound:
                await self._create(child, call)
        known.put(child, agent, SUB_AGENT_BYTES)

    async def _open(self, child: SessionId, call: ChildCall) -> Line:
        try:
            return await self.host.open(child, self.observer)
        except NotFound:  # what was remembered was wrong
            self.host.tables.forget(child)
            await self._find(child, call)
            return await self.host.open(child, self.observer)

    async def start(self, child: SessionId, call: ChildCall) -> None:
        """See `engine.step.Children`. Such a session has no caller: it is answered, resumed and listed by itself."""
        try:
            await self.host.store.session(child)
        except NotFound:
            await self._create(child, call, beside=True)

    async def attach(self, child: SessionId) -> None:
        """See `engine.step.Children`."""
        background.attach(self.host, await self.host.store.session(child))

    async def look(self, starter: SessionId, superstep: int, key: str) -> ChildEnd:
        """See `engine.step.Children`. What an origin started has an id that derives from the origin."""
        store = self.host.store
        row = await store.session(starter)
        for session in (starter, *(entry.session for entry in reversed(row.lineage))):
            try:
                child = await store.session(background_id(session, superstep, key))
            except NotFound:
                continue
            background.attach(self.host, child)
            error = await last_error(store, child) if child.status == "failed" else None
            outputs = await background.outputs(self.host, child) if child.status == "done" else None
            return ChildEnd(child.status, child.reason, outputs, error, NOTHING_SPENT)
        raise NodeError(
            "the session isn't there any more", kind="unavailable", retryable=False, hint="it was deleted"
        )  # fmt: skip

    async def _create(self, child: SessionId, call: ChildCall, *, beside: bool = False) -> None:
        caller = await self.host.store.session(call.caller)
        plan = sub_plan(await self.host.plan_of(caller), call.graph)
        inputs = check_inputs(plan.graph, call.inputs)
        new = NewSession(
            plan,
            call.seed,
            session=child,
            family=caller.family,
            caller=None if beside else (call.caller, call.superstep, call.path),
            tags=(started_by(call.caller),) if beside else (),
            mode=caller.mode,
        )
        body = {"inputs": inputs, **({"limits": narrower(plan.graph, call.bounds)} if call.bounds else {})}
        await self.host.create(new, [NewInput("run", "call", encode(body))])

    async def _load_error(self, line: Line) -> None:
        line.error = await last_error(self.host.store, line.row)

    async def _end(self, line: Line) -> ChildEnd:
        status = line.row.status
        if line.over:
            self.host.tables.sub_agent_contexts.drop(line.session)
        outputs = outputs_of(line) if status == "done" else None
        return ChildEnd(status, line.row.reason, outputs, line.error, line.snapshot.control.spent)

    async def cancel(self, child: SessionId) -> None:
        """See `engine.step.Children`."""
        try:
            await self.host.cancel(child, "its caller ended")
        except NotFound:
            return  # a fork's: it was never made


def outputs_of(line: Line) -> dict[str, object]:
    """The outputs of a run that is done: its `result` on the head snapshot."""
    return outputs_at(line.graph, line.snapshot, line.session)

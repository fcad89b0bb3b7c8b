"""What comes from outside enters by a superstep of its own, without tasks. Pure.

A new run resets what belongs to a run; an answer, a child's end or a timer makes a waiting token due; an edit
writes channels; a cancel takes all tokens away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.codec import decode
from graphagent.engine.call_ids import child_id
from graphagent.engine.endings import finish_events
from graphagent.engine.environment import Env, RunFacts, environment
from graphagent.engine.eventlog import Batch
from graphagent.engine.limits import Limit, deadline, wall_limit
from graphagent.engine.seal import Change
from graphagent.engine.standin import stand_in
from graphagent.engine.superstep import Closed, ended
from graphagent.engine.tokens import release, start_tokens
from graphagent.engine.waits import deliver, expired, fire, wake
from graphagent.frozen import replace
from graphagent.graph.plan import REDACTED, GraphPlan
from graphagent.ids import InterruptId, RunId, SessionId, digest128
from graphagent.snapshot import (
    NOTHING_SPENT,
    Control,
    InputRow,
    InterruptStatus,
    Snapshot,
    SuperstepKind,
    Token,
    Waiting,
)


@dataclass(slots=True)
class Applied:
    """The state after some inputs. `begin` are chained events `[kind, data]`, `opening` unchained ones."""

    values: list[Any]
    versions: list[int | None]
    control: Control
    run_id: str | None
    run_started_at: int
    changed: dict[int, list[Any] | None] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    begin: list[list[Any]] = field(default_factory=list)
    opening: list[list[Any]] = field(default_factory=list)
    end: list[list[Any]] = field(default_factory=list)
    closed: list[tuple[InterruptId, InterruptStatus]] = field(default_factory=list)
    kind: SuperstepKind = "input"
    cancelled: bool = False
    began: bool = False
    raised: bool = False
    """Limits were given anew."""
    limit: Limit | None = None
    """The time of the run is over."""
    went_on: bool = False
    """An edit counts as made by a node, whose routes were taken; so the run may have `ended`, with an `error`."""
    ended: Literal["done", "failed", "limit"] | None = None
    error: dict[str, Any] | None = None

    @property
    def change(self) -> Change:
        """For `seal`."""
        return Change(tuple(self.values), tuple(self.versions), self.changed, self.control, frozenset(self.replaced))

    def over(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with this state in it."""
        return replace(
            snapshot, values=tuple(self.values), versions=tuple(self.versions), control=self.control, run_id=self.run_id
        )


def interrupt_of(session: SessionId, graph: GraphPlan, waiting: Waiting) -> InterruptId:
    """The id of the question that a token waits for."""
    path = graph.nodes[waiting.token.node].name
    return InterruptId.derive(session, waiting.superstep, path, waiting.attempt, waiting.ordinal)


def child_of(session: SessionId, graph: GraphPlan, waiting: Waiting) -> SessionId:
    """The child session that a token waits for."""
    return child_id(session, waiting.token.placed, graph.nodes[waiting.token.node].name, waiting.attempt)


def apply_inputs(
    graph: GraphPlan, plan: bytes, snapshot: Snapshot, session: SessionId, inputs: Sequence[InputRow], *, dead: bool
) -> Applied:
    """The state after these inputs, in their order.

    Args:
        dead: The current run failed or was cancelled, so a new one drops its tokens.
    """
    state = Applied(
        list(snapshot.values), list(snapshot.versions), snapshot.control, snapshot.run_id, snapshot.run_started_at
    )
    for channel in graph.channels:
        if channel.scope == "step" and state.versions[channel.index] is not None:
            state.values[channel.index], state.versions[channel.index] = channel.default, None
    over: Mapping[str, Any] | None = None
    for row in inputs:
        body = decode(row.body)
        if row.kind == "timer" and "wall" in body:
            over = body if body["wall"] == state.control.run else over
        elif row.kind == "run":
            _run(graph, plan, state, session, row, body, dead=dead)
            dead = False
        elif row.kind == "timer" and "timer" in body:
            _timer(graph, state, body)
        elif row.kind in ("answer", "timer"):
            _answer(graph, state, session, row, body)
        elif row.kind == "event":
            _event(graph, state, session, row, body, snapshot)
        elif row.kind == "child":
            _child(graph, state, session, body)
        elif row.kind == "resume" and (body["limits"] or body.get("release")):
            state.control = replace(state.control, bounds={**state.control.bounds, **body["limits"]})
            state.raised = state.raised or bool(body["limits"])
            names = [(k, name) for k, name in body.get("release", ())]
            state.control = release(graph, state.control, snapshot.superstep, names)
            state.opening.append(["RunContinued", {"reason": "resume", "answers": []}])
        elif row.kind == "edit":
            _edit(graph, state, session, snapshot, row, body)
        elif row.kind == "cancel":
            _cancel(graph, state, session, row, body)
    if over is not None:
        _wall(graph, state, session, snapshot.superstep, over)
    return state


def apply_migration(
    graph: GraphPlan, plan: bytes, moved: Snapshot, session: SessionId, values: Mapping[str, Any],
    data: Mapping[str, Any],
) -> Applied:  # fmt: skip
    """The state with which a session goes on under another plan.

    Args:
        moved: Its snapshot, in the order of the new graph.
        values: Channels whose type is another one, and what they hold from now on.
        data: What the event says.
    """
    state = apply_inputs(graph, plan, moved, session, (), dead=False)
    state.kind = "edit"
    _set(graph, state, moved.superstep, values)
    state.begin.append(["x.session.migrated", dict(data)])
    return state


def _set(graph: GraphPlan, state: Applied, superstep: int, values: Mapping[str, Any]) -> None:
    """Give channels new values, stored anew."""
    for name, value in values.items():
        index = graph.channel_index[name]
        state.values[index], state.versions[index] = value, superstep
        state.changed[index] = list(value) if isinstance(value, list) else None
        state.replaced.add(index)


def _run(
    graph: GraphPlan, plan: bytes, state: Applied, session: SessionId, row: InputRow, body: Mapping[str, Any], *,
    dead: bool,
) -> None:  # fmt: skip
    control = state.control
    busy = bool(state.began or control.due or control.waiting or control.joins)
    if busy and not dead:
        entry = (row.n, {"inputs": body["inputs"], "limits": body.get("limits") or {}})
        state.control = replace(control, queue=(*control.queue, entry))
        return
    state.closed += [(interrupt_of(session, graph, w), "cancelled") for w in control.waiting if w.reason == "interrupt"]
    begin_run(graph, plan, state, session, row.n, row.accepted_at, body["inputs"], body.get("limits"))


def begin_run(
    graph: GraphPlan, plan: bytes, state: Applied, session: SessionId, n: int, accepted_at: int, inputs: Any,
    bounds: Mapping[str, int] | None = None,
) -> None:  # fmt: skip
    """Reset what belongs to a run and place the first tokens."""
    for channel in graph.channels:
        if channel.scope == "run":
            state.values[channel.index], state.versions[channel.index] = channel.default, None
    state.control = Control(
        run=n, inputs=inputs, due=(), visits=(0,) * len(graph.nodes), last_run=state.control.last_run,
        spent=NOTHING_SPENT, queue=state.control.queue, bounds=bounds or {},
    )  # fmt: skip
    state.began, state.cancelled = True, False
    state.run_id = str(RunId.timed(accepted_at, digest128(session, n)))
    state.run_started_at = accepted_at
    limits = graph.limits
    shown = {"supersteps": limits.supersteps, "tokens": limits.tokens, "cost_micro": limits.cost_micro}
    data = {"plan_hash": plan.hex(), "graph": graph.name, "inputs_ref": inputs, "limits": shown}
    state.begin.append(["RunStarted", data])


def begin_queued(graph: GraphPlan, plan: bytes, snapshot: Snapshot, session: SessionId, accepted_at: int) -> Applied:
    """The state after the start of the oldest queued run, whose input was accepted then."""
    state = apply_inputs(graph, plan, snapshot, session, (), dead=False)
    (n, body), *rest = snapshot.control.queue
    state.control = replace(state.control, queue=tuple(rest))
    begin_run(graph, plan, state, session, n, accepted_at, body["inputs"], body["limits"])
    return state


def place_start(graph: GraphPlan, state: Applied, superstep: int) -> None:
    """Give a run that has just begun its first tokens; they are for the superstep after this one."""
    if state.began:
        placed = start_tokens(graph, superstep)
        state.control = replace(state.control, due=placed.due, waiting=placed.waiting, joins=placed.joins)


def _answer(graph: GraphPlan, state: Applied, session: SessionId, row: InputRow, body: Mapping[str, Any]) -> None:
    for waiting in state.control.waiting:
        if waiting.reason == "interrupt" and interrupt_of(session, graph, waiting) == body["interrupt"]:
            break
    else:
        return
    node = graph.nodes[waiting.token.node].name
    if row.kind == "timer":
        state.kind = "timer"
        answer = expired(graph, waiting)
        state.closed.append((InterruptId(body["interrupt"]), "expired"))
        state.begin.append(["x.interrupt.expired", {"node": node}])
    elif "error" in body:
        answer = {"error": body["error"]}
    else:
        answer = {"value": body["value"]}
        secret = any(graph.channels[index].secret for index, _ in graph.nodes[waiting.token.node].writes)
        said = REDACTED if secret else body["value"]
        state.begin.append(["x.interrupt.answered", {"node": node, "answer": said}])
    state.opening.append(["RunContinued", {"reason": row.kind, "answers": [body["interrupt"]]}])
    state.control = wake(state.control, waiting, answer)


def _timer(graph: GraphPlan, state: Applied, body: Mapping[str, Any]) -> None:
    control = fire(graph, state.control, body["timer"], over=body["over"])
    if control is not None:
        state.kind, state.control = "timer", control
        state.begin.append(["x.timer.fired", {"node": body["timer"][1]}])
        state.opening.append(["RunContinued", {"reason": "timer", "answers": []}])


def _event(
    graph: GraphPlan, state: Applied, session: SessionId, row: InputRow, body: Mapping[str, Any], snapshot: Snapshot
) -> None:
    """Keep an event for the current run, and give it to a token that waits for it."""
    control = state.control
    if not (state.began or control.due or control.waiting or control.joins):
        return

    def env() -> Env:
        facts = RunFacts(state.run_id or "", session)
        return environment(graph, state.values, state.control, facts, snapshot.superstep, snapshot.committed_at)

    state.begin.append(["x.event.received", {"event": body["event"]}])
    state.control = replace(control, events=(*control.events, (row.n, body["event"], body["data"])))
    state.control = deliver(graph, state.control, env)
    if len(state.control.due) > len(control.due):
        state.opening.append(["RunContinued", {"reason": "event", "answers": []}])


def _child(graph: GraphPlan, state: Applied, session: SessionId, body: Mapping[str, Any]) -> None:
    for waiting in state.control.waiting:
        if waiting.reason == "child" and child_of(session, graph, waiting) == body["child"]:
            state.opening.append(["RunContinued", {"reason": "answer", "answers": []}])
            state.control = wake(state.control, waiting, {"attempt": waiting.attempt})
            return


def _edit(
    graph: GraphPlan, state: Applied, session: SessionId, snapshot: Snapshot, row: InputRow, body: Mapping[str, Any]
) -> None:
    state.kind = "edit"
    _set(graph, state, snapshot.superstep, body["set"])
    said = {"channels": sorted(body["set"]), "by": row.principal}
    if "as" in body:
        facts = RunFacts(state.run_id or "", session)
        closed = stand_in(graph, state.over(snapshot), facts, body["as"])
        written = {*body["set"], *(graph.channels[index].name for index in closed.changed)}
        said |= {"as": body["as"], "channels": sorted(written)}
        _as_node(graph, state, session, closed)
    state.begin.append(["x.session.edited", said])


def _as_node(graph: GraphPlan, state: Applied, session: SessionId, closed: Closed) -> None:
    """Go on as if a node had made the edit."""
    gone = [w for w in state.control.waiting if w not in closed.control.waiting]
    state.closed += [(interrupt_of(session, graph, w), "cancelled") for w in gone if w.reason == "interrupt"]
    state.values, state.versions, state.control = list(closed.values), list(closed.versions), closed.control
    for index, added in closed.changed.items():
        stored_anew = index in state.replaced and isinstance(state.values[index], list)
        state.changed[index] = list(state.values[index]) if stored_anew else added
    batch = Batch.empty()
    finish_events(graph, closed, batch)
    state.end += batch.end
    state.went_on, state.ended, state.error = True, closed.ended, closed.error


def _wall(graph: GraphPlan, state: Applied, session: SessionId, superstep: int, over: Mapping[str, Any]) -> None:
    """End the run, or send it to `on_limit`, since its time is over; nothing if it has got more, or has ended."""
    control = state.control
    until = deadline(graph, control.bounds, over["since"])
    if (
        control.limited
        or until is None
        or until > over["deadline"]
        or not (control.due or control.waiting or control.joins)
    ):
        return
    limit = state.limit = wall_limit(graph, control.bounds)
    state.kind = "timer"
    state.opening.append(["x.limit.reached", limit.data])
    if graph.limits.on_limit is None:
        state.end.append(["RunError", {"error": limit.error, "checkpoint": None}])
        return
    state.closed += [(interrupt_of(session, graph, w), "cancelled") for w in control.waiting if w.reason == "interrupt"]
    token = Token(graph.limits.on_limit, superstep + 1, error=limit.error)
    state.control = replace(ended(control), due=(token,), limited=True)


def _cancel(graph: GraphPlan, state: Applied, session: SessionId, row: InputRow, body: Mapping[str, Any]) -> None:
    state.closed += [
        (interrupt_of(session, graph, w), "cancelled") for w in state.control.waiting if w.reason == "interrupt"
    ]
    state.control = ended(state.control)
    state.began, state.cancelled = False, True
    state.end.append(["RunCancelled", {"reason": body.get("reason"), "by": row.principal, "checkpoint": None}])

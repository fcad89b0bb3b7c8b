"""The superstep contract, pure: no await, no clock, no I/O.

`due` says which tasks a snapshot has, `close` merges their results, takes the routes, places the tokens and
gives the next state. Everything is done in plan order, so the order in which tasks finished can't matter.
Source of the contract: `docs/explanation/supersteps.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from graphagent.engine.environment import Env, RunFacts, environment, with_scope
from graphagent.engine.failures import evaluation_error, record, view
from graphagent.engine.limits import Limit, reached, to_run
from graphagent.engine.results import Taken, TaskResult
from graphagent.engine.tokens import place, stopped
from graphagent.engine.waits import deliver
from graphagent.errors import NodeError
from graphagent.frozen import dataclass, replace
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import GraphPlan, NodePlan, Writes
from graphagent.graph.types import TypeMismatch
from graphagent.ids import digest128, encode128
from graphagent.snapshot import Control, Snapshot, Spent, Token


@dataclass(frozen=True, slots=True)
class Closed:
    """A superstep that can be committed. `changed` has, by channel index, the items written to an append channel
    or None; `writers` the nodes that wrote. `results` are the tasks' as the barrier left them: one whose guard can't
    be evaluated has failed. `ended` is how the run ended, if it did."""

    values: tuple[Any, ...]
    versions: tuple[int | None, ...]
    changed: Mapping[int, list[Any] | None]
    writers: Mapping[int, tuple[int, ...]]
    control: Control
    results: tuple[TaskResult, ...]
    taken: tuple[Taken, ...]
    ended: Literal["done", "failed", "limit"] | None = None
    outputs: Mapping[str, Any] | None = None
    error: dict[str, Any] | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A superstep that can't be committed: these tasks failed without a route, or wait inside it."""

    results: tuple[TaskResult, ...]
    failed: tuple[TaskResult, ...] = ()
    open: tuple[TaskResult, ...] = ()
    conflict: dict[str, Any] | None = None


def due(control: Control) -> tuple[Token, ...]:
    """The tokens whose nodes run in this superstep, in plan order."""
    return control.due


def evaluate_writes(graph: GraphPlan, writes: Writes, env: Env) -> list[tuple[int, Any]]:
    """The checked values that a task or route writes.

    Raises:
        EvaluationError: an expression failed.
        TypeMismatch: a value doesn't fit its channel; the path starts with the channel's name.
    """
    out = []
    for index, value in writes:
        channel = graph.channels[index]
        try:
            out.append((index, channel.check_write(value.evaluate(env))))
        except TypeMismatch as error:
            message = "the value doesn't fit" if channel.secret else error.message
            raise TypeMismatch(channel.name + error.path[1:], message) from None
    return out


def close(
    graph: GraphPlan, snapshot: Snapshot, results: Sequence[TaskResult], facts: RunFacts, spent: Spent,
    limit: Limit | None = None,
) -> Closed | Stuck:  # fmt: skip
    """Merge, route and place: the state after the barrier. `spent` is what the run has used by then, `limit` one that
    has cut this superstep short.

    A guard or a route's write that can't be evaluated makes its task a failed one, whose writes are then not
    merged; so the barrier is tried again without them, at most twice for each task: an error route may fail too.
    """
    results = list(results)
    for _ in range(2 * len(results) + 1):
        stuck = _stuck(graph, results)
        if stuck is not None:
            return stuck
        outcome = Barrier(graph, snapshot, facts, spent, limit).close(results)
        if not isinstance(outcome, TaskResult):
            return outcome
        results = [outcome if r.token.node == outcome.token.node else r for r in results]
    raise AssertionError("a barrier fails at most twice for each task")


def _stuck(graph: GraphPlan, results: Sequence[TaskResult]) -> Stuck | None:
    unfinished = [r for r in results if r.status in ("open", "failed")]
    if not unfinished:
        return None
    waits = tuple(r for r in unfinished if r.status == "open")
    failed = tuple(r for r in unfinished if r.status == "failed" and (r.unrouted or not node_of(graph, r).on_error))
    return Stuck(tuple(results), failed, waits) if waits or failed else None


class MergeConflict(Exception):
    """What was written can't be merged: two tasks wrote one `last` channel, or an author's reducer failed."""


class Barrier:
    """One attempt to close a superstep."""

    def __init__(
        self, graph: GraphPlan, snapshot: Snapshot, facts: RunFacts, spent: Spent, limit: Limit | None
    ) -> None:
        self.graph, self.snapshot, self.facts, self.spent, self.limit = graph, snapshot, facts, spent, limit
        self.values = list(snapshot.values)
        self.versions = list(snapshot.versions)
        self.changed: dict[int, list[Any] | None] = {}
        self.writers: dict[int, tuple[int, ...]] = {}
        self.named = 0
        for channel in graph.step_channels:
            if self.versions[channel.index] is not None:
                self.values[channel.index], self.versions[channel.index] = channel.default, None

    def close(self, results: Sequence[TaskResult]) -> Closed | Stuck | TaskResult:
        try:
            for result in results:
                if result.status == "done":
                    self.fold(result.token.node, result.writes)
            env = self.env()
            taken = []
            for result in results:
                route = self.route(result, env)
                if isinstance(route, TaskResult):
                    return route
                taken.append(route)
            for result, route in zip(results, taken, strict=True):
                self.fold(result.token.node, route.writes)
        except MergeConflict as conflict:
            return Stuck(tuple(results), conflict=conflict.args[0])
        return self.settle(results, taken)

    def env(self) -> Env:
        snap = self.snapshot
        return environment(self.graph, self.values, snap.control, self.facts, snap.superstep, snap.committed_at)

    def fold(self, node: int, writes: Sequence[tuple[int, Any]]) -> None:
        """Fold one task's writes, in order. A `last` channel takes them from one task only."""
        for index, write in writes:
            channel = self.graph.channels[index]
            writers = self.writers.get(index)
            if channel.reducer == "last" and writers and writers != (node,):
                raise MergeConflict(self.conflict(index, writers[0], node))
            if channel.reducer == "messages":
                write = [self.identified(item) for item in write]
            before = self.values[index] if self.versions[index] is not None else channel.neutral
            try:
                self.values[index] = channel.fold(before, write)
            except NodeError as error:
                raise MergeConflict(self.unfolded(node, error)) from None
            self.versions[index] = self.snapshot.superstep
            if not writers:
                self.writers[index] = (node,)
            elif node not in writers:
                self.writers[index] = (*writers, node)
            if channel.appends:
                added = self.changed.get(index)
                self.changed[index] = [*added, *write] if added else list(write)
            else:
                self.changed[index] = None

    def identified(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with an id: its own, or one that depends on the superstep and its place in the merge."""
        if "remove" in message or message.get("id") is not None:
            return message
        self.named += 1
        return {**message, "id": "msg_" + encode128(digest128(self.snapshot.digest, self.named))}

    def unfolded(self, node: int, error: NodeError) -> dict[str, Any]:
        name = self.graph.nodes[node].name
        return record(
            error.kind, error.message, node=name, attempt=0, cause=error.cause, hint=error.hint, source="graph",
            trace=error.trace,
        )  # fmt: skip

    def conflict(self, index: int, one: int, other: int) -> dict[str, Any]:
        names = self.graph.nodes[one].name, self.graph.nodes[other].name
        channel = self.graph.channels[index].name
        message = f"nodes {names[0]!r} and {names[1]!r} both write channel {channel!r} in one superstep"
        hint = "give the channel a reducer, or let only one of them write it"
        return record("write_conflict", message, node=names[1], attempt=0, hint=hint, source="graph")

    def route(self, result: TaskResult, env: Env) -> Taken | TaskResult:
        """The route that this task takes, or the task as failed where a guard can't be evaluated."""
        if result.status in ("parked", "cancelled"):
            return Taken("none")
        node = self.graph.nodes[result.token.node]
        kind: Literal["next", "error"] = "error" if result.status == "failed" else "next"
        routes = node.on_error if kind == "error" else node.next
        scope = with_scope(env, result.scope)
        try:
            for route in routes:
                if route.when is None or route.when.evaluate(scope):
                    writes = evaluate_writes(self.graph, route.writes, scope) if route.writes else ()
                    return Taken(kind, route, tuple(writes))
        except (EvaluationError, TypeMismatch) as error:
            return self.failed(result, evaluation_error(node, error, result.attempt))
        if kind == "error":
            return replace(result, unrouted=True)
        message = "no route of `next` has a guard that holds, and there is no else"
        return self.failed(
            result, record("expression", message, node=node.name, attempt=result.attempt, source="graph")
        )

    def failed(self, result: TaskResult, error: dict[str, Any]) -> TaskResult:
        if result.status == "failed":  # the second error is that of its error route
            return replace(result, error={**error, "causes": [view(result.error or {})]}, unrouted=True)
        if result.token.error is not None:
            error["causes"] = [dict(result.token.error)]
        return replace(result, status="failed", error=error, scope={"error": view(error)}, writes=(), events=[])

    def settle(self, results: Sequence[TaskResult], taken: Sequence[Taken]) -> Closed:
        snap, control = self.snapshot, self.snapshot.control
        placed = place(self.graph, control, snap.superstep, results, taken)
        nxt = Control(
            control.run, control.inputs, placed.due, placed.waiting, placed.joins, self.visits(results),
            self.last_run(results), control.steps + 1, self.spent, control.limited, control.queue, control.bounds,
            control.events,
        )  # fmt: skip
        nxt = deliver(self.graph, self.wake_subscribers(nxt), self.env)
        closed = Closed(
            tuple(self.values), tuple(self.versions), self.changed, self.writers, nxt, tuple(results), tuple(taken)
        )
        return finish(self.graph, closed, self.facts, snap, placed.failure, self.limit)

    def visits(self, results: Sequence[TaskResult]) -> tuple[int, ...]:
        visits = list(self.snapshot.control.visits)
        for result in results:
            if result.token.answer is None and result.token.failure is None:
                visits[result.token.node] += 1
        return tuple(visits)

    def last_run(self, results: Sequence[TaskResult]) -> Mapping[int, int]:
        old = self.snapshot.control.last_run
        if not self.graph.subscribers:
            return old
        ran = {r.token.node: self.snapshot.superstep for r in results if self.graph.nodes[r.token.node].on_update}
        return {**old, **ran} if ran else old

    def wake_subscribers(self, control: Control) -> Control:
        """Tokens for nodes whose `on_update` channels were written in or after their last run; none behind `on_limit`,
        where nothing bounds them any more."""
        if control.limited or not self.graph.subscribers:
            return control
        have = {t.node for t in control.due} | {w.token.node for w in control.waiting}
        tokens = []
        for node in self.graph.subscribers:
            if node.index in have:
                continue
            since = control.last_run.get(node.index, 0)
            if any((v := self.versions[c]) is not None and v >= since for c in node.on_update):
                tokens.append(Token(node.index, self.snapshot.superstep + 1))
        if not tokens:
            return control
        stops = [w for t in tokens if (w := stopped(self.graph, self.snapshot.superstep, t)) is not None]
        due = [t for t in tokens if self.graph.nodes[t.node].interrupt != "before"]
        return replace(
            control, due=tuple(sorted((*control.due, *due), key=lambda t: t.node)), waiting=(*control.waiting, *stops)
        )


def finish(
    graph: GraphPlan, closed: Closed, facts: RunFacts, snapshot: Snapshot, failure: dict[str, Any] | None,
    cut: Limit | None = None,
) -> Closed:  # fmt: skip
    """The end of the run, if this barrier is one: by `fail`, by a limit, or because no token is left."""
    control = closed.control
    if failure is not None:
        return replace(closed, control=ended(control), ended="failed", error=failure)
    limit = cut or reached(graph, control)
    if limit is not None and (to_run(control) or cut is not None):
        return _limit(graph, closed, limit, snapshot.superstep)
    if control.due or control.waiting or control.joins:
        return closed
    env = environment(graph, closed.values, control, facts, snapshot.superstep, snapshot.committed_at)
    outputs = {}
    ports = {port.name: port for port in graph.outputs}
    try:
        for name, value in graph.result:
            outputs[name] = ports[name].check(value.evaluate(env))
    except (EvaluationError, TypeMismatch) as error:
        message = f"`result` of output {name!r}: {error}"
        return replace(
            closed, ended="failed", error=record("expression", message, node=None, attempt=0, source="graph")
        )
    return replace(closed, ended="done", outputs=outputs)


def ended(control: Control) -> Control:
    """Control state without tokens."""
    return replace(control, due=(), waiting=(), joins=())


def _limit(graph: GraphPlan, closed: Closed, limit: Limit, superstep: int) -> Closed:
    target = graph.limits.on_limit
    if target is None or closed.control.limited:
        return replace(closed, ended="limit", error=limit.error, limit=limit)
    token = Token(target, superstep + 1, error=limit.error)
    control = replace(ended(closed.control), due=(token,), limited=True)
    return replace(closed, control=control, limit=limit)


def node_of(graph: GraphPlan, result: TaskResult) -> NodePlan:
    """The node that the result is of."""
    return graph.nodes[result.token.node]

"""The loop: due tasks, their results, the barrier, the commit. Resume, replay and fork have no other.

A `Line` is one session's line of work while a controller hosts it: plan, head snapshot, journal and counters. It
is the only writer of the session; every commit is gated by its epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import trio

from graphagent.codec import decode, encode
from graphagent.concurrency import lone_nursery
from graphagent.engine.artifacts import Shelf
from graphagent.engine.commits import CommitQueue, send
from graphagent.engine.earlier import earlier
from graphagent.engine.endings import (
    CONTINUED,
    asked_entries,
    finish_events,
    opened_once,
    question_data,
    waiting_reason,
)
from graphagent.engine.environment import RunFacts, environment
from graphagent.engine.eventlog import Batch, Place, expand, open_turns, task_entry, task_notes
from graphagent.engine.execute import run_tasks
from graphagent.engine.failures import record
from graphagent.engine.inputs import (
    Applied,
    apply_inputs,
    apply_migration,
    begin_queued,
    child_of,
    interrupt_of,
    place_start,
)
from graphagent.engine.journal import Journal
from graphagent.engine.limits import Limit, budget_of, child_limited, cut_short, deadline, wall_limit
from graphagent.engine.results import TaskResult
from graphagent.engine.seal import Change, Sealed, Stamp, seal
from graphagent.engine.spending import add, of_rows
from graphagent.engine.step import Children, LiveEvent, Step
from graphagent.engine.superstep import Closed, Stuck, close, due
from graphagent.errors import ReplayDivergence
from graphagent.events import Event
from graphagent.faults import fault
from graphagent.frozen import dataclass, replace
from graphagent.graph.plan import GraphPlan, Plan
from graphagent.ids import ArtifactId, InterruptId, SessionId
from graphagent.ports import Clock, Node, Store, TaskServices
from graphagent.snapshot import (
    NOTHING_SPENT,
    ArtifactRow,
    Binding,
    Blob,
    CachedResult,
    Commit,
    Control,
    EffectRow,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    NewInput,
    SessionRow,
    Snapshot,
    Status,
    SuperstepKind,
)

YIELD_AFTER_US = 1_000


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is shown what happens: `live` events as they come, `committed` ones in order with their numbers."""

    live: Callable[[LiveEvent], None]
    committed: Callable[[Sequence[Event]], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """When to pause: before one of these nodes runs, at this snapshot, or because somebody says so.

    `leave` asks for another end: the session is given back as it is, for whoever takes it over.
    """

    nodes: frozenset[str] = frozenset()
    snapshot: int | None = None
    asked: Callable[[], bool] | None = None
    leave: Callable[[], bool] | None = None

    @property
    def leaving(self) -> bool:
        return self.leave is not None and self.leave()


@dataclass(frozen=False, slots=True)
class Line:
    """One session while it is hosted. `opened` is its authority row as of the takeover; what commits change of it
    stands in the fields from `status` on, and `row` joins both."""

    plan: Plan
    opened: SessionRow
    snapshot: Snapshot
    journal: Journal
    store: Store
    clock: Clock
    services: TaskServices
    children: Children
    kinds: Sequence[Node]
    depth: int = 0
    shelf: Shelf | None = None
    watcher: Watcher | None = None
    inputs: list[InputRow] = field(default_factory=list)
    outputs: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    status: Status = field(init=False)
    reason: str | None = field(init=False)
    commit_n: int = field(init=False)
    event_n: int = field(init=False)
    taken_n: int = field(init=False)
    last: Commit | None = field(init=False, default=None)
    withdrawn: list[SessionId] = field(init=False, default_factory=list)
    """Children whose waiting tokens are gone; they are cancelled after the commit that says so."""
    child_reasons: dict[SessionId, str] = field(init=False, default_factory=dict)
    """What each child waits for, as far as it was seen here."""
    graph: GraphPlan = field(init=False)
    session: SessionId = field(init=False)
    released: bool = field(init=False, default=False)
    """The last commit gave the session back, since nothing is left to do."""
    told: int = field(init=False, default=0)
    """How many events of the session are durable."""
    queue: CommitQueue | None = field(init=False, default=None)
    """What isn't durable yet, in mode `pipelined`."""
    put: Mapping[ArtifactId, ArtifactRow] = field(init=False, default_factory=dict)
    """The artifacts of the open superstep."""
    _token: bytes = field(init=False)

    def __post_init__(self) -> None:
        row = self.opened
        self.graph, self.session = self.plan.graph, row.session
        self.status, self.reason, self.commit_n = row.status, row.reason, row.commit_n
        self.event_n = self.told = row.event_n
        self.taken_n = row.taken_n
        self._token = os.urandom(8)
        if row.mode == "pipelined":
            self.queue = self.journal.queue = CommitQueue(self.store)

    @property
    def durable(self) -> bool:
        """Whether the snapshot is stored."""
        return self.queue is None or self.queue.empty

    @property
    def row(self) -> SessionRow:
        """The authority row as of the last commit."""
        last, snap = self.last, self.snapshot
        if last is None:
            return self.opened
        return replace(
            self.opened,
            status=self.status,
            reason=self.reason,
            commit_n=self.commit_n,
            commit_token=last.token,
            event_n=self.event_n,
            taken_n=self.taken_n,
            head=snap.checkpoint,
            head_superstep=snap.superstep,
            head_digest=snap.digest,
            updated_at=last.at,
        )

    def _next_token(self) -> bytes:
        """The name of the next commit: that of this line, which no other one has, and its number."""
        return self._token + self.commit_n.to_bytes(8, "big")

    @property
    def facts(self) -> RunFacts:
        return RunFacts(self.snapshot.run_id or "", self.opened.session)

    @property
    def over(self) -> bool:
        """Whether the current run has ended, so that the next one may start."""
        if self.status == "running":
            return not self.snapshot.control.due
        return self.status in ("done", "failed", "cancelled")

    @property
    def calls(self) -> bool:
        """Whether its graph has nodes that call child sessions."""
        return any(node.may_call for node in self.graph.nodes)

    # ---- the loop ----------------------------------------------------------------------------------------------

    async def advance(self, stop: Stop) -> None:
        """Run until the run ends, waits, fails or is paused; then `row` says which."""
        async with lone_nursery() as nursery:
            self.journal.attach(nursery)
            if self.queue is not None:
                nursery.start_soon(self.queue.work)
            try:
                await self._advance(stop)
                await self.journal.settle()
            finally:
                self.journal.attach(None)
                nursery.cancel_scope.cancel()

    async def _advance(self, stop: Stop) -> None:
        yielded = self.clock.now_us()
        passed = self.status == "waiting" and self.reason == "paused"  # here it has stopped already
        while True:
            await self._expire()
            if self.inputs and not self._open():
                await self.take_inputs()
                await self.cancel_withdrawn()
                if self.status in ("cancelled", "failed"):
                    return
            tokens = due(self.snapshot.control)
            if not tokens or stop.leaving:
                return
            if self._stops(stop, passed=passed):
                await self._park("waiting", "paused", Batch.empty())
                return
            goes_on = await self._superstep()
            await self.cancel_withdrawn()
            if not goes_on and not (self.reason == "limit" and self.inputs and not self._open()):
                return
            passed = False
            now = self.snapshot.committed_at
            if now - yielded > YIELD_AFTER_US:
                await trio.lowlevel.checkpoint()
                yielded = now

    async def cancel_withdrawn(self) -> None:
        """Cancel the children for which nobody waits any more."""
        withdrawn, self.withdrawn = self.withdrawn, []
        if withdrawn:
            await self.journal.settle()
        for child in withdrawn:
            await self.children.cancel(child)

    def _open(self) -> bool:
        """Whether the superstep after the head has begun, so that inputs wait for its barrier."""
        if not self.snapshot.control.due or not self.journal.sealed(self.snapshot.superstep):
            return False
        return not any(row.kind in ("run", "cancel") for row in self.inputs) or self.status == "running"

    def _stops(self, stop: Stop, *, passed: bool) -> bool:
        if stop.asked is not None and stop.asked():
            return True
        if stop.snapshot is not None and self.snapshot.superstep >= stop.snapshot:
            return True
        names = (self.graph.nodes[t.node].name for t in self.snapshot.control.due)
        return bool(stop.nodes) and not passed and any(n in stop.nodes for n in names)

    async def _superstep(self) -> bool:
        """Run and commit one superstep. False if the run doesn't go on."""
        snap = self.snapshot
        step = self._step()
        self.put = step.artifacts
        try:
            results = await run_tasks(step, due(snap.control))
        except ReplayDivergence as divergence:
            await self._diverged(divergence)
            return False
        self.child_reasons.update(step.child_reasons)
        rows = self.journal.sealed(snap.superstep)
        used = of_rows(rows) if rows else NOTHING_SPENT
        results, limit = cut_short(self.graph, step.budget, results, used, step.limit or self._overdue(results))
        outcome = close(self.graph, snap, results, self.facts, add(snap.control.spent, used), limit)
        if isinstance(outcome, Stuck):
            await self._stuck(step, outcome, limit)
            return False
        await self._commit_superstep(step, outcome, rows, cut=limit is not None)
        return self.status == "running"

    def _bounds(self) -> Mapping[str, int]:
        """The bounds of the run, with those that were given anew and aren't taken yet."""
        bounds = self.snapshot.control.bounds
        for row in self.inputs:
            if row.kind == "resume":
                bounds = {**bounds, **decode(row.body)["limits"]}
        return bounds

    async def _expire(self) -> None:
        """Accept the timer of the run's time, if that is over."""
        snap = self.snapshot
        control = snap.control
        if self.graph.limits.wall_s is None and not control.bounds and not self.inputs:
            return
        if not (control.due or control.waiting) or control.limited or self.status not in ("running", "waiting"):
            return
        since = self.opened.timed_from(snap.run_started_at)
        until = deadline(self.graph, self._bounds(), since)
        if until is None or self.clock.now_us() < until:
            return
        fault("timer.fire")
        body = encode({"wall": control.run, "since": since, "deadline": until})
        await self.store.accept(self.session, NewInput("timer", f"wall:{control.run}:{until}", body))
        self.inputs = await self.store.inputs(self.session, after=self.taken_n)

    def _overdue(self, results: Sequence[TaskResult]) -> Limit | None:
        """The limit on the run's time, if that is over and tasks hold the superstep open."""
        if not self.inputs:
            return None
        snap, bounds = self.snapshot, self._bounds()
        until = deadline(self.graph, bounds, self.opened.timed_from(snap.run_started_at))
        if until is None or snap.control.limited or not any(r.status == "open" for r in results):
            return None
        bodies = [decode(row.body) for row in self.inputs if row.kind == "timer"]
        over = any(body.get("wall") == snap.control.run and body["deadline"] >= until for body in bodies)
        return wall_limit(self.graph, bounds) if over else None

    def _step(self) -> Step:
        snap = self.snapshot
        opened_at = snap.committed_at
        env = environment(self.graph, snap.values, snap.control, self.facts, snap.superstep, opened_at)
        answers, resumed = {}, {}
        for row in self.inputs:
            body = decode(row.body)
            if row.kind == "answer" and "value" in body:
                answers[InterruptId(body["interrupt"])] = body["value"]
            elif row.kind == "resume":
                resumed.update(body["tasks"])
        # Behind `on_limit` the superstep closes, so a replay must find the bounds in its snapshot.
        bounds = self._bounds() if self.graph.limits.on_limit is None else snap.control.bounds
        sink = self.watcher.live if self.watcher else None
        if sink is not None:
            names = [self.graph.nodes[t.node].name for t in snap.control.due]
            sink(
                LiveEvent("x.superstep.started", snap.superstep, None, None, None, {"due": names, "kind": "superstep"})
            )
        return Step(
            self.session, snap.run_id or "", self.depth, self.opened.seed_at(snap.superstep), self.plan, self.graph,
            self.kinds, snap.superstep, opened_at, env, self.journal, self.services, self.clock, self.children, sink,
            resumed, answers, budget=budget_of(self.graph, snap.control, bounds), shelf=self.shelf,
        )  # fmt: skip

    def _continued(self) -> list[Any]:
        """The event that opens a segment of the run, if the last one has ended and the superstep goes on inside."""
        if self.cut_off:
            return [[CONTINUED, {"reason": "recovered", "answers": []}]]
        if not self.ended:
            return []
        bodies = [(row.kind, decode(row.body)) for row in self.inputs if row.kind in ("answer", "resume", "timer")]
        answers = [body["interrupt"] for kind, body in bodies if kind == "answer"]
        reason = "answer" if answers else next((kind for kind, _ in bodies), "resume")
        return [[CONTINUED, {"reason": reason, "answers": answers}]]

    @property
    def cut_off(self) -> bool:
        """Whether the process before this one left a segment without a last event, and nothing was told since."""
        began = self.opened.commit_n > 0 and bool(self.snapshot.control.due)  # a fork begins, a queued run starts
        return self.last is None and began and self.opened.status == "running"

    @property
    def ended(self) -> bool:
        """Whether the last segment of the run has had its last event. A pause has none: the segment goes on."""
        return self.status in ("waiting", "failed") and self.reason != "paused"

    def _find(self, path: str, attempt: int, ordinal: int) -> EffectRow | None:
        """A call of the open superstep."""
        return self.journal.find(self.snapshot.superstep, path, attempt, ordinal)

    # ---- commits -----------------------------------------------------------------------------------------------

    async def _commit_superstep(self, step: Step, closed: Closed, rows: Sequence[Any], *, cut: bool = False) -> None:
        batch, results, find = Batch.empty(), closed.results, self._find
        batch.opening = self._continued()
        start = min([r.started_us for r in results], default=0)
        for i, (result, taken) in enumerate(zip(results, closed.taken, strict=True)):
            entry = task_entry(self.graph, result, taken)
            if result.waiting is not None:
                entry[4] += asked_entries(step.opened, entry[0])
            batch.tasks.append(entry)
            if said := [*earlier(step, result), *result.events]:
                batch.notes += task_notes(i, entry[0], result, said, (find, start))
            length = max(result.ended_us - result.started_us, 0)
            batch.at.append([max(result.started_us - start, 0) // 1000, length // 1000])
        status, reason = self._end(closed, batch)
        change = Change(closed.values, closed.versions, closed.changed, closed.control)
        gone, opened = self._withdraw(closed.control, results), step.opened
        if cut and closed.control.limited:
            gone, opened = await self._withdraw_open(gone), []
        taken_n = self._absorbed(over=cut or closed.ended in ("done", "failed"))
        artifacts = [step.artifacts[id] for id in sorted(step.artifacts)]
        if artifacts:
            fault("artifact.row")
        await self._commit(
            change, batch, status, reason, "superstep", rows, opened, taken_n=taken_n, closed=gone, cached=step.results,
            artifacts=artifacts,
        )  # fmt: skip
        self.outputs, self.error = closed.outputs, closed.error

    def _withdraw(self, control: Control, results: Sequence[TaskResult]) -> list[tuple[InterruptId, InterruptStatus]]:
        """The questions of waiting tokens that `fail` or a limit took away; children are noted in `withdrawn`."""
        waited = [*self.snapshot.control.waiting, *[r.waiting for r in results if r.waiting is not None]]
        if not waited:
            return []
        gone = [w for w in waited if w not in control.waiting]
        self.withdrawn += [child_of(self.session, self.graph, w) for w in gone if w.reason == "child"]
        return [(interrupt_of(self.session, self.graph, w), "cancelled") for w in gone if w.reason == "interrupt"]

    async def _withdraw_open(
        self, gone: list[tuple[InterruptId, InterruptStatus]]
    ) -> list[tuple[InterruptId, InterruptStatus]]:
        """The same, with what tasks asked that held the superstep open; their children are noted too."""
        known = {interrupt for interrupt, _ in gone}
        asked = await self.store.interrupts(self.session)
        children = await self.store.children(self.session)
        self.withdrawn += [c.session for c in children if c.status in ("waiting", "running")]
        return [*gone, *((row.interrupt, "cancelled") for row in asked if row.interrupt not in known)]

    def _end(self, closed: Closed, batch: Batch) -> tuple[Status, str | None]:
        """The status after this barrier, and its terminal event."""
        control = closed.control
        finish_events(self.graph, closed, batch)
        if closed.limit is not None:
            batch.closing.append(["x.limit.reached", closed.limit.data])
        if closed.ended == "done":
            return ("running", None) if control.queue else ("done", None)
        if closed.ended is not None:
            return "failed", "limit" if closed.ended == "limit" else "error"
        if control.due:
            return "running", None
        batch.closing.append(["RunPaused", {"interrupts": self._paused(control), "timers": []}])
        return "waiting", self._reason(control)

    def _reason(self, control: Control) -> str:
        children = [child_of(self.session, self.graph, w) for w in control.waiting if w.reason == "child"]
        return waiting_reason(control, [self.child_reasons.get(child) for child in children])

    def _paused(self, control: Any) -> list[dict[str, Any]]:
        names = self.graph.nodes
        return [
            {"id": interrupt_of(self.session, self.graph, w), "node": names[w.token.node].name}
            for w in control.waiting
            if w.reason == "interrupt"
        ]

    def _absorbed(self, *, over: bool = False) -> int:
        """Inputs that this barrier takes: answers and wake-ups meant for tasks inside the superstep, in order; where
        nothing of the run is left to be limited, also the timer of its time and new limits."""
        taken = self.taken_n
        if not self.inputs:
            return taken
        waiting = self.snapshot.control.waiting
        ids = {interrupt_of(self.session, self.graph, w) for w in waiting if w.reason == "interrupt"}
        has_child = any(w.reason == "child" for w in waiting)
        while self.inputs:
            row = self.inputs[0]
            inside = (row.kind == "child" and not has_child) or (row.kind == "timer" and over)
            if row.kind == "answer":
                inside = decode(row.body)["interrupt"] not in ids
            elif row.kind == "resume":  # one that raises limits or lets tokens go on takes effect by itself
                body = decode(row.body)
                inside = over or (not body["limits"] and not body.get("release"))
            if not inside:
                break
            taken = row.n
            self.inputs.pop(0)
        return taken

    async def take_inputs(self) -> None:
        """Apply all accepted inputs in a superstep of their own."""
        dead = self.status in ("failed", "cancelled", "done")
        rows, self.inputs = self.inputs, []
        snap = self.snapshot
        applied = apply_inputs(self.graph, self.plan.hash, snap, self.session, rows, dead=dead)
        if applied.cancelled or (dead and applied.began) or (applied.limit is not None and applied.control.limited):
            await self._close_questions(applied)
        await self._commit_applied(applied, rows[-1].n, dead=dead)

    async def migrate(self, plan: Plan, moved: Snapshot, values: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Bind the session to another plan, in a superstep of kind `edit`. Nothing runs on this line afterwards.

        Args:
            moved: The head in the order of the new graph.
            values: What channels of another type hold from now on.
            data: What the event says.
        """
        before = self.plan, self.graph, self.snapshot
        applied = apply_migration(plan.graph, plan.hash, moved, self.session, values, data)
        self.plan, self.graph, self.snapshot = plan, plan.graph, moved
        if self.status == "failed" and self.reason != "limit" and moved.control.due:
            self.status, self.reason = "waiting", "paused"  # what failed is run by the new plan, if anybody asks
        try:
            await self._commit_applied(applied, self.taken_n, bound=Binding(plan.hash, plan.version, plan.file))
        except BaseException:
            self.plan, self.graph, self.snapshot = before  # whoever keeps the head warm keeps that of the old plan
            raise

    async def _close_questions(self, applied: Applied) -> None:
        """Nobody waits any more for what the old run asked, inside its open superstep too, or for its children."""
        known = {interrupt for interrupt, _ in applied.closed}
        asked = await self.store.interrupts(self.session)
        applied.closed += [(row.interrupt, "cancelled") for row in asked if row.interrupt not in known]
        waiting = self.snapshot.control.waiting
        self.withdrawn += [child_of(self.session, self.graph, w) for w in waiting if w.reason == "child"]

    async def next_run(self) -> None:
        """Start the oldest queued run; the one before it has ended."""
        snap = self.snapshot
        n = snap.control.queue[0][0]
        found = await self.store.inputs(self.session, after=n - 1)
        own = bool(found) and found[0].n == n and found[0].kind == "run"  # a fork has only the queue of its origin
        accepted_at = found[0].accepted_at if own else snap.committed_at
        applied = begin_queued(self.graph, self.plan.hash, snap, self.session, accepted_at)
        if self.status != "running":
            await self._close_questions(applied)
        await self._commit_applied(applied, self.taken_n)

    async def _commit_applied(
        self, applied: Applied, taken_n: int, *, dead: bool = False, bound: Binding | None = None
    ) -> None:
        place_start(self.graph, applied, self.snapshot.superstep)
        batch = Batch.empty()
        batch.dead = dead
        batch.begin, batch.end = applied.begin, applied.end
        otherwise = "timer" if applied.kind == "timer" else "resume"
        batch.opening = [
            *(self._continued() if self.cut_off else []),
            *(e for e in applied.opening if e[0] != CONTINUED),
        ]
        if self.ended:
            batch.opening = opened_once(applied.opening, applied.end, otherwise)
        status, reason = self._applied_status(applied)
        self.journal.close(self.snapshot.superstep)
        self.snapshot = replace(self.snapshot, run_id=applied.run_id, run_started_at=applied.run_started_at)
        await self._commit(
            applied.change, batch, status, reason, applied.kind, (), (), taken_n=taken_n, closed=applied.closed,
            bound=bound,
        )  # fmt: skip
        self.outputs = self.error = None
        if self.status == "failed":
            self.error = applied.error if applied.limit is None else applied.limit.error

    def _applied_status(self, applied: Applied) -> tuple[Status, str | None]:
        if applied.cancelled:
            return "cancelled", None
        if applied.limit is not None and not applied.control.limited:
            return "failed", "limit"
        if applied.ended is not None:
            return ("done", None) if applied.ended == "done" else ("failed", "error")
        if applied.went_on and applied.control.due:
            return "waiting", "paused"  # nobody asked yet that it goes on
        if self.reason == "limit" and not (applied.raised or applied.began):
            return self.status, self.reason  # an answer doesn't raise the limit
        if applied.kind == "edit" and not applied.began and not applied.went_on:
            return self.status, self.reason
        if applied.control.due:
            return "running", None
        if applied.control.waiting:
            return "waiting", self._reason(applied.control)
        return self.status, self.reason

    async def _commit(
        self, change: Change, batch: Batch, status: Status, reason: str | None,
        kind: SuperstepKind, rows: Sequence[Any], opened: Sequence[InterruptRow], *,
        taken_n: int, closed: Sequence[Any] = (), cached: Sequence[CachedResult] = (), bound: Binding | None = None,
        artifacts: Sequence[ArtifactRow] = (),
    ) -> None:  # fmt: skip
        """Seal the superstep and make it durable."""
        snap = self.snapshot
        now = max(self.clock.now_us(), snap.committed_at)
        fault("commit.encode")
        stamp = Stamp(self.session, self.plan.hash, kind, snap.committed_at, now, snap.run_id, snap.run_started_at)
        sealed = seal(self.graph, snap, change, batch.chained(), rows, stamp)
        events = EventBatch(snap.superstep, batch.count(), batch.body(snap.run_id), now)
        blobs = sealed.blobs if bound is None else (*sealed.blobs, Blob(bound.plan, self.plan.document))
        commit = Commit(
            self.session, self.opened.epoch, self.commit_n, self._next_token(), status, reason, snap.superstep + 1,
            sealed.checkpoint, events, self.journal.fold(snap.superstep), sealed.deltas, blobs, opened, closed,
            taken_n, now, release=kind == "superstep" and status != "running" and not change.control.queue,
            cached=cached, bound=bound, artifacts=artifacts, takes=taken_n > self.taken_n,
        )  # fmt: skip
        inside = kind == "superstep" and status == "running" and not opened and not closed
        await self._send(commit, sealed, may_wait=inside)

    async def _send(self, commit: Commit, sealed: Sealed | None, *, may_wait: bool = False) -> None:
        """Make a commit durable, and go on from there; behind the run if the mode is pipelined and it `may_wait`."""
        if self.queue is None:
            self.journal.sealing = sealed is not None
            try:
                await send(self.store, (commit,))
            finally:
                self.journal.sealing = False
            self._move(commit, sealed)()
            return
        await self.queue.put(commit, self._move(commit, sealed))
        if not may_wait:
            await self.queue.flush()

    def _move(self, commit: Commit, sealed: Sealed | None) -> Callable[[], None]:
        """Go on from a commit. Returns what is to happen when it is durable."""
        first, opened_at = self.event_n, self.snapshot.committed_at
        self.last, self.status, self.reason, self.taken_n = commit, commit.status, commit.reason, commit.taken_n
        self.commit_n += 1
        self.event_n += commit.events.count if commit.events else 0
        if sealed is not None:
            self.journal.close(self.snapshot.superstep)
            self.snapshot = sealed.snapshot

        def durable() -> None:
            self.released = commit.release
            self.told = first + (commit.events.count if commit.events else 0)
            if self.watcher is not None and commit.events is not None:
                place = Place(self.session, self.graph, commit.checkpoint, opened_at)
                self.watcher.committed(expand(replace(commit.events, first=first), place))

        return durable

    # ---- supersteps that can't close ---------------------------------------------------------------------------

    async def _stuck(self, step: Step, stuck: Stuck, limit: Limit | None) -> None:
        """Park: the open superstep keeps its journal, the head stays where it is. A failure counts before a limit."""
        batch = Batch.empty()
        batch.opening = self._continued()
        failed = [r for r in stuck.failed if limit is None or not child_limited(self.graph, r)]
        for result in failed:  # any other one that failed is told with the barrier
            entry = task_entry(self.graph, result, None)
            said = [*earlier(step, result), *result.events]
            batch.notes += task_notes(len(batch.tasks), entry[0], result, said, (self._find, result.started_us))
            batch.tasks.append(entry)
            batch.at.append([0, max(result.ended_us - result.started_us, 0) // 1000])
        batch.open = open_turns(stuck.open, self._find)
        error = stuck.conflict or (failed[0].error if failed else None)
        if error is None and limit is not None:
            batch.closing.append(["x.limit.reached", limit.data])
        for row in step.opened:
            batch.closing.append(["x.interrupt.opened", {"id": row.interrupt, **question_data(row)}])
        fault("park.before")
        if error is None and limit is None:
            asked = [{"id": r.interrupt, "node": r.node} for r in step.opened]
            batch.closing.append(["RunPaused", {"interrupts": asked, "timers": []}])
            await self._park("waiting", "interrupt", batch, step.opened)
        else:
            reason = "limit" if error is None else "error"
            error = error or (limit.error if limit is not None else None)
            checkpoint = self.snapshot.checkpoint
            batch.closing.append(["RunError", {"error": error, "checkpoint": checkpoint}])
            await self._park("failed", reason, batch, step.opened)
        self.error = error
        fault("park.after")

    async def _diverged(self, divergence: ReplayDivergence) -> None:
        difference = divergence.first_difference
        error = record(
            "divergence", divergence.message, node=difference["node"], attempt=difference["attempt"],
            hint=divergence.hint, details=difference,
        )  # fmt: skip
        batch = Batch.empty()
        batch.opening = self._continued()
        batch.closing.append(["RunError", {"error": error, "checkpoint": self.snapshot.checkpoint}])
        await self._park("failed", "divergence", batch)
        self.error = error

    async def _park(
        self, status: Status, reason: str, batch: Batch, opened: Sequence[InterruptRow] = (), *, last: bool = True
    ) -> None:
        """A commit without a checkpoint. The `last` one gives the session back, unless runs are queued."""
        snap = self.snapshot
        release = last and not snap.control.queue
        now = max(self.clock.now_us(), snap.committed_at)
        events = None
        if batch.count(parked=True):
            events = EventBatch(snap.superstep, batch.count(parked=True), batch.body(snap.run_id, parked=True), now)
        taken = self._absorbed() if status == "failed" else self.taken_n
        commit = Commit(
            self.session, self.opened.epoch, self.commit_n, self._next_token(), status, reason, snap.superstep, None,
            events, self.journal.fold(snap.superstep), interrupts=opened, taken_n=taken, at=now, release=release,
            takes=taken > self.taken_n,
        )  # fmt: skip
        await self._send(commit, None)

    async def arm(self, interrupts: Sequence[InterruptRow]) -> None:
        """Make questions of waiting tokens durable that exist under no id of this session yet."""
        batch = Batch.empty()
        for row in interrupts:
            batch.closing.append(["x.interrupt.opened", {"id": row.interrupt, **question_data(row)}])
        await self._park("waiting", "interrupt", batch, interrupts, last=False)

    def rolled_back(self) -> None:
        """Tell whoever watches that what was shown of the open supersteps, and isn't committed, is gone."""
        if self.watcher is not None:
            data = {"seq_to": self.told - 1}
            superstep = self.snapshot.superstep
            self.watcher.live(LiveEvent("x.superstep.rolled_back", superstep, None, None, None, data))

    async def poison(self) -> None:
        """Park a session in which processes died too often, and give it back."""
        await self._park("poisoned", "crashed", Batch.empty())

    async def leave(self) -> None:
        """Make durable what finished, and leave the run as it is."""
        if not self.released:
            await self.journal.flush()

    async def pause(self) -> None:
        """Park where it is: finished effects are durable, the run can be resumed. A session in which nothing is left
        to do stays as it is."""
        if self.released:
            return
        if self.snapshot.control.due:
            await self._park("waiting", "paused", Batch.empty())
        elif self.queue is not None:
            await self.queue.flush()

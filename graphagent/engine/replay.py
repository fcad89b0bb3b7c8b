"""Replay: run again from the journal and compare (`verify`), or re-apply what was recorded without code (`view`).

`verify` uses the loop's own parts: the same tasks, the same pure core, the same seal; only the ports differ. The
journal answers every call and refuses any that isn't in it, and instead of committing, digests are compared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.codec import show_digest
from graphagent.engine.artifacts import Shelf
from graphagent.engine.endings import asked_entries, finish_events
from graphagent.engine.environment import RunFacts, environment
from graphagent.engine.eventlog import Batch, task_entry
from graphagent.engine.execute import run_tasks
from graphagent.engine.inputs import apply_inputs, apply_migration, begin_queued, place_start
from graphagent.engine.journal import Journal
from graphagent.engine.limits import Limit, budget_of, cut_short, wall_limit
from graphagent.engine.results import TaskResult
from graphagent.engine.seal import Change, Stamp, seal
from graphagent.engine.spending import add, of_rows
from graphagent.engine.step import ChildCall, ChildEnd, Step
from graphagent.engine.superstep import Closed, Stuck, close, due
from graphagent.errors import ReplayDivergence
from graphagent.graph.plan import GraphPlan, Plan
from graphagent.ids import SessionId
from graphagent.ports import Clock, Node, TaskServices
from graphagent.snapshot import NOTHING_SPENT, TASK_ORDINAL, CheckpointRow, EffectRow, EffectState, InputRow, Snapshot


def migration_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a batch of events says of a migration; None if it isn't one's."""
    return next((data for kind, data in body.get("begin", ()) if kind == "x.session.migrated"), None)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One superstep as it was recorded. `session` is the one that wrote it, `seed` its seed. `after` reads the snapshot
    that it left: where digests agree, nobody needs it."""

    session: SessionId
    seed: bytes
    checkpoint: CheckpointRow
    after: Callable[[], Awaitable[Snapshot]]
    journal: Sequence[EffectRow]
    inputs: Sequence[InputRow]
    body: Mapping[str, Any]

    @property
    def migrated(self) -> Mapping[str, Any] | None:
        """What the event says of a superstep that bound the session to another plan."""
        return migration_of(self.body)


@dataclass(frozen=True, slots=True)
class ReplayedStep:
    """One row of the digest table. `replayed` is None in mode `view`."""

    superstep: int
    recorded: bytes
    replayed: bytes | None
    tasks: int
    effects: int

    @property
    def identical(self) -> bool:
        return self.replayed is None or self.replayed == self.recorded


@dataclass(slots=True)
class ReplayReport:
    """What a replay found. `first_difference` is as in the `replay` document; the replay stops there."""

    session: SessionId
    mode: Literal["verify", "view"]
    start: int
    stop: int
    floor: int
    supersteps: list[ReplayedStep] = field(default_factory=list)
    effects_replayed: int = 0
    first_difference: dict[str, Any] | None = None
    wall_ms: int = 0

    @property
    def identical(self) -> bool:
        return self.first_difference is None


class _NoStore:
    """The store of a replay: whoever writes to it has lost its way."""

    name = "replay"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a replay calls store.{name}")


class _NoChildren:
    """Children answer from the journal; one that isn't there is a difference, found before this is asked."""

    async def call(self, child: SessionId, call: ChildCall) -> ChildEnd:
        raise AssertionError("a replay starts a child")

    async def start(self, child: SessionId, call: ChildCall) -> None:
        raise AssertionError("a replay starts a session")

    async def attach(self, child: SessionId) -> None:
        raise AssertionError("a replay runs a session")

    async def look(self, starter: SessionId, superstep: int, key: str) -> ChildEnd:
        raise AssertionError("a replay looks at a session")

    async def cancel(self, child: SessionId) -> None:
        raise AssertionError("a replay cancels a child")


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays supersteps of one plan."""

    plan: Plan
    kinds: Sequence[Node]
    services: TaskServices
    clock: Clock
    depth: int = 0
    shelf: Shelf | None = None

    @property
    def graph(self) -> GraphPlan:
        return self.plan.graph

    async def verify(self, recorded: Recorded, state: Snapshot) -> tuple[Snapshot, dict[str, Any] | None]:
        """The state that this code makes of `state`, and the first difference to the record, if there is one."""
        if recorded.checkpoint.kind != "superstep":
            return await self.inputs(recorded, state), None
        journal = Journal(_NoStore(), recorded.session, 0, recorded.journal)
        step = self.step(recorded, state, journal)
        try:
            results = await run_tasks(step, due(state.control))
        except ReplayDivergence as divergence:
            return state, self.located(recorded, divergence.first_difference)
        missing = self.unused(recorded, step, results)
        if missing is not None:
            return state, missing
        facts = RunFacts(state.run_id or "", recorded.session)
        used = of_rows(recorded.journal) if recorded.journal else NOTHING_SPENT
        limit = step.limit or self.overdue(recorded, state)
        results, limit = cut_short(self.graph, step.budget, results, used, limit)
        outcome = close(self.graph, state, results, facts, add(state.control.spent, used), limit)
        if isinstance(outcome, Stuck):
            return state, self.stuck(recorded, outcome)
        after = self.seal(recorded, state, step, outcome)
        if after.digest == recorded.checkpoint.digest:
            return after, None
        return after, self.difference(recorded, await recorded.after(), after, outcome)

    def overdue(self, recorded: Recorded, state: Snapshot) -> Limit | None:
        """The limit on the run's time, if the record says that it ended this superstep."""
        over = any(
            kind == "x.limit.reached" and data["cause"] == "wall" for kind, data in recorded.body.get("closing", ())
        )
        return wall_limit(self.graph, state.control.bounds) if over else None

    async def inputs(self, recorded: Recorded, state: Snapshot) -> Snapshot:
        """Apply what came from outside, as it was recorded."""
        graph, plan = self.graph, recorded.checkpoint.plan
        dead = recorded.body.get("dead", False)
        if recorded.migrated is not None:
            then = (await recorded.after()).values
            values = {c.name: then[c.index] for c in graph.channels if c.name in recorded.migrated["channels"]}
            applied = apply_migration(graph, plan, state, recorded.session, values, recorded.migrated)
        elif recorded.inputs or not state.control.queue:
            applied = apply_inputs(graph, plan, state, recorded.session, recorded.inputs, dead=dead)
        else:
            started_at = (await recorded.after()).run_started_at
            applied = begin_queued(graph, plan, state, recorded.session, started_at)
        place_start(graph, applied, state.superstep)
        batch = Batch.empty()
        batch.begin, batch.end = applied.begin, applied.end
        stamp = self.stamp(recorded, applied.run_id, applied.run_started_at)
        return seal(graph, state, applied.change, batch.chained(), (), stamp).snapshot

    def stamp(self, recorded: Recorded, run_id: str | None, started: int) -> Stamp:
        row = recorded.checkpoint
        return Stamp(recorded.session, row.plan, row.kind, row.opened_at, row.committed_at, run_id, started)

    def step(self, recorded: Recorded, state: Snapshot, journal: Journal) -> Step:
        graph, superstep = self.graph, state.superstep
        facts = RunFacts(state.run_id or "", recorded.session)
        env = environment(graph, state.values, state.control, facts, superstep, state.committed_at)
        done = {task[0]: task[1] for task in recorded.body.get("tasks", []) if task[2] != "failed"}
        for row in recorded.journal:
            if row.state is EffectState.DONE:
                done[row.path] = max(done.get(row.path, 0), row.attempt)
        return Step(
            recorded.session, state.run_id or "", self.depth, recorded.seed, self.plan, graph, self.kinds, superstep,
            state.committed_at, env, journal, self.services, self.clock, _NoChildren(), None, done, replaying=True,
            waited=frozenset(t[0] for t in recorded.body.get("tasks", []) if t[2] in ("waiting", "cancelled")),
            budget=budget_of(graph, state.control, state.control.bounds), shelf=self.shelf,
        )  # fmt: skip

    def seal(self, recorded: Recorded, state: Snapshot, step: Step, closed: Closed) -> Snapshot:
        batch = Batch.empty()
        for result, taken in zip(closed.results, closed.taken, strict=True):
            entry = task_entry(self.graph, result, taken)
            if result.waiting is not None:
                entry[4] += asked_entries(step.opened, entry[0])
            batch.tasks.append(entry)
        finish_events(self.graph, closed, batch)
        change = Change(closed.values, closed.versions, closed.changed, closed.control)
        rows = sorted(recorded.journal, key=lambda r: r.key)
        stamp = self.stamp(recorded, state.run_id, state.run_started_at)
        return seal(self.graph, state, change, batch.chained(), rows, stamp).snapshot

    # ---- differences -------------------------------------------------------------------------------------------

    def located(self, recorded: Recorded, found: Mapping[str, Any]) -> dict[str, Any]:
        """A difference with all fields of the document."""
        now = self.fingerprint(found["node"])
        ends = [r for r in recorded.journal if r.ordinal == TASK_ORDINAL and r.path == found["path"]]
        then = next((r.fingerprint for r in ends if r.fingerprint), None)
        fingerprint = None
        if now is not None and then is not None and now != then:
            fingerprint = {"recorded": show_digest(then), "now": show_digest(now)}
        hint = found.get("hint") or ("the node's code has changed since" if fingerprint else None)
        return {
            "session": recorded.session, "superstep": recorded.checkpoint.superstep, "node": found["node"],
            "path": found["path"], "attempt": found["attempt"], "ordinal": found.get("ordinal"),
            "kind": found["kind"], "expected": found["expected"], "actual": found["actual"],
            "diff": json_diff(found["expected"], found["actual"]),
            "digest": found.get("digest") or {"expected": show_digest(recorded.checkpoint.digest), "actual": None},
            "fingerprint": fingerprint,
            "hint": hint or "put the node, prompt or function back as it was, or fork before this superstep",
        }  # fmt: skip

    def fingerprint(self, name: str) -> bytes | None:
        index = self.graph.node_index.get(name)
        return None if index is None else self.services.fingerprint(self.graph.nodes[index])

    def unused(self, recorded: Recorded, step: Step, results: Sequence[TaskResult]) -> dict[str, Any] | None:
        """A recorded call that this code didn't make; if its node failed before it, that is why."""
        failed = {self.graph.nodes[r.token.node].name: r.error for r in results if r.error is not None}
        ends = [r for r in recorded.journal if r.ordinal == TASK_ORDINAL]
        over = {(r.path, r.attempt) for r in ends if r.state is EffectState.FAILED}
        for row in recorded.journal:
            if row.ordinal < 0 or (row.path, row.attempt, row.ordinal) in step.used:
                continue
            task = row.path.partition("/")[0]
            if (task, row.attempt) in over:
                continue  # an attempt that failed isn't run again
            name = task.partition("[")[0]
            call = [row.kind, row.name]
            found = {"node": name, "path": row.path, "attempt": row.attempt, "ordinal": row.ordinal, "kind": "missing",
                     "expected": call, "actual": None}  # fmt: skip
            if (error := failed.get(name)) is not None:
                found["hint"] = f"the node failed before this call: {error['message']}"
            return self.located(recorded, found)
        return None

    def stuck(self, recorded: Recorded, stuck: Stuck) -> dict[str, Any]:
        """The superstep was recorded as committed, and this code can't close it."""
        result = (*stuck.failed, *stuck.open, None)[0]
        node = self.graph.nodes[result.token.node].name if result else (stuck.conflict or {})["node"]
        error = result.error if result else stuck.conflict
        found = {"node": node, "path": node, "attempt": result.attempt if result else 0, "kind": "writes_changed",
                 "expected": "done", "actual": error}  # fmt: skip
        return self.located(recorded, found)

    def difference(self, recorded: Recorded, then: Snapshot, after: Snapshot, closed: Closed) -> dict[str, Any]:
        """Which node made the digests differ: by what it wrote, else by the route that it took."""
        results = closed.results
        digests = {"expected": show_digest(recorded.checkpoint.digest), "actual": show_digest(after.digest)}
        for channel in self.graph.channels:
            expected, actual = then.values[channel.index], after.values[channel.index]
            if expected != actual or then.versions[channel.index] != after.versions[channel.index]:
                writers = closed.writers.get(channel.index) or self.recorded_writers(recorded, channel.name)
                node = self.graph.nodes[writers[0]].name if writers else self.first(results)
                found: dict[str, Any] = {"kind": "writes_changed", "expected": {channel.name: plain(expected)},
                         "actual": {channel.name: plain(actual)}}  # fmt: skip
                return self.located(recorded, {**found, **self.task(results, node), "digest": digests})
        was = {t[0]: t for t in recorded.body.get("tasks", [])}
        for result, taken in zip(results, closed.taken, strict=True):
            entry = task_entry(self.graph, result, taken)
            old = was.get(entry[0])
            if old is None or old[:4] != entry[:4]:
                found = {"kind": "route_changed", "expected": old[3] if old else None, "actual": entry[3]}
                return self.located(recorded, {**found, **self.task(results, entry[0]), "digest": digests})
            if old[4] != entry[4]:
                found = {"kind": "writes_changed", "expected": old[4], "actual": entry[4]}
                return self.located(recorded, {**found, **self.task(results, entry[0]), "digest": digests})
        node = self.first(results)
        found = {"kind": "damaged", "expected": digests["expected"], "actual": digests["actual"]}
        return self.located(recorded, {**found, **self.task(results, node), "digest": digests})

    def recorded_writers(self, recorded: Recorded, channel: str) -> tuple[int, ...]:
        names = [t[0] for t in recorded.body.get("tasks", []) if channel in t[3].get("writes", [])]
        return tuple(self.graph.node_index[n] for n in names if n in self.graph.node_index)

    def first(self, results: Sequence[TaskResult]) -> str:
        return self.graph.nodes[results[0].token.node].name if results else ""

    def task(self, results: Sequence[TaskResult], node: str) -> dict[str, Any]:
        attempt = next((r.attempt for r in results if self.graph.nodes[r.token.node].name == node), 0)
        return {"node": node, "path": node, "attempt": attempt}


def plain(value: Any) -> Any:
    """A value for a report; none is null."""
    return value if isinstance(value, str | int | float | bool | list | dict) else None


def json_diff(expected: Any, actual: Any, path: str = "$", limit: int = 20) -> list[dict[str, Any]]:
    """Where two values differ, at most `limit` places; long texts are cut to 2 KB."""
    out: list[dict[str, Any]] = []

    def walk(a: Any, b: Any, at: str) -> None:
        if len(out) >= limit or a == b:
            return
        if isinstance(a, dict) and isinstance(b, dict):
            for key in sorted({*a, *b}):
                walk(a.get(key), b.get(key), f"{at}.{key}")
        elif isinstance(a, list) and isinstance(b, list):
            for i in range(max(len(a), len(b))):
                walk(a[i] if i < len(a) else None, b[i] if i < len(b) else None, f"{at}[{i}]")
        else:
            out.append({"json_path": at, "expected": short(a), "actual": short(b)})

    walk(expected, actual, path)
    return out


def short(value: Any) -> Any:
    """A value that fits into a report."""
    return value[:2000] + "…" if isinstance(value, str) and len(value) > 2000 else value

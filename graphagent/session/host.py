"""Hosts sessions in this process: creates, opens, runs, answers and forks them. One per project.

A session is opened by a takeover, which makes this process its only writer, and given back afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from graphagent.artifacts.memory import MemoryArtifacts
from graphagent.codec import encode, freeze
from graphagent.engine.artifacts import Shelf
from graphagent.engine.endings import waiting_reason
from graphagent.engine.inputs import child_of, interrupt_of
from graphagent.engine.journal import Journal
from graphagent.engine.manifest import control_data, read_manifest, write_manifest
from graphagent.engine.moving import moved, moved_control
from graphagent.engine.run import Line, Stop
from graphagent.engine.seal import genesis_digest
from graphagent.errors import NotFound, SessionBusy, SessionPoisoned, StoreError
from graphagent.faults import fault
from graphagent.graph.compile import load_plan
from graphagent.graph.plan import Plan
from graphagent.ids import CheckpointId, InterruptId, SessionId, WorkerId, digest128
from graphagent.ports import Artifacts, Clock, Store
from graphagent.session.background import still_open
from graphagent.session.carrying import failed_tasks
from graphagent.session.functions import Functions
from graphagent.session.hooks import Hooks
from graphagent.session.hub import Hub
from graphagent.session.loading import load_snapshot
from graphagent.session.new import NewSession, graph_name
from graphagent.session.observer import Observer
from graphagent.session.parked import callers_woken, fired, parked_tokens
from graphagent.session.services import Models, Services, code_roots
from graphagent.session.settings import Settings
from graphagent.session.tabled import as_stored, with_tables
from graphagent.session.tables import Tables
from graphagent.snapshot import (
    ArtifactRow,
    Blob,
    CheckpointRow,
    Control,
    InputRow,
    InterruptRow,
    NewInput,
    Opened,
    SessionRow,
    Snapshot,
)

MOST_ATTEMPTS = 5
"""So many processes may die in one superstep of a session."""


@dataclass(slots=True)
class Host:
    """The sessions that this process hosts."""

    settings: Settings
    store: Store
    clock: Clock
    models: Models
    artifacts: Artifacts = field(default_factory=MemoryArtifacts)
    worker: WorkerId = field(default_factory=lambda: WorkerId.of(os.urandom(16)))
    plans: dict[bytes, Plan] = field(default_factory=dict)
    services: dict[bytes, Services] = field(default_factory=dict)
    busy: set[SessionId] = field(default_factory=set)
    lines: dict[SessionId, Line] = field(default_factory=dict)
    """The sessions that are open here."""
    tables: Tables = field(init=False)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        self.tables = Tables(self.clock, self.busy)
        self.hooks = Hooks(self.settings.hooks, self.settings.root, self.settings.allow_modules)
        self.store = with_tables(as_stored(self.store), self.tables)

    # ---- plans -------------------------------------------------------------------------------------------------

    def know(self, plan: Plan) -> Plan:
        """Keep a plan; the first one of a hash stays, since it knows its file."""
        return self.plans.setdefault(plan.hash, plan)

    async def plan_of(self, row: SessionRow) -> Plan:
        """The plan that a session is bound to."""
        known = self.plans.get(row.plan)
        if known is None:
            blobs = await self.store.blobs(row.family, [row.plan])
            file = row.graph_file
            plan = replace(load_plan(blobs[row.plan]), version=row.graph_version, file=file)
            known = self.know(plan)
        return known

    async def plan_at(self, row: SessionRow, plan: bytes) -> Plan:
        """A plan of a session's family by its hash: an older one of the session, or one of an origin."""
        if plan == row.plan:
            return await self.plan_of(row)
        known = self.plans.get(plan)
        return known or load_plan((await self.store.blobs(row.family, [plan]))[plan])

    async def snapshot_at(self, row: SessionRow, plan: Plan, checkpoint: CheckpointRow) -> Snapshot:
        """The snapshot of a checkpoint in a session's line, for a plan that may not be the one that made it."""
        if checkpoint.plan == plan.hash:
            return await load_snapshot(self.store, row, plan.graph, checkpoint)
        made = (await self.plan_at(row, checkpoint.plan)).graph
        return moved(await load_snapshot(self.store, row, made, checkpoint), made, plan.graph)

    async def control_at(self, row: SessionRow, plan: Plan, checkpoint: CheckpointRow) -> Control:
        """The control state of a checkpoint in the same way."""
        made = plan if checkpoint.plan == plan.hash else await self.plan_at(row, checkpoint.plan)
        return moved_control(read_manifest(made.graph, checkpoint.manifest).control, made.graph, plan.graph)

    def services_of(self, plan: Plan) -> Services:
        """What the plan's nodes are given."""
        if plan.hash not in self.services:
            roots = code_roots(plan, self.settings.root)
            functions = Functions(roots, self.settings.allow_modules)
            self.services[plan.hash] = Services(plan, self.models, functions, self.tables.context, self.hooks)
        return self.services[plan.hash]

    def shelf(self, row: SessionRow, *, reads: bool = False) -> Shelf:
        """The artifacts of a session's family; one that `reads` keeps nothing new."""

        def above(artifact: str) -> ArtifactRow | None:
            caller = row.caller
            while caller is not None and (line := self.lines.get(caller)) is not None:
                for id, found in line.put.items():
                    if id == artifact:
                        return found
                caller = line.opened.caller
            return None

        limit = self.settings.artifact_limit
        return Shelf(self.artifacts, self.store, row.session, row.family, limit, reads, above)

    # ---- sessions ----------------------------------------------------------------------------------------------

    async def create(self, new: NewSession, inputs: Sequence[NewInput]) -> SessionId:
        """Store a session with its genesis and first inputs. A child that is there already stays as it is."""
        now = self.clock.now_us()
        plan = self.know(new.plan)
        session = new.session or SessionId.timed(now, os.urandom(10))
        digest = genesis_digest(plan.hash, new.seed)
        graph = plan.graph
        control = encode(control_data(graph, Control(visits=(0,) * len(graph.nodes))))
        manifest = write_manifest(graph, (None,) * len(graph.channels), control, None, 0)
        checkpoint = CheckpointId.timed(now, digest128(session, -1, digest))
        genesis = CheckpointRow(checkpoint, -1, "genesis", None, plan.hash, manifest, digest, now, now)
        caller = new.caller or (None, None, None)
        row = SessionRow(
            session, new.family or session, plan.hash, graph_name(plan), new.seed, new.mode, name=new.name,
            tags=new.tags, caller=caller[0], caller_superstep=caller[1],
            caller_path=caller[2], head=checkpoint, head_superstep=0, head_digest=digest, created_at=now,
            updated_at=now, graph_version=plan.version, graph_file=plan.file,
        )  # fmt: skip
        if new.caller is not None:
            fault("child.create")
        await self.store.create(row, genesis, [Blob(plan.hash, plan.document)], inputs)
        return session

    async def open(
        self, session: SessionId, observer: Observer | None = None, new: NewInput | None = None, *, force: bool = False
    ) -> Line:
        """Take a session over and load its head. `new` is an input that is accepted in the same transaction.

        Args:
            force: Also one that is poisoned.

        Raises:
            NotFound, SessionBusy, StoreCorrupt.
            SessionPoisoned: processes died in its open superstep more than `MOST_ATTEMPTS` times.
        """
        if session in self.busy:
            raise SessionBusy(f"{session} is running in this process", hint="wait for it, or stop that run first")
        self.busy.add(session)
        try:
            opened = await self.store.takeover(session, self.worker, new)
            try:
                line = self.lines[session] = await self._line(opened, observer, force=force)
            except BaseException as error:
                if not isinstance(error, SessionPoisoned):  # that one is given back already
                    with trio.CancelScope(shield=True), suppress(StoreError):
                        await self.store.release(session, opened.row.epoch)
                raise
            return line
        except BaseException:
            self.busy.discard(session)
            raise

    async def _line(self, opened: Opened, observer: Observer | None, *, force: bool) -> Line:
        row = opened.row
        plan = await self.plan_of(row)
        snapshot = await self._head(row, plan, opened.checkpoint)
        services = self.services_of(plan)
        hub = Hub(self, observer)
        line = Line(
            services.plan, row, snapshot, Journal(self.store, row.session, row.epoch, opened.journal), self.store,
            self.clock, services, hub, services.kinds(), await self.depth(row), self.shelf(row),
            inputs=list(opened.inputs),
        )  # fmt: skip
        line.watcher = observer.watcher(line) if observer is not None else None
        if row.status == "poisoned" or await self._dies(line):
            await self._poisoned(line, force=force)
        if row.status == "running":
            line.rolled_back()  # another process had it, and what that one showed may have been seen
        await self._rearm(line, opened)
        return line

    async def _head(self, row: SessionRow, plan: Plan, checkpoint: CheckpointRow) -> Snapshot:
        """The head snapshot: as it was left here, if nobody has gone on since, else read."""
        heads = self.tables.sessions
        left = heads.get(row.session, lambda s: (s.digest, s.checkpoint) == (row.head_digest, row.head))
        if left is not None:
            return left
        with heads.rebuilding():
            return await self.snapshot_at(row, plan, checkpoint)

    async def _dies(self, line: Line) -> bool:
        """Whether processes died in a session's open superstep too often; where nothing is due there is none.

        What others of the same process commit meanwhile, the root and all that it called, is progress too.
        """
        row, since = line.row, line.snapshot.committed_at
        if row.attempts <= MOST_ATTEMPTS or row.status not in ("running", "waiting") or not line.snapshot.control.due:
            return False
        root = await self.store.session(await self.root_of(row.session))
        return row.attempts > MOST_ATTEMPTS + await self._commits_below(root, since)

    async def _commits_below(self, row: SessionRow, since: int) -> int:
        """How often the sessions below this one have committed, of those that did at `since` or later."""
        rows = [child for child in await self.store.children(row.session) if child.updated_at >= since]
        return sum([child.commit_n + await self._commits_below(child, since) for child in rows])

    async def _poisoned(self, line: Line, *, force: bool) -> None:
        """Refuse a session in which processes die, or let it run once more."""
        row, control = line.row, line.snapshot.control
        if force:
            line.status, line.reason = ("running", None) if control.due else ("waiting", waiting_reason(control))
            return
        if row.status == "poisoned":
            await self.store.release(row.session, row.epoch)
        else:
            await line.poison()
        names = [line.graph.nodes[token.node].name for token in control.due]
        where = f"superstep {row.head_superstep}" + (f" ({', '.join(names)})" if names else "")
        hint = f"graphagent resume {row.session} --force runs it once more; graphagent fork {row.session} --at N"
        raise SessionPoisoned(f"{row.session}: its process died again and again in {where}", hint=hint)

    async def depth(self, row: SessionRow) -> int:
        """How many sessions of the same graph call each other above this one."""
        depth, at = 0, row
        while at.caller is not None:
            at = await self.store.session(at.caller)
            depth += at.graph == row.graph
        return depth

    async def _rearm(self, line: Line, opened: Opened) -> None:
        """What waiting tokens wait for must exist: a fork asks again under its own ids, an expired question is over."""
        control, graph = line.snapshot.control, line.graph
        there = {row.interrupt: row for row in opened.interrupts}
        missing: list[InterruptRow] = []
        known = {i.message_id for i in line.inputs}
        for waiting in control.waiting:
            if waiting.reason == "child":
                child = child_of(line.session, graph, waiting)
                try:
                    line.child_reasons[child] = (await self.store.session(child)).reason or "interrupt"
                except NotFound:
                    await self.take(line, NewInput("child", f"rearm:{child}", encode({"child": child})))
            elif waiting.reason == "interrupt":
                interrupt = interrupt_of(line.session, graph, waiting)
                if there.get(interrupt) is None and line.row.origin and f"answer:{interrupt}" not in known:
                    missing.append(await self._asked_again(line, interrupt, waiting))
        if missing:
            await line.arm(missing)
        if control.waiting:
            await self._fire(line)
        await self._cancel_orphans(line)

    async def _fire(self, line: Line) -> None:
        """Accept the timers that are due, of this session and of those that it waits for."""
        due = [
            token
            async for token in parked_tokens(self, line.row, line.snapshot.control)
            if token.due_at is not None and token.due_at <= self.clock.now_us()
        ]
        for token in sorted(due, key=lambda t: t.due_at or 0):
            fault("timer.fire")
            new = await fired(self, token)
            if token.row.session == line.session:
                await self.take(line, new)
                continue
            await self.store.accept(token.row.session, new)
            for caller, wake in await callers_woken(self, token.row, new.message_id):
                if caller == line.session:
                    await self.take(line, wake)
                    break
                await self.store.accept(caller, wake)

    async def _cancel_orphans(self, line: Line) -> None:
        """Cancel children whose tokens were withdrawn, if a crash came between."""
        control, graph = line.snapshot.control, line.graph
        if not any(node.may_call for node in graph.nodes):
            return
        wanted = {child_of(line.session, graph, w) for w in control.waiting if w.reason == "child"}
        open_ = {token.placed for token in control.due}
        for row in await self.store.children(line.session):
            if row.status in ("waiting", "running") and row.session not in wanted and row.caller_superstep not in open_:
                line.withdrawn.append(row.session)
        await line.cancel_withdrawn()

    async def _asked_again(self, line: Line, interrupt: InterruptId, waiting: Any) -> InterruptRow:
        """The question of the origin, under the fork's own id and with its full time to live."""
        for entry in reversed(line.row.lineage):
            asked = interrupt_of(entry.session, line.graph, waiting)
            try:
                row = await self.store.interrupt(asked)
            except NotFound:
                continue
            now = self.clock.now_us()
            expires = None if waiting.expires_us is None else now + waiting.expires_us
            return replace(
                row, interrupt=interrupt, session=line.session, status="open", opened_at=now, expires_at=expires,
                answer=None, answered_by=None, answered_at=None,
            )  # fmt: skip
        raise NotFound(f"the question that {interrupt} repeats isn't there any more")

    async def release(self, line: Line) -> None:
        """Give a session back; its head stays warm in memory."""
        with trio.CancelScope(shield=True):
            if line.durable:
                self.tables.keep_head(line.session, line.snapshot)
            else:
                self.tables.sessions.drop(line.session)
                line.rolled_back()
            try:
                await self.services_of(line.plan).tools.close(line.session)
            finally:
                try:
                    if not line.released:
                        await self.store.release(line.session, line.row.epoch)
                finally:
                    self.busy.discard(line.session)
                    self.lines.pop(line.session, None)

    async def advance(self, line: Line, stop: Stop) -> None:
        """Run until nothing is left to do, queued runs included; then cancel the children of a run that is over, those
        of a process that died before it could do so too."""
        await self._advance(line, stop)
        if line.over and line.calls and not line.snapshot.control.waiting and not line.snapshot.control.due:
            for child in await self.store.children(line.session):
                if child.status in ("waiting", "running"):
                    await self.cancel(child.session, "its caller ended")

    async def _advance(self, line: Line, stop: Stop) -> None:
        while True:
            try:
                await line.advance(stop)
            except (trio.Cancelled, KeyboardInterrupt):
                with trio.CancelScope(shield=True):
                    await (line.leave() if stop.leaving else line.pause())
                raise
            if not line.snapshot.control.queue or not line.over:
                return
            await line.next_run()

    async def cancel(self, session: SessionId, reason: str | None = None, by: str | None = None) -> Line:
        """Cancel the current run of a session and of those that it called, and close their questions."""
        line = await self.open(session, force=True)
        try:
            if line.row.status in ("done", "cancelled"):
                return line
            await self.take(line, NewInput("cancel", f"cancel:{line.row.epoch}", encode({"reason": reason}), by))
            await self.advance(line, Stop())
        finally:
            await self.release(line)
        for child in await self.store.children(session):
            if child.status in ("waiting", "running", "failed"):
                await self.cancel(child.session, reason, by)
        for started in await still_open(self, session):
            try:
                await self.cancel(started, reason, by)
            except SessionBusy:  # whoever has it takes it up
                new = NewInput("cancel", f"cancel:{session}", encode({"reason": reason}), by)
                await self.store.accept(started, new)
        return line

    # ---- people ------------------------------------------------------------------------------------------------

    async def answer_inputs(
        self, interrupt: InterruptRow, value: Mapping[str, Any]
    ) -> tuple[bytes, list[tuple[SessionId, NewInput]]]:
        """The canonical answer, and the inputs that it means for the session that asked and for its callers."""
        answer = encode(freeze(dict(value)))
        body = encode({"interrupt": interrupt.interrupt, "value": freeze(dict(value))})
        inputs = [(interrupt.session, NewInput("answer", f"answer:{interrupt.interrupt}", body, value.get("by")))]
        row = await self.store.session(interrupt.session)
        return answer, [*inputs, *await callers_woken(self, row, interrupt.interrupt)]

    async def root_of(self, session: SessionId) -> SessionId:
        """The session at the top of the call tree."""
        row = await self.store.session(session)
        while row.caller is not None:
            row = await self.store.session(row.caller)
        return row.session

    def retry_input(self, line: Line, node: str | None, limits: Mapping[str, int]) -> NewInput | None:
        """The input that gives the failed tasks of the open superstep a new attempt; None if there is none."""
        tasks = failed_tasks(line.journal.sealed(line.snapshot.superstep), node)
        if not tasks and not limits:
            return None
        message = f"resume:{line.row.commit_n}:{line.row.epoch}"
        return NewInput("resume", message, encode({"tasks": tasks, "limits": dict(limits)}))

    async def take(self, line: Line, new: NewInput) -> InputRow:
        """Accept an input for a session that is open here."""
        row = await self.store.accept(line.session, new)
        if all(known.n != row.n for known in line.inputs):
            line.inputs.append(row)
        return row

    async def aclose(self) -> None:
        """Close models and store."""
        await self.models.aclose()
        await self.store.aclose()

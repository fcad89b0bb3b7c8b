"""What a node may touch while its task runs: the `Task` of `ports`, backed by the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from graphagent.codec import decode, encode, freeze
from graphagent.engine.artifacts import Shelf, note, put_by, value_of
from graphagent.engine.branches import Work, gather
from graphagent.engine.call_ids import background_id, child_id, write_key
from graphagent.engine.doubt import asked_for, doubt_id, doubt_question, unknown, unsettled
from graphagent.engine.emitted import STARTED, Said, end_of, shown, without_end
from graphagent.engine.environment import with_scope
from graphagent.engine.failures import dump_error, load_error, redact_error
from graphagent.engine.journal import request_hash
from graphagent.engine.late import evidence
from graphagent.engine.spending import cost_of, of_rows
from graphagent.engine.step import ChildCall, LiveEvent, Step
from graphagent.engine.superstep import evaluate_writes
from graphagent.engine.waiting import Held, Limited
from graphagent.errors import EffectOrder, InDoubt, NodeError, OutputTooLarge, ReplayDivergence
from graphagent.faults import fault
from graphagent.graph.plan import NodePlan, Writes
from graphagent.ids import ArtifactId, InterruptId, StepId, digest128, encode128
from graphagent.ports import Content, EffectCall, Execute, ItemEnd, MadeOf, TaskServices
from graphagent.snapshot import ArtifactRow, EffectClass, EffectRow, EffectState, InterruptRow, Spent

OUTCOME_LIMIT = 4 * 1024 * 1024
REQUEST_LIMIT = 1024
"""A request is stored with its row up to this size; its hash always is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TaskContext:
    """One attempt of one task. Calls are numbered as they are made: that number is their place in the journal."""

    __slots__ = (
        "_branches", "_call", "_calls", "_counter", "_made", "_open", "_said", "_seen_live", "answer", "artifacts",
        "attempt", "born", "doubtful", "env", "error", "events", "failed", "items", "last_call", "node", "opened_at",
        "over", "path", "put", "root", "seen", "services", "step", "superstep", "writing", "written",
    )  # fmt: skip

    def __init__(self, step: Step, node: NodePlan, path: str, attempt: int, env: Mapping[str, Any], born: int) -> None:
        self.step, self.node, self.path, self.attempt, self.env = step, node, path, attempt, env
        self.root = path
        self.seen = env
        self.superstep = step.superstep
        self.services: TaskServices = step.services
        self.born = born
        self.opened_at = step.opened_at
        self.error: Mapping[str, Any] | None = None
        self.answer: Mapping[str, Any] | None = None
        self.events: list[Said] = []
        self.items: dict[int, list[Said]] = {}
        """The events of a map's items; these end in any order."""
        self.failed: EffectRow | None = None
        self.writing: EffectRow | None = None
        self.written: list[tuple[int, Any]] = []
        self.doubtful: EffectRow | None = None
        self.last_call: Sequence[str | int] | None = None
        self.over = False
        """The attempt has ended; its code may go on all the same, and is late with whatever it does."""
        self.artifacts: list[str] = []
        self.put: dict[ArtifactId, ArtifactRow] = {}
        self._call: EffectCall | None = None
        self._calls = 0
        self._open = False
        self._counter = 0
        self._said = 0
        self._seen_live: dict[int, tuple[str, Any]] = {}
        self._made: dict[bytes, int] = {}
        self._branches: Sequence[TaskContext] = ()

    @property
    def session(self) -> str:
        return self.step.session

    @property
    def run(self) -> str:
        return self.step.run

    @property
    def depth(self) -> int:
        return self.step.depth

    # ---- effects -----------------------------------------------------------------------------------------------

    async def effect(
        self, kind: str, name: str, effect_class: EffectClass, request: Any, execute: Execute, *,
        keyed: bool = False, check: Execute | None = None, made_of: MadeOf | None = None,
    ) -> Any:  # fmt: skip
        """See `ports.Task.effect`."""
        self._in_time()
        if self._open:
            message = f"node {self.node.name!r} began a call while another one is open"
            raise EffectOrder(message, hint="await one call before you begin the next")
        ordinal = self._calls
        self._calls += 1
        self.last_call = [self.path, self.attempt, ordinal]
        self._open = True
        try:
            asked = freeze(request)
            return await self._effect(
                ordinal, kind, name, effect_class, asked, execute, keyed=keyed, check=check, made_of=made_of
            )
        finally:
            self._open = False

    def foreseen(self, kind: str, names: Sequence[str]) -> str | None:
        """See `ports.Task.foreseen`."""
        row = self.step.journal.find(self.superstep, self.path, self.attempt, self._calls)
        if row is not None:
            return row.name if row.kind == kind else None
        return None if self.step.replaying or not names else names[0]

    def _in_time(self) -> None:
        """Raise NodeError if this attempt has ended."""
        if self.over:
            message = f"attempt {self.attempt + 1} of node {self.node.name!r} has ended, and its code went on"
            raise NodeError(message, kind="cancelled", retryable=False)

    async def _effect(
        self, ordinal: int, kind: str, name: str, effect_class: EffectClass, request: Any, execute: Execute, *,
        keyed: bool, check: Execute | None, made_of: MadeOf | None,
    ) -> Any:  # fmt: skip
        journal = self.step.journal
        asked = encode(request)
        hashed = request_hash(kind, name, effect_class, request)
        occurrence = self.occurrence(hashed)
        row = journal.find(self.superstep, self.path, self.attempt, ordinal)
        key = row.write_key if row is not None else None
        if key is None and effect_class == "write":
            key = self._free_key(ordinal, name, hashed, occurrence)
        key = key or write_key(self.step.session, self.superstep, self.root, name, hashed, occurrence)
        call = EffectCall(key, self.step_id(ordinal))
        if row is not None:
            self.compare(row, kind, name, hashed, request, made_of)
            if row.outcome is not None:
                journal.replayed += 1
                return self.reuse(row)
            if effect_class == "write":
                return await self._settle(row, call, execute, keyed=keyed, check=check)
        if kind == "model":
            self._afford()
        if self.step.replaying:
            self.diverge("extra", ordinal, None, [kind, name, request])
        row = EffectRow(
            self.superstep, self.path, self.attempt, ordinal, kind, name, effect_class, EffectState.INTENT, hashed,
            asked if len(asked) <= REQUEST_LIMIT else None, started_at=self.step.clock.now_us(),
            fingerprint=None if made_of is None else made_of.hash,
        )  # fmt: skip
        if effect_class == "write":
            earlier = self.earlier(hashed, occurrence)
            if earlier is not None and earlier.state is EffectState.DONE:
                journal.record(replace(earlier, attempt=self.attempt, ordinal=ordinal, write_key=None))
                return self.reuse(earlier)
            if earlier is not None and unsettled(earlier) and not keyed:
                raise self.doubt(row, call.write_key)
            row = replace(row, write_key=call.write_key if earlier is None else None, attempt_token=self._token(row))
            await self._intend(row, keyed=keyed)
        return await self._execute(row, call, execute)

    def _free_key(self, ordinal: int, name: str, hashed: bytes, occurrence: int) -> bytes:
        """The key of a write. An equal one behind it may have been made first, while this one waited for a person: each
        has one of its own all the same, and a retry has those of the calls that it repeats."""
        for attempt in range(self.attempt - 1, -1, -1):
            earlier = self._equal(hashed, attempt)[occurrence : occurrence + 1]
            if earlier and earlier[0].write_key is not None:
                return earlier[0].write_key
        place = (self.superstep, self.path, self.attempt, ordinal)
        while True:
            key = write_key(self.step.session, self.superstep, self.root, name, hashed, occurrence)
            if not self.step.journal.taken(key, place):
                return key
            occurrence += 1

    def _afford(self) -> None:
        """Raise Limited before a model call if a limit on tokens or cost is reached."""
        step = self.step
        limit = None if step.budget is None else step.budget.reached(self.spent())
        if limit is not None:
            if step.limit is None or limit.cause == "tokens":  # whichever task comes first
                step.limit = limit
            raise Limited

    def spent(self) -> Spent:
        """What this task has used in this superstep, earlier attempts included."""
        rows = self.step.journal.rows.items()
        return of_rows(row for key, row in rows if key[0] == self.superstep and self._own(key[1]))

    def _own(self, path: str) -> bool:
        """Whether calls with this path belong to this task."""
        return path == self.root or path.startswith(f"{self.root}/")

    async def _intend(self, row: EffectRow, *, keyed: bool) -> None:
        """Make the intent of a write durable. One that may be repeated under its key is never in doubt."""
        fault("intent.before")
        self.step.journal.record(row)
        await self.step.journal.flush()
        fault("intent.after")
        self.writing = None if keyed else row

    async def _settle(
        self, row: EffectRow, call: EffectCall, execute: Execute, *, keyed: bool, check: Execute | None
    ) -> Any:
        """What a write gives that was begun and has no outcome: its check knows how it went, it is called again if its
        peer refuses repeats by key, or a person has said how it went.

        Raises:
            InDoubt: nobody has.
        """
        answer = self.step.answers.get(doubt_id(self.step.session, row))
        if check is not None and answer is None and not self.step.replaying:
            verdict = await check(call)
            if isinstance(verdict, Mapping):
                answer = {"decision": "done", "value": freeze(verdict["found"])}
            elif verdict == "not_found":
                answer = {"decision": "retry"}
        if (keyed and not self.step.replaying) or (answer is not None and answer["decision"] == "retry"):
            call.tries = row.tries + 1
            row = replace(row, state=EffectState.INTENT, tries=call.tries, started_at=self.step.clock.now_us())
            row = replace(row, attempt_token=self._token(row))
            await self._intend(row, keyed=keyed)
            return await self._execute(row, call, execute)
        if answer is None:
            raise self.doubt(row, call.write_key)
        state, outcome = EffectState.DONE, answer.get("value")
        if answer["decision"] == "fail":
            state, outcome = (
                EffectState.FAILED,
                dump_error(self.unknown(row, call.write_key)),
            )
        row = replace(row, state=state, outcome=encode(freeze(outcome)), ended_at=self.step.clock.now_us())
        self.step.journal.record(row)
        self.step.journal.recorded += 1
        return self.reuse(row)

    def _token(self, row: EffectRow) -> bytes:
        """The name of one execution of a write: by it the journal knows whose late outcome it is."""
        return digest128(self.step.session, self.step.journal.epoch, *row.key, row.tries)[:8]

    def _late(self, row: EffectRow, result: Any, error: NodeError | None) -> None:
        """An execution has ended that was abandoned."""
        self.show("x.effect.late", {"name": row.name, "call": [self.path, row.attempt, row.ordinal]})
        if row.effect_class != "write":
            return
        failure = None
        if error is not None:
            redact_error(error, self.services)
            failure = dump_error(error)
        self.step.journal.testify(evidence(row, result, failure, self.step.clock.now_us()))

    async def _execute(self, row: EffectRow, call: EffectCall, execute: Execute) -> Any:
        fault("effect.before")
        call.late, call.now_us = partial(self._late, row), self.step.clock.now_us
        self._call = call
        try:
            result = freeze(await execute(call))
            outcome = encode(result)
            if len(outcome) > OUTCOME_LIMIT:
                raise OutputTooLarge(len(outcome), OUTCOME_LIMIT)
        except InDoubt as error:
            if row.effect_class == "write":
                raise self.doubt(row, call.write_key) from error
            raise
        except NodeError as error:
            redact_error(error, self.services)
            self._ended(row, call, EffectState.FAILED, encode(freeze(dump_error(error))))
            raise
        finally:
            self._call = None
        fault("effect.after")
        self._ended(row, call, EffectState.DONE, outcome)
        if row.effect_class == "write":
            await self.step.journal.flush()
        return result

    def _ended(self, row: EffectRow, call: EffectCall, state: EffectState, outcome: bytes) -> None:
        """Note how a call ended, unless it is too late."""
        if self.over:
            return
        ttft_us = None if call.first_us is None else max(call.first_us - row.started_at, 0)
        cost = cost_of(call.usage, call.artifacts, ttft_us)
        self.step.journal.record(
            replace(row, state=state, outcome=outcome, cost=cost, tries=call.tries, ended_at=self.step.clock.now_us())
        )
        self.step.journal.recorded += 1
        self.writing = None

    def reuse(self, row: EffectRow) -> Any:
        """The outcome of a row: its value, or its failure raised again."""
        assert row.outcome is not None
        value = decode(row.outcome)
        for artifact in put_by(row, self.step.session):
            self.note_artifact(artifact)
        if row.state is EffectState.FAILED:
            raise load_error(value)
        return value

    def doubt(self, row: EffectRow, key: bytes) -> InDoubt:
        """A write was begun, and nobody knows whether it happened. The row says so from now on."""
        self.doubtful = replace(row, state=EffectState.IN_DOUBT)
        self.step.journal.record(self.doubtful)
        return self.unknown(row, key)

    def unknown(self, row: EffectRow, key: bytes) -> InDoubt:
        """The error of a write of this task that has no outcome."""
        return unknown(row, key, asked_for(row, self.node, self.step.graph))

    def compare(
        self, row: EffectRow, kind: str, name: str, hashed: bytes, request: Any, made_of: MadeOf | None = None
    ) -> None:
        """Raise ReplayDivergence if the journal has another call in this place."""
        self.step.used.add((row.path, row.attempt, row.ordinal))
        recorded = decode(row.request) if row.request else None
        if row.kind != kind:
            self.diverge("wrong_kind", row.ordinal, row.kind, kind)
        if row.name != name:
            self.diverge("wrong_name", row.ordinal, row.name, name)
        if row.request_hash != hashed:
            changed = made_of is not None and row.fingerprint is not None and row.fingerprint != made_of.hash
            about = f"a prompt has changed since: {', '.join(made_of.names)}" if made_of and changed else None
            self.diverge("request_changed", row.ordinal, recorded, request, about)

    def diverge(self, kind: str, ordinal: int | None, expected: Any, actual: Any, about: str | None = None) -> None:
        """Stop: this code makes other calls than those in the journal. `about` is what is known of the reason."""
        difference = {
            "superstep": self.superstep, "node": self.node.name, "path": self.path, "attempt": self.attempt,
            "ordinal": ordinal, "kind": kind, "expected": expected, "actual": actual, "hint": about,
        }  # fmt: skip
        reason = "" if about is None else f"; {about}"
        message = f"node {self.node.name!r} in superstep {self.superstep}: {kind.replace('_', ' ')}{reason}"
        hint = "put the code or prompt back, or fork at this superstep with --fresh, which makes its calls again"
        raise ReplayDivergence(difference, message, hint=hint)

    def occurrence(self, hashed: bytes) -> int:
        """How many equal calls this attempt made before this one."""
        count = self._made.get(hashed, 0)
        self._made[hashed] = count + 1
        return count

    def carried(self, hashed: bytes, ordinal: int, occurrence: int) -> EffectRow | None:
        """The same question or child call of an earlier attempt that has an outcome: it counts for this one too."""
        earlier = self.earlier(hashed, occurrence)
        if earlier is None or earlier.state is not EffectState.DONE:
            return None
        row = replace(earlier, attempt=self.attempt, ordinal=ordinal)
        self.step.journal.record(row)
        return row

    def earlier(self, hashed: bytes, occurrence: int) -> EffectRow | None:
        """The same call of the newest attempt before this one that made it."""
        for attempt in range(self.attempt - 1, -1, -1):
            rows = self._equal(hashed, attempt)
            if len(rows) > occurrence:
                return rows[occurrence]
        return None

    def _equal(self, hashed: bytes, attempt: int) -> list[EffectRow]:
        """The same calls of an attempt of this task, in the order of their places."""
        return [
            row
            for key, row in sorted(self.step.journal.rows.items())
            if key[0] == self.superstep and key[2] == attempt and row.request_hash == hashed and self._own(key[1])
        ]

    def step_id(self, ordinal: int) -> StepId:
        """The name of one call, equal in a replay."""
        return StepId.derive(self.step.session, self.superstep, self.path, self.attempt, ordinal)

    # ---- calls at the same time --------------------------------------------------------------------------------

    async def gather(self, works: Sequence[Work], limits: Mapping[str, int]) -> list[Any]:
        """See `ports.Task.gather`."""
        return await gather(self, works, limits)

    def open_scope(self, count: int) -> list[TaskContext]:
        """The branches of a new scope; until it is closed, the task itself makes no call."""
        if self._open:
            raise EffectOrder(
                f"node {self.node.name!r} began a scope while a call is open", hint="await the call first"
            )
        ordinal = self._calls
        self._calls += 1
        self._open = True
        branches = []
        for index in range(count):
            branch = TaskContext(
                self.step, self.node, f"{self.path}/{ordinal}.{index}", self.attempt, self.env, self.born
            )
            branch.root, branch.seen, branch.opened_at = self.root, self.seen, self.opened_at
            branch._made, branch.put = self._made, self.put
            branches.append(branch)
        self._branches = branches
        return branches

    def close_scope(self) -> None:
        """All branches have ended: their events follow in order."""
        for branch in self._branches:
            self.events += branch.events
            branch.end()
        self._open, self._branches = False, ()

    def end(self) -> None:
        """The attempt, or this branch of it, has ended: what its code still does is late."""
        self.over = True
        for branch in self._branches:
            branch.end()

    def unfinished_write(self) -> TaskContext | None:
        """This task or the first of its branches that has begun a write which hasn't ended."""
        if self.writing is not None:
            return self
        return next((found for b in self._branches if (found := b.unfinished_write()) is not None), None)

    # ---- waiting -----------------------------------------------------------------------------------------------

    async def ask(self, question: Mapping[str, Any]) -> Any:
        """See `ports.Task.ask`."""
        self._in_time()
        ordinal = self._calls
        self._calls += 1
        self.last_call = [self.path, self.attempt, ordinal]
        interrupt = InterruptId.derive(self.step.session, self.superstep, self.path, self.attempt, ordinal)
        journal = self.step.journal
        asked = freeze(dict(question))
        hashed = request_hash("interrupt", self.node.name, "read", asked)
        occurrence = self.occurrence(hashed)
        row = journal.find(self.superstep, self.path, self.attempt, ordinal)
        if row is not None:
            self.compare(row, "interrupt", self.node.name, hashed, asked)
            if row.outcome is not None:
                journal.replayed += 1
                return self.reuse(row)
        elif self.step.replaying:
            self.diverge("extra", ordinal, None, ["interrupt", self.node.name, asked])
        elif (earlier := self.carried(hashed, ordinal, occurrence)) is not None:
            return self.reuse(earlier)
        now = self.step.clock.now_us()
        row = row or EffectRow(
            self.superstep, self.path, self.attempt, ordinal, "interrupt", self.node.name, "read", EffectState.INTENT,
            hashed, started_at=now,
        )  # fmt: skip
        answer = self.step.answers.get(interrupt)
        if answer is not None:
            journal.record(replace(row, state=EffectState.DONE, outcome=encode(answer), ended_at=now))
            return answer
        journal.record(row)
        self.step.opened.append(self.interrupt_row(interrupt, question, None))
        raise Held

    def hold(self) -> NoReturn:
        """See `ports.Task.hold`."""
        raise Held

    def ask_about(self, error: InDoubt) -> None:
        """Ask a person about the write that is in doubt here."""
        assert self.doubtful is not None
        interrupt = doubt_id(self.step.session, self.doubtful)
        self.step.opened.append(self.interrupt_row(interrupt, doubt_question(self.node, error), None))

    def interrupt_row(
        self, interrupt: InterruptId, question: Mapping[str, Any], expires_us: int | None
    ) -> InterruptRow:
        """The durable form of a question of this task."""
        now = self.step.clock.now_us()
        node = self.root.partition("[")[0]  # of a map's item that of the map
        return InterruptRow(
            interrupt, self.step.session, self.superstep, self.path, node, question["kind"],
            encode(freeze(dict(question))), opened_at=now, expires_at=None if expires_us is None else now + expires_us,
        )  # fmt: skip

    async def flush(self) -> None:
        """See `ports.Task.flush`."""
        if not self.step.replaying:
            await self.step.journal.flush()

    async def child(self, graph: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `ports.Task.child`. The id of the child derives from where its token was placed."""
        step, ordinal = self.step, self._calls
        self._calls += 1
        self.last_call = [self.path, self.attempt, ordinal]
        child = child_id(step.session, self.born, self.path, self.attempt)
        request = freeze(dict(inputs))
        hashed = request_hash("child", graph, "read", request)
        occurrence = self.occurrence(hashed)
        row = step.journal.find(self.superstep, self.path, self.attempt, ordinal)
        if row is not None:
            self.compare(row, "child", graph, hashed, request)
            if row.outcome is not None:
                step.journal.replayed += 1
                value: Mapping[str, Any] = self.reuse(row)
                return value
        if step.replaying:
            if self.path in step.waited:
                return None
            self.diverge("extra", ordinal, None, ["child", graph, request])
        if (earlier := self.carried(hashed, ordinal, occurrence)) is not None:
            outputs: Mapping[str, Any] = self.reuse(earlier)
            return outputs
        started = step.clock.now_us()
        seed = digest128(step.seed, "child", self.born, self.path, self.attempt)
        await step.journal.settle()  # another first half of this run would call it with other inputs
        end = await step.children.call(
            child,
            ChildCall(
                step.session, self.born, self.path, graph, request, step.opened_at, seed,
                {} if step.budget is None else step.budget.left(self.spent()),
            ),
        )  # fmt: skip
        if end.status in ("running", "waiting", "idle"):
            step.child_reasons[child] = end.reason or "interrupt"
            return None
        fault("child.outcome")
        failed = end.status != "done"
        cause = end.error or {}
        error = NodeError(  # without the child's id: two equal sessions have equal errors
            f"the child session ended as {end.status}: {cause.get('message', '')}".rstrip(": "),
            kind="child_failed", cause=cause.get("kind"), retryable=False, hint=cause.get("hint"),
        )  # fmt: skip
        left = dump_error(error) if failed else end.outputs
        step.journal.record(
            EffectRow(
                self.superstep, self.path, self.attempt, ordinal, "child", graph, "read",
                EffectState.FAILED if failed else EffectState.DONE, hashed, outcome=encode(freeze(left)),
                cost=encode(list(end.spent)), started_at=started, ended_at=step.clock.now_us(),
            )
        )  # fmt: skip
        step.journal.recorded += 1
        if failed:
            raise error
        return end.outputs

    async def start_session(self, graph: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """See `ports.Task.start_session`. What it gives names no session: two equal sessions start equal ones."""
        step, request = self.step, freeze(dict(inputs))
        key = request_hash("session", name, "read", [self.root, graph, request]).hex()[:32]
        superstep = self.superstep
        child = background_id(step.session, superstep, key)

        async def execute(effect: EffectCall) -> Any:
            # What led to it is durable before: or another answer of the model might leave it to nobody.
            await step.journal.flush()
            left = {} if step.budget is None else step.budget.left(self.spent())
            seed = digest128(step.seed, "background", superstep, key)
            fault("child.create")
            await step.children.start(
                child, ChildCall(step.session, superstep, self.path, graph, request, step.opened_at, seed, left)
            )
            return {"superstep": superstep, "key": key}

        asked = {"start": graph, "name": name, "inputs": request}
        started: dict[str, Any] = await self.effect("session", "start", "read", asked, execute)
        self.show("x.session.started", {"name": name, "session": child})
        if not step.replaying:
            await step.children.attach(child)
        return started

    async def look_at_session(self, started: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `ports.Task.look_at_session`. A fork finds what its origin started."""
        step = self.step

        async def execute(effect: EffectCall) -> Any:
            end = await step.children.look(step.session, started["superstep"], started["key"])
            return {"status": end.status, "reason": end.reason, "outputs": end.outputs, "error": end.error}

        found: Mapping[str, Any] = await self.effect("session", "look", "read", {"look": dict(started)}, execute)
        return found

    async def item(self, index: int, env: Mapping[str, Any]) -> ItemEnd:
        """See `ports.Task.item`."""
        assert self.step.run_item is not None
        return await self.step.run_item(self, index, env)

    # ---- artifacts ---------------------------------------------------------------------------------------------

    async def put_artifact(self, content: Content, media_type: str, name: str | None = None) -> dict[str, Any]:
        """See `ports.ArtifactAccess`."""
        call = self._call
        row = await self._shelf().put(content, media_type, name, self.superstep)
        if call is not None:
            call.artifacts.append(row)
        self.note_artifact(row)
        return value_of(row)

    def note_artifact(self, row: ArtifactRow) -> None:
        """What this task has put it can read at once, and the barrier commits it."""
        note(self.put, row)
        note(self.step.artifacts, row)
        if row.artifact not in self.artifacts:
            self.artifacts.append(str(row.artifact))

    async def read_artifact(self, artifact: str, offset: int, limit: int) -> bytes:
        """See `ports.ArtifactAccess`."""
        shelf = self._shelf()
        row = next((row for id, row in self.put.items() if id == artifact), None)
        if row is None:
            await self.step.journal.settle()  # what the supersteps before this one put is known when they are stored
            row = await shelf.row(artifact)
            if shelf.above(artifact) is not None:  # this superstep may be committed before the caller's, or without it
                note(self.step.artifacts, replace(row, session=self.step.session, superstep=self.superstep))
        if offset < 0 or limit < 0:
            hint = "count from 0"
            raise NodeError(
                "offset and limit can't be negative", kind="invalid_input", cause="bad_arguments", hint=hint
            )
        return await shelf.read(row, offset, limit)

    def _shelf(self) -> Shelf:
        if self.step.shelf is None:
            raise NodeError("artifacts aren't kept here", kind="unavailable", cause="artifact_unavailable")
        return self.step.shelf

    # ---- writes of its own calls -------------------------------------------------------------------------------

    def write(self, writes: Writes, names: Mapping[str, Any]) -> None:
        """See `ports.Task.write`."""
        graph = self.step.graph
        for index, value in evaluate_writes(graph, writes, with_scope(self.seen, names)):
            channel = graph.channels[index]
            before = self.seen.get(channel.name, channel.neutral)
            self.seen = {**self.seen, channel.name: channel.fold(before, value)}
            self.written.append((index, value))

    # ---- events, time, chance ----------------------------------------------------------------------------------

    def say(self, message_id: str, index: int, text: str) -> None:
        """See `ports.Task.say`."""
        if self.step.sink is not None:
            data = {"message_id": message_id, "index": index, "delta": text, "content_type": "text"}
            self.step.show("RunContent", self.root, self.attempt, data)

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """See `ports.Task.show`."""
        self.step.show(kind, self.root, self.attempt, data)

    def show_progress(self, fraction: float, note: str) -> None:
        """See `ports.Task.show_progress`."""
        start = next((said for said in reversed(self.events) if said.kind == STARTED), None)
        if start is not None:
            data, _ = shown(start, self.step.session, self.superstep)
            told = {"call_id": data["call_id"], "tool": data["tool"], "fraction": fraction, "note": note}
            self.show("x.tool.progress", told)

    def message_id(self, ordinal: int) -> str:
        """See `ports.Task.message_id`."""
        return "msg_" + encode128(digest128(self.step.seed, self.superstep, self.path, self.attempt, ordinal))

    def emit(self, kind: str, data: Any) -> None:
        """See `ports.Task.emit`."""
        if self.over:
            return
        said = Said(kind, freeze(data), self.path, self.attempt, self._said)
        self._said += 1
        self.events.append(said)
        if self.step.sink is not None and not said.chained and self._seen_live.get(said.n) != (kind, said.data):
            self._show_said(said)

    def preview(self, kind: str, data: Any, ahead: int) -> None:
        """See `ports.Task.preview`."""
        if self.step.sink is None or self.over:
            return
        said = Said(kind, freeze(data), self.path, self.attempt, self._said + ahead)
        self._seen_live[said.n] = (kind, said.data)
        self._show_said(said)

    def _show_said(self, said: Said) -> None:
        """The provisional form of an event."""
        assert self.step.sink is not None
        data, step = shown(said, self.step.session, self.superstep, self._find)
        place = (said.path, said.n)
        node = self.root.partition("[")[0]
        self.step.sink(LiveEvent(said.kind, self.superstep, node, self.root, self.attempt, data, place, step))

    def _find(self, path: str, attempt: int, ordinal: int) -> EffectRow | None:
        return self.step.journal.find(self.superstep, path, attempt, ordinal)

    def abandon(self, status: str, error: Mapping[str, Any] | None = None) -> None:
        """The attempt leads to no result: whatever it has begun, and its branches have, ends with this status."""
        if self.over:
            return
        self.events += self._left_open()
        for start in list(without_end(self.events)):
            n = 1 + max(s.n for s in self.events if s.path == start.path)
            said = Said(*end_of(start, status, error), start.path, self.attempt, n)
            self.events.append(said)
            if self.step.sink is not None:
                self._show_said(said)

    def _left_open(self) -> list[Said]:
        """What was said in branches that never came together again."""
        found = [said for branch in self._branches for said in (*branch.events, *branch._left_open())]
        for branch in self._branches:
            branch.end()
        self._branches = ()
        return found

    def said(self) -> list[Said]:
        """The events of this attempt in the order in which they are kept."""
        if not self.items:
            return self.events
        return [*self.events, *(event for index in sorted(self.items) for event in self.items[index])]

    def now(self) -> datetime:
        """See `ports.Task.now`."""
        return _EPOCH + timedelta(microseconds=self.opened_at)

    def random_bytes(self) -> bytes:
        """See `ports.Task.random_bytes`."""
        self._counter += 1
        return digest128(self.step.seed, self.superstep, self.path, self.attempt, self._counter)

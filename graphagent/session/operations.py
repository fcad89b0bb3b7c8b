"""What can be done with sessions, each once: start, run on, resume, answer, fork, replay, cancel.

Everything here is awaited from trio. The public API and the command line are two spellings of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import trio

from graphagent.codec import digest, encode
from graphagent.engine.moving import moved
from graphagent.engine.replay import ReplayedStep, Replayer, ReplayReport
from graphagent.engine.run import Line, Stop
from graphagent.engine.spending import add, of_rows
from graphagent.errors import (
    Conflict,
    InputInvalid,
    NotFound,
    ReplayDivergence,
    ReplayFloor,
    SessionBusy,
)
from graphagent.graph.plan import Plan
from graphagent.ids import CheckpointId, InterruptId, SessionId, encode128
from graphagent.session.answers import canonical
from graphagent.session.background import beside
from graphagent.session.discarding import Discard, discard_task
from graphagent.session.forking import Fork as Fork
from graphagent.session.forking import fork as fork
from graphagent.session.host import Host
from graphagent.session.hub import outputs_of
from graphagent.session.inputs import check_inputs
from graphagent.session.limits import bounds_of, check_raised
from graphagent.session.new import NewSession
from graphagent.session.observer import Observer
from graphagent.session.parked import ParkedToken, callers_woken, next_due, parked_tokens
from graphagent.session.reading import floor_of, last_error
from graphagent.session.recorded import Records
from graphagent.session.runnable import check_runnable
from graphagent.snapshot import InterruptRow, NewInput, SessionRow
from graphagent.stores.rules import settle

if TYPE_CHECKING:
    from graphagent.graph.overriding import Given

PATIENCE_S = 2.0
Durability = Literal["strict", "pipelined"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is made.

    Attributes:
        until: Names of nodes before which it pauses.
        until_snapshot: The snapshot at which it pauses.
        limits: Bounds over those of the graph: `supersteps`, `tokens`, `cost_usd` or `cost_micro`, `wall` (`10m`, or
            seconds) or `wall_us`.
        message_id: Makes the input that starts the run idempotent.
        stop: Asked at every barrier whether to pause there.
        leave: The same; but the session is given back as it is, so that whoever finds it runs on.
        durability: Of a new session: `strict`, or `pipelined`: commits become durable behind the run. By default what
            the project's settings say.
        beside: Run the sessions that it starts in the background in this process too, until they rest.
        prompts: Texts in place of the graph's: of whole prompts, or `{"blocks": {...}}`. They belong to the session:
            its resume, replay and forks use them too, and a later run in it can't have others.
        patience_s: If nothing but a timer is waited for that is due in so many seconds, the run waits for it.
    """

    name: str | None = None
    tags: tuple[str, ...] = ()
    seed: int | None = None
    until: frozenset[str] = frozenset()
    until_snapshot: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    stop: Callable[[], bool] | None = None
    patience_s: float = PATIENCE_S
    durability: Durability | None = None
    leave: Callable[[], bool] | None = None
    beside: bool = True
    prompts: Given = field(default_factory=dict)

    def stops(self) -> Stop:
        """For the engine."""
        return Stop(self.until, self.until_snapshot, self.stop, self.leave)


DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a segment of a run ended. `recorded` and `replayed` count effects of this segment."""

    row: SessionRow
    plan: Plan
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    first_superstep: int
    recorded: int = 0
    replayed: int = 0


def seed_of(options: Options) -> bytes:
    """The seed of a new session: chosen, or from the system."""
    return os.urandom(16) if options.seed is None else digest(f"seed {options.seed}".encode())[:16]


def run_input(plan: Plan, inputs: Mapping[str, Any], options: Options) -> NewInput:
    """The input that starts a run. Raises NotRunnable and InputInvalid, before anything is stored."""
    check_runnable(plan)
    body = {"inputs": check_inputs(plan.graph, inputs), "limits": bounds_of(options.limits)}
    return NewInput("run", options.message_id or encode128(os.urandom(16)), encode(body))


async def start(
    host: Host, plan: Plan, inputs: Mapping[str, Any], options: Options = DEFAULTS, observer: Observer | None = None
) -> Outcome:
    """Create a session and run it."""
    plan = overriding(plan, options)
    new = run_input(plan, inputs, options)
    host.models.secrets.check(plan)
    host.services_of(plan).tools.check()
    host.models.check()
    host.hooks.check()
    mode = options.durability or host.settings.durability
    made = NewSession(plan, seed_of(options), options.name, options.tags, mode=mode)
    session = await host.create(made, [new])
    return await drive(host, session, options, observer)


async def run_again(
    host: Host, session: SessionId, inputs: Mapping[str, Any], options: Options = DEFAULTS,
    observer: Observer | None = None,
) -> Outcome:  # fmt: skip
    """The next run in a session.

    Raises:
        SessionBusy: a run is running or waiting there.
    """
    row = await host.store.session(session)
    if row.status in ("running", "waiting"):
        raise SessionBusy(f"a run is {row.status} in {session}", hint=f"graphagent resume {session}")
    plan = await host.plan_of(row)
    same_prompts(session, plan, options)
    new = run_input(plan, inputs, options)
    host.models.secrets.check(plan)
    host.services_of(plan).tools.check()
    return await drive(host, session, options, observer, new)


def overriding(plan: Plan, options: Options) -> Plan:
    """The plan with the prompts that the caller replaces. Raises InputInvalid and GraphInvalid."""
    if not options.prompts:
        return plan
    from graphagent.graph.overriding import with_prompts

    return with_prompts(plan, options.prompts)


def same_prompts(session: SessionId, plan: Plan, options: Options) -> None:
    """A session keeps the prompts that it began with. Raises Conflict."""
    if overriding(plan, options).hash != plan.hash:
        hint = "fork it: session.fork(at, graph=graph.with_prompts({...}))"
        raise Conflict(f"{session} began with other prompts, and keeps them", hint=hint)


async def drive(
    host: Host, session: SessionId, options: Options = DEFAULTS, observer: Observer | None = None,
    new: NewInput | None = None,
) -> Outcome:  # fmt: skip
    """Open a session and run it until nothing is left to do. `new` is an input that the opening accepts."""
    host.models.check()
    host.hooks.check()
    async with beside(options.stop) if options.beside else nullcontext():
        line = await host.open(session, observer, new)
        try:
            outcome = await _advance(host, line, options)
        finally:
            await host.release(line)
        return await _patiently(host, outcome, options, observer)


async def _patiently(host: Host, outcome: Outcome, options: Options, observer: Observer | None) -> Outcome:
    """Wait for timers that are due soon, and run on."""
    while (due := await next_due(host, outcome.row)) is not None:
        wait_s = (due - host.clock.now_us()) / 1e6
        if wait_s > options.patience_s:
            break
        await trio.sleep(max(wait_s, 0.001))
        line = await host.open(outcome.row.session, observer)
        try:
            more = await _advance(host, line, options)
        finally:
            await host.release(line)
        recorded, replayed = outcome.recorded + more.recorded, outcome.replayed + more.replayed
        outcome = replace(more, first_superstep=outcome.first_superstep, recorded=recorded, replayed=replayed)
    return outcome


async def _advance(host: Host, line: Line, options: Options) -> Outcome:
    first = line.snapshot.superstep
    had_error = line.row.status == "failed"
    await host.advance(line, options.stops())
    outputs = outputs_of(line) if line.row.status == "done" else None
    error = line.error
    if error is None and line.row.status == "failed" and had_error:
        error = await last_error(host.store, line.row)
    return Outcome(line.row, line.plan, outputs, error, first, line.journal.recorded, line.journal.replayed)


async def standing(host: Host, session: SessionId) -> Outcome:
    """How a session stands; nothing runs."""
    row = await host.store.session(session)
    plan = await host.plan_of(row)
    error = await last_error(host.store, row) if row.status == "failed" else None
    return Outcome(row, plan, None, error, row.head_superstep)


async def resume(
    host: Host, session: SessionId, options: Options = DEFAULTS, observer: Observer | None = None, *,
    retry: str | None = None, force: bool = False, discard: Discard | None = None,
) -> Outcome:  # fmt: skip
    """Run on from the head. A failed run's failed tasks get a new attempt; a finished one stays as it is.

    Args:
        force: Also a session whose process died too often.
        discard: A task whose newest attempt doesn't count any more.

    Raises:
        SessionPoisoned: it is one, and this isn't by force.
        NotFound: `retry` names no failed node, or the open superstep hasn't the task that is to be discarded.
        Conflict: the run ended by a limit that isn't raised, or the task has begun writes.
    """
    async with beside(options.stop):
        return await _resume(host, session, options, observer, (retry, force, discard))


async def _resume(
    host: Host, session: SessionId, options: Options, observer: Observer | None,
    how: tuple[str | None, bool, Discard | None],
) -> Outcome:  # fmt: skip
    retry, force, discard = how
    limits = bounds_of(options.limits)
    host.models.check()
    host.hooks.check()
    if options.prompts:
        same_prompts(session, await host.plan_of(await host.store.session(session)), options)
    line = await host.open(session, observer, force=force)
    try:
        row, control = line.row, line.snapshot.control
        if discard is not None:
            await _discard(host, line, discard)
        if row.status == "failed":
            if row.reason == "limit" and (control.due or control.waiting):
                await _check_limit(host, line, limits)
            new = host.retry_input(line, retry, limits)
            if new is not None:
                await host.take(line, new)
            elif retry is not None:
                raise NotFound(f"{retry!r} is no failed node of {session}", hint=f"graphagent history {session}")
        elif limits and (control.due or control.waiting):
            body = encode({"tasks": {}, "limits": limits})
            await host.take(line, NewInput("resume", f"limits:{row.commit_n}:{row.epoch}", body))
        if row.status != "failed":
            await _let_go(host, line)
        outcome = await _advance(host, line, options)
    finally:
        await host.release(line)
    return await _patiently(host, outcome, options, observer)


async def _discard(host: Host, line: Line, discard: Discard) -> None:
    tasks = await discard_task(line, discard)
    body = encode({"tasks": tasks, "limits": {}})
    row = line.row
    await host.take(line, NewInput("resume", f"discard:{discard.path}:{row.commit_n}:{row.epoch}", body, discard.by))


async def _let_go(host: Host, line: Line) -> None:
    """Accept that the tokens go on which breakpoints stopped, in this session and in those that it waits for."""
    stopped: dict[SessionId, list[ParkedToken]] = {}
    async for token in parked_tokens(host, line.row, line.snapshot.control):
        if token.stopped:
            stopped.setdefault(token.row.session, []).append(token)
    for session, tokens in stopped.items():
        row = tokens[0].row
        body = encode({"tasks": {}, "limits": {}, "release": [t.release_name for t in tokens]})
        new = NewInput("resume", f"release:{row.commit_n}:{row.epoch}", body)
        if session == line.session:
            await host.take(line, new)
            continue
        await host.store.accept(session, new)
        for caller, wake in await callers_woken(host, row, new.message_id):
            if caller == line.session:
                await host.take(line, wake)
                break
            await host.store.accept(caller, wake)


async def _check_limit(host: Host, line: Line, limits: Mapping[str, int]) -> None:
    """Raise Conflict unless these limits let a run go on that one of its limits ended."""
    snap = line.snapshot
    error = await last_error(host.store, line.row)
    if error is not None:
        used = add(snap.control.spent, of_rows(line.journal.sealed(snap.superstep)))
        times = (line.row.timed_from(snap.run_started_at), host.clock.now_us())
        bounds = {**snap.control.bounds, **limits}
        check_raised(line.session, error, line.graph, snap.control, bounds, used, times)


async def find_interrupt(host: Host, target: str) -> InterruptRow:
    """The interrupt of an id, or the one open interrupt of a session and its children.

    Raises:
        NotFound: there is none.
        Conflict: the session has several.
    """
    if target.startswith("itr_"):
        try:
            return await host.store.interrupt(InterruptId(target))
        except ValueError as error:
            raise NotFound(f"no interrupt {target}: {error}") from error
    rows = await open_interrupts(host, SessionId(target))
    if not rows:
        raise NotFound(f"{target} waits for no answer", hint=f"graphagent show {target}")
    if len(rows) > 1:
        ids = ", ".join(r.interrupt for r in rows)
        raise Conflict(f"{target} has {len(rows)} open interrupts: {ids}", hint="name the one that you answer")
    return rows[0]


async def open_interrupts(host: Host, session: SessionId) -> list[InterruptRow]:
    """The open interrupts of a session and of all sessions that it called, oldest first."""
    rows = await host.store.interrupts(session)
    for child in await host.store.children(session):
        if child.status in ("waiting", "running"):
            rows += await open_interrupts(host, child.session)
    return sorted(rows, key=lambda r: (r.opened_at, r.interrupt))


async def answer(
    host: Host, interrupt: InterruptRow, value: Any, *, by: str | None = None, note: str | None = None
) -> InterruptRow:
    """Answer a question durably; nothing runs yet. The first valid answer wins.

    Raises:
        InterruptAnswered, InterruptExpired: the question is closed, whatever this answer looks like.
        InputInvalid: it doesn't fit the question, which stays open.
        NotFound.
    """
    row = await host.store.session(interrupt.session)
    plan = await host.plan_of(row)
    try:
        full = canonical(interrupt, plan, value, by, note)
    except InputInvalid:
        settle(await host.store.interrupt(interrupt.interrupt), b"", None, host.clock.now_us())
        raise
    data, inputs = await host.answer_inputs(interrupt, full)
    return await host.store.answer(interrupt.interrupt, data, full["by"], inputs)


async def cancel(host: Host, session: SessionId, reason: str | None = None, by: str | None = None) -> Outcome:
    """Cancel the current run of a session and close its questions."""
    line = await host.cancel(session, reason, by)
    return Outcome(line.row, line.plan, None, None, line.snapshot.superstep)


async def delete(host: Host, sessions: Sequence[SessionId]) -> list[SessionId]:
    """Delete sessions with all that they called; gives them all.

    Raises:
        NotFound: one of them isn't there.
        SessionBusy: a living process owns one.
        Conflict: a fork of one shares its history, or a session that stays called it.
    """
    gone = list(dict.fromkeys(sessions))
    for session in gone:
        gone += [row.session for row in await host.store.children(session) if row.session not in gone]
    await host.store.delete(gone)
    for session in gone:
        host.tables.forget(session)
    return gone


async def snapshot_number(host: Host, row: SessionRow, at: int | str | CheckpointId) -> int:
    """The number of a snapshot: itself, `last`, or counted from the end where negative."""
    if at == "last":
        return row.head_superstep
    number = int(at)
    return row.head_superstep + 1 + number if number < 0 else number


async def replay(
    host: Host, session: SessionId, *, mode: Literal["verify", "view"] = "verify", start_at: int = 0,
    stop_at: int | None = None, plan: Plan | None = None,
) -> ReplayReport:  # fmt: skip
    """Replay a session's line from its journal. Makes no external call and writes nothing.

    Raises:
        ReplayFloor: the journal below a later superstep was collected.
    """
    row = await host.store.session(session)
    floor = await floor_of(host.store, row)
    if start_at < floor:
        raise ReplayFloor(floor)
    stop = row.head_superstep if stop_at is None else min(stop_at, row.head_superstep)
    report = ReplayReport(row.session, mode, start_at, stop, floor)
    began = host.clock.now_us()
    await _replay(host, row, plan, report)
    report.wall_ms = (host.clock.now_us() - began) // 1000
    return report


async def _replay(host: Host, row: SessionRow, chosen: Plan | None, report: ReplayReport) -> None:
    """Replay superstep by superstep, each under the plan that it ran under, or all under a chosen one."""
    state, before = None, None
    replayers: dict[bytes, Replayer] = {}
    depth = await host.depth(row)
    records = Records(host, row, chosen, report.stop)
    for number in range(report.start, report.stop):
        recorded, plan = await records.at(number)
        effects = sum(r.ordinal >= 0 for r in recorded.journal)
        tasks = len(recorded.body.get("tasks", []))
        if report.mode == "view":
            await recorded.after()
            report.supersteps.append(ReplayedStep(number, recorded.checkpoint.digest, None, tasks, effects))
            continue
        if plan.hash not in replayers:
            services = host.services_of(plan)
            replayers[plan.hash] = Replayer(
                services.plan, services.kinds(), services, host.clock, depth, host.shelf(row, reads=True)
            )
        if state is None or before is None:
            state = await records.before(number, plan)
        elif before.hash != plan.hash:
            state = moved(state, before.graph, plan.graph)
        state, difference = await replayers[plan.hash].verify(recorded, state)
        before = plan
        found = None if difference and state.superstep == number else state.digest
        report.supersteps.append(ReplayedStep(number, recorded.checkpoint.digest, found, tasks, effects))
        report.effects_replayed += effects
        if difference is not None:
            report.first_difference = difference
            return


def raise_difference(report: ReplayReport) -> None:
    """Raise ReplayDivergence if the replay found a difference."""
    found = report.first_difference
    if found is not None:
        message = f"the replay differs at superstep {found['superstep']}, node {found['node']!r}: {found['kind']}"
        raise ReplayDivergence(found, message, hint=found["hint"])

"""Forks: new sessions whose heads are old checkpoints. One row each; a child session's callers are forked with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from graphagent.codec import decode, digest, encode
from graphagent.engine.endings import waiting_reason
from graphagent.engine.inputs import apply_inputs
from graphagent.engine.replay import migration_of
from graphagent.errors import Conflict, ForkDepth, InputInvalid
from graphagent.graph.compatibility import conflicts
from graphagent.graph.compile import sub_plan
from graphagent.graph.plan import Plan
from graphagent.ids import SessionId
from graphagent.session.calling import CallSite, call_site
from graphagent.session.carrying import (
    Call,
    carried,
    check_writes,
    find_call,
    new_attempts,
    next_attempts,
    node_of,
    same_nodes,
)
from graphagent.session.host import Host
from graphagent.session.inputs import check_edits
from graphagent.session.loading import load_snapshot
from graphagent.session.new import graph_name
from graphagent.session.reading import checkpoint_at, owner
from graphagent.session.runnable import check_runnable
from graphagent.snapshot import (
    Blob,
    Carried,
    CheckpointRow,
    Control,
    EffectRow,
    InputRow,
    LineageEntry,
    NewFork,
    NewInput,
    SessionRow,
    Snapshot,
)

DEPTH_LIMIT = 256
"""Forks of forks: a reader goes through so many sessions at most."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a fork is made.

    Attributes:
        edits: New values of channels.
        plan: Another plan to go on with.
        name: A label for it; in a family that of its root, since listings show roots.
        same_seed: Keep the origin's seed.
        fresh: Carry nothing of the superstep that it begins with: make its calls again.
        alone: Of a child session fork only that one, as a session of its own.
        before: A call `PATH:ORDINAL` of the superstep that reads the snapshot: the fork goes on right before it.
        as_node: A node that counts as having ended with these edits: the fork goes on along its routes.
    """

    edits: Mapping[str, Any] | None = None
    plan: Plan | None = None
    name: str | None = None
    same_seed: bool = False
    fresh: bool = False
    alone: bool = False
    before: str | None = None
    as_node: str | None = None

    @property
    def edited(self) -> bool:
        """Whether the fork begins with a superstep of its own, of kind `edit`."""
        return bool(self.edits) or self.as_node is not None


@dataclass(frozen=True, slots=True)
class Fork:
    """What a fork made. `before` are the values that its edits replaced; `family` the forks of its callers with their
    origins, from the root down; `as_node` counts as their writer, and `then` is where control is behind it."""

    row: SessionRow
    origin: SessionRow
    snapshot: int
    edits: Mapping[str, Any]
    before: Mapping[str, Any]
    family: tuple[tuple[SessionRow, SessionRow], ...] = ()
    as_node: str | None = None
    then: Control | None = None

    @property
    def root(self) -> SessionId:
        """The session to run: the fork, or in a family the one at its top."""
        return self.family[0][0].session if self.family else self.row.session


async def fork(
    host: Host, origin: SessionId, at: int, options: Options | None = None, *, dry_run: bool = False, **named: Any
) -> Fork:
    """A new session whose head is snapshot `at` of `origin`. Edits are a superstep of the fork's own.

    Where it begins with a superstep that hasn't closed, it carries the calls that were made there, unless it is `fresh`
    or edited. A child's callers are forked with it, each where it made the call, so that the family goes on from there.

    Args:
        options: How it is made; each can be given by its name instead.

    Raises:
        NotFound: no such snapshot, or no such call.
        InputInvalid: an edit doesn't fit, or options exclude each other.
        Conflict: a new plan lacks a node that is due, or nothing has run there yet in a child session.
        ForkOpenWrite: a write of that superstep has no outcome; `fresh` makes it again.
        ForkDepth: it would be a fork of too many forks.
    """
    chosen = replace(options or Options(), **named)
    _check(chosen)
    row = await host.store.session(origin)
    place = await _place(host, row, at)
    callers = [] if chosen.alone else await _callers(host, row)
    if callers and at == 0:
        call = callers[-1]
        hint = f"graphagent fork {call.row.session} --at {call.superstep} forks its caller before the call"
        raise Conflict(f"nothing has run at snapshot 0 of {origin}, which {call.row.session} called", hint=hint)
    if chosen.plan is not None:
        chosen = replace(chosen, plan=fitting(place.plan, chosen.plan, place.snapshot.control))
    checked = check_edits((chosen.plan or place.plan).graph, chosen.edits or {})
    journal = await _journal(host, row, at, chosen)
    if at == row.head_superstep and not chosen.fresh:
        check_writes(row, [r for r in journal if node_of(r.path) != chosen.as_node])
    call_of_own = None if chosen.before is None else find_call(row, at, journal, chosen.before)
    family = await _family(host, callers, chosen)
    made = await _forked(host, place, journal, chosen, call_of_own, checked)
    if family:
        made = replace(made, row=called(made.row, family[-1].new.row, callers[-1]))
    elif chosen.name is not None:
        made = replace(made, row=replace(made.row, name=chosen.name))
    names = place.plan.graph.channel_index
    before = {n: place.snapshot.values[names[n]] for n in checked if n in names}
    then = (
        None
        if chosen.as_node is None
        else await _behind(host, place, made.row, chosen.plan or place.plan, made.inputs[0])
    )
    members = tuple((member.new.row, member.origin) for member in family)
    result = Fork(made.row, row, at, checked, before, members, chosen.as_node, then)
    if dry_run:
        return result
    blobs = [] if chosen.plan is None else [Blob(chosen.plan.hash, host.know(chosen.plan).document)]
    await host.store.fork([*(member.new for member in family), made], blobs)
    rows = [await _opened(host, member.new, waits=member.waits) for member in family]
    new_row = await _opened(host, made, waits=bool(place.snapshot.control.waiting), edited=chosen.edited)
    return replace(result, row=new_row, family=tuple((r, m.origin) for r, m in zip(rows, family, strict=True)))


def _check(chosen: Options) -> None:
    """Options that exclude each other."""
    if chosen.before is not None and chosen.edited:
        hint = "an edit is a superstep of its own, which begins the one behind it anew"
        other = "--as" if chosen.as_node is not None else "--set"
        raise InputInvalid("--before", f"{other} can't be given with it", hint=hint)
    if chosen.before is not None and chosen.fresh:
        raise InputInvalid("--before", "--fresh can't be given with it", hint="--fresh makes all calls again")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fork begins: a checkpoint of a session's line, and the plan of the superstep that reads it."""

    row: SessionRow
    at: int
    checkpoint: CheckpointRow
    plan: Plan
    snapshot: Snapshot


async def _place(host: Host, row: SessionRow, at: int) -> Place:
    checkpoint = await checkpoint_at(host.store, row, at)
    graph = (await host.plan_at(row, checkpoint.plan)).graph
    snapshot = await load_snapshot(host.store, row, graph, checkpoint)
    return Place(row, at, checkpoint, await _plan_of_superstep(host, row, at, checkpoint), snapshot)


async def _behind(host: Host, place: Place, made: SessionRow, plan: Plan, edit: NewInput) -> Control:
    """Where control is when a node has ended with these edits. Raises InputInvalid where that can't be told."""
    snapshot = await load_snapshot(host.store, place.row, plan.graph, place.checkpoint)
    taken = InputRow(edit.kind, edit.message_id, edit.body)
    return apply_inputs(plan.graph, plan.hash, snapshot, made.session, [taken], dead=False).control


def _edit(edits: Mapping[str, Any], node: str | None) -> NewInput:
    body = {"set": edits} if node is None else {"set": edits, "as": node}
    return NewInput("edit", "edit", encode(body))


async def _plan_of_superstep(host: Host, row: SessionRow, superstep: int, before: CheckpointRow) -> Plan:
    """The plan under which a superstep of a session's line ran, or will run; `before` is what it reads."""
    if superstep >= row.head_superstep:
        return await host.plan_of(row)
    (after,) = await host.store.checkpoints(row.spans(superstep), limit=1)
    if after.superstep > superstep:  # what followed was collected; only a fork may begin with another graph than before
        return await host.plan_at(row, after.plan if superstep == row.forked_at else before.plan)
    if before.plan != after.plan and await _migrated(host, row, superstep):
        return await host.plan_at(row, before.plan)
    return await host.plan_at(row, after.plan)


async def _migrated(host: Host, row: SessionRow, superstep: int) -> bool:
    """Whether a superstep bound the session to another plan; a fork with another graph runs that from the first on."""
    batches = await host.store.events(row.spans(superstep, superstep + 1))
    return any(migration_of(decode(batch.body)) is not None for batch in batches)


async def _journal(host: Host, row: SessionRow, at: int, chosen: Options) -> list[EffectRow]:
    """The rows that a fork may carry: those of an open superstep, or of the one before whose call it goes on."""
    if chosen.fresh or (at < row.head_superstep and chosen.before is None):
        return []
    return await host.store.effects(row.spans(at, at + 1))


async def _forked(
    host: Host, place: Place, journal: Sequence[EffectRow], chosen: Options, call: Call | None,
    edits: Mapping[str, Any],
) -> NewFork:  # fmt: skip
    """The row of a fork, as a session without a caller, and its first inputs."""
    row, at, control = place.row, place.at, place.snapshot.control
    now = host.clock.now_us()
    session = SessionId.timed(now, os.urandom(10))
    plan = chosen.plan or place.plan
    kept = None if plan.hash == place.plan.hash else same_nodes(place.plan, plan)
    edited = bool(edits) or chosen.as_node is not None
    rows = None if edited else carried(await _writer(host, row, at), at, journal, kept, call)
    events = await events_before(host, row, at)
    status: Literal["waiting", "done"] = "waiting" if control.due or control.waiting else "done"
    reason = None if status == "done" else "paused" if control.due else waiting_reason(control)
    made = SessionRow(
        session, row.family, plan.hash, graph_name(plan), _seed(row.seed, session, chosen), row.mode, status, reason,
        origin=row.session, origin_checkpoint=place.checkpoint.checkpoint, lineage=lineage_at(row, at, events),
        head=place.checkpoint.checkpoint, head_superstep=at, head_digest=place.checkpoint.digest, event_n=events,
        created_at=now, updated_at=now, graph_version=plan.version, graph_file=plan.file, carried=rows,
    )  # fmt: skip
    inputs = [_edit(edits, chosen.as_node)] if edited else []
    if rows is not None:
        inputs = await _attempts(host, row, at, journal, rows, call)
    return NewFork(made, tuple(inputs))


def _seed(seed: bytes, session: SessionId, chosen: Options) -> bytes:
    return seed if chosen.same_seed else digest(seed + session.raw)[:16]


async def _writer(host: Host, row: SessionRow, superstep: int) -> SessionRow:
    """The session of this line that holds a superstep's journal."""
    session = SessionId(owner(row, superstep))
    return row if session == row.session else await host.store.session(session)


async def _attempts(
    host: Host, row: SessionRow, at: int, journal: Sequence[EffectRow], rows: Carried, call: Call | None
) -> list[NewInput]:
    """The input that says at which attempts the tasks of the carried superstep stand, if one isn't at its first."""
    inputs: list[NewInput] = []
    if at == row.head_superstep:
        inputs = new_attempts(row, journal, rows, await host.store.inputs(row.session, after=row.taken_n))
    if call is None:
        return inputs
    tasks = next_attempts(rows, journal, call)
    for new in inputs:
        tasks = {**decode(new.body)["tasks"], **tasks}
    return [NewInput("resume", "fork", encode({"tasks": tasks, "limits": {}}))] if tasks else []


# ---- families --------------------------------------------------------------------------------------------------------


async def _callers(host: Host, row: SessionRow) -> list[CallSite]:
    """The calls that led to a child session, from the root down; none for a root."""
    found: list[CallSite] = []
    while row.caller is not None:
        found.insert(0, await call_site(host, row))
        row = found[0].row
    return found


@dataclass(frozen=True, slots=True)
class Member:
    """The fork of a caller; `waits` says whether tokens wait where it begins."""

    new: NewFork
    origin: SessionRow
    waits: bool


async def _family(host: Host, callers: Sequence[CallSite], chosen: Options) -> list[Member]:
    """The forks of the callers, from the root down: each begins right before its call."""
    out: list[Member] = []
    same_plan = replace(chosen, plan=None, as_node=None)
    for i, site in enumerate(callers):
        place = await _place(host, site.row, site.superstep)
        if site.superstep == site.row.head_superstep and not chosen.fresh:
            check_writes(site.row, [r for r in site.journal if not site.call.undoes(r)])
        journal = [] if chosen.fresh else site.journal
        new = await _forked(host, place, journal, same_plan, site.call, {})
        row = replace(new.row, name=chosen.name) if i == 0 else called(new.row, out[-1].new.row, callers[i - 1])
        out.append(Member(replace(new, row=row), site.row, bool(place.snapshot.control.waiting)))
    return out


def called(row: SessionRow, caller: SessionRow, site: CallSite) -> SessionRow:
    """A fork as the child of a fork: under the id by which its caller will look for it."""
    session = site.child_of(caller.session)
    return replace(row, session=session, caller=caller.session, caller_superstep=site.born, caller_path=site.call.path)


async def _opened(host: Host, new: NewFork, *, waits: bool, edited: bool = False) -> SessionRow:
    """The row of a fork that is stored, after its edits are applied and what waiting tokens wait for is asked again."""
    row = new.row if not (edited or waits or new.inputs) else await host.store.session(new.row.session)
    if not edited and (not waits or row.commit_n > 0):
        return row
    line = await host.open(row.session)
    try:
        if edited:
            await line.take_inputs()
    finally:
        await host.release(line)
    return await host.store.session(row.session)


# ---- what forks have in common ---------------------------------------------------------------------------------------


def fitting(old: Plan, new: Plan, control: Control) -> Plan:
    """What of a new plan a session of an old one can go on with: that has a place for all that the session holds.

    Raises:
        NotRunnable: it has a part that this release doesn't run.
        Conflict: it hasn't.
    """
    check_runnable(new)
    found = conflicts(old, new, control)
    if found:
        hint = "keep what the session holds; `graphagent validate FILE --against S` shows the places"
        raise Conflict("; ".join(c.message for c in found), hint=hint)
    return sub_plan(new, old.entry) if old.entry and not new.entry else new


def lineage_at(row: SessionRow, at: int, events: int) -> tuple[LineageEntry, ...]:
    """The lineage of a fork of `row` at snapshot `at`.

    Raises:
        ForkDepth: it would be too long.
    """
    kept = tuple(e for e in row.lineage if e.superstep < at)
    origin = row.lineage[len(kept)].session if len(kept) < len(row.lineage) else row.session  # an ancestor's snapshot
    if len(kept) >= DEPTH_LIMIT:
        hint = f"fork {row.lineage[0].session}, or an early fork of it, and set the channels there"
        raise ForkDepth(f"{row.session} is a fork of {len(row.lineage)} forks already", hint=hint)
    return (*kept, LineageEntry(origin, at, events))


async def events_before(host: Host, row: SessionRow, at: int) -> int:
    """How many events the supersteps below `at` have."""
    found = await host.store.events(row.spans(max(at - 1, 0), at))
    last = [b for b in found if not decode(b.body).get("parked")]
    return last[-1].first + last[-1].count if last else 0

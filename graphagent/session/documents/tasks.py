"""The tasks of a superstep, from its batch of events and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from graphagent.codec import decode
from graphagent.engine.eventlog import notes_in
from graphagent.engine.spending import of_rows
from graphagent.graph.plan import NodePlan
from graphagent.graph.secrecy import names_read
from graphagent.ids import SessionId, StepId
from graphagent.session.documents.common import error_of, usage_of
from graphagent.session.documents.page import SETTLED, WOKEN, Record, State, child_of_task, node_name
from graphagent.session.documents.part import milliseconds, time_text
from graphagent.session.documents.parts import (
    AnswerCause,
    Cause,
    EventCause,
    RouteCause,
    StartCause,
    Task,
    TaskEffects,
    TaskStatus,
    TimerCause,
    UpdateCause,
)
from graphagent.session.documents.turns import turns_in
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState, InterruptRow, Token


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task ran: the session that ran it, the superstep, the state that it read, and the journal."""

    session: SessionId
    superstep: int
    before: State
    journal: Sequence[EffectRow]

    def rows(self, path: str) -> list[EffectRow]:
        """The calls of one task, those of its scopes included."""
        scopes = path + "/"
        return [r for r in self.journal if r.ordinal >= 0 and (r.path == path or r.path.startswith(scopes))]

    def ended(self, path: str) -> EffectRow | None:
        """The task row of the newest attempt."""
        rows = [r for r in self.journal if r.ordinal == TASK_ORDINAL and r.path == path]
        return max(rows, key=lambda r: r.attempt, default=None)

    def items(self, path: str, waiting: Iterable[str] = ()) -> list[str]:
        """The paths of a map's items that left something in the journal, or wait, in order."""
        start = path + "["
        paths = (*(r.path for r in self.journal), *waiting)
        found = {p[: p.index("]") + 1] for p in paths if p.startswith(start)}
        return sorted(found, key=lambda p: int(p[len(start) : -1]))


@dataclass(frozen=True, slots=True)
class Course:
    """How a task went, before it is put into its document."""

    path: str
    attempt: int
    status: TaskStatus
    started_us: int | None = None
    wall_ms: int | None = None
    causes: Sequence[Cause] = ()
    error: Mapping[str, Any] | None = None


def tasks_of(record: Record) -> list[Task]:
    """The tasks of a committed superstep in plan order, items behind their map."""
    place = Place(record.session, record.superstep, record.before, record.journal)
    times, turns = record.body.get("at", []), turns_in(notes_in(record.body), record.session, record.superstep)
    out = []
    for i, (path, attempt, status, data, _) in enumerate(record.body.get("tasks", [])):
        row = place.ended(path)
        if row is not None and row.ended_at is not None and row.attempt == attempt:
            started, wall = row.started_at, milliseconds(row.started_at, row.ended_at)
        else:
            offset, wall = times[i] if i < len(times) else (0, 0)
            started = record.checkpoint.opened_at + offset * 1000
        error = data.get("error")
        if error is not None and row is not None and row.state is EffectState.FAILED and row.attempt == attempt:
            error = decode(row.outcome or b"{}")
        course = Course(path, attempt, status, started, wall, _causes(record, path, attempt, data["from"]), error)
        out.append(task_part(place, course))
        out += [task_part(place, _item(place, item, "done")) for item in place.items(path)]
    return [replace(task, turns=turns.get(task.task, [])) for task in out]


def open_tasks(
    place: Place, status: str, asked: Sequence[InterruptRow], waiting: Set[str], errors: Mapping[str, Mapping[str, Any]]
) -> list[Task]:
    """The tasks of a superstep that has begun and isn't committed.

    Args:
        status: The session's; while it runs, unfinished tasks are running, else they are queued.
        asked: The interrupts of the session.
        waiting: Paths of the tasks that wait for an answer, their children's included.
        errors: By path, of tasks that failed at the barrier and so aren't in the journal.
    """
    unfinished: TaskStatus = "running" if status == "running" else "queued"
    out = []
    for token in place.before.control.due:
        name = place.before.graph.nodes[token.node].name
        items = [
            _item(place, item, "waiting" if item in waiting else unfinished) for item in place.items(name, waiting)
        ]
        item_waits = any(i.status == "waiting" for i in items)
        course = _item(place, name, "waiting" if name in waiting or item_waits else unfinished)
        if name in errors and course.status != "failed":
            course = replace(course, status="failed", error=errors[name])
        out.append(task_part(place, replace(course, causes=_token_causes(place, token, asked))))
        out += [task_part(place, item) for item in items]
    return out


def _item(place: Place, path: str, otherwise: TaskStatus) -> Course:
    """How a task went as the journal has it; `otherwise` is the status of one without a task row."""
    row = place.ended(path)
    begun = max((r.attempt for r in place.rows(path)), default=0)
    if row is None or begun > row.attempt:
        return Course(path, begun, otherwise)
    wall = None if row.ended_at is None else milliseconds(row.started_at, row.ended_at)
    if row.state is EffectState.FAILED:
        return Course(path, row.attempt, "failed", row.started_at, wall, error=decode(row.outcome or b"{}"))
    return Course(path, row.attempt, "done", row.started_at, wall)


def task_part(place: Place, course: Course) -> Task:
    """The document of a task."""
    graph, path, attempt = place.before.graph, course.path, course.attempt
    name = node_name(path)
    node = graph.nodes[graph.node_index[name]]
    item = path.startswith(name + "[")
    runs = node.item if item and node.item is not None else node
    rows = place.rows(path)
    recorded = sum(r.outcome is not None for r in rows)
    doubt = sum(r.state is EffectState.IN_DOUBT or (r.outcome is None and r.effect_class == "write") for r in rows)
    called = course.status == "waiting" or any(r.kind == "child" for r in rows)
    child = child_of_task(place.session, place.before, path, attempt) if runs.calls_graph and called else None
    error = course.error
    return Task(
        name, path, StepId.derive(place.session, place.superstep, path, attempt, TASK_ORDINAL), runs.kind,
        course.status, attempt + 1, None if course.started_us is None else time_text(course.started_us), course.wall_ms,
        list(course.causes), {} if item else reads_of(place.before, node), TaskEffects(recorded, 0, doubt),
        usage_of(of_rows(rows)), child,
        None if error is None else error_of({**error, "node": name}, place.session, place.superstep, graph, path),
    )  # fmt: skip


def reads_of(before: State, node: NodePlan) -> dict[str, int]:
    """The channels that a node's own expressions read, with the versions that it saw."""
    roots, entries = names_read(node), before.entries
    return {c.name: entries[c.name].version for c in before.graph.channels if c.name in roots and c.name in entries}


def _causes(record: Record, path: str, attempt: int, names: Sequence[str]) -> list[Cause]:
    """Why a task was due."""
    graph, index = record.before.graph, record.before.graph.node_index[path]
    token = next((t for t in record.before.control.due if t.node == index), None)
    woken = None if token is None else _wait_cause(graph.nodes[index], token)
    if woken is not None:
        return [woken]
    if WOKEN in names:
        calls = graph.nodes[index].calls_graph
        child = child_of_task(record.session, record.before, path, attempt) if calls else None
        row = record.answered.get(child) if child is not None else _question(record.asked, path, record.superstep)
        if row is not None:
            return [_answer_cause(row)]
        names = [graph.nodes[s].name for s in token.sources] if token is not None else []
    routes: list[Cause] = [RouteCause(name) for name in names if not name.startswith("@")]
    return routes or _without_route(record.before, index)


def _token_causes(place: Place, token: Token, asked: Sequence[InterruptRow]) -> list[Cause]:
    """The same for a task that hasn't ended."""
    graph = place.before.graph
    woken = _wait_cause(graph.nodes[token.node], token)
    if woken is not None:
        return [woken]
    if token.answer is not None:
        row = _question(asked, graph.nodes[token.node].name, place.superstep)
        if row is not None:
            return [_answer_cause(row)]
    routes: list[Cause] = [RouteCause(graph.nodes[s].name) for s in token.sources]
    return routes or _without_route(place.before, token.node)


def _wait_cause(node: NodePlan, token: Token) -> Cause | None:
    """What woke a token of a node that waits for events or a time."""
    if node.kind != "wait" or token.answer is None:
        return None
    return EventCause(token.answer["event"]["name"]) if "event" in token.answer else TimerCause()


def _question(asked: Sequence[InterruptRow], path: str, superstep: int) -> InterruptRow | None:
    """The question that woke a parked token: the newest settled one of its task before this superstep."""
    rows = [r for r in asked if r.path == path and r.superstep < superstep and r.status in SETTLED]
    return max(rows, key=lambda r: r.superstep, default=None)


def _answer_cause(row: InterruptRow) -> Cause:
    return TimerCause() if row.status == "expired" else AnswerCause(row.interrupt)


def _without_route(before: State, index: int) -> list[Cause]:
    """The cause of a token that no route placed: a channel that its node listens to, or the start of the run."""
    node, control = before.graph.nodes[index], before.control
    since = control.last_run.get(index, 0)
    names = [before.graph.channels[c].name for c in node.on_update]
    updates: list[Cause] = [
        UpdateCause(name, before.entries[name].version)
        for name in names
        if name in before.entries and before.entries[name].version >= since
    ]
    return updates or [StartCause()]

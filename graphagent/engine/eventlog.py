"""The events of a superstep as they are stored, and as people see them.

A batch body has `begin`, `tasks`, `end` (chained: they say what happened in the graph) and `notes`, `at`
(unchained: how it went). `expand` makes the events of a body; their order and number depend on it alone, so the
events of a session read the same live, from the store, and in a replay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

from graphagent.codec import decode, encode, show_digest
from graphagent.engine.emitted import MODEL_ENDED, PURE, TIMED, Find, Said, event_id, moments, shown, times
from graphagent.engine.failures import view
from graphagent.engine.results import Taken, TaskResult
from graphagent.events import Event
from graphagent.frozen import dataclass
from graphagent.graph.plan import END, FAIL, GraphPlan
from graphagent.ids import RunId, SessionId, StepId
from graphagent.snapshot import CheckpointRow, EventBatch

Entry = list[Any]


@dataclass(frozen=False, slots=True)
class Batch:
    """A batch while it is made.

    `begin` and `end` hold run events `[kind, data]` that are chained; `opening` and `closing` the unchained ones
    before and after them. `notes` are unchained task events (`Note`), `at` are `[start offset, length]` in milliseconds
    by task. `dead` says that the inputs met a run that had failed. `open` holds no events: it says how far the turns of
    agents are that wait inside their superstep.
    """

    begin: list[Entry]
    tasks: list[Entry]
    end: list[Entry]
    opening: list[Entry]
    closing: list[Entry]
    notes: list[Entry]
    at: list[Entry]
    dead: bool = False
    open: list[Entry] = field(default_factory=list)
    sealed_tasks: bytes | None = None

    @classmethod
    def empty(cls) -> Batch:
        return cls([], [], [], [], [], [], [])

    def chained(self) -> bytes:
        """What the digest sees."""
        begin, end = _list(self.begin) if self.begin else b"[]", _list(self.end) if self.end else b"[]"
        return b"[%s,%s,%s]" % (begin, self.encoded_tasks(), end)

    def encoded_tasks(self) -> bytes:
        """The canonical bytes of `tasks`, which must be complete by now."""
        if self.sealed_tasks is None:
            self.sealed_tasks = _list(self.tasks)
        return self.sealed_tasks

    def body(self, run: str | None, *, parked: bool = False) -> bytes:
        """The stored form: canonical bytes of a mapping, without the parts that are empty."""
        parts = []
        if self.at:
            parts.append(b'"at":[%s]' % b",".join([b"[%d,%d]" % (start, length) for start, length in self.at]))
        for name in ("begin", "closing"):
            if part := getattr(self, name):
                parts.append(b'"%s":%s' % (name.encode(), encode(part)))
        if self.dead:
            parts.append(b'"dead":true')
        for name in ("end", "notes", "open", "opening"):
            if part := getattr(self, name):
                parts.append(b'"%s":%s' % (name.encode(), encode(part)))
        if parked:
            parts.append(b'"parked":true')
        parts.append(_run_part(run))
        if self.tasks:
            parts.append(b'"tasks":' + self.encoded_tasks())
        return b"{%s}" % b",".join(parts)

    def count(self, *, parked: bool = False) -> int:
        """How many events `expand` makes of it."""
        inner = sum([2 + len(task[4]) for task in self.tasks]) + len(self.notes)
        around = len(self.begin) + len(self.end) + len(self.opening) + len(self.closing)
        return inner + around + (0 if parked else 2)


@lru_cache(1024)
def _run_part(run: str | None) -> bytes:
    return b'"run":' + encode(run)


def _list(part: list[Entry]) -> bytes:
    return encode(part) if part else b"[]"


_ENDS = {END: "end", FAIL: "fail"}
SUPERSTEP_STARTED = "x.superstep.started"
OF_TURNS = frozenset({"x.agent.turn_started", MODEL_ENDED, "ToolCallCompleted"})
"""Kinds that the turns of agents are made of."""
_OF_A_CALL_ONLY = frozenset({"result_ref", "error", "artifacts"})
SHOWN_OF_AN_ERROR = (
    "kind", "cause", "class", "message", "hint", "retryable", "source", "node", "superstep", "task", "attempt",
    "fingerprint",
)  # fmt: skip
"""What the readers of events see of an error record: details, frames and inner errors are the operator's."""


def task_entry(graph: GraphPlan, result: TaskResult, taken: Taken | None) -> Entry:
    """`[path, attempt, status, {to, writes, from, error}, chained events]` of one task."""
    token, node = result.token, graph.nodes[result.token.node]
    data: dict[str, Any] = {"from": causes(graph, result)}
    if taken is not None and taken.route is not None:
        data["to"] = [graph.nodes[t].name if t >= 0 else _ENDS[t] for t in taken.route.to]
        if taken.kind == "error":
            data["via"] = "on_error"
    writes = [*result.writes, *taken.writes] if taken is not None and taken.writes else result.writes
    if writes:
        data["writes"] = list({graph.channels[index].name: None for index, _ in writes})
    if result.error is not None:
        data["error"] = view(result.error)
    if token.answer is not None:
        data["answered"] = True
    status = "waiting" if result.status in ("parked", "open") else result.status
    own = [[said.kind, said.data] for said in result.events if said.chained] if result.events else []
    return [node.name, result.attempt, status, data, own]


def causes(graph: GraphPlan, result: TaskResult) -> list[str]:
    """The nodes whose routes placed the token; `@answer`, or `@start` where there is none."""
    if result.token.answer is not None:
        return ["@answer"]
    names = [graph.nodes[s].name for s in result.token.sources]
    return names or ["@start"]


def task_notes(
    position: int, name: str, result: TaskResult, events: Sequence[Said], known: tuple[Find, int]
) -> list[Entry]:
    """The unchained events of one task.

    Each is `[task position, kind, data, number, milliseconds since the start or null]`, and the path and attempt of who
    said it where these aren't the task's own. The data has times where they are known, and marks in place of ids.

    Args:
        events: What it said, in this attempt and in earlier ones.
        known: Gives the rows of its calls, and when the superstep started.
    """
    find, start_us = known
    said = [s for s in events if not s.chained]
    out = []
    for one, moment in zip(said, moments(said, find, start_us), strict=True):
        data = one.data
        if one.kind in TIMED:
            data = {**data, **_times(one, result, find)}
            if result.status == "cancelled" and data.get("status") == "deferred":
                data["status"] = "cancelled"  # nobody waits for it any more
        whose = [] if (one.path, one.attempt) == (name, result.attempt) else [one.path, one.attempt]
        out.append([position, one.kind, data, one.n, moment, *whose])
    return out


def open_turns(results: Sequence[TaskResult], find: Find) -> list[Entry]:
    """What tasks that wait inside their superstep have said of their turns: `[kind, data, path, attempt]` each."""
    out = []
    for result in results:
        for said in result.events:
            if said.kind in OF_TURNS:
                data = {k: v for k, v in said.data.items() if k not in _OF_A_CALL_ONLY}
                times = _times(said, result, find) if said.kind in TIMED else {}
                out.append([said.kind, {**data, **times}, said.path, said.attempt])
    return out


def open_in(body: Mapping[str, Any]) -> list[Said]:
    """What `open_turns` wrote, of a stored batch."""
    return [Said(kind, data, path, attempt, -1) for kind, data, path, attempt in body.get("open", ())]


def _times(said: Said, result: TaskResult, find: Find) -> dict[str, int | None]:
    """How long a call took. A pure tool has no row: its call is the whole of its task."""
    call = said.mark("call")
    if call is not None and call[2] == PURE:
        return {"duration_ms": max(result.ended_us - result.started_us, 0) // 1000}
    return times(said, find)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch belongs: its session, its checkpoint (None for a park), and the plan's graph."""

    session: SessionId
    graph: GraphPlan
    checkpoint: CheckpointRow | None
    opened_at: int


def expand(batch: EventBatch, place: Place) -> list[Event]:
    """The events of a stored batch, numbered from `batch.first`."""
    tree = decode(batch.body)
    run = run_id(tree.get("run"))
    return [_event(i, draft, run, batch, place) for i, draft in enumerate(_events(tree, batch, place))]


@lru_cache(1024)
def run_id(text: str | None) -> RunId | None:
    """The id of a run as it stands in a batch, checked once."""
    return RunId(text) if text else None


@dataclass(frozen=True, slots=True)
class _Draft:
    kind: str
    data: Mapping[str, Any]
    node: str | None = None
    task: str | None = None
    attempt: int | None = None
    offset_ms: int = 0
    step: str | None = None
    place: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _Note:
    said: Said
    at_ms: int | None

    @classmethod
    def read(cls, note: Sequence[Any], task: Sequence[Any]) -> _Note:
        """A stored note. Those of earlier releases have no number and no time."""
        _, kind, data, *rest = note
        n, at_ms, *whose = rest or (-1, None)
        path, attempt = whose or (task[0], task[1])
        return cls(Said(kind, data, path, attempt, n), at_ms)


def notes_in(body: Mapping[str, Any]) -> list[Said]:
    """The unchained events of the tasks of a stored batch."""
    tasks = body.get("tasks", [])
    return [_Note.read(note, tasks[note[0]]).said for note in body.get("notes", ())]


def _events(tree: Mapping[str, Any], batch: EventBatch, place: Place) -> Iterator[_Draft]:
    tasks = tree.get("tasks", [])
    for kind, data in [*tree.get("opening", []), *tree.get("begin", [])]:
        yield _Draft(kind, data)
    row = place.checkpoint
    if row is not None:
        yield _Draft(SUPERSTEP_STARTED, {"due": [t[0] for t in tasks], "kind": row.kind})
    at = tree.get("at", [])
    wall = 0
    for i, task in enumerate(tasks):
        offset, length = at[i] if i < len(at) else (0, 0)
        wall = max(wall, offset + length)
        mine = [_Note.read(note, task) for note in tree.get("notes", ()) if note[0] == i]
        yield from _task_events(task, [_note(note, (offset, length), batch, place) for note in mine], offset, length)
    if row is not None:
        data = {
            "checkpoint": row.checkpoint, "digest": show_digest(row.digest), "seq_from": batch.first,
            "seq_to": batch.first + batch.count - 1, "changes": _writers(tasks),
        }  # fmt: skip
        yield _Draft("x.superstep.committed", data, offset_ms=wall)
    for kind, data in [*tree.get("end", []), *tree.get("closing", [])]:
        if "checkpoint" in data and row is not None:
            data = {**data, "checkpoint": row.checkpoint}
        if kind == "RunError":
            data = {**data, "error": error_shown(data["error"])}
        yield _Draft(kind, data, offset_ms=wall)


def error_shown(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An error record as the readers of events see it."""
    return None if error is None else {key: error[key] for key in SHOWN_OF_AN_ERROR if key in error}


def _note(note: _Note, times: tuple[int, int], batch: EventBatch, place: Place) -> _Draft:
    """An unchained event of a task, with ids in place of its marks.

    Args:
        times: When the task began, and how long it took. What was told before any call is told at its beginning;
            earlier releases didn't keep when, so theirs stand at its end.
    """
    otherwise_ms = sum(times) if note.said.n < 0 else times[0]
    said = note.said
    data, step = shown(said, place.session, batch.superstep)
    task = said.path.partition("/")[0]
    return _Draft(
        said.kind, data, task.partition("[")[0], task, said.attempt,
        otherwise_ms if note.at_ms is None else note.at_ms, step, (said.path, said.n),
    )  # fmt: skip


def _task_events(task: Sequence[Any], notes: Sequence[_Draft], offset: int, length: int) -> Iterator[_Draft]:
    path, attempt, status, data, own = task
    at = {"node": path, "task": path, "attempt": attempt}
    causes = {"causes": [_cause(c) for c in data["from"]]}
    yield _Draft("x.task.started", causes, **at, offset_ms=offset, place=(path, 0))
    yield from notes
    for i, (kind, d) in enumerate(own):
        yield _Draft(kind, d, **at, offset_ms=offset + length, place=(path, i))
    finished = {
        "status": status, "routes": data.get("to", []), "via": data.get("via", "next"),
        "writes": data.get("writes", []), "wall_ms": length, "error": data.get("error"),
    }  # fmt: skip
    yield _Draft("x.task.finished", finished, **at, offset_ms=offset + length, place=(path, 0))


def _cause(name: str) -> dict[str, Any]:
    if name.startswith("@"):
        return {"type": name[1:]}
    return {"type": "route", "from": name}


def _writers(tasks: Sequence[Any]) -> list[dict[str, Any]]:
    writers: dict[str, list[str]] = {}
    for task in tasks:
        for channel in task[3].get("writes", []):
            writers.setdefault(channel, []).append(task[0])
    return [{"channel": c, "writers": w} for c, w in writers.items()]


def _event(index: int, draft: _Draft, run: RunId | None, batch: EventBatch, place: Place) -> Event:
    of_run = not draft.kind.startswith("x.superstep") and draft.task is None
    path, n = draft.place or ("", 0 if draft.kind == SUPERSTEP_STARTED else batch.first + index)
    identity = event_id(place.session, batch.superstep, path, draft.attempt or 0, draft.kind, n)
    return Event(
        seq=batch.first + index,
        event_id=identity,
        session=place.session,
        run=run,
        superstep=None if of_run else batch.superstep,
        step=StepId(draft.step) if draft.step else None,
        node=draft.node,
        task=draft.task,
        attempt=draft.attempt,
        time=place.opened_at + draft.offset_ms * 1000,
        kind=draft.kind,
        data=draft.data,
    )

"""Reading what a page of supersteps needs: a fixed number of reads, however long the history is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphagent.channels.entries import Entry
from graphagent.codec import decode
from graphagent.engine.call_ids import child_id
from graphagent.engine.manifest import read_manifest
from graphagent.errors import StoreCorrupt
from graphagent.graph.plan import GraphPlan
from graphagent.ids import CheckpointId, InterruptId, SessionId
from graphagent.snapshot import CheckpointRow, Control, EffectRow, InterruptRow, SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host

WOKEN = "@answer"
"""What a batch has as the cause of a task whose parked token was woken."""
SETTLED = ("answered", "expired")


@dataclass(frozen=True, slots=True)
class State:
    """A decoded manifest, with the graph that it is for. `entries` are by the channel's name."""

    graph: GraphPlan
    entries: Mapping[str, Entry]
    control: Control
    run: str | None
    run_started_at: int


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one superstep. `session` wrote it; `body` is its batch of events.

    `asked` are the interrupts of that session, if a task of the superstep was woken by one; `answered` has the
    interrupt that woke a child session.
    """

    session: SessionId
    checkpoint: CheckpointRow
    before: State
    after: State
    body: Mapping[str, Any]
    journal: Sequence[EffectRow]
    forks: Sequence[SessionId]
    asked: Sequence[InterruptRow] = ()
    answered: Mapping[SessionId, InterruptRow] = field(default_factory=dict)

    @property
    def superstep(self) -> int:
        return self.checkpoint.superstep


@dataclass(frozen=True, slots=True)
class Page:
    """Supersteps in order; `more` if there are later ones."""

    records: list[Record]
    more: bool = False


async def read_page(host: Host, row: SessionRow, lo: int, limit: int) -> Page:
    """The supersteps of a session's line from `lo` on, at most `limit`."""
    store = host.store
    found = await store.checkpoints(row.spans(lo - 1), limit=limit + 2)
    if len(found) < 2:
        return Page([])
    more, found = len(found) == limit + 2, found[: limit + 1]
    spans = row.spans(lo, found[-1].superstep + 1)
    bodies = {b.superstep: tree for b in await store.events(spans) if not (tree := decode(b.body)).get("parked")}
    journal: dict[int, list[EffectRow]] = {}
    for effect in await store.effects(spans):
        journal.setdefault(effect.superstep, []).append(effect)
    forks: dict[CheckpointId, list[SessionId]] = {}
    for session in dict.fromkeys([*(s.session for s in spans), row.session]):
        for fork in await store.forks(session):
            if fork.origin_checkpoint is not None:
                forks.setdefault(fork.origin_checkpoint, []).append(fork.session)
    states = await states_of(host, row, found)
    records = []
    for i, checkpoint in enumerate(found[1:]):
        k = checkpoint.superstep
        writer = next(s.session for s in spans if s.lo <= k and (s.hi is None or k < s.hi))
        if k not in bodies:
            message = f"{store.name}: the events of superstep {k} of session {writer} are missing"
            raise StoreCorrupt(message, checkpoint=checkpoint.checkpoint, hint="restore a backup")
        record = Record(
            writer, checkpoint, states[i], states[i + 1], bodies[k], journal.get(k, []),
            forks.get(checkpoint.checkpoint, []),
        )  # fmt: skip
        records.append(record)
    return Page(await _with_answers(host, records), more)


async def states_of(host: Host, row: SessionRow, checkpoints: Sequence[CheckpointRow]) -> list[State]:
    """The decoded manifests of some checkpoints of a session's line."""
    graphs: dict[bytes, GraphPlan] = {}
    out = []
    for checkpoint in checkpoints:
        if checkpoint.plan not in graphs:
            graphs[checkpoint.plan] = (await host.plan_at(row, checkpoint.plan)).graph
        graph = graphs[checkpoint.plan]
        manifest = read_manifest(graph, checkpoint.manifest)
        entries = {c.name: e for c, e in zip(graph.channels, manifest.entries, strict=True) if e is not None}
        out.append(State(graph, entries, manifest.control, manifest.run_id, manifest.run_started_at))
    return out


async def _with_answers(host: Host, records: list[Record]) -> list[Record]:
    """The same, with the interrupts that woke tasks: one read for each session that has such tasks."""
    asked: dict[SessionId, list[InterruptRow]] = {}
    out = []
    for record in records:
        woken = [t for t in record.body.get("tasks", []) if WOKEN in t[3]["from"]]
        if not woken:
            out.append(record)
            continue
        if record.session not in asked:
            asked[record.session] = await host.store.interrupts(record.session, status=None)
        answered = {}
        for path, attempt, *_ in woken:
            if record.before.graph.nodes[record.before.graph.node_index[path]].calls_graph:
                child = child_of_task(record.session, record.before, path, attempt)
                row = await _answered_below(host, child) if child is not None else None
                if child is not None and row is not None:
                    answered[child] = row
        out.append(replace(record, asked=asked[record.session], answered=answered))
    return out


async def _answered_below(host: Host, session: SessionId) -> InterruptRow | None:
    """The newest settled interrupt of a session or of those that it called."""
    rows = [r for r in await host.store.interrupts(session, status=None) if r.status in SETTLED]
    if rows:
        return max(rows, key=lambda r: r.superstep)
    for child in reversed(await host.store.children(session)):
        row = await _answered_below(host, child.session)
        if row is not None:
            return row
    return None


def node_name(path: str) -> str:
    """The node of a task path such as `each[2]` or `write/4.0`."""
    return re.split(r"[\[/]", path, maxsplit=1)[0]


def child_of_task(session: SessionId, before: State, path: str, attempt: int) -> SessionId | None:
    """The child session of a task that calls one; its id derives from where the task's token was placed."""
    index = before.graph.node_index.get(node_name(path))
    token = next((t for t in before.control.due if t.node == index), None)
    return None if token is None else child_id(session, token.placed, path, attempt)


def interrupt_id(session: SessionId, superstep: int, path: str, attempt: int, ordinal: int) -> InterruptId:
    """The id of a question, as the engine derives it."""
    return InterruptId.derive(session, superstep, path, attempt, ordinal)

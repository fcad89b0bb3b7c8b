"""The `show` and `channel` documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphagent.channels.entries import Entry, ValueEntry
from graphagent.codec import decode, encode, show_digest
from graphagent.engine.inputs import interrupt_of
from graphagent.engine.spending import add, of_rows
from graphagent.errors import NotFound
from graphagent.graph.plan import REDACTED
from graphagent.graph.types import describe
from graphagent.ids import InterruptId, RunId, SessionId
from graphagent.session.documents.common import error_of, graph_ref, interrupt_in, interrupt_part, shown, usage_of
from graphagent.session.documents.effects import effects_of
from graphagent.session.documents.forms import ChannelDocument, ShowDocument
from graphagent.session.documents.history import open_superstep
from graphagent.session.documents.page import Page, State, read_page, states_of
from graphagent.session.documents.part import maybe_time
from graphagent.session.documents.parts import Artifact, ChannelState, Effect, Interrupt, WaitingToken
from graphagent.session.documents.supersteps import supersteps_of, tokens_of
from graphagent.session.loading import load_value
from graphagent.session.operations import open_interrupts
from graphagent.session.parked import due_at
from graphagent.session.reading import checkpoint_at, floor_of, last_error, owner
from graphagent.snapshot import UNSET, CheckpointRow, InterruptRow, SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


PAGE = 100


async def show_document(
    host: Host, row: SessionRow, snapshot: int, *, full: bool = False, values: bool = True, changed: bool = False,
    node: str | None = None, effects: bool = False, artifacts: bool = False,
) -> ShowDocument:  # fmt: skip
    """The state at a snapshot.

    Args:
        full: Show values whole, however large they are.
        values: Also what the changed channels were and became.
        changed: Only the channels that the superstep wrote which made the snapshot.
        node: Only what this node did in that superstep: its tasks, what it wrote, its calls.
        effects: Also the calls of that superstep, and at the head those of the open one.
        artifacts: Also the artifacts that the session had put by then.

    Raises:
        NotFound: the session has no such snapshot, or the graph no such node.
    """
    checkpoint = await checkpoint_at(host.store, row, snapshot)
    state = (await states_of(host, row, [checkpoint]))[0]
    floor = await floor_of(host.store, row)
    page = await read_page(host, row, snapshot - 1, 1) if snapshot > floor else Page([])
    made = await supersteps_of(host, row, page, values=values)
    at_head = snapshot == row.head_superstep
    spent = state.control.spent
    error = None
    if at_head:
        spent = add(spent, of_rows(await host.store.effects(row.spans(snapshot))))
        if row.status == "failed" and (record := await last_error(host.store, row)) is not None:
            error = error_of(record, row.session, record.get("superstep", snapshot), state.graph)
    asked = await _asked(host, row, state, snapshot)
    if node is not None and node not in state.graph.node_index:
        names = ", ".join(state.graph.node_index)
        raise NotFound(f"{row.graph} has no node {node!r}", hint=f"nodes are: {names}")
    tasks = [t for t in (made[0].tasks if made else []) if node in (None, t.node)]
    changes = [c for c in (made[0].changes if made else []) if node is None or node in c.writers]
    channels = await _channels(host, row, state, checkpoint, full=full)
    if changed or node is not None:
        wrote = {c.channel for c in changes}
        channels = [c for c in channels if c.name in wrote]
    return ShowDocument(
        row.session, graph_ref(row, host.settings.root), row.status, row.reason, snapshot, checkpoint.kind,
        checkpoint.checkpoint, show_digest(checkpoint.digest), channels, tokens_of(state),
        await _waiting(host, row, state, snapshot, asked), tasks, changes,
        await _interrupts(host, row, state, asked, at_head=at_head), error, usage_of(spent),
        await _effects(host, row, state, page, at_head=at_head, node=node, full=full) if effects else UNSET,
        await _artifacts(host, row, snapshot) if artifacts else UNSET,
        await open_superstep(host, row) if at_head else None,
    )  # fmt: skip


async def _effects(
    host: Host, row: SessionRow, state: State, page: Page, *, at_head: bool, node: str | None, full: bool
) -> list[Effect]:
    """The calls of the superstep that made the snapshot, and at the head those of the open one."""
    out = []
    for record in page.records:
        writer = row if record.session == row.session else await host.store.session(record.session)
        out += effects_of(writer, record.before, record.journal, node, full=full)
    if at_head:
        out += effects_of(row, state, await host.store.effects(row.spans(row.head_superstep)), node, full=full)
    return out


async def _artifacts(host: Host, row: SessionRow, snapshot: int) -> list[Artifact]:
    """What this session's line had put when a snapshot was made, in that order."""
    line = {span.session: span for span in row.spans(-1, snapshot)}
    found = [
        a for a in await host.store.artifacts(row.family)
        if a.session in line and a.superstep < snapshot and a.superstep < (line[a.session].hi or snapshot)
    ]  # fmt: skip
    return [
        Artifact(a.artifact, a.session, a.superstep, a.name, a.media_type, a.size, show_digest(a.hash), a.kept)
        for a in sorted(found, key=lambda a: (a.superstep, a.artifact))
    ]


async def last_snapshot_of(host: Host, row: SessionRow, node: str) -> int:
    """The newest snapshot that a superstep made in which a node ran; that of the head if it never has."""
    hi = row.head_superstep
    while hi > 0:
        lo = max(hi - PAGE, 0)
        bodies = [(b.superstep, decode(b.body)) for b in await host.store.events(row.spans(lo, hi))]
        ran = [k for k, body in bodies if not body.get("parked") and any(t[0] == node for t in body.get("tasks", []))]
        if ran:
            return max(ran) + 1
        hi = lo
    return row.head_superstep


async def channel_document(
    host: Host, row: SessionRow, snapshot: int, name: str, *, full: bool = True
) -> ChannelDocument:
    """One channel at a snapshot.

    Raises:
        NotFound: the session has no such snapshot, or the graph no such channel.
    """
    checkpoint = await checkpoint_at(host.store, row, snapshot)
    state = (await states_of(host, row, [checkpoint]))[0]
    if name not in state.graph.channel_index:
        names = ", ".join(state.graph.channel_index) or "none"
        raise NotFound(f"{row.graph} has no channel {name!r}", hint=f"channels are: {names}")
    found = (await _channels(host, row, state, checkpoint, full=full, only=name))[0]
    return ChannelDocument(**{field: getattr(found, field) for field in ChannelState.__slots__})


async def _channels(
    host: Host, row: SessionRow, state: State, checkpoint: CheckpointRow, *, full: bool, only: str | None = None
) -> list[ChannelState]:
    """The channels of a state. Who wrote them last stands in the events of the supersteps of their versions."""
    wanted = [c for c in state.graph.channels if only in (None, c.name)]
    versions = sorted({state.entries[c.name].version for c in wanted if c.name in state.entries})
    spans = [span for v in versions for span in row.spans(v, v + 1)]
    bodies = {b.superstep: tree for b in await host.store.events(spans) if not (tree := decode(b.body)).get("parked")}
    out = []
    for channel in wanted:
        entry = state.entries.get(channel.name)
        value = channel.default
        writers: list[str] = []
        if entry is not None:
            value = (await load_value(host.store, row, channel, entry, checkpoint.snapshot))[1]
            tasks = bodies.get(entry.version, {}).get("tasks", [])
            writers = [t[0] for t in tasks if channel.name in t[3].get("writes", [])]
        part = shown(REDACTED if channel.secret and value is not UNSET else value, full=full)
        out.append(ChannelState(
            channel.name, describe(channel.type), channel.reducer, channel.scope,
            None if entry is None else entry.version, entry is not None and entry.version == checkpoint.superstep,
            writers, _size(entry, value), part.value, part.value_ref,
        ))  # fmt: skip
    return out


def _size(entry: Entry | None, value: Any) -> int:
    """Bytes of the canonical form; 0 for an unset channel."""
    if isinstance(entry, ValueEntry):
        return entry.size
    return 0 if value is UNSET else len(encode(value))


async def _asked(host: Host, row: SessionRow, state: State, snapshot: int) -> dict[InterruptId, InterruptRow]:
    """The questions for which the state's tokens wait. A fork asks under ids of its own, an origin under its."""
    asker = _asker(row, snapshot)
    out = {}
    for waiting in state.control.waiting:
        if waiting.reason == "interrupt":
            interrupt = interrupt_of(asker, state.graph, waiting)
            try:
                out[interrupt] = await host.store.interrupt(interrupt)
            except NotFound:
                continue  # a fork that was never opened hasn't asked yet
    return out


def _asker(row: SessionRow, snapshot: int) -> SessionId:
    """The session of this line that goes on from a snapshot."""
    return SessionId(owner(row, snapshot))


async def _waiting(
    host: Host, row: SessionRow, state: State, snapshot: int, asked: dict[InterruptId, InterruptRow]
) -> list[WaitingToken]:
    out = []
    for waiting in state.control.waiting:
        name = state.graph.nodes[waiting.token.node].name
        interrupt = interrupt_of(_asker(row, snapshot), state.graph, waiting) if waiting.reason == "interrupt" else None
        found = asked.get(interrupt) if interrupt is not None else None
        due = found.expires_at if found is not None else None
        if waiting.reason in ("event", "timer"):
            due = (await due_at(host, row, waiting))[0]
        events = list(state.graph.nodes[waiting.token.node].events)
        out.append(WaitingToken(_asker(row, snapshot), name, waiting.reason, interrupt, events, maybe_time(due)))
    return out


async def _interrupts(
    host: Host, row: SessionRow, state: State, asked: dict[InterruptId, InterruptRow], *, at_head: bool
) -> list[Interrupt]:
    """At the head all open ones, children's included; at an older snapshot those for which it waits."""
    if at_head:
        return [await interrupt_in(host, r) for r in await open_interrupts(host, row.session)]
    return [interrupt_part(r, RunId(state.run or "")) for r in asked.values()]

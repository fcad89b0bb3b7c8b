"""From a closed superstep to what is committed: manifest, digest, deltas and blobs. Pure.

`digest = H(parent, values, control, chained events, effects)`, each part with its length before it. No id, time,
attempt token, owner or storage reference is in it, so a run that crashed and one that didn't agree, and so do
all stores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

from graphagent.channels.entries import AppendEntry, Entry, store_items, store_value
from graphagent.codec import encode
from graphagent.engine.journal import digest_rows
from graphagent.engine.manifest import control_data, write_manifest
from graphagent.frozen import dataclass
from graphagent.graph.plan import GraphPlan
from graphagent.ids import CheckpointId, SessionId
from graphagent.snapshot import Blob, CheckpointRow, Control, Delta, EffectRow, Snapshot, SuperstepKind

NO_EFFECTS = b"[]"


@dataclass(frozen=True, slots=True)
class Change:
    """The state after a barrier. `changed` has, by channel index, the items added to an append channel or None;
    `replaced` are channels whose stored form starts anew."""

    values: tuple[Any, ...]
    versions: tuple[int | None, ...]
    changed: Mapping[int, list[Any] | None]
    control: Control
    replaced: Set[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a barrier commits, and the snapshot that the next superstep reads."""

    snapshot: Snapshot
    checkpoint: CheckpointRow
    deltas: tuple[Delta, ...]
    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Facts that the digest doesn't see: who, when, and of which run."""

    session: SessionId
    plan: bytes
    kind: SuperstepKind
    opened_at: int
    committed_at: int
    run_id: str | None
    run_started_at: int


def genesis_digest(plan: bytes, seed: bytes) -> bytes:
    """The digest of snapshot 0."""
    return chain(b"genesis", plan, seed)


def seal(
    graph: GraphPlan, before: Snapshot, change: Change, chained: bytes, rows: Sequence[EffectRow], stamp: Stamp
) -> Sealed:
    """Seal a superstep. `chained` are the canonical bytes of its chained events, `rows` its journal."""
    entries, deltas, blobs = store_channels(graph, before, change)
    control = encode(control_data(graph, change.control))
    effects = encode(digest_rows(rows)) if rows else NO_EFFECTS
    digest = chain(before.digest, values_part(graph, entries), control, chained, effects)
    manifest = write_manifest(graph, entries, control, stamp.run_id, stamp.run_started_at)
    superstep = before.superstep
    checkpoint = checkpoint_id(stamp.session, stamp.committed_at, digest)
    row = CheckpointRow(
        checkpoint, superstep, stamp.kind, before.checkpoint, stamp.plan, manifest, digest, stamp.opened_at,
        stamp.committed_at,
    )  # fmt: skip
    snapshot = Snapshot(
        superstep + 1, change.values, change.versions, entries, change.control, digest, checkpoint,
        stamp.committed_at, stamp.run_started_at, stamp.run_id,
    )  # fmt: skip
    return Sealed(snapshot, row, deltas, blobs)


def checkpoint_id(session: SessionId, committed_at: int, digest: bytes) -> CheckpointId:
    """Sorts by time; the rest depends on the digest chain and on the session, since two sessions may agree."""
    return CheckpointId.timed(committed_at, hashlib.sha256(digest + session.encode()).digest())


def store_channels(
    graph: GraphPlan, before: Snapshot, change: Change
) -> tuple[tuple[Entry | None, ...], tuple[Delta, ...], tuple[Blob, ...]]:
    """The manifest entries of all channels, and what has to be stored for those that were written."""
    entries: list[Entry | None] = list(before.entries)
    deltas: list[Delta] = []
    blobs: list[Blob] = []
    for index, version in enumerate(change.versions):
        if version is None:
            entries[index] = None
    for index, items in change.changed.items():
        channel, value = graph.channels[index], change.values[index]
        version = change.versions[index]
        assert version is not None
        if items is not None and channel.appends:
            old = entries[index] if channel.scope != "step" and index not in change.replaced else None
            base = old if isinstance(old, AppendEntry) else None
            added = value if base is None else items  # what stood there before the first write is part of it
            entry, delta, new = store_items(channel.name, base, added, value, version)
            if delta is not None:
                deltas.append(delta)
            blobs += new
            entries[index] = entry
        else:
            entries[index], blob = store_value(value, version)
            if blob is not None:
                blobs.append(blob)
    return tuple(entries), tuple(deltas), tuple(blobs)


def values_part(graph: GraphPlan, entries: Sequence[Entry | None]) -> bytes:
    """Name, version and hash of each channel that has a version."""
    return b"".join(
        [b"%s\0%d\0%s" % (c.name.encode(), e.version, e.digest) for c, e in zip(graph.channels, entries, strict=True)
         if e is not None]
    )  # fmt: skip


def chain(*parts: bytes) -> bytes:
    """The digest of some parts, each with its length before it."""
    return hashlib.sha256(b"1" + b"".join([len(part).to_bytes(8, "big") + part for part in parts])).digest()

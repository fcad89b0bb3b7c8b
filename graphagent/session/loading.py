"""Reading a snapshot from the store: one manifest, then the blobs and tails that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.channels.entries import AppendEntry, Entry, ValueEntry, read_index, read_items, read_root
from graphagent.codec import decode
from graphagent.engine.manifest import read_manifest
from graphagent.graph.plan import ChannelPlan, GraphPlan
from graphagent.ports import Store
from graphagent.snapshot import CheckpointRow, SessionRow, Snapshot


async def load_snapshot(store: Store, row: SessionRow, graph: GraphPlan, checkpoint: CheckpointRow) -> Snapshot:
    """The snapshot of a checkpoint in this session's line.

    Raises:
        StoreCorrupt: something of it is missing or isn't what its hash says.
    """
    manifest = read_manifest(graph, checkpoint.manifest)
    values: list[Any] = []
    entries: list[Entry | None] = []
    for channel, entry in zip(graph.channels, manifest.entries, strict=True):
        if entry is None:
            values.append(channel.default)
            entries.append(None)
            continue
        full, value = await load_value(store, row, channel, entry, checkpoint.snapshot)
        entries.append(full)
        values.append(value)
    versions = tuple(None if e is None else e.version for e in entries)
    return Snapshot(
        checkpoint.snapshot, tuple(values), versions, tuple(entries), manifest.control, checkpoint.digest,
        checkpoint.checkpoint, checkpoint.committed_at, manifest.run_started_at, manifest.run_id,
    )  # fmt: skip


async def load_value(
    store: Store, row: SessionRow, channel: ChannelPlan, entry: Entry, snapshot: int
) -> tuple[Entry, Any]:
    """The entry with all that is known of it, and the channel's value."""
    if isinstance(entry, ValueEntry):
        if entry.inline is not None:
            return entry, decode(entry.inline)
        return entry, decode((await store.blobs(row.family, [entry.hash]))[entry.hash])
    return await _load_items(store, row, channel, entry, snapshot)


async def _load_items(
    store: Store, row: SessionRow, channel: ChannelPlan, entry: AppendEntry, snapshot: int
) -> tuple[Entry, list[Any]]:
    segments: Sequence[bytes] = ()
    if entry.root is not None:
        entry = read_root(entry, (await store.blobs(row.family, [entry.root]))[entry.root])
        indexes = await store.blobs(row.family, list(entry.indexes)) if entry.indexes else {}
        segments = [s for i in entry.indexes for s in read_index(indexes[i])] + list(entry.segments)
    blobs = await store.blobs(row.family, list(dict.fromkeys(segments))) if segments else {}
    tail = []
    if entry.count > entry.sealed:
        spans = row.spans(max(entry.sealed_at + 1, 0), snapshot)
        tail = [d for d in await store.deltas(spans, channel.name) if d.superstep > entry.sealed_at]
    return entry, read_items(channel.name, entry, segments, blobs, tail)

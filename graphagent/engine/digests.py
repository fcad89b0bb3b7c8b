"""Checking what was recorded without running any code: the digest chain, and the items of append channels. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphagent.channels.entries import EMPTY_ROLL, AppendEntry, Entry
from graphagent.channels.references import segments_of
from graphagent.codec import decode, digest, encode
from graphagent.engine.journal import digest_rows
from graphagent.engine.manifest import read_manifest
from graphagent.engine.seal import NO_EFFECTS, chain, values_part
from graphagent.graph.plan import GraphPlan
from graphagent.snapshot import CheckpointRow, Delta, EffectRow


def recorded_digest(
    graph: GraphPlan, parent: bytes, checkpoint: CheckpointRow, body: Mapping[str, Any], journal: Sequence[EffectRow]
) -> bytes:
    """The digest that the record of a superstep gives.

    Args:
        graph: That of the checkpoint's plan.
        parent: The digest of the checkpoint before it.
        body: Its batch of events.
        journal: Its rows in order.
    """
    entries = read_manifest(graph, checkpoint.manifest).entries
    control = encode(decode(checkpoint.manifest)["control"])
    chained = encode([body.get("begin", []), body.get("tasks", []), body.get("end", [])])
    effects = encode(digest_rows(journal)) if journal and checkpoint.kind == "superstep" else NO_EFFECTS
    return chain(parent, values_part(graph, entries), control, chained, effects)


def items_fit(
    superstep: int, before: Entry | None, entry: AppendEntry, delta: Delta | None, load: Callable[[bytes], bytes]
) -> bool:
    """Whether the hash chain of an append channel fits what a superstep added to it.

    Args:
        before: The channel's entry before the superstep.
        delta: What the superstep added, unless that was sealed at once.
        load: Gives a blob.
    """
    old = before if isinstance(before, AppendEntry) else None
    if entry.version != superstep:
        return old is None or old.roll == entry.roll
    if delta is None and not (entry.sealed_at == superstep and entry.sealed == entry.count and entry.root):
        return entry.roll == EMPTY_ROLL or (old is not None and entry.roll == old.roll)
    bases = [(EMPTY_ROLL, 0)] if old is None else [(old.roll, old.count), (EMPTY_ROLL, 0)]
    if delta is not None:
        return any(digest(roll + delta.items) == entry.roll for roll, _ in bases)
    assert entry.root is not None
    last = decode(load(segments_of(load(entry.root), load)[-1]))
    added = [(roll, entry.count - count) for roll, count in bases if 0 < entry.count - count <= len(last)]
    return any(digest(roll + encode(last[-n:])) == entry.roll for roll, n in added)

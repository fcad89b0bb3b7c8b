"""Whether the rows of a session fit each other and its digest chain. No code of a graph runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from graphagent.channels.entries import AppendEntry, Entry
from graphagent.channels.references import References, entries_of, references, segments_of
from graphagent.codec import decode, encode, freeze
from graphagent.engine.digests import items_fit, recorded_digest
from graphagent.engine.seal import genesis_digest
from graphagent.errors import CodecError
from graphagent.graph.plan import GraphPlan
from graphagent.ids import CheckpointId, SessionId
from graphagent.snapshot import CheckpointRow, EffectRow, SessionCopy


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is damaged. `checkpoint` is the first one that it touches, if it is one; `session` may be the
    root of a whole family."""

    session: SessionId | None
    what: str
    checkpoint: CheckpointId | None = None
    superstep: int | None = None


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks sessions of one family.

    Attributes:
        blobs: Those that are there and whole, by hash.
        graph: The graph of a plan; raises for one that can't be read.
    """

    blobs: Mapping[bytes, bytes]
    graph: Callable[[bytes], GraphPlan]

    def problems(self, copy: SessionCopy, before: CheckpointRow | None = None) -> Iterator[Problem]:
        """What is damaged in a session; nothing after the first place where the chain breaks.

        Args:
            before: The checkpoint of an ancestor that its own rows follow.
        """
        yield from self._counters(copy)
        bodies = {b.superstep: tree for b in copy.events if not (tree := decode(b.body)).get("parked")}
        journal: dict[int, list[EffectRow]] = {}
        for effect in copy.effects:
            journal.setdefault(effect.superstep, []).append(effect)
        deltas = {(d.channel, d.superstep): d for d in copy.deltas}
        entries = {} if before is None else entries_of(before.manifest)
        for row in copy.checkpoints:
            try:
                what = self._checkpoint(copy, row, before, bodies.get(row.superstep), journal.get(row.superstep, ()))
                what = what or self._content(row, entries if _follows(row, before) else None, deltas)
            except (KeyError, ValueError, TypeError, LookupError, CodecError, AttributeError, AssertionError) as error:
                what = f"it can't be read: {type(error).__name__}: {error}"
            if what is not None:
                yield Problem(copy.row.session, what, row.checkpoint, row.superstep)
                return
            before, entries = row, entries_of(row.manifest)

    def _counters(self, copy: SessionCopy) -> Iterator[Problem]:
        """What the authority row says of the others."""
        row, floor = copy.row, copy.row.floor_superstep
        steps = [c.superstep for c in copy.checkpoints]
        if copy.checkpoints:
            last = copy.checkpoints[-1]
            if (last.checkpoint, last.snapshot, last.digest) != (row.head, row.head_superstep, row.head_digest):
                yield Problem(row.session, "its row disagrees with its head", last.checkpoint, last.superstep)
        for low, high in pairwise(steps):
            if high <= low or (high != low + 1 and high >= floor):
                yield Problem(row.session, f"the checkpoint after superstep {low + 1} is missing", None, low + 1)
        following = None
        for batch in copy.events:
            if following not in (None, batch.first) and batch.superstep >= floor:
                yield Problem(row.session, f"events from number {following} on are missing", None, batch.superstep)
            following = batch.first + batch.count
        if following not in (None, row.event_n):
            yield Problem(row.session, f"it has {following} events, and its row says {row.event_n}")
        if [new.n for new in copy.inputs if new.n > 0] != list(range(1, row.input_n + 1)):
            yield Problem(row.session, f"inputs are missing: its row says that there are {row.input_n}")

    def _checkpoint(
        self, copy: SessionCopy, row: CheckpointRow, before: CheckpointRow | None, body: Mapping[str, Any] | None,
        journal: Sequence[EffectRow],
    ) -> str | None:  # fmt: skip
        """What is wrong with the digest of a checkpoint."""
        if row.plan not in self.blobs:
            return f"its plan {row.plan.hex()} is missing"
        graph = self.graph(row.plan)
        if row.superstep < 0:
            wanted = genesis_digest(row.plan, copy.row.seed_at(-1))
            return None if wanted == row.digest else "its digest isn't that of this plan and seed"
        if row.superstep < copy.row.floor_superstep or not _follows(row, before):
            return None  # what made it was collected
        if body is None:
            return "its events are missing"
        assert before is not None
        if recorded_digest(graph, before.digest, row, body, journal) != row.digest:
            return "its digest doesn't fit its record"
        return None

    def _content(
        self, row: CheckpointRow, before: Mapping[str, Entry] | None, deltas: Mapping[tuple[str, int], Any]
    ) -> str | None:
        """What is wrong with the values of a checkpoint."""
        missing = next(iter(self.missing(references(row.manifest))), None)
        if missing is not None:
            return f"blob {missing.hex()} is missing or damaged"
        for name, entry in entries_of(row.manifest).items():
            if isinstance(entry, AppendEntry) and before is not None:
                delta = deltas.get((name, row.superstep)) if entry.version == row.superstep else None
                if not items_fit(row.superstep, before.get(name), entry, delta, self.blobs.__getitem__):
                    return f"the items of channel {name!r} aren't those that were committed"
        return None

    def missing(self, wanted: References) -> Iterator[bytes]:
        """The blobs that a manifest needs and that aren't there."""
        yield from sorted(wanted.values - self.blobs.keys())
        for root in sorted(wanted.roots):
            try:
                yield from (h for h in segments_of(self.blobs[root], self.blobs.__getitem__) if h not in self.blobs)
            except KeyError as error:
                yield error.args[0]


def _follows(row: CheckpointRow, before: CheckpointRow | None) -> bool:
    return before is not None and before.superstep == row.superstep - 1


def is_canonical(data: bytes) -> bool:
    """Whether bytes are plain data in its canonical form."""
    try:
        return encode(freeze(decode(data))) == data
    except (ValueError, CodecError, RecursionError):
        return False

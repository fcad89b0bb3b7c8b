"""How a channel's value stands in a manifest, and what the digest sees of it.

A small value stands inline, a larger one as the hash of a blob. An append channel costs only its new items:
they are a delta row of their superstep until 64 of them are sealed into a segment blob; beyond 64 segments an
index blob takes their place. `roll` is a hash chain over what each superstep added, so how items were
segmented is no part of a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphagent.codec import decode, digest, encode
from graphagent.errors import StoreCorrupt
from graphagent.frozen import dataclass
from graphagent.snapshot import Blob, Delta

INLINE_BYTES = 256
SEAL_ITEMS = 64
SEAL_BYTES = 256 * 1024
FANOUT = 64


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """A value written in superstep `version`; `inline` is its canonical bytes unless it went to a blob."""

    version: int
    hash: bytes
    size: int
    inline: bytes | None

    @property
    def digest(self) -> bytes:
        return self.hash

    @property
    def manifest(self) -> bytes:
        """As it stands in a manifest: canonical bytes."""
        if self.inline is not None:
            return b'[%d,"v",%s]' % (self.version, self.inline)
        return b'[%d,"b","%s",%d]' % (self.version, self.hash.hex().encode(), self.size)


@dataclass(frozen=True, slots=True)
class AppendEntry:
    """An append channel: `count` items, of which `sealed` stand in segments and the rest in deltas of supersteps
    after `sealed_at`. `indexes` and `segments` are what the root blob holds."""

    version: int
    count: int
    sealed: int
    sealed_at: int
    roll: bytes
    roll_at_seal: bytes
    root: bytes | None = None
    indexes: tuple[bytes, ...] = ()
    segments: tuple[bytes, ...] = ()
    tail_bytes: int = 0

    @property
    def digest(self) -> bytes:
        return self.roll

    @property
    def manifest(self) -> bytes:
        """As it stands in a manifest: canonical bytes."""
        root = self.root.hex() if self.root else None
        data = [self.version, "a", self.count, root, self.sealed, self.sealed_at, self.roll.hex(),
                self.roll_at_seal.hex(), self.tail_bytes]  # fmt: skip
        return encode(data)


Entry = ValueEntry | AppendEntry
EMPTY_ROLL = digest(b"")


def store_value(value: Any, version: int) -> tuple[ValueEntry, Blob | None]:
    """The entry of a value, and the blob that it needs."""
    data = encode(value)
    key = digest(data)
    if len(data) <= INLINE_BYTES:
        return ValueEntry(version, key, len(data), data), None
    return ValueEntry(version, key, len(data), None), Blob(key, data)


def store_items(
    name: str, old: AppendEntry | None, items: list[Any], whole: Sequence[Any], version: int
) -> tuple[AppendEntry, Delta | None, list[Blob]]:
    """The entry after `items` were added to an append channel whose value is now `whole`.

    Either a delta carries the new items, or they are sealed together with the open tail. Without `old` the channel
    starts anew: deltas of supersteps before this one are no part of it.
    """
    old = old or AppendEntry(version, 0, 0, version - 1, EMPTY_ROLL, EMPTY_ROLL)
    if not items:
        return replace(old, version=version), None, []
    data = encode(items)
    roll = digest(old.roll + data)
    count, tail_bytes = len(whole), old.tail_bytes + len(data)
    if count - old.sealed < SEAL_ITEMS and tail_bytes < SEAL_BYTES:
        entry = AppendEntry(
            version, count, old.sealed, old.sealed_at, roll, old.roll_at_seal, old.root, old.indexes, old.segments,
            tail_bytes,
        )  # fmt: skip
        return entry, Delta(name, version, data), []
    return _seal(old, whole, version, roll)


def _seal(old: AppendEntry, whole: Sequence[Any], version: int, roll: bytes) -> tuple[AppendEntry, None, list[Blob]]:
    segment = encode(list(whole[old.sealed :]))
    blobs = [Blob(digest(segment), segment)]
    segments, indexes = (*old.segments, blobs[0].hash), old.indexes
    if len(segments) == FANOUT:
        index = encode([s.hex() for s in segments])
        blobs.append(Blob(digest(index), index))
        segments, indexes = (), (*indexes, blobs[-1].hash)
    root = encode([[i.hex() for i in indexes], [s.hex() for s in segments]])
    blobs.append(Blob(digest(root), root))
    entry = AppendEntry(version, len(whole), len(whole), version, roll, roll, blobs[-1].hash, indexes, segments)
    return entry, None, blobs


def read_entry(data: Sequence[Any]) -> Entry:
    """The entry of a manifest. Indexes and segments of an append channel come with `read_root`."""
    if data[1] == "v":
        inline = encode(data[2])
        return ValueEntry(data[0], digest(inline), len(inline), inline)
    if data[1] == "b":
        return ValueEntry(data[0], bytes.fromhex(data[2]), data[3], None)
    root = bytes.fromhex(data[3]) if data[3] else None
    rolls = bytes.fromhex(data[6]), bytes.fromhex(data[7])
    return AppendEntry(data[0], data[2], data[4], data[5], *rolls, root, (), (), data[8])


def read_root(entry: AppendEntry, blob: bytes) -> AppendEntry:
    """The entry with the hashes that its root blob lists."""
    indexes, segments = (tuple(bytes.fromhex(h) for h in part) for part in decode(blob))
    return AppendEntry(
        entry.version, entry.count, entry.sealed, entry.sealed_at, entry.roll, entry.roll_at_seal, entry.root,
        indexes, segments, entry.tail_bytes,
    )  # fmt: skip


def read_index(blob: bytes) -> list[bytes]:
    """The segments that an index blob lists."""
    return [bytes.fromhex(h) for h in decode(blob)]


def read_items(
    channel: str, entry: AppendEntry, segments: Sequence[bytes], blobs: Mapping[bytes, bytes], tail: Sequence[Delta]
) -> list[Any]:
    """All items of an append channel.

    Raises:
        StoreCorrupt: items are missing, or the hash chain over the tail isn't the recorded one.
    """
    items = [item for segment in segments for item in decode(blobs[segment])]
    roll = entry.roll_at_seal
    for delta in tail:
        roll = digest(roll + delta.items)
        items += decode(delta.items)
    if roll != entry.roll or len(items) != entry.count:
        raise StoreCorrupt(f"channel {channel!r}: its stored items aren't those that were committed")
    return items

"""What two lists of append channels have apart. Segments that both have are skipped unread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphagent.channels.entries import AppendEntry, read_index, read_root
from graphagent.codec import decode, digest, encode
from graphagent.errors import StoreCorrupt
from graphagent.ports import Store
from graphagent.session.documents.parts import PatchOp
from graphagent.snapshot import SessionRow


@dataclass(frozen=True, slots=True)
class Items:
    """An append channel at a snapshot."""

    store: Store
    row: SessionRow
    channel: str
    entry: AppendEntry
    snapshot: int

    async def segments(self) -> list[bytes]:
        """The hashes of its sealed segments."""
        if self.entry.root is None:
            return []
        full = read_root(self.entry, await self._blob(self.entry.root))
        return [s for index in full.indexes for s in read_index(await self._blob(index))] + list(full.segments)

    async def behind(self, segments: list[bytes]) -> list[Any]:
        """The items in these segments, and those that aren't sealed yet."""
        blobs = await self.store.blobs(self.row.family, list(dict.fromkeys(segments))) if segments else {}
        items = [item for segment in segments for item in decode(blobs[segment])]
        roll = self.entry.roll_at_seal
        if self.entry.count > self.entry.sealed:
            lo = max(self.entry.sealed_at + 1, 0)
            for delta in await self.store.deltas(self.row.spans(lo, self.snapshot), self.channel):
                roll = digest(roll + delta.items)
                items += decode(delta.items)
        if roll != self.entry.roll:
            raise StoreCorrupt(f"channel {self.channel!r}: its stored items aren't those that were committed")
        return items

    async def _blob(self, key: bytes) -> bytes:
        return (await self.store.blobs(self.row.family, [key]))[key]


async def apart(a: Items, b: Items) -> tuple[int, list[Any], list[Any]]:
    """How many items both have at their beginning, and what each has behind them."""
    sealed_a, sealed_b = await a.segments(), await b.segments()
    shared = 0
    while shared < min(len(sealed_a), len(sealed_b)) and sealed_a[shared] == sealed_b[shared]:
        shared += 1
    rest_a, rest_b = await a.behind(sealed_a[shared:]), await b.behind(sealed_b[shared:])
    skipped = a.entry.count - len(rest_a)
    if skipped != b.entry.count - len(rest_b):
        raise StoreCorrupt(f"channel {a.channel!r}: its stored items aren't those that were committed")
    same = equal_items(rest_a, rest_b)
    return skipped + same, rest_a[same:], rest_b[same:]


def equal_items(a: list[Any], b: list[Any]) -> int:
    """How many items are equal at the beginning of two lists; 1 and true aren't."""
    same = 0
    while same < min(len(a), len(b)) and encode(a[same]) == encode(b[same]):
        same += 1
    return same


def list_patch(start: int, a: list[Any], b: list[Any]) -> list[PatchOp]:
    """What leads from one list to the other, which differ from item `start` on."""
    both = min(len(a), len(b))
    out = [PatchOp("replace", f"/{start + i}", b[i]) for i in range(both) if encode(a[i]) != encode(b[i])]
    out += [PatchOp("remove", f"/{start + i}") for i in reversed(range(both, len(a)))]
    return out + [PatchOp("add", "/-", item) for item in b[both:]]

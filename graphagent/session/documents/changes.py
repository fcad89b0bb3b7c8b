"""Which channels a superstep wrote, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphagent.channels.entries import AppendEntry, Entry, ValueEntry, read_index, read_root
from graphagent.codec import decode
from graphagent.graph.plan import REDACTED, ChannelPlan
from graphagent.ports import Store
from graphagent.session.documents.common import shown
from graphagent.session.documents.page import Record, State
from graphagent.session.documents.parts import Change, Op, PatchOp
from graphagent.snapshot import UNSET, SessionRow

_OPS: Mapping[str, Op] = {"append": "append", "union": "append", "merge": "patch", "messages": "patch"}


def changes_of(record: Record) -> list[Change]:
    """The changes of a superstep without values, in the order of the channels."""
    writers: dict[str, list[str]] = {}
    for task in record.body.get("tasks", []):
        for channel in task[3].get("writes", []):
            writers.setdefault(channel, []).append(task[0])
    for kind, data in record.body.get("begin", []):
        if kind == "x.session.edited" and "as" in data:
            writers |= {channel: [data["as"]] for channel in data["channels"]}
    out = []
    for channel in record.after.graph.channels:
        entry = record.after.entries.get(channel.name)
        if entry is None or entry.version != record.superstep:
            continue
        before = record.before.entries.get(channel.name)
        out.append(Change(
            channel.name, channel.reducer, entry.version, None if before is None else before.version,
            writers.get(channel.name, []), _op(channel, record),
        ))  # fmt: skip
    return out


def _op(channel: ChannelPlan, record: Record) -> Op:
    """How the channel's value came out of the one before."""
    known = channel.name in record.before.graph.channel_index
    if channel.scope == "step" or record.checkpoint.kind == "edit" or not known:
        return "set"
    return _OPS.get(channel.reducer, "set")


@dataclass(slots=True)
class Values:
    """Values of the changes of some supersteps: all blobs in one read, deltas in one for each append channel."""

    store: Store
    row: SessionRow
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    deltas: dict[str, dict[int, bytes]] = field(default_factory=dict)

    async def read(self, records: Sequence[Record], changes: Sequence[Sequence[Change]]) -> None:
        """Read what `fill` needs."""
        hashes: dict[bytes, None] = {}
        appended = set()
        for record, found in zip(records, changes, strict=True):
            for change in found:
                entries = (record.before.entries.get(change.channel), record.after.entries[change.channel])
                if change.op == "append" and isinstance(entries[1], AppendEntry):
                    appended.add(change.channel)
                    continue
                for entry in entries:
                    if isinstance(entry, ValueEntry) and entry.inline is None:
                        hashes[entry.hash] = None
        if hashes:
            self.blobs = await self.store.blobs(self.row.family, list(hashes))
        if appended:
            spans = self.row.spans(records[0].superstep, records[-1].superstep + 1)
            for name in sorted(appended):
                self.deltas[name] = {d.superstep: d.items for d in await self.store.deltas(spans, name)}

    async def fill(self, record: Record, change: Change) -> Change:
        """The change with its values."""
        name = change.channel
        index = record.after.graph.channel_index[name]
        if record.after.graph.channels[index].secret:
            return replace(change, op="set", before=shown(REDACTED), after=shown(REDACTED))
        old, new = record.before.entries.get(name), record.after.entries[name]
        if change.op == "append" and isinstance(new, AppendEntry):
            return replace(change, added=await self.added(record, name, new))
        before = await self.value(record, record.before, name, old)
        after = await self.value(record, record.after, name, new)
        if change.op == "append":
            return replace(change, added=after[len(before) :])
        if change.op == "patch":
            patch = merge_patch(before, after) if isinstance(after, dict) else messages_patch(before, after)
            return replace(change, patch=patch)
        return replace(change, before=shown(before), after=shown(after))

    async def added(self, record: Record, name: str, new: AppendEntry) -> list[Any]:
        """The items that a superstep added. Where it sealed them, they are the last ones of the last segment."""
        old = record.before.entries.get(name)
        if isinstance(old, AppendEntry):
            start = old.count
        else:
            default = record.after.graph.channels[record.after.graph.channel_index[name]].default
            start = len(default) if isinstance(default, list) else 0
        count = new.count - start
        delta = self.deltas[name].get(record.superstep)
        items = decode(delta) if delta is not None else await self.sealed(new)
        return items[len(items) - count :]

    async def sealed(self, entry: AppendEntry) -> list[Any]:
        """The items of the newest segment."""
        assert entry.root is not None
        full = read_root(entry, await self.blob(entry.root))
        segments = full.segments or read_index(await self.blob(full.indexes[-1]))
        return decode(await self.blob(segments[-1]))  # type: ignore[no-any-return]

    async def value(self, record: Record, state: State, name: str, entry: Entry | None) -> Any:
        """A channel's value in a state."""
        if entry is None:
            index = state.graph.channel_index.get(name)
            return UNSET if index is None else state.graph.channels[index].default
        if isinstance(entry, ValueEntry):
            return decode(entry.inline if entry.inline is not None else await self.blob(entry.hash))
        from graphagent.session.loading import load_value

        channel = state.graph.channels[state.graph.channel_index[name]]
        snapshot = record.superstep + (state is record.after)
        return (await load_value(self.store, self.row, channel, entry, snapshot))[1]

    async def blob(self, key: bytes) -> bytes:
        """One blob, from what was read already if it is there."""
        if key not in self.blobs:
            self.blobs |= await self.store.blobs(self.row.family, [key])
        return self.blobs[key]


def merge_patch(before: Any, after: Mapping[str, Any]) -> list[PatchOp]:
    """What a shallow merge changed."""
    old = before if isinstance(before, dict) else {}
    out = [PatchOp("remove", _pointer(key)) for key in old if key not in after]
    for key, value in after.items():
        if key not in old:
            out.append(PatchOp("add", _pointer(key), value))
        elif old[key] != value:
            out.append(PatchOp("replace", _pointer(key), value))
    return out


def messages_patch(before: Any, after: Sequence[Mapping[str, Any]]) -> list[PatchOp]:
    """What was removed, replaced in place and added at the end; the whole list where it is none of these."""
    old = list(before) if isinstance(before, list) else []
    there = {m["id"] for m in after}
    out = [PatchOp("remove", f"/{i}") for i in reversed(range(len(old))) if old[i]["id"] not in there]
    kept = [m for m in old if m["id"] in there]
    if [m["id"] for m in kept] != [m["id"] for m in after[: len(kept)]]:
        return [PatchOp("replace", "", list(after))]
    out += [PatchOp("replace", f"/{i}", after[i]) for i, m in enumerate(kept) if m != after[i]]
    return out + [PatchOp("add", "/-", m) for m in after[len(kept) :]]


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")

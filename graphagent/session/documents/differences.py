"""Which channels two snapshots have apart. One whose version and hash agree is skipped unread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphagent.channels.entries import AppendEntry, Entry
from graphagent.codec import decode, encode
from graphagent.errors import NotFound
from graphagent.graph.plan import REDACTED, ChannelPlan
from graphagent.session.documents.changes import merge_patch, messages_patch
from graphagent.session.documents.common import shown
from graphagent.session.documents.diff_forms import Difference
from graphagent.session.documents.items import Items, apart, equal_items, list_patch
from graphagent.session.documents.page import State
from graphagent.session.loading import load_value
from graphagent.snapshot import UNSET, CheckpointRow, SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host


@dataclass(frozen=True, slots=True)
class Compared:
    """A snapshot that is compared."""

    row: SessionRow
    checkpoint: CheckpointRow
    state: State

    def channel(self, name: str) -> ChannelPlan | None:
        """The channel as this side's graph has it."""
        index = self.state.graph.channel_index.get(name)
        return None if index is None else self.state.graph.channels[index]

    def entry(self, name: str) -> Entry | None:
        """What the manifest has of it."""
        return self.state.entries.get(name)

    async def value(self, host: Host, name: str) -> Any:
        """What it holds; UNSET for nothing."""
        channel, entry = self.channel(name), self.entry(name)
        if channel is None:
            return UNSET
        if entry is None:
            return channel.default
        return (await load_value(host.store, self.row, channel, entry, self.checkpoint.snapshot))[1]


async def differences_of(
    host: Host, a: Compared, b: Compared, only: Sequence[str], *, values: bool
) -> list[Difference]:
    """The channels that differ, in the order of B's graph, those that only A has behind them.

    Args:
        only: These channels; all if there is none.
        values: Also what they hold.

    Raises:
        NotFound: neither graph has a channel of `only`.
    """
    names = dict.fromkeys([c.name for side in (b, a) for c in side.state.graph.channels])
    for name in only:
        if name not in names:
            raise NotFound(f"no channel {name!r}", hint=f"channels are: {', '.join(names) or 'none'}")
    out = []
    writers = [await _writers(host, side) for side in (a, b)]
    for name in names:
        if only and name not in only:
            continue
        old, new = a.entry(name), b.entry(name)
        if old is not None and new is not None and old.version == new.version and old.digest == new.digest:
            continue
        if old is None and new is None and _default(a, name) == _default(b, name):
            continue
        found = Difference(
            name, (b.channel(name) or a.channel(name)).reducer,  # type: ignore[union-attr]
            None if new is None else new.version, None if old is None else old.version, writers[1].get(name, []),
            writers[0].get(name, []), "set",
        )  # fmt: skip
        out.append(await _valued(host, found, a, b) if values and _differ(old, new) else found)
    return out


def _default(side: Compared, name: str) -> bytes | None:
    channel = side.channel(name)
    return None if channel is None or channel.default is UNSET else encode(channel.default)


def _differ(old: Entry | None, new: Entry | None) -> bool:
    """Whether more differs than the version."""
    return old is None or new is None or type(old) is not type(new) or old.digest != new.digest


async def _writers(host: Host, side: Compared) -> dict[str, list[str]]:
    """Who wrote each channel last: the tasks of the supersteps of their versions."""
    versions = sorted({entry.version for entry in side.state.entries.values()})
    spans = [span for v in versions for span in side.row.spans(v, v + 1)]
    bodies = {b.superstep: decode(b.body).get("tasks", []) for b in await host.store.events(spans)}
    return {
        name: [task[0] for task in bodies.get(entry.version, []) if name in task[3].get("writes", [])]
        for name, entry in side.state.entries.items()
    }


async def _valued(host: Host, found: Difference, a: Compared, b: Compared) -> Difference:
    """The difference with what the channel holds on both sides."""
    name, old, new = found.channel, a.entry(found.channel), b.entry(found.channel)
    if any(channel is not None and channel.secret for channel in (a.channel(name), b.channel(name))):
        return replace(found, before=shown(REDACTED), after=shown(REDACTED))
    if isinstance(old, AppendEntry) and isinstance(new, AppendEntry):
        lists = [Items(host.store, s.row, name, e, s.checkpoint.snapshot) for s, e in ((a, old), (b, new))]
        return _listed(found, *await apart(*lists))
    before, after = await a.value(host, name), await b.value(host, name)
    if isinstance(before, dict) and isinstance(after, dict) and found.reducer == "merge":
        return replace(found, op="patch", patch=merge_patch(before, after))
    if isinstance(before, list) and isinstance(after, list):
        if found.reducer == "messages":
            return replace(found, op="patch", patch=messages_patch(before, after))
        same = equal_items(before, after)
        if same or not before:
            return _listed(found, same, before[same:], after[same:])
    return replace(found, before=shown(before), after=shown(after))


def _listed(found: Difference, same: int, a: list[Any], b: list[Any]) -> Difference:
    """A difference of lists that have `same` items in common, and these behind them."""
    if not a:
        return replace(found, op="append", added=b)
    return replace(found, op="patch", patch=list_patch(same, a, b), removed=a, added=b)

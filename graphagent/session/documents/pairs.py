"""Which supersteps of two lines stand for each other, and whether they came to the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode
from graphagent.session.documents.diff_forms import Aspect, Pair
from graphagent.snapshot import SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host

ALIGNED = 500
"""From the first difference on so many supersteps of each side are aligned; those behind them are paired in order."""
EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A superstep as far as it is compared: no time, no id, no version is in it.

    `ran` are its tasks, or its kind if it has none. `values` are the channels it wrote as the manifest has them.
    """

    superstep: int
    ran: tuple[str, ...]
    tasks: Sequence[Any]
    routes: Sequence[Any]
    events: Sequence[Any]
    values: Mapping[str, Any]
    wall_ms: int


async def parts_of(host: Host, row: SessionRow, lo: int, hi: int) -> list[Part]:
    """The supersteps lo <= k < hi of a session's line: two reads."""
    if lo >= hi:
        return []
    spans = row.spans(lo, hi)
    bodies = {b.superstep: tree for b in await host.store.events(spans) if not (tree := decode(b.body)).get("parked")}
    found = await host.store.checkpoints(spans, limit=EVERYTHING)
    return [_part(c.superstep, c.kind, bodies.get(c.superstep, {}), decode(c.manifest)["channels"]) for c in found]


def _part(superstep: int, kind: str, body: Mapping[str, Any], channels: Mapping[str, Sequence[Any]]) -> Part:
    tasks = body.get("tasks", [])
    values = {name: _content(entry) for name, entry in channels.items() if entry[0] == superstep}
    return Part(
        superstep, tuple(task[0] for task in tasks) or (kind,), [[*t[:3], t[3].get("error")] for t in tasks],
        [[t[3].get("to"), t[3].get("via")] for t in tasks],
        [[t[4] for t in tasks], [_said(e) for e in body.get("begin", [])], [_said(e) for e in body.get("end", [])]],
        values, max([offset + length for offset, length in body.get("at", [])], default=0),
    )  # fmt: skip


def _content(entry: Sequence[Any]) -> Any:
    """What a manifest's entry says of the value: inline bytes, a hash, or the hash chain over all items."""
    return entry[6] if entry[1] == "a" else entry[2]


def _said(event: Sequence[Any]) -> Any:
    """An event without what differs between two runs that come to the same: the plan, what was spent."""
    kind, data = event
    keys = {"RunStarted": ("inputs_ref",), "RunCompleted": ("outputs_ref",)}.get(kind)
    return [kind, data if keys is None else [data.get(key) for key in keys]]


def pairs_of(a: Sequence[Part], b: Sequence[Part]) -> list[Pair]:
    """The supersteps of two lines behind what they have in common: those that run the same nodes stand for each
    other, in order. Equal ones at the beginning are paired one by one."""
    same = 0
    while same < min(len(a), len(b)) and not differences(a[same], b[same]):
        same += 1
    pairs = [_pair(x, y) for x, y in zip(a[:same], b[:same], strict=True)]
    ends = same + ALIGNED
    pairs += _aligned(a[same:ends], b[same:ends])
    rest_a, rest_b = a[ends:], b[ends:]
    for i in range(max(len(rest_a), len(rest_b))):
        pairs.append(_pair(rest_a[i] if i < len(rest_a) else None, rest_b[i] if i < len(rest_b) else None))
    return pairs


def _aligned(a: Sequence[Part], b: Sequence[Part]) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, [p.ran for p in a], [p.ran for p in b], autojunk=False)
    for _, lo_a, hi_a, lo_b, hi_b in matcher.get_opcodes():
        for i in range(max(hi_a - lo_a, hi_b - lo_b)):
            yield _pair(a[lo_a + i] if lo_a + i < hi_a else None, b[lo_b + i] if lo_b + i < hi_b else None)


def _pair(a: Part | None, b: Part | None) -> Pair:
    found = differences(a, b) if a is not None and b is not None else ["nodes"]
    return Pair(
        None if a is None else a.superstep, None if b is None else b.superstep, not found,
        [] if a is None else list(a.ran), [] if b is None else list(b.ran), found,  # type: ignore[arg-type]
    )  # fmt: skip


def differences(a: Part, b: Part) -> list[Aspect]:
    """In what two supersteps differ."""
    found: list[tuple[Aspect, bool]] = [
        ("nodes", a.ran != b.ran), ("tasks", a.ran == b.ran and a.tasks != b.tasks),
        ("routes", a.ran == b.ran and a.routes != b.routes), ("events", a.events != b.events),
        ("values", a.values != b.values),
    ]  # fmt: skip
    return [aspect for aspect, differs in found if differs]

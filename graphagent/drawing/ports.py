"""Where edges meet their boxes: on the top and bottom for the flow, on the side for loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphagent.drawing.network import Link
from graphagent.drawing.units import Spacing


@dataclass(slots=True)
class Side:
    """The loops at the right side of one box, as indices of links, inner ones first.

    Args:
        self_labels: (room along, room across) of the label of each of `selfs`.
    """

    outs: list[int] = field(default_factory=list)
    ins: list[int] = field(default_factory=list)
    selfs: list[int] = field(default_factory=list)
    self_labels: list[tuple[int, int]] = field(default_factory=list)

    def height(self, spacing: Spacing) -> int:
        """How much of the side the ends take."""
        selfs = sum(spacing.side + max(spacing.side, across) for _, across in self.self_labels)
        return (len(self.outs) + len(self.ins)) * spacing.side + selfs

    def self_room(self, spacing: Spacing) -> int:
        """How far loops from the box to itself reach out, with their labels."""
        return max([spacing.lane_start + self_label_gap(spacing) + along for along, _ in self.self_labels], default=0)

    def lane(self, i: int, spacing: Spacing) -> int:
        """Distance of the i-th loop's line from the box, at least."""
        room = self.self_room(spacing)
        return (room + spacing.lane if room else spacing.lane_start) + i * spacing.lane

    def reach(self, spacing: Spacing) -> int:
        """How much room the loops need beside the box."""
        count = max(len(self.outs), len(self.ins))
        return self.lane(count - 1, spacing) if count else self.self_room(spacing)

    def ends(self, box_height: int, spacing: Spacing) -> dict[tuple[int, bool], int]:
        """(link, whether it leaves here) -> distance from the top of the box.

        What leaves goes up, so it is above what comes from below; further out is further to the middle.
        """
        at = (box_height - self.height(spacing)) // 2 + spacing.side // 2
        ends: dict[tuple[int, bool], int] = {}
        for link in self.outs:
            ends[link, True] = at
            at += spacing.side
        for link, (_, across) in zip(self.selfs, self.self_labels, strict=True):
            ends[link, True] = at
            at += max(spacing.side, across)
            ends[link, False] = at
            at += spacing.side
        for link in reversed(self.ins):
            ends[link, False] = at
            at += spacing.side
        return ends


def self_label_gap(spacing: Spacing) -> int:
    """Distance of a label from the line of the loop that it belongs to."""
    return 1 + spacing.line // 2


def sides(links: Sequence[Link], layer: Sequence[int]) -> dict[int, Side]:
    """The loops of every box that has any."""
    found: dict[int, Side] = {}
    for i, link in enumerate(links):
        if link.is_self:
            side = found.setdefault(link.source, Side())
            side.selfs.append(i)
            side.self_labels.append(link.label or (0, 0))
        elif link.back:
            found.setdefault(link.source, Side()).outs.append(i)
            found.setdefault(link.target, Side()).ins.append(i)
    for side in found.values():
        side.outs.sort(key=lambda i: (-layer[links[i].target], i))
        side.ins.sort(key=lambda i: (layer[links[i].source], i))
    return found


def spread(wishes: Sequence[int], low: int, high: int, apart: int) -> list[int]:
    """Places ends in order, at least `apart`, as near to their wishes as can be, within a range.

    A wish far out of the range is met halfway: such an edge has to bend anyway.
    """
    count = len(wishes)
    if count == 0:
        return []
    if high < low:
        low = high = (low + high) // 2
    if (count - 1) * apart > high - low:
        return [low + (high - low) * i // max(count - 1, 1) for i in range(count)]
    middle = (low + high) // 2
    inside = [max(low, min(high, w)) for w in wishes if low - 2 * apart <= w <= high + 2 * apart]
    reach = max((count - 1) * apart, (high - low) // 4) if count > 1 else 0
    left = max(low, min([middle - reach, *(w - apart for w in inside)]))
    right = min(high, max([middle + reach, *(w + apart for w in inside)]))
    near = 2 * apart
    wanted = [left if w < low - near else right if w > high + near else max(low, min(high, w)) for w in wishes]
    return _separate(wanted, low, high, apart)


def _separate(wanted: list[int], low: int, high: int, apart: int) -> list[int]:
    """Isotonic regression by pooling adjacent violators, on the wishes less their distances."""
    pools: list[tuple[int, int]] = []  # (sum, size)
    for i, wish in enumerate(wanted):
        total, size = wish - i * apart, 1
        while pools and pools[-1][0] * size >= total * pools[-1][1]:
            total, size = total + pools[-1][0], size + pools[-1][1]
            pools.pop()
        pools.append((total, size))
    last = high - (len(wanted) - 1) * apart
    flat = [max(low, min(last, total // size)) for total, size in pools for _ in range(size)]
    return [base + i * apart for i, base in enumerate(flat)]

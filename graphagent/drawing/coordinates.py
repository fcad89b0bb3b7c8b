"""Places the items of every rank on a line so that long edges are straight and boxes sit amid their neighbours.

Source: Brandes and Köpf, "Fast and simple horizontal coordinate assignment", 2001, with the compaction by
longest paths over the block graph that dagre uses, which does without the paper's faulty class shifts.
"""

from __future__ import annotations

from itertools import pairwise

from graphagent.drawing.network import Network

Conflicts = set[tuple[int, int]]


def coordinates(net: Network, position: list[int], before: list[int], after: list[int]) -> list[int]:
    """Centre of every item, in whole units.

    Args:
        position: Place of each item in its rank.
        before, after: How much room each item needs on either side of its centre, half the gap included.
    """
    if not net.ranks:
        return []
    up, down = _bonds(net, position)
    conflicts = _conflicts(net, position)
    width = [b + a for b, a in zip(before, after, strict=True)]
    alignments: list[list[int]] = []
    for near, downwards in ((up, True), (down, False)):
        for to_left in (True, False):
            ranks = net.ranks if downwards else net.ranks[::-1]
            root = _align(ranks, near, position, conflicts, to_left)
            xs = _compact(net.ranks, root, before, after, to_left)
            alignments.append(xs)
    return _balance(alignments, width)


def _bonds(net: Network, position: list[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Neighbours above and below in order of place; a loop's ends are bound to no box."""
    place = position.__getitem__
    up = [[] if bias else sorted(near, key=place) for near, bias in zip(net.up, net.up_bias, strict=True)]
    down = [[] if bias else sorted(near, key=place) for near, bias in zip(net.down, net.down_bias, strict=True)]
    return up, down


def _conflicts(net: Network, position: list[int]) -> Conflicts:
    """Edges (upper, lower) that cross the inside of a long edge, which shall stay straight."""
    conflicts: Conflicts = set()
    boxes = net.boxes
    for rank in net.ranks[1:]:
        inner = [i for i in rank if i >= boxes and net.up[i][0] >= boxes]
        if not inner:
            continue
        left, start = 0, 0
        for bound in (*inner, -1):
            right = position[net.up[bound][0]] if bound >= 0 else len(position)
            end = position[bound] if bound >= 0 else len(rank) - 1
            for item in rank[start : end + 1]:
                for above in net.up[item]:
                    if not left <= position[above] <= right and not (item >= boxes and above >= boxes):
                        conflicts.add((above, item))
            left, start = right, end + 1
    return conflicts


def _align(
    ranks: list[list[int]], near: list[list[int]], position: list[int], conflicts: Conflicts, to_left: bool
) -> list[int]:
    """Joins items into vertical blocks along the median edges; returns the root of each item's block."""
    root = list(range(len(position)))
    taken = [False] * len(position)
    for rank in ranks[1:]:
        limit = -1 if to_left else len(position)
        for item in rank if to_left else reversed(rank):
            neighbours = near[item]
            count = len(neighbours)
            if not count:
                continue
            low, high = (count - 1) // 2, count // 2
            for m in (low,) if low == high else ((low, high) if to_left else (high, low)):
                other = neighbours[m]
                place = position[other]
                free = place > limit if to_left else place < limit
                if free and not taken[other] and not _in_conflict(conflicts, other, item):
                    root[item] = root[other]
                    taken[other] = True
                    limit = place
                    break
    return root


def _in_conflict(conflicts: Conflicts, one: int, other: int) -> bool:
    return bool(conflicts) and ((one, other) in conflicts or (other, one) in conflicts)


def _compact(ranks: list[list[int]], root: list[int], before: list[int], after: list[int], to_left: bool) -> list[int]:
    """Pushes the blocks together to one side, then each back as far as its own neighbours let it."""
    count = len(root)
    following: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    entering = [0] * count
    for rank in ranks:
        items = rank if to_left else rank[::-1]
        for one, other in pairwise(items):
            gap = after[one] + before[other] if to_left else before[one] + after[other]
            following[root[one]].append((root[other], gap))
            entering[root[other]] += 1
    order = [i for i in range(count) if root[i] == i and not entering[i]]
    x = [0] * count
    for block in order:
        here = x[block]
        for other, gap in following[block]:
            if x[other] < here + gap:
                x[other] = here + gap
            entering[other] -= 1
            if not entering[other]:
                order.append(other)
    for block in reversed(order):
        if following[block]:
            room = min([x[other] - gap for other, gap in following[block]])
            if room > x[block]:
                x[block] = room
    return [x[r] for r in root] if to_left else [-x[r] for r in root]


def _balance(alignments: list[list[int]], width: list[int]) -> list[int]:
    """The mean of the two middle ones of four placements, after shifting them onto the narrowest."""
    spans = [
        (min([x - w for x, w in zip(xs, width, strict=True)]), max([x + w for x, w in zip(xs, width, strict=True)]))
        for xs in alignments
    ]
    low, high = min(spans, key=lambda span: span[1] - span[0])
    shifted = []
    for i, (xs, span) in enumerate(zip(alignments, spans, strict=True)):
        shift = low - span[0] if i % 2 == 0 else high - span[1]
        shifted.append([x + shift for x in xs] if shift else xs)
    return [(sum(four) - min(four) - max(four)) // 2 for four in zip(*shifted, strict=True)]

"""The order within each rank: barycentre sweeps down and up, keeping the best order seen.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from graphagent.drawing.network import Network

_SWEEPS = 12
_PATIENCE = 3  # sweeps without a better order


def order(net: Network) -> list[int]:
    """Sorts `net.ranks` for few crossings; returns the position of each item in its rank."""
    position = [0] * len(net.rank)
    for rank in net.ranks:
        _number(rank, position)
    best_count = _crossings(net, position)
    best = [rank.copy() for rank in net.ranks]
    stale = 0
    for sweep in range(_SWEEPS):
        if best_count == 0 or stale == _PATIENCE:
            break
        if sweep % 2 == 0:
            for rank in net.ranks[1:]:
                _sort(rank, position, net.up, net.up_bias)
        else:
            for rank in net.ranks[-2::-1]:
                _sort(rank, position, net.down, net.down_bias)
        stale += 1
        count = _crossings(net, position)
        if count < best_count:
            best_count, stale = count, 0
            best = [rank.copy() for rank in net.ranks]
    net.ranks = best
    for rank in best:
        _number(rank, position)
    return position


def _number(rank: list[int], position: list[int]) -> None:
    for i, item in enumerate(rank):
        position[item] = i


def _sort(rank: list[int], position: list[int], near: list[list[int]], bias: list[float]) -> None:
    """Sorts one rank by the mean position of its neighbours; who has none keeps its place."""
    if len(rank) < 2:
        return
    keys: list[float] = []
    for item in rank:
        neighbours = near[item]
        if len(neighbours) == 1:
            keys.append(position[neighbours[0]] + bias[item])
        elif neighbours:
            keys.append(sum([position[n] for n in neighbours]) / len(neighbours))
        else:
            keys.append(-1.0)
    free = [i for i, key in enumerate(keys) if key < 0]
    if free:
        moving = sorted((key, i) for i, key in enumerate(keys) if key >= 0)
        sources = [i for _, i in moving]
        for i in free:  # ascending, so each lands in its own place again
            sources.insert(i, i)
    else:
        sources = sorted(range(len(rank)), key=keys.__getitem__)
    rank[:] = [rank[i] for i in sources]
    _number(rank, position)


def _crossings(net: Network, position: list[int]) -> int:
    total = 0
    for r, rank in enumerate(net.ranks[1:]):
        ends: list[tuple[float, float]] = []
        for item in rank:
            bias = net.up_bias[item]
            ends += [(position[above] + bias, position[item]) for above in net.up[item]]
        for bend, box in net.tails[r]:
            ends.append((position[bend], position[box] + net.down_bias[bend]))
        ends.sort()
        passed: list[float] = []
        for i, (_, below) in enumerate(ends):
            total += i - bisect_right(passed, below)
            insort(passed, below)
    return total

"""Which edges go back, and in which layer each box lies."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]


def back_edges(count: int, pairs: Sequence[Pair]) -> list[bool]:
    """Marks the edges that close a cycle when boxes and edges are walked depth first, in their order.

    An edge from a box to itself counts as well.
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    for i, (source, _) in enumerate(pairs):
        leaving[source].append(i)
    back = [False] * len(pairs)
    state = [0] * count  # 0 unseen, 1 on the path, 2 done
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(leaving[root]))]
        while path:
            box, edges = path[-1]
            for edge in edges:
                target = pairs[edge][1]
                if state[target] == 1:
                    back[edge] = True
                elif state[target] == 0:
                    state[target] = 1
                    path.append((target, iter(leaving[target])))
                    break
            else:
                state[box] = 2
                path.pop()
    return back


def layers(count: int, forward: Sequence[Pair], top: frozenset[int]) -> list[int]:
    """The longest path from a source to each box; a source itself lies as low as what it shares allows.

    What hangs only on such a source follows it and doesn't count for its place: a leaf moves nobody.

    Args:
        forward: Edges without cycles.
        top: Sources that stay in layer 0 whatever they lead to (the start).
    """
    entering = [0] * count
    targets: list[list[int]] = [[] for _ in range(count)]
    for source, target in forward:
        entering[target] += 1
        targets[source].append(target)
    order = _topological(count, targets, entering)
    layer = _longest(order, targets, [0] * count)
    latest = _latest(order, targets, layer)
    least = [0] * count
    for box in range(count):
        if entering[box] == 0 and box not in top and latest[box] is not None:
            least[box] = latest[box] or 0
    return _longest(order, targets, least) if any(least) else layer


def _latest(order: list[int], targets: list[list[int]], layer: list[int]) -> list[int | None]:
    """The lowest layer of each box that moves no box reached from several sources; None if there is no bound."""
    origin: list[int | None] = [None] * len(order)  # the only source that leads to a box, -1 if there are several
    for box in order:
        mine = origin[box] if origin[box] is not None else box
        for target in targets[box]:
            origin[target] = mine if origin[target] in (None, mine) else -1
    latest: list[int | None] = [None] * len(order)
    for box in reversed(order):
        if origin[box] == -1:
            latest[box] = layer[box]
            continue
        bounds = [bound - 1 for target in targets[box] if (bound := latest[target]) is not None]
        latest[box] = min(bounds, default=None)
    return latest


def _topological(count: int, targets: list[list[int]], entering: list[int]) -> list[int]:
    left = entering.copy()
    order = [box for box in range(count) if not left[box]]
    for box in order:
        for target in targets[box]:
            left[target] -= 1
            if not left[target]:
                order.append(target)
    return order


def _longest(order: list[int], targets: list[list[int]], least: list[int]) -> list[int]:
    layer = least.copy()
    for box in order:
        below = layer[box] + 1
        for target in targets[box]:
            if layer[target] < below:
                layer[target] = below
    return layer

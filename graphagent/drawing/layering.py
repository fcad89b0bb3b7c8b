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
    """The longest path from a source to each box; a source itself lies right above what it leads to.

    What hangs only on such a source doesn't count for its place: a leaf moves nobody.

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
    lowered = [0] * count
    for box in range(count):
        if entering[box] == 0 and box not in top:
            others = [layer[t] for t in targets[box] if entering[t] > 1]
            lowered[box] = max(min(others, default=1) - 1, 0)
    return _longest(order, targets, lowered) if any(lowered) else layer


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

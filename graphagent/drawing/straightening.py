"""Takes needless bends out of edges after the boxes have their places."""

from __future__ import annotations

from collections.abc import Sequence

from graphagent.drawing.network import Link
from graphagent.drawing.rail import Rail


def pull_bends_in(links: Sequence[Link], rail: Rail) -> None:
    """Moves a straight stretch that lies left or right of what it connects towards the nearer end."""
    for link in links:
        if link.back:
            continue
        xs = [rail.x[link.source], *(rail.x[item] for item in link.chain), rail.x[link.target]]
        start = 1
        while start < len(xs) - 1:
            stop = start + 1
            while stop < len(xs) - 1 and xs[stop] == xs[start]:
                stop += 1
            low, high = min(xs[start - 1], xs[stop]), max(xs[start - 1], xs[stop])
            wish = min(max(xs[start], low), high)
            if wish != xs[start]:
                stretch = link.chain[start - 1 : stop - 1]
                rail.move(stretch, rail.nearest(stretch, wish))
                xs[start:stop] = [rail.x[stretch[0]]] * (stop - start)
            start = stop


def straighten_loop(chain: Sequence[int], beside: int, rail: Rail) -> None:
    """Makes a loop's line one straight line next to both its boxes, or at least straight, if there is room.

    Args:
        beside: The nearest place that is right of both boxes.
    """
    furthest = max(beside, *(rail.x[item] for item in chain))
    for wish in (furthest, beside, rail.nearest(chain, beside)):
        if rail.move(chain, wish):
            return


def follow(chain: Sequence[int], end: int, reach: int, rail: Rail, slack: int = 0) -> None:
    """Moves the stretch next to an edge's end in line with it: a jog of less than `reach` looks like a mistake.

    Args:
        slack: How much closer to its neighbours it may come than they should stand.
    """
    at = rail.x[chain[0]]
    if 0 < abs(at - end) <= reach:
        straight = next((k for k, item in enumerate(chain) if rail.x[item] != at), len(chain))
        rail.move(chain[:straight], end, slack)

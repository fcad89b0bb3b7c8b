"""Where the items of all ranks stand, and how far each can move without touching its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from graphagent.drawing.network import Network

_FAR = 1 << 40


class Rail:
    """Places along the ranks; moving an item never changes the order in its rank.

    Args:
        x: Centre of each item; changed by `move`. `rank` is that of each.
        before, after: Room that each item needs on either side of its centre.
    """

    def __init__(self, net: Network, x: list[int], before: list[int], after: list[int]) -> None:
        self.x = x
        self.rank = net.rank
        self._before = before
        self._after = after
        self._left: list[int] = [-1] * len(x)
        self._right: list[int] = [-1] * len(x)
        for rank in net.ranks:
            for one, other in pairwise(rank):
                self._right[one], self._left[other] = other, one

    def free_from(self, item: int) -> int:
        """Where the room left of an item begins."""
        left = self._left[item]
        return self.x[left] + self._after[left] if left >= 0 else -_FAR

    def free_until(self, item: int) -> int:
        """Where the room right of an item ends."""
        right = self._right[item]
        return self.x[right] - self._before[right] if right >= 0 else _FAR

    def nearest(self, items: Sequence[int], wish: int) -> int:
        """The place next to a wish that every item can take, one by one."""
        for item in items:
            wish = max(wish, self.free_from(item) + self._before[item])
            wish = min(wish, self.free_until(item) - self._after[item])
        return wish

    def move(self, items: Sequence[int], to: int, slack: int = 0) -> bool:
        """Puts items of several ranks at one place, if all find room there; returns whether it did.

        Args:
            slack: How much of that room may be missing on either side.
        """
        for item in items:
            left, right = to - self._before[item], to + self._after[item]
            if left + slack < self.free_from(item) or right - slack > self.free_until(item):
                return False
        for item in items:
            self.x[item] = to
        return True

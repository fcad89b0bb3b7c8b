"""Chooses where each edge of a level leaves and enters its boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphagent.drawing.network import Link
from graphagent.drawing.ports import Side, spread
from graphagent.drawing.rail import Rail
from graphagent.drawing.straightening import follow, straighten_loop
from graphagent.drawing.units import Spacing

End = tuple[int, bool]  # (link, whether it leaves here)


class Ends:
    """Places along the ranks: `at` for the flow, `lanes` for the lines of loops beside their boxes."""

    def __init__(
        self, links: Sequence[Link], along: Sequence[int], sides: Mapping[int, Side], rail: Rail, spacing: Spacing
    ) -> None:
        self.at: dict[End, int] = {}
        self.lanes: dict[End, int] = {}
        self._links = links
        self._along = along
        self._sides = sides
        self._rail = rail
        self._spacing = spacing
        self._leaving: dict[int, list[int]] = {}
        self._entering: dict[int, list[int]] = {}
        for i, link in enumerate(links):
            if not link.back:
                self._leaving.setdefault(link.source, []).append(i)
                self._entering.setdefault(link.target, []).append(i)

    def choose(self) -> None:
        """Fills `at` and `lanes`; on the way, bends move into line with them."""
        self._straighten_loops()
        x, reach = self._rail.x, 2 * self._spacing.port
        for box, links in self._leaving.items():
            wishes = [(x[chain[0]] if (chain := self._links[i].chain) else x[self._links[i].target], i) for i in links]
            self._spread(box, wishes, True)
        flowing = [(i, link) for i, link in enumerate(self._links) if not link.back]
        for i, link in flowing:
            if link.chain:
                follow(link.chain, self.at[i, True], reach, self._rail)
        for box, links in self._entering.items():
            wishes = [(x[chain[-1]] if (chain := self._links[i].chain) else self.at[i, True], i) for i in links]
            self._spread(box, wishes, False)
        for i, link in flowing:
            if not link.chain:
                self._align(i, link)
            elif x[link.chain[0]] != self.at[i, True]:
                follow(link.chain[::-1], self.at[i, False], reach, self._rail)
        slack = self._spacing.port // 3
        self._iron(flowing, max(2 * slack, 2), slack)
        self._untangle(flowing, slack)
        self._choose_lanes()  # last, since a lane may use room that no bend has taken

    def upper(self, i: int) -> int:
        """Where an edge is just below its upper box."""
        return self.lanes[i, False] if self._links[i].back else self.at[i, True]

    def lower(self, i: int) -> int:
        """Where an edge is just above its lower box."""
        return self.lanes[i, True] if self._links[i].back else self.at[i, False]

    def _straighten_loops(self) -> None:
        loops = [i for i, link in enumerate(self._links) if link.back and not link.is_self]
        x = self._rail.x
        for i in sorted(loops, key=lambda i: (-max(x[item] for item in self._links[i].chain), i)):
            beside = max(self._least_lane(i, True), self._least_lane(i, False))
            straighten_loop(self._links[i].chain, beside, self._rail)

    def _choose_lanes(self) -> None:
        for box, side in self._sides.items():
            limit = self._rail.free_until(box) - max(self._spacing.line // 2, 1)
            self._lanes_of(side.outs, True, limit)
            self._lanes_of(side.ins, False, limit)

    def _least_lane(self, i: int, leaves: bool) -> int:
        box = self._links[i].source if leaves else self._links[i].target
        side = self._sides[box]
        right = self._rail.x[box] - self._along[box] // 2 + self._along[box]
        return right + side.lane((side.outs if leaves else side.ins).index(i), self._spacing)

    def _lanes_of(self, links: Sequence[int], leaves: bool, limit: int) -> None:
        """Lines of the loops on one side of a box, inner ones first, as straight as there is room before `limit`."""
        least = 0
        lanes = []
        for i in links:
            bend = self._links[i].chain[-1 if leaves else 0]
            least = max(self._least_lane(i, leaves), self._rail.x[bend], least)
            lanes.append(least)
            least += self._spacing.lane
        for i, lane in zip(reversed(links), reversed(lanes), strict=True):
            limit = min(limit, lane)
            self.lanes[i, leaves] = limit
            limit -= self._spacing.lane

    def _range(self, box: int) -> tuple[int, int]:
        """Where on its top and bottom edges may end."""
        left = self._rail.x[box] - self._along[box] // 2
        # the last whole unit inside is one before the right edge: in cells that edge is a column of its own
        return left + self._spacing.corner, left + self._along[box] - 1 - self._spacing.corner

    def _spread(self, box: int, wishes: list[tuple[int, int]], leaves: bool) -> None:
        wishes.sort()
        places = spread([wish for wish, _ in wishes], *self._range(box), self._spacing.port)
        for (_, i), at in zip(wishes, places, strict=True):
            self.at[i, leaves] = at

    def _align(self, i: int, link: Link) -> None:
        """Makes an edge to the next rank straight if one of its ends can move to the other."""
        start, stop = self.at[i, True], self.at[i, False]
        if start == stop:
            return
        if self._fits(link.source, self._leaving[link.source], (i, True), stop):
            self.at[i, True] = stop
        elif self._fits(link.target, self._entering[link.target], (i, False), start):
            self.at[i, False] = start

    def _iron(self, flowing: Sequence[tuple[int, Link]], reach: int, slack: int) -> None:
        """Straightens the jogs of up to `reach` that are left, where things may come closer by `slack`."""
        for i, link in flowing:
            for end, chain in (((i, True), link.chain), ((i, False), link.chain[::-1])):
                box, links = (link.source, self._leaving) if end[1] else (link.target, self._entering)
                along = self._rail.x[chain[0]] if chain else self.at[i, not end[1]]
                if not 0 < abs(along - self.at[end]) <= reach:
                    continue
                if self._fits(box, links[box], end, along, slack, max(slack, 1)):
                    self.at[end] = along
                elif chain:
                    follow(chain, self.at[end], reach, self._rail, slack)

    def _untangle(self, flowing: Sequence[tuple[int, Link]], slack: int) -> None:
        """Moves an end where two edges would just change places: no order of their bends keeps them apart."""
        x, step = self._rail.x, max(slack, 1)
        hops: set[tuple[int, int, int]] = set()  # gap between two ranks, place above it, place below it
        for i, link in flowing:
            for end, chain in (((i, True), link.chain), ((i, False), link.chain[::-1])):
                if not chain and end[1]:
                    continue  # an edge to the next rank is looked at once, at its lower end
                box, links = (link.source, self._leaving) if end[1] else (link.target, self._entering)
                gap = self._rail.rank[box] - (not end[1])
                far = x[chain[0]] if chain else self.at[i, True]
                for to in (self.at[end], self.at[end] - step, self.at[end] + step):
                    swaps = far != to and ((gap, far, to) if end[1] else (gap, to, far)) in hops
                    if not swaps and (to == self.at[end] or self._fits(box, links[box], end, to, slack, step)):
                        self.at[end] = to
                        break
                hops.add((gap, self.at[end], far) if end[1] else (gap, far, self.at[end]))

    def _fits(self, box: int, links: Sequence[int], moved: End, to: int, slack: int = 0, corner: int = 0) -> bool:
        low, high = self._range(box)
        if not low - corner <= to <= high + corner:
            return False
        others = [self.at[i, moved[1]] for i in links if i != moved[0]]
        return all(abs(x - to) >= self._spacing.port - slack and (x < to) == (x < self.at[moved]) for x in others)

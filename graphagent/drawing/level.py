"""Lays out one level: boxes that have sizes, and the edges between them.

"Along" runs along the ranks and "across" from rank to rank. For a drawing from top to bottom these are x and
y, for one from left to right y and x; nothing here knows which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphagent.drawing.coordinates import coordinates
from graphagent.drawing.ends import Ends
from graphagent.drawing.network import Link, Network, build, orient
from graphagent.drawing.ordering import order
from graphagent.drawing.ports import self_label_gap, sides
from graphagent.drawing.rail import Rail
from graphagent.drawing.straightening import pull_bends_in
from graphagent.drawing.tracks import Hop, assign_tracks
from graphagent.drawing.units import Size, Spacing

Point = tuple[int, int]
Rect = tuple[int, int, int, int]  # along, across, size along, size across


@dataclass(frozen=True, slots=True)
class Level:
    """Where everything is, from (0, 0) on.

    Args:
        boxes, labels: Rectangles, in the order of the boxes and links given.
        order: Place of each box among the boxes of its layer.
        paths: Corners of each edge, from its source to its target.
    """

    boxes: list[Rect]
    layer: list[int]
    order: list[int]
    paths: list[list[Point]]
    labels: list[Rect | None]
    back: list[bool]
    size: Size


def place(
    sizes: Sequence[Size],
    pairs: Sequence[tuple[int, int]],
    label_size: Callable[[int, bool], Size | None],
    spacing: Spacing,
    top: frozenset[int] = frozenset(),
) -> Level:
    """Places boxes and routes edges.

    Args:
        sizes: (along, across) of each box.
        pairs: (source, target) of each edge.
        label_size: Called with an edge and whether it goes back.
        top: Boxes that begin the drawing.
    """
    links = [Link(source, target) for source, target in pairs]
    layer = orient(len(sizes), links, top)
    for i, link in enumerate(links):
        link.label = label_size(i, link.back)
    return _Placing(list(sizes), links, build(layer, links), spacing).level()


class _Placing:
    def __init__(self, sizes: list[Size], links: list[Link], net: Network, spacing: Spacing) -> None:
        self.links = links
        self.net = net
        self.spacing = spacing
        self.sides = sides(links, net.layer)
        self.along, self.across = self._grown(sizes)
        before, after = self._room()
        rail = Rail(net, coordinates(net, order(net), before, after), before, after)
        pull_bends_in(links, rail)
        self.ends = Ends(links, self.along, self.sides, rail, spacing)
        self.ends.choose()
        self.x = rail.x
        self.hops: dict[tuple[int, int], Hop] = {}  # (link, upper rank) -> hop

    def level(self) -> Level:
        tops, tracks = self._stack(self._gaps())
        boxes = [self._box(i, tops) for i in range(self.net.boxes)]
        paths = [self._path(i, boxes, tracks) for i in range(len(self.links))]
        labels = [self._label(i, tops, paths[i]) for i in range(len(self.links))]
        return self._result(boxes, paths, labels)

    def _grown(self, sizes: list[Size]) -> tuple[list[int], list[int]]:
        """Sizes with room for all ends, then those of the labels and bends."""
        s = self.spacing
        leaving = Counter(link.source for link in self.links if not link.back)
        entering = Counter(link.target for link in self.links if not link.back)
        along, across = [], []
        for i, (a, b) in enumerate(sizes):
            ends = max(leaving[i], entering[i])
            along.append(max(a, (ends - 1) * s.port + 2 * s.corner + 1))
            side = self.sides.get(i)
            across.append(max(b, side.height(s) + max(2, s.side // 2)) if side else b)
        items = len(self.net.rank) - len(sizes)
        along += [0] * items
        across += [0] * items
        for link in self.links:
            if link.label and link.label_item >= 0:
                along[link.label_item], across[link.label_item] = link.label
        return along, across

    def _room(self) -> tuple[list[int], list[int]]:
        """How much room each item needs left and right of its centre."""
        before, after = [], []
        s = self.spacing
        for i, a in enumerate(self.along):
            gap = s.node if i < self.net.boxes else s.line
            side = self.sides.get(i)
            before.append(a // 2 + gap // 2)
            after.append(a - a // 2 + gap - gap // 2 + (side.reach(s) if side else 0))
        return before, after

    def _gaps(self) -> list[list[Hop]]:
        """The hops between each rank and the next."""
        gaps: list[list[Hop]] = [[] for _ in self.net.ranks]
        for i, link in enumerate(self.links):
            if link.is_self:
                continue
            first = self.net.rank[link.upper]
            xs = [self.ends.upper(i), *(self.x[item] for item in link.chain), self.ends.lower(i)]
            for k, (one, other) in enumerate(pairwise(xs)):
                hop = Hop(one, other)
                self.hops[i, first + k] = hop
                gaps[first + k].append(hop)
        return gaps

    def _stack(self, gaps: list[list[Hop]]) -> tuple[list[int], list[int]]:
        """Top of each rank, and where the first track below each rank is."""
        s, net = self.spacing, self.net
        tops, tracks, at = [], [], 0
        for r, rank in enumerate(net.ranks):
            tops.append(at)
            at += max(self.across[item] for item in rank)
            tracks.append(at + s.lead)
            if r + 1 < len(net.ranks):
                at += self._gap_size(r, assign_tracks(gaps[r], max(s.line // 2, 1)))
        return tops, tracks

    def _gap_size(self, rank: int, tracks: int) -> int:
        s = self.spacing
        here, below = self.net.is_label_rank[rank], self.net.is_label_rank[rank + 1]
        least = s.box_label if below else s.label_box if here else s.box_box
        if not tracks:
            return least
        return max(least, s.lead + (tracks - 1) * s.track + (s.tail_label if below else s.tail_box))

    def _centred(self, item: int, tops: list[int]) -> int:
        rank = self.net.rank[item]
        height = max(self.across[i] for i in self.net.ranks[rank]) if self.across[item] else 0
        return tops[rank] + (height - self.across[item]) // 2

    def _box(self, box: int, tops: list[int]) -> Rect:
        along = self.along[box]
        return self.x[box] - along // 2, self._centred(box, tops), along, self.across[box]

    def _path(self, i: int, boxes: list[Rect], tracks: list[int]) -> list[Point]:
        link, s = self.links[i], self.spacing
        if link.is_self:
            side, box = self.sides[link.source], boxes[link.source]
            ends = side.ends(box[3], s)
            right, lane = box[0] + box[2], box[0] + box[2] + s.lane_start
            start, stop = box[1] + ends[i, True], box[1] + ends[i, False]
            return [(right, start), (lane, start), (lane, stop), (right, stop)]
        down: list[Point] = []
        for rank in range(self.net.rank[link.upper], self.net.rank[link.lower]):
            hop = self.hops[i, rank]
            if hop.track >= 0:
                y = tracks[rank] + hop.track * s.track
                down += [(hop.top, y), (hop.bottom, y)]
        if not link.back:
            source, target = boxes[link.source], boxes[link.target]
            return [(self.ends.at[i, True], source[1] + source[3]), *down, (self.ends.at[i, False], target[1])]
        return [*self._side_end(i, True, boxes), *reversed(down), *reversed(self._side_end(i, False, boxes))]

    def _side_end(self, i: int, leaves: bool, boxes: list[Rect]) -> list[Point]:
        box = self.links[i].source if leaves else self.links[i].target
        left, top, along, across = boxes[box]
        y = top + self.sides[box].ends(across, self.spacing)[i, leaves]
        return [(left + along, y), (self.ends.lanes[i, leaves], y)]

    def _label(self, i: int, tops: list[int], path: list[Point]) -> Rect | None:
        link = self.links[i]
        if not link.label:
            return None
        along, across = link.label
        if link.is_self:
            lane, start, stop = path[1][0], path[1][1], path[2][1]
            return lane + self_label_gap(self.spacing), (start + stop + 1 - across) // 2, along, across
        item = link.label_item
        return self.x[item] - along // 2, self._centred(item, tops), along, across

    def _result(self, boxes: list[Rect], paths: list[list[Point]], labels: list[Rect | None]) -> Level:
        rects = [*boxes, *(rect for rect in labels if rect)]
        points = [point for path in paths for point in path]
        left = min([r[0] for r in rects] + [p[0] for p in points], default=0)
        right = max([r[0] + r[2] for r in rects] + [p[0] + 1 for p in points], default=0)
        bottom = max([r[1] + r[3] for r in rects] + [p[1] for p in points], default=0)
        order = [0] * self.net.boxes
        for rank in self.net.ranks:
            for i, box in enumerate(item for item in rank if item < self.net.boxes):
                order[box] = i
        return Level(
            boxes=[(a - left, b, w, h) for a, b, w, h in boxes],
            layer=self.net.layer,
            order=order,
            paths=[_simple([(a - left, b) for a, b in path]) for path in paths],
            labels=[(r[0] - left, *r[1:]) if r else None for r in labels],
            back=[link.back for link in self.links],
            size=(right - left, bottom),
        )


def _simple(path: list[Point]) -> list[Point]:
    """Without repeated points and points amid a straight line."""
    points: list[Point] = []
    for point in path:
        if points and points[-1] == point:
            continue
        if len(points) > 1 and any(points[-2][k] == points[-1][k] == point[k] for k in (0, 1)):
            points.pop()
        points.append(point)
    return points

"""One level of a drawing as a layered network: boxes, and edges cut into hops from rank to rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphagent.drawing.layering import back_edges, layers

PORT = 0.45  # a loop's end sits right of its box, before the next item of the rank


@dataclass(slots=True)
class Link:
    """An edge between two boxes of one level.

    `chain` holds the items between the upper and the lower box, from top to bottom.
    """

    source: int
    target: int
    back: bool = False
    label: tuple[int, int] | None = None
    label_item: int = -1
    chain: list[int] = field(default_factory=list)

    @property
    def is_self(self) -> bool:
        """Whether it leaves and enters one box."""
        return self.source == self.target

    @property
    def upper(self) -> int:
        """The box at the top of the chain."""
        return self.target if self.back else self.source

    @property
    def lower(self) -> int:
        """The box at the bottom of the chain."""
        return self.source if self.back else self.target


@dataclass(slots=True)
class Network:
    """Items 0..boxes-1 are the boxes, the others are bends and labels of edges.

    Args:
        layer: Layer of each box; ranks are the layers and, between some, a rank of labels.
        rank: Rank of each item.
        is_label_rank: For each rank.
        up, down: Neighbours in the rank above and below. A loop's first and last bend know
            their box, the box doesn't know them: loops pull nobody.
        up_bias, down_bias: `PORT` where the neighbour is met at its side.
        tails: For each rank, pairs (loop's last bend, the box below).
    """

    boxes: int
    layer: list[int]
    rank: list[int]
    is_label_rank: list[bool]
    up: list[list[int]]
    down: list[list[int]]
    up_bias: list[float]
    down_bias: list[float]
    tails: list[list[tuple[int, int]]]
    ranks: list[list[int]]


def orient(count: int, links: Sequence[Link], top: frozenset[int]) -> list[int]:
    """Marks the back edges in `links` and returns the layer of each box."""
    for link, back in zip(links, back_edges(count, [(k.source, k.target) for k in links]), strict=True):
        link.back = back
    return layers(count, [(k.source, k.target) for k in links if not k.back], top)


def build(layer: list[int], links: Sequence[Link]) -> Network:
    """Cuts every edge into hops of one rank. Labels get an item of their own, next to their edge's source."""
    depth = max(layer, default=-1) + 1
    labelled = [False] * (depth + 1)  # [i]: there are labels between layers i-1 and i
    for link in links:
        if link.label and not link.is_self:
            labelled[layer[link.source] + (0 if link.back else 1)] = True
    rank_of_layer, is_label_rank = [], []
    for i in range(depth):
        if labelled[i]:
            is_label_rank.append(True)
        rank_of_layer.append(len(is_label_rank))
        is_label_rank.append(False)
    boxes = len(layer)
    net = Network(
        boxes=boxes,
        layer=layer,
        rank=[rank_of_layer[i] for i in layer],
        is_label_rank=is_label_rank,
        up=[[] for _ in range(boxes)],
        down=[[] for _ in range(boxes)],
        up_bias=[0.0] * boxes,
        down_bias=[0.0] * boxes,
        tails=[[] for _ in is_label_rank],
        ranks=[],
    )
    for link in links:
        if not link.is_self:
            _thread(net, link)
    net.ranks = _first_order(net)
    return net


def _thread(net: Network, link: Link) -> None:
    upper, lower = link.upper, link.lower
    first, last = net.rank[upper] + 1, net.rank[lower]
    above = upper
    for rank in range(first, last):
        item = len(net.rank)
        net.rank.append(rank)
        net.up.append([above])
        net.down.append([])
        net.up_bias.append(PORT if link.back and above == upper else 0.0)
        net.down_bias.append(0.0)
        if not (link.back and above == upper):
            net.down[above].append(item)
        link.chain.append(item)
        above = item
    if link.back:
        net.down[above].append(lower)
        net.down_bias[above] = PORT
        net.tails[last - 1].append((above, lower))
    else:
        net.down[above].append(lower)
        net.up[lower].append(above)
    if link.label:
        link.label_item = link.chain[-1] if link.back else link.chain[0]


def _first_order(net: Network) -> list[list[int]]:
    """Every rank in the order in which a depth-first walk meets its items; loops come last."""
    ranks: list[list[int]] = [[] for _ in net.is_label_rank]
    seen = [False] * len(net.rank)
    starts = sorted(range(net.boxes), key=lambda box: (net.rank[box], box))
    loops = [i for i in range(net.boxes, len(net.rank)) if net.up_bias[i]]
    for start in (*starts, *loops):
        stack = [start]
        while stack:
            item = stack.pop()
            if seen[item]:
                continue
            seen[item] = True
            ranks[net.rank[item]].append(item)
            stack.extend(reversed(net.down[item]))
    return ranks

"""Horizontal tracks between two ranks: no two edges share a stretch, few cross."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Hop:
    """One edge between two ranks: it comes down at `top`, runs along its track, and goes down at `bottom`."""

    top: int
    bottom: int
    track: int = -1

    @property
    def low(self) -> int:
        """Left end of the horizontal stretch."""
        return min(self.top, self.bottom)

    @property
    def high(self) -> int:
        """Right end of the horizontal stretch."""
        return max(self.top, self.bottom)


def assign_tracks(hops: Sequence[Hop], apart: int) -> int:
    """Sets `track` (0 is uppermost) of every hop that isn't straight; returns the number of tracks.

    Of two hops that run the same way the one that starts further on goes above: then they don't cross. A hop
    that comes down where another one goes down must be above it, or they would run into each other.
    """
    bent = [hop for hop in hops if hop.top != hop.bottom]
    if not bent:
        return 0
    rightwards = sorted((h for h in bent if h.top < h.bottom), key=lambda h: (-h.top, h.bottom))
    leftwards = sorted((h for h in bent if h.top > h.bottom), key=lambda h: (h.top, -h.bottom))
    return _Tracks(hops, apart).fill([*rightwards, *leftwards])


class _Tracks:
    def __init__(self, hops: Sequence[Hop], apart: int) -> None:
        self._apart = apart
        self._tops = sorted(((h.top, i) for i, h in enumerate(hops) if h.top != h.bottom))
        self._hops = hops
        self._rows: list[list[Hop]] = []
        self._open: set[int] = set()

    def fill(self, hops: list[Hop]) -> int:
        for hop in hops:
            self._put(hop)
        return len(self._rows)

    def _put(self, hop: Hop) -> None:
        if hop.track >= 0:
            return
        self._open.add(id(hop))
        least = 0
        for other in self._above(hop):
            if other.track < 0 and id(other) not in self._open:
                self._put(other)
            least = max(least, other.track + 1)
        right = hop.top < hop.bottom
        for track in range(len(self._rows) - 1, least - 1, -1):
            if any(self._meet(hop, o) and (o.top < o.bottom) == right for o in self._rows[track]):
                least = track + 1
                break
        track = least
        while track < len(self._rows) and any(self._meet(hop, o) for o in self._rows[track]):
            track += 1
        if track == len(self._rows):
            self._rows.append([])
        self._rows[track].append(hop)
        hop.track = track

    def _above(self, hop: Hop) -> list[Hop]:
        found = []
        i = bisect_left(self._tops, (hop.bottom - self._apart + 1, -1))
        while i < len(self._tops) and self._tops[i][0] < hop.bottom + self._apart:
            other = self._hops[self._tops[i][1]]
            if other is not hop:
                found.append(other)
            i += 1
        return found

    def _meet(self, one: Hop, other: Hop) -> bool:
        return one.low - self._apart < other.high and other.low - self._apart < one.high

"""What a manifest refers to: blobs, and the deltas in which the open tails of append channels stand.

No graph is needed: a manifest says of each entry what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphagent.channels.entries import EMPTY_ROLL, AppendEntry, Entry, ValueEntry, read_entry, read_index, read_root
from graphagent.codec import decode


@dataclass(frozen=True, slots=True)
class References:
    """What one manifest refers to.

    Attributes:
        values: Blobs that hold values.
        roots: Blobs that name the segments of append channels; `segments_of` tells which.
        tails: By append channel (after, upto): its open tail stands in deltas of supersteps after < k <= upto.
    """

    values: frozenset[bytes]
    roots: frozenset[bytes]
    tails: Mapping[str, tuple[int, int]]


def entries_of(manifest: bytes) -> dict[str, Entry]:
    """The entries of a manifest by channel."""
    return {name: read_entry(data) for name, data in decode(manifest)["channels"].items()}


def references(manifest: bytes) -> References:
    """What a manifest refers to."""
    values, roots, tails = set(), set(), {}
    for name, entry in entries_of(manifest).items():
        if isinstance(entry, ValueEntry):
            if entry.inline is None:
                values.add(entry.hash)
            continue
        if entry.root is not None:
            roots.add(entry.root)
        if entry.count > entry.sealed:
            tails[name] = (entry.sealed_at, entry.version)
    return References(frozenset(values), frozenset(roots), tails)


def waits(manifest: bytes) -> list[tuple[str, int]]:
    """For each waiting token, what it waits for and the superstep that parked it."""
    control: Mapping[str, Any] = decode(manifest)["control"]
    return [(waiting[1], waiting[2]) for waiting in control.get("waiting", ())]


def indexes_of(root: bytes) -> tuple[list[bytes], list[bytes]]:
    """The index blobs and the segments that a root blob names."""
    entry = read_root(AppendEntry(0, 0, 0, 0, EMPTY_ROLL, EMPTY_ROLL), root)
    return list(entry.indexes), list(entry.segments)


def segments_of(root: bytes, load: Callable[[bytes], bytes]) -> list[bytes]:
    """All segments below a root blob, in order."""
    indexes, segments = indexes_of(root)
    return [segment for index in indexes for segment in read_index(load(index))] + segments

"""The hot tables: what a process remembers of its sessions so that it needn't ask the store, one set a worker.

They are caches. The store is the truth: a table may be emptied at any time, and nothing changes but latency. What comes
out of one is verified first; an entry that isn't what it should be is a miss, and counted as `wrong`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Final, Generic, TypeVar

from graphagent.channels.entries import AppendEntry, ValueEntry
from graphagent.codec import digest, encode
from graphagent.ids import SessionId
from graphagent.ports import Clock
from graphagent.snapshot import CachedResult, Snapshot

K = TypeVar("K")
V = TypeVar("V")

MINUTE_US: Final = 60_000_000
MIB: Final = 1 << 20
SAMPLED: Final = 8
"""So many items of a long list are measured, and the others taken to be like them."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a table holds, whichever comes first. `idle_us` is how long an entry that nobody asks for stays."""

    entries: int
    bytes: int
    idle_us: int | None = None


@dataclass(slots=True)
class Counts:
    """What became of a table's entries. `wrong` ones are misses too; `rebuilds` are those that were made anew."""

    hits: int = 0
    misses: int = 0
    wrong: int = 0
    evictions: int = 0
    rebuilds: int = 0
    rebuild_us: int = 0


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    size: int
    used_us: int
    until_us: int | None


def _never(_: object) -> bool:
    return False


def _always(_: object) -> bool:
    return True


class Table(Generic[K, V]):
    """A bounded table: the least recently used entry goes first.

    Args:
        pinned: Whether an entry must stay now, since a running superstep uses it. It is never evicted, and where all
            are pinned nothing new is kept.
    """

    def __init__(self, bound: Bound, clock: Clock, pinned: Callable[[K], bool] = _never) -> None:
        self.bound, self.counts = bound, Counts()
        self.bytes = 0
        self._clock, self._pinned = clock, pinned
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        """The keys, least recently used first."""
        return iter(self._entries)

    def get(self, key: K, fits: Callable[[V], bool] = _always) -> V | None:
        """The value of a key, if it is there and what it should be; `fits` says whether it is."""
        entry = self._entries.get(key)
        now = self._clock.now_us()
        if entry is not None and self._over(key, entry, now):
            self._evict(key)
            entry = None
        if entry is None:
            self.counts.misses += 1
            return None
        if not fits(entry.value):
            self.drop(key)
            self.counts.wrong += 1
            self.counts.misses += 1
            return None
        entry.used_us = now
        self._entries.move_to_end(key)
        self.counts.hits += 1
        return entry.value

    def put(self, key: K, value: V, size: int, until_us: int | None = None) -> bool:
        """Keep a value; False if there is no room for it.

        Args:
            size: Roughly how many bytes it takes.
            until_us: When it is over, however often it is asked for.
        """
        now = self._clock.now_us()
        self.drop(key)
        self._forget_idle(now)
        if not self._make_room(size):
            return False
        self._entries[key] = _Entry(value, size, now, until_us)
        self.bytes += size
        return True

    def drop(self, key: K) -> None:
        """Forget an entry, pinned or not."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes = 0

    @contextmanager
    def rebuilding(self, count: int = 1) -> Iterator[None]:
        """Count so many entries that are made anew, and how long that takes."""
        began = self._clock.now_us()
        try:
            yield
        finally:
            self.counts.rebuilds += count
            self.counts.rebuild_us += max(self._clock.now_us() - began, 0)

    def metrics(self) -> dict[str, int | float]:
        """What it holds now, and its counts since the process began."""
        counts = {f.name: getattr(self.counts, f.name) for f in fields(self.counts)}
        seconds = counts.pop("rebuild_us") / 1e6
        return {"entries": len(self._entries), "bytes": self.bytes, **counts, "rebuild_seconds": seconds}

    def _over(self, key: K, entry: _Entry[V], now: int) -> bool:
        """Whether an entry has been idle for too long, or has expired."""
        if entry.until_us is not None and now >= entry.until_us:
            return True
        idle = self.bound.idle_us
        return idle is not None and now - entry.used_us >= idle and not self._pinned(key)

    def _evict(self, key: K) -> None:
        self.drop(key)
        self.counts.evictions += 1

    def _forget_idle(self, now: int) -> None:
        """Those that nobody asks for any more stand first."""
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if not self._over(key, entry, now):
                return
            self._evict(key)

    def _make_room(self, size: int) -> bool:
        """Evict until an entry of that size fits; what is pinned counts as used now."""
        most = self.bound
        if size > most.bytes:
            return False
        for _ in range(len(self._entries)):
            if len(self._entries) < most.entries and self.bytes + size <= most.bytes:
                return True
            key = next(iter(self._entries))
            if self._pinned(key):
                self._entries.move_to_end(key)
            else:
                self._evict(key)
        return len(self._entries) < most.entries and self.bytes + size <= most.bytes


@dataclass(frozen=True, slots=True)
class SubAgent:
    """A child session as its caller knows it."""

    caller: SessionId
    superstep: int
    path: str
    graph: str


@dataclass(frozen=True, slots=True)
class Result:
    """A reused result, with the hash that it had when it was committed."""

    data: bytes
    hash: bytes

    @property
    def whole(self) -> bool:
        return digest(self.data) == self.hash


SESSIONS: Final = Bound(10_000, 256 * MIB, 60 * MINUTE_US)
MESSAGES: Final = Bound(1 << 20, 64 * MIB, 30 * MINUTE_US)
CONTEXT: Final = Bound(2_000, 64 * MIB, 30 * MINUTE_US)
CACHE: Final = Bound(10_000, 32 * MIB)
SUB_AGENT_CONTEXTS: Final = Bound(5_000, 8 * MIB)


@dataclass(slots=True)
class Tables:
    """The five tables of one process.

    Args:
        running: The sessions that are open here: what belongs to them stays.

    Attributes:
        sessions: The head of each session that was open here, taken only if the store has the same head digest.
        messages: Bodies of messages by family and hash.
        context: By session and node, what its model was last shown and how long that is.
        cache: Results of nodes with `cache`, by their key.
        sub_agent_contexts: Child sessions that haven't ended.
    """

    clock: Clock
    running: Container[SessionId] = frozenset()
    sessions: Table[SessionId, Snapshot] = field(init=False)
    messages: Table[tuple[SessionId, bytes], bytes] = field(init=False)
    context: Table[tuple[str, str], Any] = field(init=False)
    cache: Table[bytes, Result] = field(init=False)
    sub_agent_contexts: Table[SessionId, SubAgent] = field(init=False)

    def __post_init__(self) -> None:
        clock, running = self.clock, self.running
        self.sessions = Table(SESSIONS, clock, lambda session: session in running)
        self.messages = Table(MESSAGES, clock)
        self.context = Table(CONTEXT, clock, lambda key: key[0] in running)
        self.cache = Table(CACHE, clock)
        self.sub_agent_contexts = Table(SUB_AGENT_CONTEXTS, clock, lambda child: child in running)

    @property
    def all(self) -> dict[str, Table[Any, Any]]:
        """The tables by name."""
        names = ("sessions", "messages", "context", "cache", "sub_agent_contexts")
        return {name: getattr(self, name) for name in names}

    def metrics(self) -> dict[str, dict[str, int | float]]:
        """The metrics of each table."""
        return {name: table.metrics() for name, table in self.all.items()}

    def clear(self) -> None:
        """Empty all of them."""
        for table in self.all.values():
            table.clear()

    def keep_head(self, session: SessionId, snapshot: Snapshot) -> None:
        """Keep the head of a session that was just given back."""
        self.sessions.put(session, snapshot, snapshot_size(snapshot))

    def keep_result(self, result: CachedResult) -> None:
        """Keep a result that was committed."""
        self.cache.put(result.key, Result(result.data, digest(result.data)), len(result.data), result.expires_at)

    def forget(self, session: SessionId) -> None:
        """Drop what is known of a session that is no more."""
        self.sessions.drop(session)
        self.sub_agent_contexts.drop(session)


def snapshot_size(snapshot: Snapshot) -> int:
    """Roughly how many bytes a snapshot's values would take if they were written; nothing long is written for it."""
    size = 512
    for entry, value in zip(snapshot.entries, snapshot.values, strict=True):
        if isinstance(entry, ValueEntry):
            size += entry.size
        elif isinstance(entry, AppendEntry) and value:
            some = value[-SAMPLED:]
            size += len(encode(some)) * len(value) // len(some)
    return size

"""Artifacts that end with their process, beside a store in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing

from graphagent.artifacts.content import Meter, measure, pieces
from graphagent.errors import StoreCorrupt
from graphagent.faults import fault
from graphagent.ids import SessionId
from graphagent.ports import Clock, Content, Stored


class MemoryArtifacts:
    """A `ports.Artifacts` without files."""

    name = "memory"

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock
        self._kept: dict[SessionId, dict[bytes, tuple[int, bytes]]] = {}

    async def put(self, family: SessionId, content: Content, limit: int) -> Stored:
        meter, parts = Meter(limit), []
        async with aclosing(pieces(content)) as given:
            async for piece in given:
                meter.add(piece)
                parts.append(piece)
        fault("artifact.write")
        stored = meter.stored()
        self._kept.setdefault(family, {})[stored.hash] = (self._now_us(), b"".join(parts))
        fault("artifact.rename")
        return stored

    async def measure(self, content: Content, limit: int) -> Stored:
        return await measure(content, limit)

    async def read(self, family: SessionId, stored: Stored, offset: int, limit: int) -> bytes:
        return self._found(family, stored)[offset : offset + limit]

    async def verify(self, family: SessionId, stored: Stored) -> None:
        self._found(family, stored)

    def _found(self, family: SessionId, stored: Stored) -> bytes:
        found = self._kept.get(family, {}).get(stored.hash)
        if found is None:
            raise StoreCorrupt(f"{self.name}: the bytes {stored.hash.hex()} of family {family} are missing")
        return found[1]

    async def families(self) -> list[SessionId]:
        return sorted(family for family, kept in self._kept.items() if kept)

    async def kept(self, family: SessionId) -> dict[bytes, int]:
        return {hash: at for hash, (at, _) in self._kept.get(family, {}).items()}

    async def touch(self, family: SessionId, hashes: Sequence[bytes]) -> None:
        kept = self._kept.get(family, {})
        for hash in hashes:
            if hash in kept:
                kept[hash] = (self._now_us(), kept[hash][1])

    async def remove(self, family: SessionId, hash: bytes, before_us: int) -> bool:
        kept = self._kept.get(family, {})
        if hash in kept and kept[hash][0] >= before_us:
            return False
        fault("artifact.remove")
        kept.pop(hash, None)
        return True

    async def sweep(self) -> int:
        return 0

    def _now_us(self) -> int:
        return time.time_ns() // 1000 if self._clock is None else self._clock.now_us()

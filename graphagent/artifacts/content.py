"""Content as it comes: in pieces of at most 1 MiB, hashed and counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, nullcontext
from typing import Final

import trio

from graphagent.errors import OutputTooLarge
from graphagent.ports import Content, Stored

PIECE: Final = 1 << 20


class Meter:
    """Counts and hashes content. Raises OutputTooLarge as soon as it is longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._hash, self._size = hashlib.sha256(), 0

    def add(self, piece: bytes) -> None:
        """Take the next piece in."""
        self._size += len(piece)
        if self._size > self.limit:
            raise OutputTooLarge(self._size, self.limit)
        self._hash.update(piece)

    def stored(self) -> Stored:
        """What is known of all that was added."""
        return Stored(self._hash.digest(), self._size)


async def pieces(content: Content) -> AsyncGenerator[bytes, None]:
    """The content in pieces, to be used in `aclosing`. What isn't asynchronous, such as a file, is read in threads.

    Raises:
        TypeError: it gives something else than bytes.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        for piece in _cut(content):
            yield piece
        return
    if isinstance(content, AsyncIterable):
        async with aclosing(content) if isinstance(content, AsyncGenerator) else nullcontext():
            async for part in content:
                for piece in _cut(part):
                    yield piece
        return
    read = getattr(content, "read", None)
    parts: Iterator[bytes] = iter(lambda: read(PIECE), b"") if read is not None else iter(content)
    while (found := await trio.to_thread.run_sync(_next, parts)) is not None:
        for piece in _cut(found):
            yield piece


def _next(parts: Iterator[bytes]) -> bytes | None:
    return next(parts, None)


def _cut(part: bytes | bytearray | memoryview) -> Iterator[bytes]:
    if not isinstance(part, bytes | bytearray | memoryview):
        raise TypeError(f"an artifact is bytes, this is {type(part).__name__}")
    whole = memoryview(part).cast("B")
    for at in range(0, len(whole), PIECE):
        yield bytes(whole[at : at + PIECE])


async def measure(content: Content, limit: int) -> Stored:
    """See `ports.Artifacts.measure`."""
    meter = Meter(limit)
    async with aclosing(pieces(content)) as parts:
        async for piece in parts:
            meter.add(piece)  # a thread costs as much as the hash of a piece
            await trio.lowlevel.checkpoint()
    return meter.stored()

"""Content as it comes: in pieces of at most 1 MiB, hashed and counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, nullcontext
from typing import Any, Final

import trio

from graphagent.errors import OutputTooLarge
from graphagent.ports import Content, Stored

PIECE: Final = 1 << 20
JOINED: Final = 1 << 16
"""Parts are joined until they are so many bytes."""


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
    """The content in pieces, to be used in `aclosing`. What isn't asynchronous, such as a file, is read in threads;
    what comes in small parts is joined, since the way to a thread and back takes longer than such a part.

    Raises:
        TypeError: it gives something else than bytes.
    """
    small: list[bytes] = []
    size = 0
    async with aclosing(_parts(content)) as parts:
        async for part in parts:
            if size + len(part) > PIECE:
                yield b"".join(small)
                small, size = [], 0
            small.append(part)
            size += len(part)
            if size >= JOINED:
                yield b"".join(small)
                small, size = [], 0
    if small:
        yield b"".join(small)


async def _parts(content: Content) -> AsyncGenerator[bytes, None]:
    if isinstance(content, bytes | bytearray | memoryview):
        for part in _cut(content):
            yield part
        return
    if isinstance(content, AsyncIterable):
        async with aclosing(content) if isinstance(content, AsyncGenerator) else nullcontext():
            async for given in content:
                for part in _cut(given):
                    yield part
        return
    read = getattr(content, "read", None)
    source: Iterator[Any] = iter(lambda: read(PIECE), b"") if read is not None else iter(content)
    while found := await trio.to_thread.run_sync(_some, source):
        for given in found:
            for part in _cut(given):
                yield part


def _some(source: Iterator[Any]) -> list[Any]:
    """The next of what a source gives, enough for a piece; nothing at its end."""
    found: list[Any] = []
    size = 0
    for part in source:
        found.append(part)
        size += len(part) if isinstance(part, bytes) else JOINED
        if size >= JOINED:
            break
    return found


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

"""The contract of `ports.Artifacts`: every async function here runs on every place where content can be kept."""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio

from graphagent.codec import digest
from graphagent.errors import OutputTooLarge, StoreCorrupt
from graphagent.ids import SessionId
from graphagent.ports import Artifacts, Stored

ONE, OTHER = SessionId.derive("one"), SessionId.derive("other")
MIB = 1 << 20
NEVER = 1 << 62
Case = Callable[[Artifacts], Awaitable[None]]


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await trio.lowlevel.checkpoint()
        yield part


async def whatever_its_form_content_has_one_address(kept: Artifacts) -> None:
    data = bytes(range(256)) * 9000  # more than two pieces
    forms: list[Any] = [
        data, bytearray(data), memoryview(data), io.BytesIO(data), [data[:5], b"", data[5:]],
        stream(data[:MIB], data[MIB:]),
    ]  # fmt: skip
    for form in forms:
        assert await kept.put(ONE, form, NEVER) == Stored(digest(data), len(data))
        assert list(await kept.kept(ONE)) == [digest(data)]
    assert await kept.measure(stream(data), NEVER) == Stored(digest(data), len(data))


async def parts_are_read_back(kept: Artifacts) -> None:
    data = bytes(range(256)) * 5000
    stored = await kept.put(ONE, data, NEVER)
    for offset, limit in (
        (0, 10),
        (7, MIB + 3),
        (len(data) - 3, 10),
        (len(data), 5),
        (len(data) + 9, 5),
        (5, 0),
        (0, NEVER),
    ):
        assert await kept.read(ONE, stored, offset, limit) == data[offset : offset + limit]
    await kept.verify(ONE, stored)


async def nothing_is_content_too(kept: Artifacts) -> None:
    stored = await kept.put(ONE, b"", 0)
    assert stored == Stored(digest(b""), 0)
    assert await kept.read(ONE, stored, 0, 10) == b""


async def a_family_reads_only_its_own(kept: Artifacts) -> None:
    stored = await kept.put(ONE, b"mine", NEVER)
    for read in (kept.read(OTHER, stored, 0, 4), kept.verify(OTHER, stored)):
        with pytest.raises(StoreCorrupt, match="missing"):
            await read
    await kept.put(OTHER, b"mine", NEVER)
    assert await kept.families() == sorted([ONE, OTHER])
    assert await kept.remove(ONE, stored.hash, NEVER)
    assert await kept.families() == [OTHER]
    assert await kept.read(OTHER, stored, 0, 4) == b"mine"


async def an_upload_that_ends_badly_leaves_nothing(kept: Artifacts) -> None:
    class Broken(Exception):
        pass

    async def breaks() -> AsyncIterator[bytes]:
        yield b"a" * MIB
        raise Broken

    async def hangs() -> AsyncIterator[bytes]:
        yield b"a" * MIB
        scope.cancel()
        await trio.sleep_forever()

    def endless() -> Iterator[bytes]:
        while True:
            yield b"a" * 1000

    with pytest.raises(Broken):
        await kept.put(ONE, breaks(), NEVER)
    with trio.CancelScope() as scope:
        await kept.put(ONE, hangs(), NEVER)
    with pytest.raises(OutputTooLarge):
        await kept.put(ONE, endless(), 10 * MIB)
    with pytest.raises(OutputTooLarge):
        await kept.measure(endless(), 10 * MIB)
    with pytest.raises(TypeError, match="an artifact is bytes, this is str"):
        await kept.put(ONE, ["text"], NEVER)  # type: ignore[list-item]
    assert await kept.families() == []
    assert await kept.sweep() == 0


async def what_is_new_is_not_removed(kept: Artifacts) -> None:
    stored = await kept.put(ONE, b"a", NEVER)
    at = (await kept.kept(ONE))[stored.hash]
    assert not await kept.remove(ONE, stored.hash, at)
    await kept.put(ONE, stream(b"a"), NEVER)
    again = (await kept.kept(ONE))[stored.hash]
    assert again >= at
    await kept.touch(ONE, [stored.hash, digest(b"nobody")])
    assert (await kept.kept(ONE))[stored.hash] >= again
    assert await kept.remove(ONE, stored.hash, NEVER)
    assert await kept.remove(ONE, stored.hash, NEVER), "once more is harmless"
    assert await kept.kept(ONE) == {}
    await kept.touch(ONE, [stored.hash])
    assert await kept.put(ONE, b"a", NEVER) == stored


async def many_put_the_same_while_it_is_removed(kept: Artifacts) -> None:
    stored = await kept.measure(b"same", NEVER)

    async def puts() -> None:
        for _ in range(20):
            assert await kept.put(ONE, b"same", NEVER) == stored

    async def removes() -> None:
        for _ in range(20):
            await kept.remove(ONE, stored.hash, NEVER)

    async with trio.open_nursery() as nursery:
        for work in (puts, puts, removes, removes):
            nursery.start_soon(work)
    await kept.put(ONE, b"same", NEVER)
    assert await kept.read(ONE, stored, 0, 9) == b"same"


CASES: list[Case] = [
    found for found in list(globals().values())
    if inspect.iscoroutinefunction(found) and list(inspect.signature(found).parameters) == ["kept"]
]  # fmt: skip

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from graphagent.artifacts.content import JOINED, PIECE, pieces

SIZES = st.lists(st.sampled_from([0, 1, 100, JOINED - 1, JOINED, PIECE - 1, PIECE, PIECE + 1]), max_size=6)


def cut(content: Any) -> list[bytes]:
    async def main() -> list[bytes]:
        async with aclosing(pieces(content)) as found:
            return [piece async for piece in found]

    return trio.run(main)


async def stream(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(SIZES)
def test_pieces_are_the_content_in_reasonable_sizes(sizes: list[int]) -> None:
    parts = [bytes([n % 251]) * size for n, size in enumerate(sizes)]
    for content in (parts, stream(parts), b"".join(parts)):
        found = cut(content)
        assert b"".join(found) == b"".join(parts)
        assert all(len(piece) <= PIECE for piece in found)
        assert all(found)


def test_small_parts_are_joined() -> None:
    parts = [b"x" * 16] * 10_000
    assert len(cut(parts)) == len(cut(stream(parts))) == 1 + 160_000 // JOINED


@pytest.mark.parametrize("content", [[b"x", "text"], ["text"], stream([b"x", "text"])])  # type: ignore[list-item]
def test_what_is_not_bytes_is_named(content: Any) -> None:
    with pytest.raises(TypeError, match="an artifact is bytes, this is str"):
        cut(content)

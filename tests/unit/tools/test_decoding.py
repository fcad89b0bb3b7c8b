"""Bodies: unpacked as far as the limit and never further."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
import trio

from graphagent.errors import NodeError
from graphagent.tools.decoding import read_body

TEXT = b"some text, " * 50
PACKED = gzip.compress(TEXT, mtime=0)


def read(data: bytes, encoding: str, limit: int = 1000, step: int = 7) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        yield b""
        for i in range(0, len(data), step):
            yield data[i : i + step]

    return trio.run(lambda: read_body(chunks(), encoding, limit))


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", TEXT), ("identity", TEXT), ("gzip", PACKED), ("X-GZIP ", PACKED),
        ("deflate", zlib.compress(TEXT)), ("deflate", bare(TEXT)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 1000])
def test_a_body_is_what_was_packed(encoding: str, data: bytes, step: int) -> None:
    assert read(data, encoding, step=step) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
def test_an_empty_body_is_empty(encoding: str) -> None:
    assert read(b"", encoding) == b""


@pytest.mark.parametrize(("limit", "fits"), [(len(TEXT), True), (len(TEXT) - 1, False)])
@pytest.mark.parametrize(("encoding", "data"), [("", TEXT), ("gzip", PACKED)])
def test_the_limit_counts_what_is_unpacked(encoding: str, data: bytes, limit: int, fits: bool) -> None:
    if fits:
        assert read(data, encoding, limit) == TEXT
        return
    with pytest.raises(NodeError, match="more than 549 bytes") as caught:
        read(data, encoding, limit)
    assert (caught.value.kind, caught.value.cause) == ("tool_failed", "output_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_needs_no_memory(encoding: str) -> None:
    zeros = b"\0" * (64 << 20)
    bomb = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    del zeros
    tracemalloc.start()
    try:
        with pytest.raises(NodeError, match="more than"):
            read(bomb, encoding, 1 << 20, len(bomb))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", b"no gzip"),
        ("gzip", PACKED[:-9]),
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("zstd", b"x"),
    ],
)
def test_what_was_not_asked_for_or_is_damaged_is_invalid_output(encoding: str, data: bytes) -> None:
    with pytest.raises(NodeError) as caught:
        read(data, encoding)
    assert caught.value.kind == "invalid_output"

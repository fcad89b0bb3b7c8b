"""Bodies of HTTP answers, read up to a limit that counts what comes out of their compression."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from graphagent.errors import NodeError

ACCEPTED: Final = "gzip, deflate"
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The body of an answer.

    Args:
        chunks: As they were sent.
        encoding: The header `content-encoding`, empty where there is none.

    Raises:
        NodeError: it has more than `limit` bytes, is damaged, or is encoded in a way that wasn't asked for.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return await _plain(chunks, limit)
    if encoding not in _WINDOW_BITS:
        raise _broken(f"the answer is encoded as {encoding[:40]!r}, which nobody asked for")
    return await _unpacked(chunks, encoding, limit)


async def _plain(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


async def _unpacked(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """Never more than one byte over the limit is unpacked, however small the answer is."""
    body, unpack, fed = bytearray(), zlib.decompressobj(_WINDOW_BITS[encoding]), False
    async for chunk in chunks:
        if encoding == "deflate" and not fed and chunk and chunk[0] & 0x0F != zlib.DEFLATED:
            unpack = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send the bare stream
        fed = fed or bool(chunk)
        try:
            body += unpack.decompress(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise _broken(f"the {encoding} of the answer is damaged: {error}") from error
        if len(body) > limit or unpack.unconsumed_tail:
            raise too_large(limit)
    if fed and not unpack.eof:
        raise _broken(f"the {encoding} of the answer ends too early")
    return bytes(body)


def too_large(limit: int) -> NodeError:
    """An answer over its limit."""
    return NodeError(f"the answer has more than {limit:,} bytes", kind="tool_failed", cause="output_too_large")


def _broken(message: str) -> NodeError:
    return NodeError(message, kind="invalid_output")

"""Reads the PNGs that the tests make: 8 bits, RGBA, not interlaced."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    rows: list[bytes]

    def colours(self, x: int, y: int, w: int, h: int) -> set[Colour]:
        """The colours in a rectangle."""
        found = set()
        for row in self.rows[y : y + h]:
            cells = row[4 * x : 4 * (x + w)]
            found |= {(cells[i], cells[i + 1], cells[i + 2]) for i in range(0, len(cells), 4)}
        return found


def read(png: bytes) -> Picture:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data, header = 8, b"", b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        header = body if kind == b"IHDR" else header
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert (depth, colour, interlaced) == (8, 6, 0)
    return Picture(width, height, _unfiltered(zlib.decompress(data), width * 4, height))


def _unfiltered(raw: bytes, stride: int, height: int) -> list[bytes]:
    """Source: PNG specification, section 9, filtering."""
    rows, above = [], bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride):
            a, b, c = (row[i - 4] if i > 3 else 0), above[i], (above[i - 4] if i > 3 else 0)
            row[i] = (row[i] + (0, a, b, (a + b) // 2, _paeth(a, b, c))[kind]) & 255
        rows.append(bytes(row))
        above = row
    return rows


def _paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]

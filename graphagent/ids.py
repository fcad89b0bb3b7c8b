"""Typed ids: `str` subclasses with a prefix, so that one kind of id is never taken for another.

After the prefix come 26 characters of lower-case Crockford base32, which are 128 bits. Ids of sessions,
runs and checkpoints begin with 48 bits of milliseconds and so sort by time; the others are digests, so a
replay gives equal ids.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import ClassVar, Self

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
"""To the base 32 that `int` reads."""
_LOW_70 = (1 << 70) - 1
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def encode128(raw: bytes) -> str:
    """26 base32 characters for 16 bytes; their order is the order of the bytes."""
    n = int.from_bytes(raw, "big")
    high, low, pairs = n >> 70, n & _LOW_70, _PAIRS  # smaller numbers are quicker to shift
    return (
        pairs[high >> 50] + pairs[high >> 40 & 1023] + pairs[high >> 30 & 1023] + pairs[high >> 20 & 1023]
        + pairs[high >> 10 & 1023] + pairs[high & 1023] + pairs[low >> 60] + pairs[low >> 50 & 1023]
        + pairs[low >> 40 & 1023] + pairs[low >> 30 & 1023] + pairs[low >> 20 & 1023] + pairs[low >> 10 & 1023]
        + pairs[low & 1023]
    )  # fmt: skip


def decode128(text: str) -> bytes:
    """The 16 bytes that `encode128` wrote. Raises ValueError for anything else."""
    if len(text) != 26:
        raise ValueError(f"{text!r} doesn't have 26 characters")
    foreign = text.strip(_ALPHABET)
    if foreign:
        raise ValueError(f"{foreign[0]!r} is not a character of an id")
    n = int(text.translate(_DIGITS), 32)
    return n.to_bytes(17, "big")[1:] if n < 1 << 128 else _too_big(text)


def _too_big(text: str) -> bytes:
    raise ValueError(f"{text!r} is more than 128 bits")


def digest128(*parts: bytes | str | int) -> bytes:
    """16 bytes that depend on all parts and on where one part ends and the next begins."""
    whole = [_sized(part) if isinstance(part, bytes) else _sized_text(part) for part in parts]
    return hashlib.sha256(b"".join(whole)).digest()[:16]


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


@lru_cache(4096, typed=True)
def _sized_text(part: str | int) -> bytes:
    """The same few ids, names and numbers come again and again."""
    return _sized(str(part).encode())


class Id(str):
    """Base of all ids. `Id("ses_...")` checks the text; `.raw` is its 16 bytes."""

    __slots__ = ()
    prefix: ClassVar[str] = ""

    def __new__(cls, text: str) -> Self:
        if isinstance(text, Id) and not isinstance(text, cls):
            raise TypeError(f"{cls.__name__} is wanted, {text!r} is a {type(text).__name__}")
        if not text.startswith(cls.prefix + "_"):
            raise ValueError(f"{text!r} is not a {cls.__name__}: it must start with {cls.prefix}_")
        decode128(text[len(cls.prefix) + 1 :])
        return str.__new__(cls, text)

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """The id of 16 stored bytes."""
        return str.__new__(cls, f"{cls.prefix}_{encode128(raw)}")

    @classmethod
    def derive(cls, *parts: bytes | str | int) -> Self:
        """The id that is a digest of its parts."""
        return cls.of(digest128(*parts))

    @classmethod
    def timed(cls, time_us: int, rest: bytes) -> Self:
        """An id that sorts by time: 6 bytes of milliseconds, then the first 10 bytes of `rest`."""
        return cls.of((time_us // 1000).to_bytes(6, "big") + rest[:10])

    @property
    def raw(self) -> bytes:
        """The 16 bytes that are stored."""
        return decode128(self[len(self.prefix) + 1 :])


class SessionId(Id):
    __slots__ = ()
    prefix = "ses"


class RunId(Id):
    __slots__ = ()
    prefix = "run"


class CheckpointId(Id):
    __slots__ = ()
    prefix = "ckp"


class StepId(Id):
    __slots__ = ()
    prefix = "stp"


class InterruptId(Id):
    __slots__ = ()
    prefix = "itr"


class WorkerId(Id):
    __slots__ = ()
    prefix = "wrk"


class EventId(Id):
    __slots__ = ()
    prefix = "evt"


class ArtifactId(Id):
    __slots__ = ()
    prefix = "art"

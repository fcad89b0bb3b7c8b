"""Messages in stored rows: each stands there as its id and the hash of its body, and the body is a blob of the family.

So a conversation that is written anew, sealed, forked or handed over costs references, and the body of each message is
stored once. A row of which bodies were taken out begins with `MARK`, which canonical JSON never does; then come the
family, 8 bytes of check, and the canonical JSON with references in it. Putting the bodies back gives the same bytes
again, so no digest, hash or export knows of it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphagent.codec import decode, digest, encode
from graphagent.errors import StoreCorrupt
from graphagent.ids import SessionId

MARK: Final = b"\0m1"
LEAST_BYTES = 1024
"""Smaller bodies stay where they are: a reference and a row of its own would cost more."""
LEAST_REPEATED = 256
"""The same for rows that repeat what others hold: values that are written anew, and long ones."""
LONG = 16 * 1024
_ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
SIGN: Final = b'"role":"'
"""What every message holds, and little else."""
_KEY: Final = "\0"
_FAMILY, _HEAD = len(MARK) + 16, len(MARK) + 24
_REFERENCE: Final = re.compile(rb'\{"\\u0000":\["([0-9a-f]{64})"((?:,\d+,"(?:[^"\\]|\\.)*")*)\]\}')
"""A quotation mark inside of text is escaped, so no text looks like this."""


def take_out(data: bytes, family: SessionId, bodies: dict[bytes, bytes], least: int | None = None) -> bytes:
    """What is stored of these canonical bytes, in a row of this family; the bodies that were taken out go to `bodies`.

    Args:
        least: How large a body must be; by default it depends on the length of the row.

    Raises:
        StoreCorrupt: they are no canonical JSON but look like what this function gives.
    """
    if data.startswith(MARK):
        raise StoreCorrupt("a row to be stored holds references to messages already")
    short = shorten(data, bodies, least or (LEAST_REPEATED if len(data) >= LONG else LEAST_BYTES))
    return data if short is None else marked(short, family)


def may_hold_bodies(data: bytes) -> bool:
    """Whether a row with these bytes, or with those that they were made of, may be stored with references or whole."""
    return data.startswith(MARK) or SIGN in data


def marked(short: bytes, family: SessionId) -> bytes:
    """A row with references."""
    return MARK + family.raw + digest(short)[:8] + short


def shorten(data: bytes, bodies: dict[bytes, bytes], least: int) -> bytes | None:
    """Canonical bytes with references in place of messages; None if there is nothing to take out."""
    if len(data) < least or SIGN not in data or ambiguous(data):
        return None
    tree = decode(data)
    found: dict[bytes, bytes] = {}
    short = encode(_without(tree, found, least))
    if not found or encode(tree) != data:
        return None
    bodies |= found
    return short


def ambiguous(data: bytes) -> bool:
    """Whether something in it could be taken for a reference."""
    return b'"\\u0000":' in data


def _without(value: Any, bodies: dict[bytes, bytes], least: int) -> Any:
    if type(value) is list:
        return [_without(item, bodies, least) if type(item) in (dict, list) else item for item in value]
    if type(value) is not dict:
        return value
    role = value.get("role")
    if type(role) is str and role in _ROLES and "content" in value:
        reference = _reference(value, bodies, least)
        if reference is not None:
            return reference
    return {key: _without(item, bodies, least) if type(item) in (dict, list) else item for key, item in value.items()}


def _reference(message: Mapping[str, Any], bodies: dict[bytes, bytes], least: int) -> dict[str, Any] | None:
    """What stands for a message; None if it is too small to be taken out.

    Its id and whatever is null aren't part of the body: they stay, each with the place in the body where it belongs.
    """
    pieces: list[bytes] = []
    places: list[int | str] = []
    size = 0
    for key in sorted(message):
        piece = b"%s:%s" % (encode(key), encode(message[key]))
        if key <= "content" or (key != "id" and message[key] is not None):
            pieces.append(piece)
            size += len(piece) + 1
        elif places and places[-2] == size:
            places[-1] = f"{places[-1]},{piece.decode()}"
        else:
            places += [size, f",{piece.decode()}"]
    body = b"{%s}" % b",".join(pieces)
    if len(body) < least:
        return None
    name = digest(body)
    bodies[name] = body
    return {_KEY: [name.hex(), *places]}


def hashes_in(data: bytes) -> list[bytes]:
    """The hashes of the bodies that a stored row refers to."""
    if not data.startswith(MARK):
        return []
    return list(dict.fromkeys(bytes.fromhex(m[1].decode()) for m in _REFERENCE.finditer(data, _HEAD)))


def readable(data: bytes) -> bytes:
    """A stored row as JSON, with references where bodies were taken out."""
    return data[_HEAD:] if data.startswith(MARK) else data


def family_of(rows: Iterable[bytes]) -> SessionId | None:
    """The family of which the bodies are that these rows refer to; None if they refer to none."""
    return next((SessionId.of(data[len(MARK) : _FAMILY]) for data in rows if data.startswith(MARK)), None)


def put_back(data: bytes, bodies: Mapping[bytes, bytes]) -> bytes:
    """The bytes that `take_out` was given."""
    if not data.startswith(MARK):
        return data

    def whole(match: re.Match[bytes]) -> bytes:
        body = bodies[bytes.fromhex(match[1].decode())]
        if not match[2]:
            return body
        places = decode(b"[%s]" % match[2][1:])
        out, done = [], 0
        for at, text in zip(places[::2], places[1::2], strict=True):
            out += [body[done:at], text.encode()]
            done = at
        return b"".join(out) + body[done:]

    return _REFERENCE.sub(whole, data[_HEAD:])


def fits(hash: bytes, data: bytes) -> bool:
    """Whether a blob is what its hash says; of one with references, whether it is what was written.

    Whoever puts the bodies back compares the whole.
    """
    if data.startswith(MARK):
        return digest(data[_HEAD:])[:8] == data[_FAMILY:_HEAD]
    return digest(data) == hash

"""The one way a value becomes bytes: canonical JSON, and SHA-256 of it.

Values are plain JSON data: `None`, `bool`, `int` (64 bits), finite `float`, `str`, `list`, and `dict` with
`str` keys. Nothing else is encoded, there is no fallback, and no class name is ever written. Keys are sorted
by code point, there is no white space, text is UTF-8, floats have their shortest form; so equal values have
equal bytes. Version of this encoding: 1.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

from graphagent.errors import CodecError

MAX_DEPTH = 200
_INT_LIMIT = 1 << 63
_encoder = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)

_TYPE_NAMES: dict[type, str] = {bytes: "bytes", set: "a set", frozenset: "a set", tuple: "a tuple"}


def freeze(value: Any, path: str = "$") -> Any:
    """A deep copy of `value` that shares no container with it. Tuples become lists.

    Raises:
        CodecError: the value holds something that isn't plain data; the path says where.
    """
    return _freeze(value, path, 0)


def _freeze(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value, path)
        return value
    if kind is bool or value is None:
        return value
    if kind is int:
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return value
        raise CodecError(path, "the integer doesn't fit into 64 bits")
    if kind is float:
        if math.isfinite(value):
            return value
        raise CodecError(path, f"{value!r} is not a finite number")
    if depth >= MAX_DEPTH:
        raise CodecError(path[:80], f"nested deeper than {MAX_DEPTH} levels, or contains itself")
    if kind is dict:
        return _freeze_dict(value, path, depth)
    if kind is list or kind is tuple:
        return [_freeze(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    return _freeze_foreign(value, path, depth)


def _freeze_dict(value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
    out = {}
    for key, item in value.items():
        if type(key) is not str:
            if not isinstance(key, str):
                raise CodecError(path, f"the key {key!r} is not text")
            key = str.__str__(key)
        if not key.isascii():
            _check_text(key, path)
        out[key] = _freeze(item, f"{path}.{key}", depth + 1)
    return out


def _freeze_foreign(value: Any, path: str, depth: int) -> Any:
    if isinstance(value, str) and hasattr(type(value), "prefix"):
        return str.__str__(value)  # our own ids are text
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:  # a pydantic model is what its fields are
        return _freeze(dump(value, mode="json"), path, depth)
    name = _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")
    raise CodecError(path, f"{name} is not plain data", hint="return str, int, float, bool, None, lists and dicts")


def _check_text(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CodecError(path, "the text holds a lone surrogate") from error


def _text_encoder() -> Callable[[Any], str]:
    """The encoder as one function. `JSONEncoder.encode` makes a new C encoder at each call; this keeps one."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _encoder.encode
    chunks = make(None, _encoder.default, json.encoder.encode_basestring, None, ":", ",", True, False, False)

    def encode_text(value: Any) -> str:
        return "".join(chunks(value, 0))

    return encode_text


_encode = _text_encoder()


def encode(value: Any) -> bytes:
    """Canonical bytes of a value that `freeze` returned."""
    return _encode(value).encode()


def decode(data: bytes) -> Any:
    """The value of canonical bytes."""
    return json.loads(data)


def digest(data: bytes | memoryview) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def hash_value(value: Any) -> bytes:
    """SHA-256 of the canonical bytes of a frozen value."""
    return hashlib.sha256(_encode(value).encode()).digest()


def show_digest(raw: bytes) -> str:
    """A digest as people see it: `sha256:` and 64 hexadecimal characters."""
    return "sha256:" + raw.hex()

"""What a plain YAML scalar stands for: the core schema of YAML 1.2, a little stricter.

`true false null ~` and nothing at all, integers, floats. Stricter in two points: a leading zero stays text
(`007` is an id), and so do `.inf` and `.nan`. `no on yes 12:30 2024-01-01` are text, as in YAML 1.2.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re

_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OLD_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})
_INT_LIMIT = 1 << 63


class TooBig(ValueError):
    """The number doesn't fit: integers have 64 bits, floats are finite."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar.

    Raises:
        TooBig: it is a number that can't be held.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return _integer(text, 10)
    if _BASED.fullmatch(text):
        return _integer(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise TooBig(text)
        return number
    return text


def old_boolean(text: str) -> bool | None:
    """What YAML 1.1 took this text for, or None if it wasn't a boolean there either."""
    word = text.lower()
    return word in {"yes", "on", "y"} if word in _OLD_BOOLEANS else None


def _integer(digits: str, base: int) -> int:
    if len(digits) > 24:  # also keeps away from the interpreter's limit on digits
        raise TooBig(digits)
    number = int(digits, base)
    if not -_INT_LIMIT <= number < _INT_LIMIT:
        raise TooBig(digits)
    return number

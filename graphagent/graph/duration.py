"""Lengths of time as authors write them: `500ms 30s 10m 4h 7d`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"(\d{1,12})(\.\d{1,3})?(ms|s|m|h|d)", re.ASCII)
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: the author's text and what it comes to in milliseconds."""

    text: str
    ms: int

    @property
    def seconds(self) -> float:
        return self.ms / 1000


def parse_duration(text: str) -> Duration | None:
    """The duration that `text` spells, else None. `1.5h` is allowed, less than a millisecond is not."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    whole, fraction, unit = match.groups()
    scale = _UNITS_MS[unit]
    thousandths = int(whole) * 1000 * scale + int((fraction or ".0")[1:].ljust(3, "0")) * scale
    return None if thousandths % 1000 else Duration(text, thousandths // 1000)

"""Docstrings: what a function does, and what its parameters are. Google, numpy and Sphinx forms are read."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

_GOOGLE = re.compile(r"(Args|Arguments|Parameters):\s*")
_RULE = re.compile(r"-{3,}\s*")
_ITEM = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(r"(\w+)(?:\s*:.*)?")
_SPHINX_ITEM = re.compile(r":param(?:eter)?\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The first paragraph of a docstring in one line, and its parameters."""

    summary: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_docstring(text: str | None) -> Docstring:
    """What a docstring says; empty where there is none."""
    if not text or not text.strip():
        return Docstring()
    lines = inspect.cleandoc(text).splitlines()
    first: list[str] = []
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if not line.strip() or line.startswith(":") or _GOOGLE.fullmatch(line) or _RULE.fullmatch(below):
            break
        first.append(line.strip())
    return Docstring(" ".join(first), _google(lines) or _numpy(lines) or _sphinx(lines))


def _google(lines: list[str]) -> dict[str, str]:
    """The items that are indented under `Args:`."""
    start = next((i for i, line in enumerate(lines) if _GOOGLE.fullmatch(line)), None)
    if start is None:
        return {}
    section = []
    for line in lines[start + 1 :]:
        if line and not line[0].isspace():
            break
        section.append(line)
    return _items(textwrap.dedent("\n".join(section)).splitlines(), _ITEM)


def _numpy(lines: list[str]) -> dict[str, str]:
    """The items under `Parameters` and a rule."""
    for i, line in enumerate(lines[:-1]):
        if line.strip() == "Parameters" and _RULE.fullmatch(lines[i + 1]):
            section = lines[i + 2 :]
            end = next((j for j, below in enumerate(section) if _RULE.fullmatch(below)), len(section) + 1)
            return _items(section[: end - 1], _NUMPY_ITEM)
    return {}


def _sphinx(lines: list[str]) -> dict[str, str]:
    """The fields `:param name: text`."""
    start = next((i for i, line in enumerate(lines) if line.startswith(":")), len(lines))
    return _items(lines[start:], _SPHINX_ITEM)


def _items(lines: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Names and texts: an item begins at the margin, what is indented below it goes on with it."""
    found: dict[str, list[str]] = {}
    text: list[str] | None = None
    for line in lines:
        if line[:1].isspace() or not line:
            if text is not None and line.strip():
                text.append(line.strip())
            continue
        match = pattern.fullmatch(line)
        text = None if match is None else found.setdefault(match[1], [])
        if text is not None and match is not None and match.lastindex == 2 and match[2]:
            text.append(match[2].strip())
    return {name: " ".join(text) for name, text in found.items()}

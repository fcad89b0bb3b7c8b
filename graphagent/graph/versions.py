"""The versions of the language: the one that this release reads, older ones that it migrates, and all others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from graphagent.graph.spec import API_VERSION

OLDER: Final[tuple[str, ...]] = ()
"""Versions that `graphagent migrate` takes to this one; one for each step of `migrations`."""
_FORM: Final = re.compile(r"graphagent/v([1-9][0-9]{0,3})", re.ASCII)


def version_help(version: str, older: Sequence[str] = OLDER) -> str:
    """What to do about a document in another version than the one that this release reads."""
    if version in older:
        return f"this release reads `{API_VERSION}`: `graphagent migrate FILE --write` brings it there"
    if is_newer(version):
        return f"this release reads `{API_VERSION}`, and doesn't know which one reads `{version}`: upgrade graphagent"
    return f"this release reads `{API_VERSION}`"


def is_newer(version: str) -> bool:
    """Whether a version comes after the one that this release reads."""
    number = _number(version)
    return number is not None and number > (_number(API_VERSION) or 0)


def _number(version: str) -> int | None:
    match = _FORM.fullmatch(version)
    return None if match is None else int(match[1])

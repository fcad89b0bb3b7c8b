"""URLs of Postgres stores, as people may see them."""

from __future__ import annotations

import re

SCHEMES = ("postgresql://", "postgres://")
_USER = re.compile(r"://([^:/?@]*):.*@")
_QUERY = re.compile(r"\b((?:ssl)?password)=[^&]*")


def shown(url: str) -> str:
    """The URL without its password. What is no such URL is shown as it is."""
    if not url.startswith(SCHEMES):
        return url
    return _QUERY.sub(r"\1=***", _USER.sub(r"://\1:***@", url))

"""URLs of Postgres stores, as people may see them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")
_SECRET = ("password", "sslpassword")


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:***" if ":" in user else user
    query = urlencode([(k, "***" if k in _SECRET else v) for k, v in parse_qsl(parts.query)], safe="*/")
    return urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, query, ""))

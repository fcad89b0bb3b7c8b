from __future__ import annotations

import pytest

from graphagent.stores.postgres_url import shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("a password=b@c://d:e.db", "a password=b@c://d:e.db"),
        ("postgresql://ann@host:5433/db", "postgresql://ann@host:5433/db"),
        ("postgresql://ann:s3cret@host/db", "postgresql://ann:***@host/db"),
        ("postgresql://ann:p@ss:w/rd@host/db", "postgresql://ann:***"),
        (
            "postgresql://ann:a@b@one,two:5433/db?sslmode=require",
            "postgresql://ann:***@one,two:5433/db?sslmode=require",
        ),
        ("postgresql:///db?host=/run&user=ann&password=s3cret", "postgresql:///db?host=/run&user=ann&password=***"),
    ],
)
def test_a_password_is_never_shown(url: str, text: str) -> None:
    assert shown(url).startswith(text)
    for secret in ("s3cret", "ss:w", "a@b"):
        assert secret not in shown(url)

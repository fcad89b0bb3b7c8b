from __future__ import annotations

from typing import Any

import pytest

from graphagent.graph.resolver import TooBig, old_boolean, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("False", False), ("tRue", "tRue"),
        ("0", 0), ("-0", 0), ("+12", 12), ("-7", -7), ("0x1F", 31), ("0o17", 15), ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-2.5E-1", -0.25),
        ("007", "007"), ("00", "00"), ("01.5", "01.5"), (".inf", ".inf"), ("-.inf", "-.inf"), (".nan", ".nan"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("12:30", "12:30"), ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"), ("0b1", "0b1"), ("-", "-"), (".", "."), ("+.", "+."), ("1e", "1e"), ("0x", "0x"),
        ("\u0661", "\u0661"),
    ],
)  # fmt: skip
def test_core_schema(text: str, value: Any) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["9223372036854775808", "1e999", "-1e999", "0xfffffffffffffffff", "9" * 5_000])
def test_numbers_that_do_not_fit(text: str) -> None:
    with pytest.raises(TooBig):
        resolve(text)


def test_what_yaml_11_took_for_booleans() -> None:
    assert [old_boolean(word) for word in ("yes", "On", "NO", "off", "true", "x")] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]

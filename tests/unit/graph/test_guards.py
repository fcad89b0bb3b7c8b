"""What guards leave out, and what earlier ones take."""

from __future__ import annotations

import pytest

from graphagent.graph.expressions import parse
from graphagent.graph.guards import Guards, TooMany
from graphagent.graph.types import parse_type

ROOTS = {
    "n": "int", "x": "float", "s": "str", "ok": "bool", "go": "bool", "v": "Literal['a', 'b', 'c']", "m": "int | None",
    "xs": "list[str]", "u": "any",
}  # fmt: skip
TYPES = {name: parse_type(text, {}) for name, text in ROOTS.items()}


def guards(*texts: str | None) -> Guards:
    return Guards([None if text is None else (text, parse(text).tree) for text in texts], TYPES)


@pytest.mark.parametrize(
    "texts",
    [
        ("n < 3", "n >= 3"), ("n < 3", "n == 3", "n > 3"), ("n <= 3", "n >= 4"), ("x < 3", "x >= 3"), ("ok", "not ok"),
        ("v == 'a'", "v != 'a'"), ("v == 'a'", "v in ['b', 'c']"), ("v == 'a'", "v == 'b'", "v == 'c'"),
        ("len(xs) > 0", "len(xs) == 0"), ("len(xs) == 0", "len(xs) >= 1"), ("ok and go", "not ok", "not go"),
        ("s == 'x'", "s != 'x'"), ("n < inputs.k", "n >= inputs.k"), ("contains(s, 'x')", "not contains(s, 'x')"),
        ("m is null", "m is not null"), ("m is null", "m > 3", "m <= 3"), ("3 > n", "3 <= n"), ("true",),
        ("ok == true", "ok == false"), ("0 < n < 5", "n <= 0", "n >= 5"), ("s == 'a'", "s not in ['a']"),
        ("n == u", "n != u"),
    ],
)  # fmt: skip
def test_every_case_is_taken(texts: tuple[str, ...]) -> None:
    assert guards(*texts).uncovered() is None


@pytest.mark.parametrize(
    ("texts", "case"),
    [
        (("n < 3", "n > 3"), "n == 3"), (("x <= 3", "x >= 4"), "x == 3.5"), (("v == 'a'", "v == 'b'"), "v == 'c'"),
        (("ok",), "not ok"), (("ok and go", "not ok"), "ok and not go"), (("s == 'x'",), "any other value"),
        (("len(xs) > 1",), "len(xs) == 0"), (("m > 3", "m <= 3"), None), (("false",), "any other value"),
        (("u == 1", "u == 2"), "any other value"), (("contains(s, 'x')",), "not (contains(s, 'x'))"),
    ],
)  # fmt: skip
def test_a_case_that_is_left_out(texts: tuple[str, ...], case: str | None) -> None:
    assert guards(*texts).uncovered() == case


def test_routes_that_earlier_ones_take() -> None:
    assert guards("n > 3", "n > 5", "n > 2").covered(1)
    assert not guards("n > 3", "n > 5", "n > 2").covered(2)
    assert guards(None, "ok").covered(1)
    assert not guards("ok", "go").covered(1)
    assert guards("v == 'a'", "v != 'a'", "v == 'b'").covered(2)
    assert not guards("ok", None).covered(1)


def test_too_many_cases() -> None:
    texts = [f"n > {i} and x > {i} and u > {i}" for i in range(30)]
    with pytest.raises(TooMany):
        guards(*texts).uncovered()

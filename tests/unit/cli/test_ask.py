from __future__ import annotations

import pytest

from graphagent.cli.ask import type_name, value_of
from graphagent.errors import InputInvalid


@pytest.mark.parametrize(
    ("word", "schema", "value"),
    [
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "integer"}, 5),
        ("yes", {"type": "boolean"}, True),
        ("false", {"type": "boolean"}, False),
        ("a", {"enum": ["a", "b"]}, "a"),
        ('["x"]', {"type": "array"}, ["x"]),
        ("word", {"type": ["string", "null"]}, "word"),
        ("null", {"type": ["string", "null"]}, None),
    ],
)
def test_what_is_typed_is_read_by_the_schema(word: str, schema: dict[str, object], value: object) -> None:
    assert value_of(word, schema) == value


def test_what_doesnt_fit_is_asked_again() -> None:
    with pytest.raises(InputInvalid, match="integer is wanted"):
        value_of("five", {"type": "integer"})


def test_a_schema_in_a_word() -> None:
    assert type_name({"enum": ["a", 1]}) == "a / 1"
    assert type_name({"type": ["string", "null"]}) == "string or null"
    assert type_name({}) == "any"

"""Values against JSON Schema: what this finds, a full validator finds too, and the reverse for what it knows."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.tools.arguments import bad_arguments
from graphagent.tools.checking import MOST, problems

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2}, "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "unit": {"enum": ["c", "f", None]}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "place": {"$ref": "#/$defs/Place"}, "either": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/Place"}]},
        "one": {"const": True},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"Place": {"type": "object", "properties": {"inner": {"$ref": "#/$defs/Place"}, "n": {"type": "number"}},
                        "required": ["n"], "additionalProperties": False}},
}  # fmt: skip
FIELDS = st.sampled_from(["n", "inner", "x"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.sampled_from([0.5, 2.0]) | st.sampled_from(["", "c", "Ulm"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), PLAIN, max_size=5)


@given(ARGUMENTS)
def test_it_finds_what_a_full_validator_finds(arguments: dict[str, Any]) -> None:
    assert bool(problems(arguments, SCHEMA)) == (not jsonschema.Draft202012Validator(SCHEMA).is_valid(arguments))


@pytest.mark.parametrize(
    ("arguments", "field", "expected"),
    [
        ({}, "$.city", {"type": "string", "minLength": 2}),
        ({"city": "Ulm", "days": 12}, "$.days", {"type": "integer", "minimum": 1, "maximum": 9}),
        ({"city": "Ulm", "tags": ["a", 1]}, "$.tags[1]", {"type": "string"}),
        ({"city": "Ulm", "place": {"n": 1, "inner": {"n": "x"}}}, "$.place.inner.n", {"type": "number"}),
    ],
)
def test_the_first_problem_names_its_place_and_schema(arguments: Any, field: str, expected: Any) -> None:
    error = bad_arguments(problems(arguments, SCHEMA), SCHEMA)
    assert error.details == {"field": field, "expected": expected}
    assert error.message.startswith(f"{field}: ")


def test_many_problems_are_cut() -> None:
    assert len(problems({"city": "Ulm", "tags": [1] * 1000}, SCHEMA)) == MOST


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, {}])
def test_references_in_a_circle_end(schema: dict[str, Any]) -> None:
    assert problems({"a": 1}, schema) == []

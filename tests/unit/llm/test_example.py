from __future__ import annotations

from typing import Any

import pytest

from graphagent.llm.example import example_of


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "hello"),
        ({"type": "string", "maxLength": 2}, "he"),
        ({"type": "string", "minLength": 7}, "hello.."),
        ({"type": "integer"}, 1),
        ({"type": "number"}, 1.0),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "multipleOf": 7, "minimum": 8}, 14),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"const": "c"}, "c"),
        ({"enum": ["first", "second"]}, "first"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}, {"a": 1, "b": "hello"}),
        ({"type": "object", "additionalProperties": True}, {}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer"}}}, 1),
        ({}, "hello"),
    ],
)
def test_examples(schema: dict[str, Any], value: Any) -> None:
    made = example_of(schema, "hello")
    assert made == value
    assert type(made) is type(value)


def test_a_recursive_type_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {}}
    node["properties"]["next"] = {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}
    node["properties"]["more"] = {"type": "array", "items": {"$ref": "#/$defs/N"}}
    made = example_of({"$ref": "#/$defs/N", "$defs": {"N": node}}, "x")
    assert made["next"]["next"]

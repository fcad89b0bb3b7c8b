from __future__ import annotations

from typing import Any

import pytest

from graphagent.graph.types import json_schema, parse_object, parse_type


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("str", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("None", {"type": "null"}),
        ("any", {}),
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}),
        ("Literal['a', 1]", {"type": ["string", "integer"], "enum": ["a", 1]}),
        ("str | None", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ],
)
def test_schemas(text: str, schema: dict[str, Any]) -> None:
    assert json_schema(parse_type(text, {})) == schema


def test_objects_are_closed_and_defaults_are_not_required() -> None:
    assert json_schema(parse_object({"id": "str", "n": "int = 2"}, {}, "Doc")) == {
        "title": "Doc",
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer", "default": 2}},
        "required": ["id"],
        "additionalProperties": False,
    }


def test_predefined_types_have_schemas() -> None:
    assert json_schema(parse_type("Artifact", {}))["required"] == ["id", "media_type", "size"]
    assert json_schema(parse_type("Message", {}))["required"] == ["role", "content"]
    assert json_schema(parse_type("Error", {}))["properties"]["cause"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.errors import NodeError
from graphagent.llm.example import example_of
from graphagent.llm.structured import FREE_LIST, FREE_STRING, parse, strict

TEXT = {"type": "string"}


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


def test_objects_are_closed_and_every_field_required() -> None:
    constraint = strict(obj([], a=TEXT, b={"anyOf": [TEXT, {"type": "null"}], "default": None, "title": "B"}))
    assert constraint.strict
    assert not constraint.wrapped
    assert constraint.schema == {
        "type": "object",
        "properties": {
            "a": {"anyOf": [TEXT, {"type": "null"}]},
            "b": {"anyOf": [TEXT, {"type": "null"}]},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }


def test_the_given_schema_isnt_changed() -> None:
    schema = obj([], a=TEXT, b={"type": "array", "items": obj(c=TEXT)})
    before = json.dumps(schema)
    strict(schema, bounded=True)
    assert json.dumps(schema) == before


def test_a_root_that_is_no_object_is_wrapped() -> None:
    constraint = strict({"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": obj(x=TEXT)}})
    assert constraint.wrapped
    assert constraint.schema["required"] == ["value"]
    assert constraint.schema["$defs"]["A"]["additionalProperties"] is False
    assert "$defs" not in constraint.schema["properties"]["value"]


@pytest.mark.parametrize("schema", [{}, {"type": "object", "additionalProperties": TEXT}, obj(a={}), obj(a=True)])
def test_what_no_strict_mode_takes_is_said(schema: dict[str, Any]) -> None:
    assert not strict(schema).strict


def test_free_strings_and_lists_are_bounded_for_local_models_only() -> None:
    schema = obj(
        a=TEXT, b={"enum": ["x"], "type": "string"}, c={"type": "array", "items": TEXT, "minItems": 20},
        d={"type": "string", "maxLength": 5},
    )  # fmt: skip
    local = strict(schema, bounded=True).schema["properties"]
    assert local["a"] == {"type": "string", "maxLength": FREE_STRING}
    assert local["b"] == {"enum": ["x"], "type": "string"}
    assert local["c"] == {"type": "array", "items": local["a"], "minItems": 20, "maxItems": 20}
    assert local["d"]["maxLength"] == 5
    assert strict({"type": "array", "items": TEXT}, bounded=True).schema["properties"]["value"]["maxItems"] == FREE_LIST
    assert "maxLength" not in json.dumps(strict(schema).schema)


def test_one_of_and_single_all_of() -> None:
    shaped = strict(obj(a={"oneOf": [TEXT, {"type": "integer"}]}, b={"allOf": [TEXT], "description": "B"})).schema
    assert shaped["properties"]["a"] == {"anyOf": [TEXT, {"type": "integer"}]}
    assert shaped["properties"]["b"] == {"type": "string", "description": "B"}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x"}',
        '\n {"a": "x"} \n',
        'Sure!\n```json\n{"a": "x"}\n```',
        'I think {this} is it: {"a": "x"} and {"a": "y"}',
    ],
)
def test_the_first_json_is_found(text: str) -> None:
    assert parse(text, obj(a=TEXT)) == {"a": "x"}


@pytest.mark.parametrize("text", ["", "no", '{"a": "x"', "{" * 100_000, '{"a": NaN}', "[" * 3000 + '{"a": 1'])
def test_no_json_is_invalid_output(text: str) -> None:
    with pytest.raises(NodeError, match="holds no JSON") as caught:
        parse(text, obj(a=TEXT))
    assert caught.value.kind == "invalid_output"
    assert not caught.value.retryable
    assert len(caught.value.message) < 200


def test_an_answer_cut_at_its_limit_says_so() -> None:
    with pytest.raises(NodeError, match="cut at its token limit"):
        parse('{"a": "x', obj(a=TEXT), finish="length")


def test_wrapped_values_are_unwrapped() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert parse('{"value": [1, 2]}', schema) == [1, 2]
    assert parse("[1, 2]", schema) == [1, 2]
    assert parse('{"value": "x"}', TEXT) == "x"
    assert parse('{"value": 1}', obj(value={"type": "integer"})) == {"value": 1}


def test_a_plain_text_is_a_text() -> None:
    assert parse(" Bees fly. ", TEXT) == "Bees fly."
    assert parse("42", TEXT) == "42"


def test_nulls_that_were_made_up_are_taken_out_and_true_ones_stay() -> None:
    item = obj([], a=TEXT, b={"anyOf": [TEXT, {"type": "null"}]}, c={})
    schema = obj(["items"], items={"type": "array", "items": {"$ref": "#/$defs/I"}}) | {"$defs": {"I": item}}
    text = '{"items": [{"a": null, "b": null, "c": null}]}'
    assert parse(text, schema) == {"items": [{"b": None, "c": None}]}
    union = obj(u={"anyOf": [obj(["k"], k=TEXT, o=TEXT), {"type": "null"}]})
    assert parse('{"u": {"k": "x", "o": null}}', union) == {"u": {"k": "x"}}


leaves = st.sampled_from([TEXT, {"type": "integer"}, {"type": "boolean"}, {"enum": ["x", "y"]}, {"type": "null"}])
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda i: {"type": "array", "items": i}, inner),
        st.builds(lambda i: {"anyOf": [i, {"type": "null"}]}, inner),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).flatmap(
            lambda p: st.sets(st.sampled_from("abc")).map(lambda r: obj(sorted(r & p.keys()), **p))
        ),
    ),
    max_leaves=8,
)


@given(schemas, st.booleans())
def test_a_value_of_the_strict_schema_comes_back_as_one_of_the_given_schema(
    schema: dict[str, Any], bounded: bool
) -> None:
    constraint = strict(schema, bounded=bounded)
    value = parse(json.dumps(example_of(constraint.schema, "t")), schema)
    assert fits(value, schema)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    if "anyOf" in schema:
        return any(fits(value, s) for s in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema["type"]
    if kind == "array":
        return isinstance(value, list) and all(fits(v, schema["items"]) for v in value)
    if kind == "object":
        known = schema["properties"]
        return isinstance(value, dict) and set(schema["required"]) <= value.keys() <= known.keys() and all(
            fits(v, known[k]) for k, v in value.items()
        )  # fmt: skip
    return isinstance(value, {"string": str, "integer": int, "boolean": bool, "null": type(None)}[kind])

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.errors import ERROR_KINDS
from graphagent.graph.types import Error, Message, Type, TypeMismatch, check, checker, parse_object, parse_type
from tests.examples_count import examples
from tests.unit.graph.strategies import data, types, values_of

DOC = parse_object({"id": "str", "n": "int = 2", "tags": "list[str] = []"}, {}, "Doc")
NAMES: dict[str, Type] = {"Doc": DOC}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("str", "a", "a"),
        ("int", 1, 1),
        ("float", 1, 1.0),
        ("float", 1.5, 1.5),
        ("bool", True, True),
        ("any", [1, {"a": None}], [1, {"a": None}]),
        ("None", None, None),
        ("list[float]", [1, 2.5], [1.0, 2.5]),
        ("dict[str, float]", {"a": 1}, {"a": 1.0}),
        ("float | int", 1, 1),
        ("float | None", 1, 1.0),
        ("str | None", None, None),
        ("Literal['a', 1]", 1, 1),
        ("Doc", {"id": "x"}, {"id": "x", "n": 2, "tags": []}),
        ("Doc | None", {"id": "x", "n": 3}, {"id": "x", "n": 3, "tags": []}),
        ("Artifact", {"id": "art_1", "media_type": "image/png", "size": 3},
         {"id": "art_1", "media_type": "image/png", "size": 3, "name": None}),
    ],
)  # fmt: skip
def test_values_that_fit(text: str, value: Any, expected: Any) -> None:
    for result in (check(parse_type(text, NAMES), value), checker(parse_type(text, NAMES))(value)):
        assert repr(result) == repr(expected)


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("str", 1, "$: str is expected, this is int 1"),
        ("int", True, "$: int is expected, this is bool true"),
        ("int", 1.0, "$: int is expected, this is float 1.0"),
        ("int", 2**63, "$: int is expected, this is an int of more than 64 bits"),
        ("float", False, "$: float is expected, this is bool false"),
        ("float", float("nan"), "$: float is expected, this is float nan"),
        ("float", float("inf"), "$: float is expected, this is float inf"),
        ("bool", 1, "$: bool is expected, this is int 1"),
        ("bool", "true", "$: bool is expected, this is str 'true'"),
        ("str", None, "$: str is expected, this is null"),
        ("list[str]", ("a",), "$: list[str] is expected, this is a Python tuple"),
        ("list[int]", [1, "x"], "$[1]: int is expected, this is str 'x'"),
        ("dict[str, int]", {"a": {}}, "$.a: int is expected, this is an object"),
        ("dict[str, int]", {1: 1}, "$: keys are text, this one is int 1"),
        ("Literal['accept', 'revise']", "acept", "$: 'accept' or 'revise' is expected, this is str 'acept'"),
        ("Literal[1]", True, "$: 1 is expected, this is bool true"),
        ("Literal[1]", [1], "$: 1 is expected, this is a list"),
        ("str | int", None, "$: str | int is expected, this is null"),
        ("Doc", {}, "$.id: is missing"),
        ("Doc", {"id": "x", "nn": 3}, "$: Doc has no field 'nn'"),
        ("Doc", {"nn": 3}, "$.id: is missing"),
        ("Doc | None", {"id": 1}, "$.id: str is expected, this is int 1"),
        ("list[Doc]", [{"id": "x", "tags": ["a", 2]}], "$[0].tags[1]: str is expected, this is int 2"),
        ("Artifact", "art_1", "$: Artifact is expected, this is str 'art_1'"),
        ("str", "x" * 5, None),
        ("int", "x" * 100, f"$: int is expected, this is str '{'x' * 40}'..."),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(text: str, value: Any, message: str | None) -> None:
    t = parse_type(text, NAMES)
    if message is None:
        assert check(t, value) == value
        return
    for call in (partial(check, t), checker(t)):
        with pytest.raises(TypeMismatch) as caught:
            call(value)
        assert str(caught.value) == message
        assert caught.value.path == message.split(":")[0]


def test_unknown_fields_are_found_even_where_defaults_make_up_the_number() -> None:
    with pytest.raises(TypeMismatch, match="has no field 'x'"):
        check(parse_object({"a": "int = 1"}, {}, "T"), {"x": 3})


def test_hints() -> None:
    with pytest.raises(TypeMismatch) as caught:
        check(DOC, {"id": "x", "tag": []})
    assert caught.value.hint == "did you mean `tags`?"
    with pytest.raises(TypeMismatch) as caught:
        check(parse_type("Literal['accept', 'revise']", {}), "acept")
    assert caught.value.hint == "did you mean `'accept'`?"


def test_the_path_begins_where_the_caller_says() -> None:
    with pytest.raises(TypeMismatch) as caught:
        check(parse_type("list[int]", {}), ["a"], "$.topics")
    assert caught.value.path == "$.topics[0]"


def test_messages_and_errors() -> None:
    assert check(Message, {"role": "user", "content": "hi"})["tool_calls"] == []
    with pytest.raises(TypeMismatch, match=r"\$\.content: is missing"):
        check(Message, {"role": "user"})
    with pytest.raises(TypeMismatch, match=r"\$\.role"):
        check(Message, {"role": "bot", "content": "hi"})
    error = {
        "kind": "timeout",
        "cause": None,
        "message": "m",
        "node": "n",
        "attempt": 1,
        "retryable": True,
        "hint": None,
    }
    assert check(Error, error) == error
    assert all(check(Error, {**error, "kind": kind}) for kind in ERROR_KINDS)


def test_the_value_is_not_changed() -> None:
    value = {"id": "x"}
    check(DOC, value)
    assert value == {"id": "x"}


@settings(max_examples=examples(60))
@given(types(), st.data())
def test_a_value_of_a_type_passes_and_passes_again(t: Type, values: st.DataObject) -> None:
    value = values.draw(values_of(t))
    once = check(t, value)
    assert repr(check(t, once)) == repr(once) == repr(checker(t)(value))


@settings(max_examples=examples(60))
@given(types(), data)
def test_any_data_passes_or_is_refused_with_our_error(t: Type, value: Any) -> None:
    results = []
    for call in (partial(check, t), checker(t)):
        try:
            results.append(repr(call(value)))
        except TypeMismatch as error:
            results.append(str(error))
    assert results[0] == results[1]

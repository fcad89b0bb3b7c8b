from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.graph.expressions import EvaluationError, ExpressionError
from graphagent.graph.types import INT, STR, assignable, check, describe, parse_type
from graphagent.graph.values import infer_value, literal_type, parse_value
from tests.unit.graph.strategies import assert_inside, data

ENV: dict[str, Any] = {"n": 3, "s": "text", "x": 2.5, "xs": [1, "é"], "d": {"b": None, "a": True}, "nil": None}
SCOPE = {"n": INT, "s": STR, "nil": parse_type("str | None", {}), "xs": parse_type("list[any]", {})}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (3, 3),
        (None, None),
        ("plain", "plain"),
        ("", ""),
        ("${ n }", 3),
        ("${n}", 3),
        ("${ xs }", [1, "é"]),
        ("${ nil }", None),
        ("a ${ n } b ${ s }", "a 3 b text"),
        ("${ n }${ n }", "33"),
        (" ${ n }", " 3"),
        ("${ n }\n", "3\n"),
        ("${ x } ${ true } ${ 1.0 } ${ xs } ${ d }", '2.5 true 1.0 [1,"é"] {"a":true,"b":null}'),
        ("$${ n }", "${ n }"),
        ("$$${ n }", "$${ n }"),
        ("a $${ ${ n }", "a ${ 3"),
        ("costs $5 {x} } {", "costs $5 {x} } {"),
        ("$ {n}", "$ {n}"),
        ("{{ n }}", "{{ n }}"),
        ("${ {'a': {'b': n}} }", {"a": {"b": 3}}),
        ("${ '}' + \"{'\" }", "}{'"),
        ("${ 'it\\'s }' }!", "it's }!"),
        ("${ '${' }", "${"),
        ("${ s } ${ '${ n }' }", "text ${ n }"),
        ("${\n n\n }", 3),
        ("é ${ 'ü' }", "é ü"),
        ([1, "${ n }", ["${ s }"]], [1, 3, ["text"]]),
        ({"a": "${ n }", "${ n }": 1, "b": {"c": ["x"]}}, {"a": 3, "${ n }": 1, "b": {"c": ["x"]}}),
        ({"a": [], "b": {}}, {"a": [], "b": {}}),
        (("a", "${ n }"), ["a", 3]),
    ],
)
def test_values(raw: Any, expected: Any) -> None:
    assert parse_value(raw).evaluate(ENV) == expected


@pytest.mark.parametrize(
    ("raw", "literal"),
    [
        ("a", True),
        ([1, {"a": "b"}], True),
        ("$${ a }", True),
        ("${ n }", False),
        ({"a": ["${ n }"]}, False),
        ([], True),
    ],
)
def test_literals(raw: Any, literal: bool) -> None:
    assert parse_value(raw).is_literal is literal


@pytest.mark.parametrize(
    ("raw", "code", "message", "place", "path"),
    [
        ("${ n", "GA201", "this `${` is never closed", (0, 2), ()),
        ("a ${ {'a': 1 }", "GA201", "this `${` is never closed", (2, 4), ()),
        ("${}", "GA201", "the expression is empty", (2, 2), ()),
        ("${ it's }", "GA201", "this quote is never closed", (5, 6), ()),
        ("é ${ n + }", "GA201", "the expression ends after `+`", (7, 8), ()),
        ("${ ${ n } }", "GA207", "`${ }` inside of `${ }`", (3, 9), ()),
        ("${ join(xs, '\n') }", "GA201", "a line break inside of quoted text", (12, 15), ()),
        ({"a": ["x", "${ f() }"]}, "GA202", "there is no function `f`", (3, 4), ("a", 1)),
    ],
)
def test_errors(raw: Any, code: str, message: str, place: tuple[int, int], path: tuple[str | int, ...]) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_value(raw)
    error = caught.value
    assert (error.code, error.message, (error.start, error.end), error.path) == (code, message, place, path)


def test_all_errors_of_a_value_can_be_collected() -> None:
    errors: list[ExpressionError] = []
    value = parse_value({"a": "${ + }", "b": ["${ n }", "${ lambda: 1 }"]}, errors)
    assert [(error.path, error.code) for error in errors] == [(("a",), "GA201"), (("b", 1), "GA202")]
    assert not value.is_literal
    assert [path for path, _, _ in value.parts()] == [("b", 0)]
    assert infer_value(value, SCOPE)[1] == []
    with pytest.raises(EvaluationError):
        value.evaluate(ENV)


def test_parts_and_reads_have_their_places() -> None:
    raw = {"a": "x ${ n } ${ d.a }", "b": ["${s}"]}
    value = parse_value(raw)
    assert [(path, e.text, offset) for path, e, offset in value.parts()] == [
        (("a",), " n ", 4), (("a",), " d.a ", 11), (("b", 0), "s", 2),
    ]  # fmt: skip
    assert [(read.root, read.path, read.start, read.end) for read in value.reads] == [
        ("n", (), 5, 6), ("d", ("a",), 12, 15), ("s", (), 2, 3),
    ]  # fmt: skip
    assert parse_value("${ n }").reads[0].start == 3


@pytest.mark.parametrize(
    ("raw", "message", "place", "path"),
    [
        ("a ${ nope }", "`nope` is not set", (5, 9), ()),
        ("${ nope }", "`nope` is not set", (3, 7), ()),
        ("a ${ nil }", "null can't be made text", (4, 9), ()),
        ({"k": [1, "${ n.a }"]}, "`n` is int, it has no fields", (3, 6), ("k", 1)),
    ],
)
def test_failures(raw: Any, message: str, place: tuple[int, int], path: tuple[str | int, ...]) -> None:
    with pytest.raises(EvaluationError) as caught:
        parse_value(raw).evaluate(ENV)
    error = caught.value
    assert (error.message, (error.start, error.end), error.path) == (message, place, path)


def test_built_text_is_bounded() -> None:
    big = "x" * 700_000
    for raw, env in (
        ("${ a }${ a }", {"a": big}),
        ("<${ a }>", {"a": "x" * 2_000_000}),
        ("<${ a }>", {"a": [big, big]}),
        ("${ a }" * 300, {"a": "é" * 3000}),
    ):
        with pytest.raises(EvaluationError, match="larger than 1 MiB"):
            parse_value(raw).evaluate(env)
    assert parse_value("${ a }").evaluate({"a": [big, big]}) == [big, big]


def test_results_are_not_evaluated_again() -> None:
    env = {"a": "${ b }", "b": "secret"}
    assert parse_value("${ a }").evaluate(env) == "${ b }"
    assert parse_value("x ${ a }").evaluate(env) == "x ${ b }"
    assert parse_value(["${ a }"]).evaluate(env) == ["${ b }"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("${ n }", "int"),
        ("${ n } items", "str"),
        ("x", "Literal['x']"),
        ([1, "${ n }"], "list[int]"),
        ([{"role": "user", "content": "${ s }"}], "list[{ role: Literal['user'], content: str }]"),
        ({"a": "${ n }", "b": None}, "{ a: int, b: None }"),
        ([], "list[any]"),
        (True, "Literal[true]"),
    ],
)
def test_types(raw: Any, expected: str) -> None:
    t, findings = infer_value(parse_value(raw), SCOPE)
    assert (describe(t), findings) == (expected, [])


@pytest.mark.parametrize(
    ("raw", "code", "message", "place", "path", "hint"),
    [
        ("a ${ nil }", "GA205", "`nil` may be null, and null has no text", (5, 8), (), "`default(nil, '')`"),
        ("a ${ null }", "GA205", "`null` is null, and null has no text", (5, 9), (), None),
        ("ab ${ m }", "GA203", "unknown channel `m`", (6, 7), (), "did you mean `n`?"),
        ({"k": ["${ m }"]}, "GA203", "unknown channel `m`", (3, 4), ("k", 0), "did you mean `n`?"),
    ],
)
def test_findings(
    raw: Any, code: str, message: str, place: tuple[int, int], path: tuple[str | int, ...], hint: str | None
) -> None:
    _, findings = infer_value(parse_value(raw), SCOPE)
    found = [(f.code, f.message, (f.start, f.end), f.path) for f in findings]
    assert found == [(code, message, place, path)]


def test_messages_that_one_writes_fit() -> None:
    t, _ = infer_value(parse_value([{"role": "user", "content": "${ s }"}]), SCOPE)
    messages = parse_type("list[Message]", {})
    assert assignable(t, messages)
    assert check(messages, [{"role": "user", "content": "a"}])


def test_deep_values_are_refused() -> None:
    raw: Any = "${ n }"
    for _ in range(5000):
        raw = [raw]
    with pytest.raises(ExpressionError, match="nested deeper"):
        parse_value(raw)
    errors: list[ExpressionError] = []
    parse_value(raw, errors)
    assert len(errors) == 1


@given(st.text("${}'\"n $+é\n\\", max_size=30))
def test_any_text_is_a_value_or_our_error(text: str) -> None:
    try:
        value = parse_value(text)
    except ExpressionError as error:
        assert_inside(error, text)
        return
    for _, expression, offset in value.parts():
        assert text[offset : offset + len(expression.text)] == expression.text
        assert text[offset - 2 : offset] == "${"
        assert text[offset + len(expression.text)] == "}"
    infer_value(value, SCOPE)
    try:
        value.evaluate(ENV)
    except EvaluationError as error:
        assert_inside(error, text)


@given(data)
def test_data_without_marks_is_itself(raw: Any) -> None:
    value = parse_value(raw)
    assert value.is_literal
    assert value.evaluate({}) == raw
    assert check(literal_type(raw), raw) == raw


@given(st.text(max_size=20))
def test_an_escaped_text_is_itself(text: str) -> None:
    if "$$" not in text and not text.endswith("$"):
        assert parse_value(text.replace("${", "$${")).evaluate({}) == text

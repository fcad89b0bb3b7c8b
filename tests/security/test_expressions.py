"""Ways out of the expression language, and expressions that would work forever: refused in time, at their place."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from graphagent.graph.expressions import EvaluationError, ExpressionError, parse
from graphagent.graph.validate import validate_text
from graphagent.graph.values import parse_value
from tests.security.measure import LIMIT_S, peak_mib, refused_in_time
from tests.unit.graph.escapes import BOMBS, ESCAPES

REPEATS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("'a' * 1000000000", {}),
    ("[0] * 1000000000", {}),
    ("x * 1000000000", {"x": "a"}),
    ("x + x", {"x": "a" * 600_000}),
    ("x + x", {"x": [0] * 400_000}),
    ("[[a for b in x] for a in x]", {"x": list(range(200))}),
    ("[a + b for a in x for b in x]", {"x": ["a" * 5_000] * 90}),
    ("join([a for a in x], y)", {"x": ["a"] * 5_000, "y": "b" * 5_000}),
    ("split(x, 'a')", {"x": "a" * 1_000_000}),
    ("sorted([a for a in x])", {"x": list(range(20_000))}),
    ("x * x * x", {"x": 1 << 40}),
    ("sum(x)", {"x": [1 << 62] * 4}),
    ("upper(x)", {"x": "\u00df" * 1_048_000}),
    ("str(x) + str(x) + str(x)", {"x": {"a": "b" * 500_000}}),
    ("hash(x)", {"x": ["a" * 1_000] * 9_999}),
    ("contains(x, y)", {"x": [["a" * 100_000]] * 1_000, "y": ["a" * 99_999 + "b"]}),
    ("x == y", {"x": [["a" * 1_000] * 1_000] * 9, "y": [["a" * 1_000] * 1_000] * 9}),
    ("round(x, 1000000000)", {"x": 1.5}),
    ("int(x)", {"x": "9" * 100_000}),
    ("float(x)", {"x": "9" * 100_000}),
    ("x[1000000000]", {"x": [1]}),
)
"""Expressions that are well-formed, with data on which they are refused."""
LARGE_S = 4 * LIMIT_S
"""For megabytes of data, of which up to eight may be read: the time is that of the reading."""


def nested(levels: int) -> str:
    """A comprehension that doubles the list `levels` times."""
    text = "x"
    for _ in range(levels):
        text = f"[a for a in {text} for b in x]"
    return text


def attempt(text: str) -> ExpressionError | None:
    """The refusal of a text, None if it is an expression."""
    try:
        parse(text)
    except ExpressionError as error:
        refusal = error
    else:
        return None
    assert 0 <= refusal.start <= refusal.end <= len(text)
    assert refusal.code in {"GA104", "GA201", "GA202", "GA207"}
    return refusal


@pytest.mark.parametrize("text", ESCAPES, ids=lambda text: ascii(text)[:40])
def test_no_escape_is_an_expression(text: str) -> None:
    assert attempt(text) is not None
    refused_in_time(lambda: attempt(text))


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: ascii(text)[:40])
def test_no_text_keeps_the_parser_busy(text: str) -> None:
    attempt(text)
    refused_in_time(lambda: attempt(text))


@pytest.mark.parametrize(("text", "env"), REPEATS, ids=[text[:40] for text, _ in REPEATS])
def test_nothing_can_be_repeated_until_the_memory_is_full(text: str, env: dict[str, Any]) -> None:
    expression = parse(text)

    def attempt() -> None:
        with pytest.raises(EvaluationError) as caught:
            expression.evaluate(env)
        assert 0 <= caught.value.start <= caught.value.end <= len(text)

    refused_in_time(attempt, LARGE_S if len(str(env)) > 1_000_000 else LIMIT_S)


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_nested_comprehensions_end_with_their_steps(levels: int) -> None:
    expression = parse(nested(levels))

    def attempt() -> None:
        with pytest.raises(EvaluationError, match="10,000 steps"):
            expression.evaluate({"x": list(range(150))})

    refused_in_time(attempt)


def test_shared_values_count_each_time() -> None:
    """A list that holds itself twice, twenty times over, is a tree of a million nodes in a few bytes."""
    bomb: Any = ["x"]
    for _ in range(40):
        bomb = [bomb, bomb]
    for text in ("x == y", "str(x)", "hash(x)", "[x, x]", "contains(x, y)", "x + x"):
        expression = parse(text)

        def attempt(expression: Any = expression) -> None:
            with pytest.raises(EvaluationError):
                expression.evaluate({"x": bomb, "y": [bomb]})

        refused_in_time(attempt)


def test_the_memory_of_a_refusal_is_bounded() -> None:
    code = """
x = parse("[a + a for a in x for b in x]")
try:
    x.evaluate({"x": ["a" * 500000] * 90})
except Exception as error:
    assert type(error).__name__ == "EvaluationError", error
"""
    assert peak_mib(code) < 40


@pytest.mark.parametrize(
    "text", ["().__class__", "(x for x in y)", "9 ** 9 ** 9", "'a'.format(x)", "f'{x}'", "l\u00e9n(x)"]
)
def test_a_graph_names_line_and_column(text: str) -> None:
    graph = (
        "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\nchannels: { x: { type: any, default: 1 } }\n"
        f"start: a\nnodes:\n  a:\n    kind: set\n    writes:\n      x: ${{ {text} }}\n    next: end\n"
    )
    spec, found, _ = validate_text(graph, "t.graph.yaml")
    assert spec is None
    assert [(d.code[:3], d.span.line) for d in found] == [("GA2", 10)]
    assert 12 <= found[0].span.column <= 12 + len(text)


def test_evaluation_never_touches_an_attribute() -> None:
    """A value that isn't plain data is refused before anything is asked of it."""

    class Trap:
        def __getattribute__(self, name: str) -> Any:
            if name != "__class__":
                raise AssertionError(name)
            return object.__getattribute__(self, name)

    for text in (
        "x.a",
        "x['a']",
        "x[0]",
        "x == 1",
        "len(x)",
        "str(x)",
        "x + 1",
        "[y for y in x]",
        "x in [1]",
        "has(x.a)",
    ):
        try:
            parse(text).evaluate({"x": Trap()})
        except EvaluationError:
            continue
        assert text == "has(x.a)"


def test_a_result_is_never_evaluated_again() -> None:
    value = parse_value("${ x } $${ y }")
    assert value.evaluate({"x": "${ z } {{ z }}"}) == "${ z } {{ z }} ${ y }"


def test_only_the_expected_syntax_reaches_the_parser() -> None:
    """The corpus holds what Python takes: what is refused isn't refused for being no Python."""
    python = 0
    for text in ESCAPES:
        try:
            ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        python += 1
    assert python > 100

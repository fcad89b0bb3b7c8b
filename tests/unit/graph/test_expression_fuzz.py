"""Properties that hold for any text, any tree and any data."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphagent.codec import encode, freeze
from graphagent.graph.expressions import (
    EACH,
    FUNCTION_NAMES,
    EvaluationError,
    Expression,
    ExpressionError,
    Read,
    constant_guard,
    infer,
    infer_guard,
    parse,
)
from graphagent.graph.types import ANY, Type, check, parse_object, parse_type
from tests.examples_count import examples
from tests.unit.graph.strategies import assert_inside, data, values_of

CODES = {"GA104", "GA201", "GA202", "GA207"}
ROOTS = ("a", "b", "c", "out", "run")
ALPHABET = "abcx01.,:()[]{}'\"+-*/%<>=!&|^~@$#\\ \n_éｅ"
WORDS = (
    *sorted(FUNCTION_NAMES), *ROOTS, "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "null", "true",
    "await", "yield", "async", "__class__", "f''", "b''", "'x'", "0", "1.5", "(", ")", "[", "]", "{", "}", ",", ":",
    ".", "+", "-", "*", "**", "/", "//", "%", "<", ">", "==", "!=", ":=", "=", "${", "\\", "\n", "0x", "1e999",
    "'\\ud800'",
)  # fmt: skip


def attempt(text: str) -> Expression | None:
    """The expression of a text, or None if it is refused as it should be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return parse(text)
        except ExpressionError as error:
            assert_inside(error, text)
            refusal = error
    assert refusal.code in CODES
    return None


def outcome(expression: Expression, env: Mapping[str, Any]) -> str | None:
    """The value as text, or None if there is none."""
    try:
        value = expression.evaluate(env)
    except EvaluationError as error:
        assert_inside(error, expression.text)
        return None
    assert freeze(value) == value
    assert len(encode(value)) <= 1 << 20
    return json.dumps(value, sort_keys=True)


def exercise(expression: Expression, env: Mapping[str, Any]) -> None:
    """All that can be done with an expression, with what must hold of it."""
    seen = outcome(expression, env)
    assert outcome(expression, pruned(env, expression.reads)) == seen
    for scope in ({}, dict.fromkeys(env, ANY), SCOPE):
        for find in (infer, infer_guard):
            for finding in find(expression, scope)[1]:
                assert 0 <= finding.start <= finding.end <= len(expression.text)
    constant_guard(expression)


def pruned(env: Mapping[str, Any], reads: tuple[Read, ...]) -> dict[str, Any]:
    """Of the data only what the static reads cover."""
    roots = {read.root for read in reads}
    return {n: _pruned(v, [read.path for read in reads if read.root == n]) for n, v in env.items() if n in roots}


def _pruned(value: Any, paths: list[tuple[str | int, ...]]) -> Any:
    if any(not path for path in paths):
        return value
    if isinstance(value, dict):
        return {
            k: _pruned(v, [p[1:] for p in paths if p[0] == k]) for k, v in value.items() if k in {p[0] for p in paths}
        }
    if isinstance(value, list):
        size = len(value)
        return [_pruned(v, [p[1:] for p in paths if p[0] in (i, i - size, EACH)]) for i, v in enumerate(value)]
    return value


environments = st.fixed_dictionaries({}, optional=dict.fromkeys(ROOTS, data))

# Trees of the language: text that mostly parses, and often evaluates.

_paths = st.builds(
    lambda root, steps: root + "".join(steps),
    st.sampled_from([*ROOTS, "y", "z"]),
    st.lists(st.sampled_from([".a", ".b", "['c']", "[0]", "[-1]", "[a]", "[y]"]), max_size=3),
)
_leaves = _paths | st.sampled_from(
    ["1", "0", "-2", "0.5", "'a'", "'b'", "''", "'é'", "true", "false", "null", "[]", "{}"]
)


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def form(template: str) -> st.SearchStrategy[str]:
        count = template.count("%s")
        return st.tuples(*[inner] * count).map(lambda parts: template % parts)

    calls = st.builds(
        lambda name, arguments: f"{name}({', '.join(arguments)})",
        st.sampled_from(sorted(FUNCTION_NAMES)),
        st.lists(inner, min_size=1, max_size=2),
    )
    templates = (
        "(%s)",
        "not %s",
        "-(%s)",
        "(%s) + (%s)",
        "(%s) - (%s)",
        "(%s) * (%s)",
        "(%s) / (%s)",
        "(%s) // (%s)",
        "(%s) %% (%s)",
        "%s == %s",
        "%s != %s",
        "%s < %s",
        "%s in %s",
        "%s not in %s",
        "(%s) < (%s) <= (%s)",
        "%s is null",
        "%s is not null",
        "(%s) and (%s)",
        "(%s) or (%s)",
        "(%s) if (%s) else (%s)",
        "[%s, %s]",
        "{'a': %s, 'b': %s}",
        "{(%s): 1}",
        "(%s)[%s]",
        "(%s)[%s:]",
        "(%s)[:%s]",
        "(%s).a",
        "[%s for y in %s]",
        "[%s for y in %s if %s]",
        "[%s for y in %s for z in %s]",
    )
    probes = st.builds(
        lambda name, path, last: f"has({path})" if name == "has" else f"default({path}, {last})",
        st.sampled_from(["has", "default"]), _paths, inner,
    )  # fmt: skip
    return st.one_of(
        calls, probes, *[form(template.replace("%%", "%%%%").replace("%%%%", "%%")) for template in templates]
    )


trees = st.recursive(_leaves, _extend, max_leaves=8)

# Trees of Python, most of which aren't of the language.

_names = st.sampled_from(["a", "b", "_c", "len", "out", "__class__", "x"])
_any_leaf: st.SearchStrategy[ast.expr] = st.one_of(
    st.builds(lambda n: ast.Name(n, ast.Load()), _names),
    st.sampled_from([1, 1.5, "a", True, None, b"x", 1j, ..., 2**70]).map(ast.Constant),
)


def _extend_python(inner: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    load = ast.Load()
    some = st.lists(inner, max_size=2)
    operators = st.sampled_from([ast.Add, ast.Pow, ast.MatMult, ast.LShift, ast.BitOr, ast.Mod]).map(lambda c: c())
    unary = st.sampled_from([ast.Not, ast.USub, ast.UAdd, ast.Invert]).map(lambda c: c())
    compare = st.sampled_from([ast.Eq, ast.Is, ast.IsNot, ast.In, ast.Lt]).map(lambda c: c())
    target = st.one_of(_any_leaf, inner)
    loop = st.builds(lambda t, i, c, a: ast.comprehension(t, i, c, a), target, inner, some, st.integers(0, 1))
    loops = st.lists(loop, min_size=1, max_size=3)
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    keyword = st.builds(lambda n, v: ast.keyword(n, v), st.none() | _names, inner)
    return st.one_of(
        st.builds(lambda v, n: ast.Attribute(v, n, load), inner, _names),
        st.builds(lambda v, i: ast.Subscript(v, i, load), inner, inner),
        st.builds(
            lambda v, a, b, c: ast.Subscript(v, ast.Slice(a, b, c), load), inner, inner, inner, st.none() | inner
        ),
        st.builds(lambda f, a, k: ast.Call(f, a, k), inner, some, st.lists(keyword, max_size=1)),
        st.builds(lambda a, o, b: ast.BinOp(a, o, b), inner, operators, inner),
        st.builds(lambda o, a: ast.UnaryOp(o, a), unary, inner),
        st.builds(lambda a, o, b: ast.Compare(a, [o], [b]), inner, compare, inner),
        st.builds(lambda a, b: ast.BoolOp(ast.Or(), [a, b]), inner, inner),
        st.builds(lambda a, b, c: ast.IfExp(a, b, c), inner, inner, inner),
        st.builds(lambda e: ast.Lambda(arguments, e), inner),
        st.builds(lambda n, e: ast.NamedExpr(ast.Name(n, ast.Store()), e), _names, inner),
        st.builds(lambda e: ast.List(e, load), some),
        st.builds(lambda e: ast.Tuple(e, load), some),
        st.builds(lambda e: ast.Set([e]), inner),
        st.builds(lambda k, v: ast.Dict([k], [v]), st.none() | inner, inner),
        st.builds(lambda e: ast.Starred(e, load), inner),
        st.builds(lambda e: ast.Await(e), inner),
        st.builds(lambda e: ast.Yield(e), inner),
        st.builds(lambda e, g: ast.ListComp(e, g), inner, loops),
        st.builds(lambda e, g: ast.GeneratorExp(e, g), inner, loops),
        st.builds(lambda e, g: ast.DictComp(e, e, g), inner, loops),
        st.builds(lambda e: ast.JoinedStr([ast.FormattedValue(e, -1)]), inner),
    )


python_trees = st.recursive(_any_leaf, _extend_python, max_leaves=6)


@settings(max_examples=examples(100))
@given(st.text(max_size=40) | st.text(ALPHABET, max_size=40), environments)
def test_any_text(text: str, env: dict[str, Any]) -> None:
    expression = attempt(text)
    if expression is not None:
        exercise(expression, env)


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from(["", " "]), environments)
def test_any_words(words: list[str], space: str, env: dict[str, Any]) -> None:
    expression = attempt(space.join(words))
    if expression is not None:
        exercise(expression, env)


@settings(max_examples=examples(100))
@given(trees, environments)
def test_trees_of_the_language(text: str, env: dict[str, Any]) -> None:
    expression = attempt(text)
    if expression is not None:
        exercise(expression, env)


@settings(max_examples=examples(100))
@given(python_trees, environments)
def test_trees_of_python(tree: ast.expr, env: dict[str, Any]) -> None:
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
    except (ValueError, RecursionError):
        assume(False)
    expression = attempt(text)
    if expression is not None:
        assert not any(isinstance(node, FORBIDDEN) for node in ast.walk(ast.parse(text.strip(), mode="eval")))
        exercise(expression, env)


FORBIDDEN = (
    ast.Lambda, ast.NamedExpr, ast.JoinedStr, ast.Tuple, ast.Set, ast.SetComp, ast.DictComp, ast.GeneratorExp,
    ast.Await, ast.Yield, ast.YieldFrom, ast.Starred, ast.Pow, ast.MatMult, ast.LShift, ast.BitOr, ast.UAdd, ast.Invert,
    ast.keyword,
)  # fmt: skip


# Well-typed expressions don't go wrong, but for what types can't say.

DOC = parse_object({"id": "str", "n": "int", "ok": "bool", "note": "str | None"}, {}, "Doc")
SCOPE: dict[str, Type] = {
    "a": parse_type("list[Doc]", {"Doc": DOC}),
    "b": parse_type("str", {}),
    "c": parse_type("int", {}),
    "out": DOC,
    "run": parse_object({"a": "float", "b": "list[str]", "c": "dict[str, int]"}, {}),
}
PARTIAL = (
    "is out of range", "division by zero", "of an empty list", "64 bits", "too large", "is no int", "is no float",
    "has no field", "there is no field", "`bool` takes 'true'", "the separator of `split` is empty",
    "the digits of `round`", "larger than", "more than 10,000", "too much data", "is not set",
)  # fmt: skip
typed_environments = st.fixed_dictionaries({name: values_of(t) for name, t in SCOPE.items()})
_typed_leaves = st.sampled_from([
    "a", "b", "c", "out", "run.a", "run.b", "run.c", "out.id", "out.n", "out.ok", "out.note", "a[0].n", "1", "0", "2.5",
    "'a'", "true", "[]", "null", "[d.n for d in a]", "len(b)", "y",
])  # fmt: skip
typed_trees = st.recursive(_typed_leaves, _extend, max_leaves=5)


@settings(max_examples=examples(150))
@given(typed_trees, typed_environments)
def test_well_typed_expressions_do_not_go_wrong(text: str, env: dict[str, Any]) -> None:
    expression = attempt(text)
    if expression is None:
        return
    t, findings = infer(expression, SCOPE)
    if findings:
        return
    try:
        value = expression.evaluate(env)
    except EvaluationError as error:
        assert_partial(error, text)
        return
    check(t, value)


def assert_partial(error: EvaluationError, text: str) -> None:
    """The failure is one that types don't exclude; of the items of `[]` and `{}` nothing is known."""
    if "[]" not in text and "{}" not in text:
        assert any(part in error.message for part in PARTIAL), (text, error.message)


@pytest.mark.parametrize("text", ["[y for y in a][0].n + 1", "sorted(a, 'n')[0].id + b", "default(out.note, b) + 'a'"])
def test_the_generator_meets_what_types_allow(text: str) -> None:
    assert infer(parse(text), SCOPE)[1] == []

from __future__ import annotations

import ast
import time
import tracemalloc
from pathlib import Path

import pytest

import graphagent.graph
from graphagent.graph.expressions import ExpressionError, parse
from tests.unit.graph.escapes import BOMBS, ESCAPES
from tests.unit.graph.strategies import assert_inside

CODES = {"GA104", "GA201", "GA202", "GA207"}


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value


def test_no_way_out() -> None:
    assert [text for text in ESCAPES if not is_refused(text)] == []


def is_refused(text: str) -> bool:
    try:
        parse(text)
    except ExpressionError as error:
        assert_inside(error, text)
        return error.code in CODES
    return False


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_what_is_too_much_is_refused_at_once(text: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        parse(text)
    except ExpressionError as error:
        assert_inside(error, text)
    finally:
        spent, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert spent < 0.5  # 50 ms is the duty; a busy machine and the tracing take their share
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("text", "code", "message", "marked", "hint"),
    [
        ("", "GA201", "the expression is empty", "", None),
        ("  ", "GA201", "the expression is empty", "  ", None),
        ("x +", "GA201", "the expression ends after `+`", "+", None),
        ("x and", "GA201", "the expression ends after `and`", "and", None),
        ("x + * y", "GA201", "unexpected `*`", "*", None),
        ("a b", "GA201", "unexpected `b`", "b", "an operator is missing, or a comma"),
        ("'é' + ü", "GA202", "`ü`: names have ASCII letters only", "ü", "write `['...']` for a key with other letters"),
        ("'é' + a b", "GA201", "unexpected `b`", "b", "an operator is missing, or a comma"),
        ("(x", "GA201", "`(` is never closed", "(", None),
        ("x]", "GA201", "`]` closes nothing", "]", None),
        ("(x]", "GA201", "`]` doesn't close `(`", "]", None),
        ("x = 1", "GA201", "unexpected `=`", "=", "`==` compares"),
        ("x && y", "GA201", "unexpected `&&`", "&&", "write `and`"),
        ("!x", "GA201", "unexpected `!`", "!", "write `not`"),
        ("x ? 1 : 2", "GA201", "unexpected `?`", "?", "write `a if test else b`"),
        ("x if y", "GA201", "`if` without `else`", "if", "write `a if test else b`"),
        ("event.from", "GA201", "`.from`: `from` is a word of the language", "from", "write `['from']` for this key"),
        ("x.true", "GA201", "`.true`: `true` is a word of the language", "true", "write `['true']` for this key"),
        ("import", "GA201", "`import` is not a name", "import", "it is a reserved word of Python"),
        ("'it's'", "GA201", "unexpected quote after `s`", "'", "an operator is missing, or a comma"),
        ("x == 'a", "GA201", "this quote is never closed", "'", None),
        ("join(xs, '\n')", "GA201", "a line break inside of quoted text", "'\n'",
         "in YAML, put the value in single quotes or use `>-`, so that `\\n` stays as it is"),
        ("'\\d'", "GA201", "unknown escape `\\d`", "\\d", "write `\\\\` for a backslash"),
        ("'\\N{nope}'", "GA201", "an escape in this text stands for no character", "'\\N{nope}'", None),
        ("x == 007", "GA201", "the number 007 begins with 0", "007", "put it in quotes if it is text"),
        ("3x", "GA201", "`3x` is not a number", "3x", "a name begins with a letter"),
        ("x.__class__", "GA202", "`__class__`: names don't begin with `_`", "__class__",
         "write `['__class__']` for a key"),
        ("x.upper()", "GA202", "a method call is not allowed", "x.upper", "write `upper(...)`"),
        ("x.a.frob()", "GA202", "a method call is not allowed", "x.a.frob", None),
        ("lenn(x)", "GA202", "there is no function `lenn`", "lenn", "did you mean `len`?"),
        ("len(x, y)", "GA202", "`len` takes 1 argument, this call has 2", "len(x, y)", None),
        ("round()", "GA202", "`round` takes 1 or 2 arguments, this call has 0", "round()", None),
        ("default(x)", "GA202", "`default` takes at least 2 arguments, this call has 1", "default(x)", None),
        ("default(1, 2)", "GA202", "`default` takes, but for the last, a path such as `a.b`", "1", None),
        ("has(len(x))", "GA202", "`has` takes a path such as `a.b`", "len(x)", None),
        ("lambda: x", "GA202", "a lambda is not allowed", "lambda", None),
        ("f'{x}'", "GA202", "an f-string is not allowed", "f'", "put text in plain quotes"),
        ("(x, y)", "GA202", "a tuple is not allowed", "(x, y)", "write a list: `[a, b]`"),
        ("{x}", "GA202", "a set is not allowed", "{x}", "write a list: `[a, b]`"),
        ("any(x for x in y)", "GA202", "a generator is not allowed", "(x for x in y)", "write `[x for x in xs]`"),
        ("{k: 1 for k in x}", "GA202", "a dict comprehension is not allowed", "{k: 1 for k in x}", None),
        ("x ** 2", "GA202", "`**` is not allowed", "**", None),
        ("x | y", "GA202", "`|` is not allowed", "|", "write `or`"),
        ("{**x}", "GA202", "`**` is not allowed", "**", None),
        ("[*x]", "GA202", "`*` is not allowed", "*x", None),
        ("x[1:2:3]", "GA202", "a slice with a step is not allowed", "1:2:3", None),
        ("x[1, 2]", "GA202", "an index is one value", "1, 2", None),
        ("x is 3", "GA202", "`is` is only for null", "3", "write `==`"),
        ("x is not y", "GA202", "`is not` is only for null", "y", "write `!=`"),
        ("{1: x}", "GA202", "keys are text", "1", "put the key in quotes"),
        ("9223372036854775808", "GA202", "the integer doesn't fit into 64 bits", "9223372036854775808", None),
        ("[x for out in y]", "GA104", "`out` is a reserved name", "out", "choose another name"),
        ("[x for x in y for x in z]", "GA202", "`x` hides the variable of an outer `for`", "x", "choose another name"),
        ("[1 for a in x for b in x for c in x]", "GA202", "more than two `for` are not allowed", "c", None),
        ("${ x > 1 }", "GA207", "`${ }` inside an expression", "${ x > 1 }",
         "remove `${ }`: this field is an expression already"),
        (" ${x} ", "GA207", "`${ }` inside an expression", "${x}",
         "remove `${ }`: this field is an expression already"),
        ("x == ${y}", "GA207", "`${ }` inside an expression", "${",
         "remove `${ }`: this field is an expression already"),
        ("'\u2019", "GA201", "this quote is never closed", "'", None),
        ("\u201cx\u201d", "GA201", "`\u201c` is not a quote of the language", "\u201c", "use plain quotes: '"),
    ],
)  # fmt: skip
def test_messages(text: str, code: str, message: str, marked: str, hint: str | None) -> None:
    error = refusal(text)
    assert (error.code, error.message, text[error.start : error.end], error.hint) == (code, message, marked, hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 2001, "the expression has 2,001 characters, 2,000 are allowed"),
        ("[" + "x," * 256 + "]", "the expression has more than 256 parts"),
        ("x" + ".a" * 32, "the expression is nested deeper than 32"),
        ("(" * 33 + "x" + ")" * 33, "brackets are nested deeper than 32"),
    ],
)
def test_limits(text: str, message: str) -> None:
    error = refusal(text)
    assert (error.code, error.message) == ("GA201", message)


@pytest.mark.parametrize(
    "text",
    [
        "x" + ".a" * 31,
        "[" + "x," * 255 + "]",
        "(" * 32 + "x" + ")" * 32,
        "x" * 2000,
        "  x\n  and\ty\r\n",
        "'a' 'b'",
        "r'a\\d'",
        "'\\u00e9\\x41\\N{BULLET}'",
        "'${ x }'",
        "'_'",
        "x['__class__']",
        "'[x for out in y]'",
        "[[y for y in x] for z in x] + [y for y in x]",
        "1_000 + 0xff + 1.5e3 + .5 + 1.",
        "{'a': {'b': [1]}}",
        "x is null and y is not None",
        "-1 < x <= 3 != y",
        "[x for r in results for x in r]",
        "9223372036854775807 - -9223372036854775807",
    ],
)
def test_what_is_allowed(text: str) -> None:
    assert parse(text).text == text


def test_places_count_code_points() -> None:
    text = "'𝄞é' + nope('ü')"
    error = refusal(text)
    assert text[error.start : error.end] == "nope"


def test_an_expression_is_the_same_as_one_with_the_same_text() -> None:
    assert parse("a + 1") == parse("a + 1")
    assert parse("a + 1") != parse("a+1")
    assert hash(parse("a")) == hash(parse("a"))


@pytest.mark.parametrize(
    "text",
    [
        "[{'id': s.id, 'text': join(s.bullets, '; ')} for s in summaries]",
        "sum([s.tokens for s in summaries]) > 6000",
        "[f.claim for f in findings if f.confidence < 0.7]",
        "len(args.body) > 2000 or 'urgent' in args.labels",
        "default(error.message, triage.summary, 'unknown')",
        "default(error.cause, '') == 'http_404'",
        "verdict == 'accept' and len(findings) >= 3",
        "event.ticket_id == inputs.ticket_id",
        "merge(files, inputs.tests)",
        "[e.item.id for e in errors]",
        "contains(b, 'a')",
        "run.visits.answer < 3",
    ],
)
def test_expressions_of_the_design_page(text: str) -> None:
    assert parse(text).reads


def calls_of(path: Path) -> set[str]:
    """Names of all functions that a module calls by a plain name."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def test_nothing_is_handed_to_the_interpreter() -> None:
    package = Path(graphagent.graph.__file__).parent
    calls = {path.name: calls_of(path) for path in package.rglob("*.py")}
    assert {name for name, found in calls.items() if found & {"eval", "exec", "__import__"}} == set()
    evaluator = ("expression_eval.py", "comparison_eval.py", "functions.py", "plain.py", "values.py", "expressions.py")
    attribute_access = {"getattr", "setattr", "hasattr", "vars", "compile", "format"}
    assert {name for name in evaluator if calls[name] & attribute_access} == set()

from __future__ import annotations

import pytest

from graphagent.graph.expressions import FUNCTION_NAMES, RESERVED_NAMES, Finding, infer, infer_guard, parse
from graphagent.graph.types import ANY, BOOL, FLOAT, INT, STR, Error, Message, Type, describe, parse_object, parse_type

DOC = parse_object({"id": "str", "n": "int = 2", "note": "str | None"}, {}, "Doc")
REPLY = parse_object({"solved": "bool"}, {}, "Reply")
NAMES: dict[str, Type] = {"Doc": DOC, "Reply": REPLY}
SCOPE: dict[str, Type] = {
    "n": INT,
    "x": FLOAT,
    "s": STR,
    "ok": BOOL,
    "whatever": ANY,
    "maybe": parse_type("str | None", {}),
    "either": parse_type("str | int", {}),
    "event": parse_type("Doc | Reply", NAMES),
    "doc": DOC,
    "docs": parse_type("list[Doc]", NAMES),
    "messages": parse_type("list[Message]", {}),
    "words": parse_type("list[str]", {}),
    "counts": parse_type("dict[str, int]", {}),
    "verdict": parse_type("Literal['accept', 'revise']", {}),
    "error": Error,
    "inputs": parse_object({"topic": "str", "depth": "int = 2"}, {}),
}


def types(text: str) -> tuple[str, list[Finding]]:
    t, findings = infer(parse(text), SCOPE)
    return describe(t), findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "Literal[1]"),
        ("null", "None"),
        ("[]", "list[any]"),
        ("['a', 'b']", "list[Literal['a', 'b']]"),
        ("[1, x]", "list[float]"),
        ("{'a': n, 'b': s}", "{ a: int, b: str }"),
        ("{s: n}", "dict[str, int]"),
        ("{}", "{}"),
        ("doc.n", "int"),
        ("doc['id']", "str"),
        ("docs[0].id", "str"),
        ("counts.a", "int"),
        ("counts[s]", "int"),
        ("doc[s]", "str | int | None"),
        ("whatever.a.b[0]", "any"),
        ("s[0]", "str"),
        ("s[1:]", "str"),
        ("docs[1:]", "list[Doc]"),
        ("last(messages).role", "Literal['system', 'user', 'assistant', 'tool']"),
        ("last(messages).content", "any"),
        ("n + 1", "int"),
        ("n + x", "float"),
        ("n / 2", "float"),
        ("n // 2", "int"),
        ("n % 2", "int"),
        ("x * n", "float"),
        ("n + whatever", "any"),
        ("x + whatever", "float"),
        ("x * whatever", "float"),
        ("n * whatever", "any"),
        ("s + 'a'", "str"),
        ("words + ['a']", "list[str]"),
        ("words + [n]", "list[str | int]"),
        ("-n", "int"),
        ("-x", "float"),
        ("n > 1 and s == 'a'", "bool"),
        ("not ok", "bool"),
        ("maybe is null", "bool"),
        ("n if ok else x", "float"),
        ("'a' if ok else n", "Literal['a'] | int"),
        ("[d.n for d in docs]", "list[int]"),
        ("[w + str(d.n) for d in docs for w in words]", "list[str]"),
        ("len(s)", "int"),
        ("str(n)", "str"),
        ("min([1, 2.5])", "int | float"),
        ("max(words)", "str"),
        ("sum([d.n for d in docs])", "int"),
        ("sum([x, 1])", "float"),
        ("abs(n)", "int"),
        ("round(x)", "int"),
        ("round(x, 1)", "float"),
        ("round(n, 1)", "int"),
        ("any([ok])", "bool"),
        ("sorted(docs, 'id')", "list[Doc]"),
        ("first(docs)", "Doc"),
        ("keys(doc)", "list[str]"),
        ("values(counts)", "list[int]"),
        ("merge(counts, {'a': x})", "dict[str, float]"),
        ("merge(doc, {'n': s}).n", "str"),
        ("split(s, ',')", "list[str]"),
        ("hash(docs)", "str"),
        ("int(s)", "int"),
        ("float(n)", "float"),
        ("bool(s)", "bool"),
        ("contains(words, s)", "bool"),
        ("has(doc.note)", "bool"),
        ("default(maybe, 'x')", "str"),
        ("default(maybe, n)", "str | int"),
        ("default(maybe, null)", "str | None"),
        ("default(error.cause, '')", "str"),
        ("default(whatever, 1)", "any"),
        ("default(event.solved, false)", "bool"),
        ("has(event.id)", "bool"),
        ("has(maybe) and len(maybe) > 1", "bool"),
        ("maybe is not null and len(maybe) > 1", "bool"),
        ("maybe is null or len(maybe) > 1", "bool"),
        ("len(maybe) if has(maybe) else 0", "int"),
        ("len(doc.note) if doc.note is not null else 0", "int"),
        ("[len(d.note) for d in docs if has(d.note)]", "list[int]"),
        ("not has(maybe) or maybe == 'a'", "bool"),
        ("verdict == 'accept'", "bool"),
        ("verdict in ['accept', s]", "bool"),
        ("error.kind == 'timeout'", "bool"),
        ("'a' in maybe if has(maybe) else false", "bool"),
        ("null in [maybe]", "bool"),
        ("'a' in words", "bool"),
        ("s in counts", "bool"),
        ("n == x", "bool"),
        ("1 in [x]", "bool"),
    ],
)
def test_types(text: str, expected: str) -> None:
    assert types(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "code", "message", "marked", "hint", "suggestion"),
    [
        ("dcos", "GA203", "unknown channel `dcos`", "dcos", "did you mean `docs`?", "docs"),
        ("len(dcos) > 1", "GA203", "unknown channel `dcos`", "dcos", "did you mean `docs`?", "docs"),
        (
            "topic + 'a'",
            "GA203",
            "unknown channel `topic`",
            "topic",
            "`topic` is an input: write `inputs.topic`",
            "inputs.topic",
        ),
        ("approved", "GA203", "unknown channel `approved`", "approved", "text stands in quotes: `'approved'`", None),
        ("len", "GA203", "`len` is a function", "len", "write `len(...)`", None),
        ("{id: n}", "GA203", "unknown name `id`", "id", "keys stand in quotes: `'id'`", "'id'"),
        (
            "out.text",
            "GA208",
            "`out` is not available here",
            "out",
            "`out` exists after the node ran: move it to `writes`",
            None,
        ),
        ("doc.idd", "GA204", "unknown field `idd` of `Doc`", "idd", "did you mean `id`?", "id"),
        ("doc['idd']", "GA204", "unknown field `idd` of `Doc`", "'idd'", "did you mean `id`?", "'id'"),
        ("doc.zzzz", "GA204", "unknown field `zzzz` of `Doc`", "zzzz", "it has `id`, `n`, `note`", None),
        ("has(doc.zzzz)", "GA204", "unknown field `zzzz` of `Doc`", "zzzz", "it has `id`, `n`, `note`", None),
        ("{'a': 1}.b", "GA204", "unknown field `b` of `{'a': 1}`", "b", "it has `a`", None),
        ("{}.b", "GA204", "unknown field `b` of `{}`", "b", "it has no fields at all", None),
        (
            "docs.id",
            "GA204",
            "`list[Doc]` has no fields",
            "id",
            "`[x.id for x in docs]`, or one item: `docs[0].id`",
            None,
        ),
        ("s.upper", "GA204", "`str` has no fields", "upper", None, None),
        (
            "event.solved",
            "GA204",
            "not every value of `event` has the field `solved`",
            "solved",
            "`default(event.solved, ...)` or `has(event.solved)`",
            None,
        ),
        ("event.zzzz", "GA204", "unknown field `zzzz` of `Doc`", "zzzz", "it has `id`, `n`, `note`, `solved`", None),
        (
            "maybe.a",
            "GA205",
            "`maybe` may be null",
            "maybe",
            "`has(maybe)` asks, `default(maybe.a, ...)` gives another value",
            None,
        ),
        ("docs['id']", "GA205", "the index of a list is an int, not `str`", "'id'", None, None),
        ("docs[x]", "GA205", "the index of a list is an int, not `float`", "x", None, None),
        ("counts[n]", "GA205", "an object's `[ ]` takes text, not `int`", "n", "`str(n)`", None),
        ("n[0]", "GA205", "`[ ]` takes a list, an object or text, not `int`", "n", None, None),
        ("docs[s:]", "GA205", "the bound of a slice is an int, not `str`", "s", None, None),
        ("n[1:]", "GA205", "a slice takes a list or text, not `int`", "n", None, None),
        ("n + s", "GA205", "`+` can't join `int` and `str`", "n + s", "make text of it: `str(n)`", None),
        (
            "words + s",
            "GA205",
            "`+` can't join `list[str]` and `str`",
            "words + s",
            "a list is extended by a list: `[s]`",
            None,
        ),
        ("doc + 1", "GA205", "`+` takes numbers, texts or lists, not `Doc`", "doc", None, None),
        (
            "maybe + 'a'",
            "GA205",
            "`maybe` may be null",
            "maybe",
            "`default(maybe, ...)` gives another value, `maybe is not null` asks",
            None,
        ),
        ("s * 2", "GA205", "`*` takes numbers, not `str`", "s", None, None),
        ("ok + 1", "GA205", "`+` takes numbers, texts or lists, not `bool`", "ok", None, None),
        ("-s", "GA205", "`-` takes a number, not `str`", "s", None, None),
        (
            "verdict == 'acept'",
            "GA205",
            "`verdict` can never be 'acept'",
            "'acept'",
            "did you mean `'accept'`?",
            "'accept'",
        ),
        (
            "'acept' != verdict",
            "GA205",
            "`verdict` can never be 'acept'",
            "'acept'",
            "did you mean `'accept'`?",
            "'accept'",
        ),
        ("verdict == 'x'", "GA205", "`verdict` can never be 'x'", "'x'", "it is 'accept' or 'revise'", None),
        (
            "verdict == error.kind",
            "GA205",
            "`verdict` and `error.kind` can never be equal",
            "verdict == error.kind",
            None,
            None,
        ),
        (
            "error.kind in ['timeout', 'rate_limt']",
            "GA205",
            "`error.kind` can never be 'rate_limt'",
            "'rate_limt'",
            "did you mean `'rate_limit'`?",
            "'rate_limit'",
        ),
        (
            "n == '3'",
            "GA205",
            "`int` can't be compared with `str`",
            "n == '3'",
            "a number stands without quotes: `3`",
            None,
        ),
        ("s == 3", "GA205", "`str` can't be compared with `int`", "s == 3", "text stands in quotes: `'3'`", None),
        ("ok == 1", "GA205", "`bool` can't be compared with `int`", "ok == 1", None, None),
        ("(n) == s", "GA205", "`int` can't be compared with `str`", "(n) == s", None, None),
        ("s == words", "GA205", "`str` can't be compared with `list[str]`", "s == words", "`s in words`", None),
        ("either == 'a'", "GA205", "`str | int` can't be compared with `str`", "either == 'a'", None, None),
        (
            "error.cause == 'x'",
            "GA205",
            "`error.cause` may be null, which can't be compared",
            "error.cause",
            "`default(error.cause, '')`",
            None,
        ),
        ("maybe == null", "GA205", "null is not compared with `==`", "null", "write `maybe is null`", None),
        ("n != null", "GA205", "null is not compared with `!=`", "null", "write `n is not null`", None),
        ("n < s", "GA205", "`int` can't be compared with `str`", "n < s", None, None),
        ("docs < n", "GA205", "`<` takes numbers, or texts, not `list[Doc]`", "docs", None, None),
        (
            "maybe < 'a'",
            "GA205",
            "`maybe` may be null",
            "maybe",
            "`default(maybe, ...)` gives another value, `maybe is not null` asks",
            None,
        ),
        ("n in words", "GA205", "`int` can't be compared with `str`", "n in words", None, None),
        ("n in s", "GA205", "`in` takes text on its left, not `int`", "n", "`str(n)`", None),
        ("n in n", "GA205", "`in` takes a list, an object or text, not `int`", "n", None, None),
        ("s or 'none'", "GA205", "`or` takes bools, not `str`", "s", "`default(s, 'none')`", None),
        ("maybe or 'none'", "GA205", "`or` takes bools, not `str | None`", "maybe", "`default(maybe, 'none')`", None),
        ("docs and ok", "GA205", "`and` takes bools, not `list[Doc]`", "docs", "`len(docs) > 0`", None),
        ("not s", "GA205", "`not` takes a bool, not `str`", "s", "`s != ''`", None),
        ("1 if n else 2", "GA205", "`if` takes a bool, not `int`", "n", "`n != 0`", None),
        (
            "[d for d in docs if d.note]",
            "GA205",
            "`if` takes a bool, not `str | None`",
            "d.note",
            "`has(d.note)`",
            None,
        ),
        (
            "[k for k in counts]",
            "GA205",
            "`for` takes a list, not `dict[str, int]`",
            "counts",
            "`keys(counts)` or `values(counts)`",
            None,
        ),
        ("[s for s in words]", "GA202", "`s` hides the name outside", "s", "choose another name", None),
        ("{n: 1}", "GA205", "a key takes text, not `int`", "n", "`str(n)`", None),
        ("len(n)", "GA205", "`len` takes a list, an object or text, not `int`", "n", None, None),
        (
            "str(maybe)",
            "GA205",
            "`maybe` may be null",
            "maybe",
            "`default(maybe, ...)` gives another value, `maybe is not null` asks",
            None,
        ),
        ("int(ok)", "GA205", "`int` takes a number or text, not `bool`", "ok", None, None),
        ("sum(words)", "GA205", "`sum` takes a list of numbers, not `list[str]`", "words", None, None),
        ("min(docs)", "GA205", "`min` takes a list of numbers, or of texts, not `list[Doc]`", "docs", None, None),
        (
            "max([n, s])",
            "GA205",
            "`max` takes a list of numbers, or of texts, not `list[int | str]`",
            "[n, s]",
            None,
            None,
        ),
        ("any(words)", "GA205", "`any` takes a list of bools, not `list[str]`", "words", "`[x > 0 for x in xs]`", None),
        (
            "join([n], ',')",
            "GA205",
            "`join` takes a list of texts, not `list[int]`",
            "[n]",
            "`join([str(x) for x in xs], ', ')`",
            None,
        ),
        ("sorted(docs)", "GA205", "`sorted` takes numbers, or texts, not `Doc`", "docs", "`sorted(xs, 'field')`", None),
        ("sorted(docs, 'idd')", "GA204", "the items have no field `idd`", "'idd'", "did you mean `'id'`?", "'id'"),
        (
            "sorted(docs, 'note')",
            "GA205",
            "`sorted` by 'note' takes numbers, or texts, not `str | None`",
            "'note'",
            None,
            None,
        ),
        ("keys(docs)", "GA205", "`keys` takes an object, not `list[Doc]`", "docs", None, None),
        ("upper(n)", "GA205", "`upper` takes text, not `int`", "n", "`str(n)`", None),
        ("contains(doc, 'id')", "GA205", "`contains` takes a list or text, not `Doc`", "doc", None, None),
        ("contains(words, n)", "GA205", "`int` can't be compared with `str`", "contains(words, n)", None, None),
        ("contains(s, n)", "GA205", "`in` takes text on its left, not `int`", "n", "`str(n)`", None),
    ],
)
def test_findings(text: str, code: str, message: str, marked: str, hint: str | None, suggestion: str | None) -> None:
    _, findings = types(text)
    found = [(f.code, f.message, text[f.start : f.end], f.hint, f.suggestion) for f in findings]
    assert found == [(code, message, marked, hint, suggestion)]


@pytest.mark.parametrize(
    "text",
    [
        "dcos + 1 > 2 and dcos.x == 'a'[0:] or not dcos",
        "len(nope) > 1 and nope.a.b < 2 and sum([y.z for y in nope]) > 1",
        "[d.zzzz + 1 for d in docs]",
    ],
)
def test_a_broken_part_is_any(text: str) -> None:
    _, findings = types(text)
    assert {f.code for f in findings} <= {"GA203", "GA204"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("docs", "a guard is bool, this one is `list[Doc]`", "`len(docs) > 0`"),
        ("s", "a guard is bool, this one is `str`", "`s != ''`"),
        ("n - 1", "a guard is bool, this one is `int`", "`n - 1 != 0`"),
        ("maybe", "a guard is bool, this one is `str | None`", "`has(maybe)`"),
        ("doc", "a guard is bool, this one is `Doc`", "`len(doc) > 0`"),
        ("null", "a guard is bool, this one is `None`", None),
    ],
)
def test_guards(text: str, message: str, hint: str | None) -> None:
    _, findings = infer_guard(parse(text), SCOPE)
    assert [(f.code, f.message, f.hint) for f in findings] == [("GA206", message, hint)]


def test_a_guard_of_any_passes() -> None:
    assert infer_guard(parse("whatever"), SCOPE) == (ANY, [])
    assert infer_guard(parse("ok"), SCOPE) == (BOOL, [])


def test_an_optional_bool_is_no_guard() -> None:
    _, findings = infer_guard(parse("flag"), {"flag": parse_type("bool | None", {})})
    assert [(f.message, f.hint) for f in findings] == [
        ("a guard is bool, this one may be null", "`default(flag, false)`")
    ]


def test_without_channels_a_name_is_a_name() -> None:
    _, findings = infer(parse("resullt.a"), {"args": ANY, "result": ANY})
    assert [(f.code, f.message, f.label) for f in findings] == [("GA203", "unknown name `resullt`", "not known here")]


def test_the_example_of_the_design_page() -> None:
    text = "sumaries + [out]"
    _, findings = infer(parse(text), {"summaries": parse_type("list[str]", {}), "out": STR})
    assert findings == [
        Finding(
            "GA203",
            "unknown channel `sumaries`",
            0,
            8,
            "not declared under `channels`",
            "did you mean `summaries`?",
            "summaries",
        )
    ]


def test_reserved_names() -> None:
    assert {"out", "run", "inputs", "error", "end", "fail", "self", "std", "null", "if"} <= RESERVED_NAMES
    assert FUNCTION_NAMES < RESERVED_NAMES
    assert not {"item", "name", "text", "messages"} & RESERVED_NAMES


def test_messages_are_typed() -> None:
    assert infer(parse("[m.content for m in ms if m.role == 'user']"), {"ms": SCOPE["messages"]})[1] == []
    assert describe(Message) == "Message"

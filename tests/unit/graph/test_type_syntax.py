from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.graph.types import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    UNSET,
    DictOf,
    Error,
    Field,
    ListOf,
    LiteralOf,
    Message,
    ObjectOf,
    Type,
    TypeSyntaxError,
    UnionOf,
    describe,
    parse_decl,
    parse_object,
    parse_type,
)
from tests.unit.graph.strategies import assert_inside, types

DOC = ObjectOf((Field("id", STR), Field("text", STR)), "Doc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("str", STR),
        (" list[ int ] ", ListOf(INT)),
        ("dict[str, list[float]]", DictOf(ListOf(FLOAT))),
        ("str | None", UnionOf((STR, NONE))),
        ("str | str", STR),
        ("str | any", ANY),
        ("Literal['a', -1, 2.5, true, null]", LiteralOf(("a", -1, 2.5, True, None))),
        ("Literal['a', 'a']", LiteralOf(("a",))),
        ("Literal['a'] | int | Literal['b']", UnionOf((LiteralOf(("a", "b")), INT))),
        ("Message", Message),
        ("Error | None", UnionOf((Error, NONE))),
        ("Doc", DOC),
        ("list[lib.Doc]", ListOf(DOC)),
    ],
)
def test_types(text: str, expected: Type) -> None:
    assert parse_type(text, {"Doc": DOC, "lib.Doc": DOC}) == expected


@pytest.mark.parametrize(
    ("text", "message", "place", "hint"),
    [
        ("", "a type is expected, the text ends here", (0, 0), None),
        ("list", "`list` needs what is in it", (0, 4), "write `list[any]`"),
        ("list[", "a type is expected, the text ends here", (5, 5), None),
        ("list[str", "`]` is expected after what is in `list`, here is the end", (8, 8), None),
        ("list[str]]", "unexpected `]` after the type", (9, 10), None),
        ("str int", "unexpected `int` after the type", (4, 7), "alternatives are joined by `|`"),
        ("dict[int, str]", "the keys of a dict are `str`", (5, 8), "write `dict[str, ...]`"),
        ("dict[str]", "`,` is expected after `dict[str`, here is `]`", (8, 9), None),
        ("str[int]", "`str` takes no `[ ]`", (3, 4), "only `list[...]`, `dict[str, ...]` and `Literal[...]` do"),
        ("Literal[a]", "a literal is expected", (8, 9), "text stands in quotes: `'a'`"),
        ("Literal[]", "a literal is expected", (8, 9), None),
        ("'a'", "a type is expected, not `'a'`", (0, 3), "write `Literal['a']`"),
        ("string", "unknown type `string`", (0, 6), "did you mean `str`?"),
        ("Dco", "unknown type `Dco`", (0, 3), "did you mean `Doc`?"),
        ("Optional[str]", "unknown type `Optional`", (0, 8), "write `str | None`"),
        ("str = 'a'", "a default has no place here", (4, 5), None),
        ("str; int", "unexpected `;` after the type", (3, 4), None),
        ("é", "a type is expected, not `é`", (0, 1), None),
        (
            "pkg.mod:Model",
            "unknown type `pkg.mod:Model`",
            (0, 13),
            None,
        ),
    ],
)
def test_what_is_no_type(text: str, message: str, place: tuple[int, int], hint: str | None) -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type(text, {"Doc": DOC})
    error = caught.value
    assert (error.message, (error.start, error.end), error.hint) == (message, place, hint)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type("list[lib.Doc]", {})
    assert caught.value.unknown == "lib.Doc"
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type("list[", {})
    assert caught.value.unknown is None


def test_a_class_is_a_name_too() -> None:
    assert parse_type("pkg.mod:Model | None", {"pkg.mod:Model": DOC}) == UnionOf((DOC, NONE))


@pytest.mark.parametrize(
    ("text", "t", "default"),
    [
        ("int = 2", INT, 2),
        ("int", INT, UNSET),
        ("float = 2", FLOAT, 2.0),
        ("str = 'a=b'", STR, "a=b"),
        ("Literal['a=b'] = 'a=b'", LiteralOf(("a=b",)), "a=b"),
        ("bool = false", BOOL, False),
        ("list[str] = []", ListOf(STR), []),
        ("dict[str, int] = {'a': -1}", DictOf(INT), {"a": -1}),
        ("str | None = null", UnionOf((STR, NONE)), None),
    ],
)
def test_declarations(text: str, t: Type, default: Any) -> None:
    found, value = parse_decl(text, {})
    assert (found, value, type(value)) == (t, default, type(default))


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("int = 'x'", "the default doesn't fit `int`: int is expected, this is str 'x'", (6, 9)),
        (
            "list[str] = ['a', 1]",
            "the default doesn't fit `list[str]` at [1]: str is expected, this is int 1",
            (12, 20),
        ),
        ("str = a", "a default is a literal", (6, 7)),
        ("int = 1 + 1", "a default is a literal", (6, 11)),
        ("int = ", "the expression is empty", (5, 6)),
        ("int = = 2", "unexpected `=`", (6, 7)),
        ("int = 2 = 3", "unexpected `=`", (8, 9)),
    ],
)
def test_what_is_no_default(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_decl(text, {})
    assert (caught.value.message, (caught.value.start, caught.value.end)) == (message, place)


def test_a_default_that_does_not_fit_is_told_apart_from_bad_syntax() -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_decl("int = 'x'", {})
    assert caught.value.finding == "GA303"


def test_objects() -> None:
    t = parse_object({"id": "str", "meta": {"n": "int = 2"}, "doc": "Doc | None"}, {"Doc": DOC}, "Item")
    assert describe(t) == "Item"
    meta = t.field("meta")
    assert meta is not None
    assert describe(meta.type) == "{ n: int = 2 }"
    assert t.field("other") is None


def test_an_error_in_an_object_tells_the_field() -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_object({"id": "str", "meta": {"n": "lst[str]"}}, {})
    assert (caught.value.field, caught.value.start, caught.value.end) == (("meta", "n"), 0, 3)


@pytest.mark.parametrize("decl", [None, 3, ["str"], True])
def test_a_declaration_is_text(decl: Any) -> None:
    with pytest.raises(TypeSyntaxError, match="is no type"):
        parse_object({"a": decl}, {})


def test_types_that_double_at_every_step_are_refused() -> None:
    with pytest.raises(TypeSyntaxError, match="more than 10,000 parts"):
        chain({"a": "T", "b": "T"}, 40)


def test_types_nested_by_name_are_refused() -> None:
    with pytest.raises(TypeSyntaxError, match="nested deeper than 48"):
        chain({"a": "T"}, 100)


def chain(fields: dict[str, str], times: int) -> Type:
    """An object type of which each `T` in turn is the one before."""
    t: Type = STR
    for _ in range(times):
        t = parse_object(fields, {"T": t}, "T")
    return t


def test_deep_and_long_texts_are_refused() -> None:
    with pytest.raises(TypeSyntaxError, match="nested deeper than 32"):
        parse_type("list[" * 100 + "str" + "]" * 100, {})
    with pytest.raises(TypeSyntaxError, match="at most 2,000 characters"):
        parse_type("str |" * 1000, {})
    deep: dict[str, Any] = {"a": "str"}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(TypeSyntaxError):
        parse_object(deep, {})


@given(types(named=False))
def test_a_described_type_is_parsed_again(t: Type) -> None:
    text = describe(t)
    if "{" not in text:
        assert describe(parse_type(text, {})) == text


@given(st.text(max_size=60) | st.text("[]|,= 'abclistdr1-", max_size=40))
def test_any_text_is_a_type_or_our_error(text: str) -> None:
    for parse in (parse_type, parse_decl):
        try:
            parse(text, {"Doc": DOC})
        except TypeSyntaxError as error:
            assert_inside(error, text)

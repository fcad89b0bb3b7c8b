from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.graph.type_model import has_none, members
from graphagent.graph.types import (
    ANY,
    NONE,
    STR,
    DictOf,
    Field,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    TypeMismatch,
    assignable,
    check,
    common,
    describe,
    parse_object,
    parse_type,
    union,
    widen,
    without_none,
)
from tests.examples_count import examples
from tests.unit.graph.strategies import types, values_of

DOC = parse_object({"id": "str", "n": "int = 2"}, {}, "Doc")
FULL = parse_object({"id": "str", "n": "int"}, {}, "Full")
NAMES: dict[str, Type] = {"Doc": DOC, "Full": FULL}


def t(text: str) -> Type:
    return parse_type(text, NAMES)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("str", "str"), ("int", "float"), ("str", "any"), ("any", "int"), ("list[any]", "list[int]"),
        ("Literal['a']", "str"), ("Literal['a']", "Literal['a', 'b']"), ("Literal[1]", "float"),
        ("str", "str | None"), ("None", "str | None"), ("str | None", "None | str | int"),
        ("Literal['a', 1]", "str | int"), ("Literal['a', 1]", "Literal['a'] | int"),
        ("list[int]", "list[float]"), ("dict[str, int]", "dict[str, float | None]"),
        ("Doc", "Full"), ("Full", "Doc"), ("Doc", "dict[str, str | int]"), ("Literal[null]", "str | None"),
    ],
)  # fmt: skip
def test_assignable(source: str, target: str) -> None:
    assert assignable(t(source), t(target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("float", "int"), ("bool", "int"), ("bool", "float"), ("int", "bool"), ("str | None", "str"),
        ("str", "Literal['a']"), ("Literal['a', 'c']", "Literal['a', 'b']"), ("Literal[true]", "int"),
        ("Literal[1]", "Literal[true]"), ("list[str]", "list[int]"), ("list[str]", "str"), ("dict[str, any]", "Doc"),
        ("Doc", "dict[str, str]"), ("Doc", "Message"), ("str", "None"), ("Artifact", "str"), ("Doc", "Artifact"),
    ],
)  # fmt: skip
def test_not_assignable(source: str, target: str) -> None:
    assert not assignable(t(source), t(target))


def test_an_object_may_lack_what_has_a_default_and_nothing_else() -> None:
    assert assignable(parse_object({"id": "str"}, {}), DOC)
    assert not assignable(parse_object({"id": "str"}, {}), FULL)
    assert not assignable(parse_object({"id": "str", "n": "int", "x": "int"}, {}), FULL)


@settings(max_examples=examples(60))
@given(types())
def test_every_type_takes_itself_and_any(found: Type) -> None:
    assert assignable(found, found)
    assert assignable(found, ANY)
    assert assignable(ANY, found)
    assert assignable(found, union([found, NONE]))
    assert assignable(found, common([found]))


@settings(max_examples=examples(60))
@given(types(), types(), st.data())
def test_a_value_of_an_assignable_type_passes_the_check(source: Type, target: Type, values: st.DataObject) -> None:
    if "any" in describe_deep(source) or "any" in describe_deep(target) or not assignable(source, target):
        return
    check(target, check(source, values.draw(values_of(source))))


def describe_deep(found: Type) -> str:
    return describe(ObjectOf(found.fields)) if isinstance(found, ObjectOf) else describe(found)


@settings(max_examples=examples(60))
@given(st.lists(types(), max_size=4))
def test_the_common_type_takes_each(found: list[Type]) -> None:
    for each in found:
        assert assignable(each, common(found))


def test_common_types() -> None:
    assert describe(common([LiteralOf(("a",)), LiteralOf(("b",))])) == "Literal['a', 'b']"
    assert describe(common([LiteralOf(("a",)), STR])) == "str"
    assert describe(common([t("int"), t("float")])) == "float"
    assert describe(common([t("int"), t("str")])) == "int | str"
    assert common([]) == ANY
    assert common([LiteralOf((n,)) for n in range(200)]) == t("int")
    assert common([parse_object({f"f{n}": "str"}, {}) for n in range(200)]) == ANY


def test_null_can_be_taken_out() -> None:
    assert without_none(t("str | None")) == STR
    assert without_none(t("Literal['a', null]")) == LiteralOf(("a",))
    assert without_none(NONE) == ANY
    assert without_none(LiteralOf((None,))) == ANY
    assert has_none(t("str | None"))
    assert has_none(t("Literal[null]"))
    assert not has_none(t("any"))


def test_widening_forgets_literals() -> None:
    assert describe(widen(t("list[Literal['a', 1]] | None"))) == "list[str | int] | None"
    assert widen(ObjectOf((Field("a", LiteralOf((1,))),))) == parse_object({"a": "int"}, {})
    assert widen(DictOf(LiteralOf((True,)))) == t("dict[str, bool]")


def test_literals_of_other_kinds_are_others() -> None:
    assert LiteralOf((1,)) != LiteralOf((True,))
    assert LiteralOf((1,)) != LiteralOf((1.0,))
    assert len({LiteralOf((1,)), LiteralOf((True,)), LiteralOf((1,))}) == 2
    assert list(members(t("Literal['a', null] | int"))) == [LiteralOf(("a",)), NONE, t("int")]


@settings(max_examples=examples(60))
@given(types())
def test_types_can_be_hashed(found: Type) -> None:
    assert hash(found) == hash(found)
    assert hash(ListOf(found)) == hash(ListOf(found))


def test_objects_with_list_defaults_can_be_hashed() -> None:
    assert hash(parse_object({"a": "list[int] = [1]"}, {})) is not None


def test_check_raises_on_what_is_not_assignable() -> None:
    with pytest.raises(TypeMismatch):
        check(t("int"), check(t("str"), "a"))

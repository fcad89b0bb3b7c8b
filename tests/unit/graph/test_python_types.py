"""Python types as text; classes of pydantic as named types."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from pydantic import BaseModel, Field

from graphagent.graph.python_types import NoType, PythonTypes, literal
from graphagent.graph.type_model import ANY, describe
from graphagent.graph.types import parse_decl, parse_object


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    zip: str | None = None


class Person(BaseModel):
    name: str
    age: Annotated[int, Field(ge=0)] = 18
    homes: list[Place] = Field(default_factory=list)
    work: Place = Place(city="Ghent")
    tags: dict[str, float] = {}
    mood: Literal["good", "bad"] = "good"
    colour: Colour = Colour.RED


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (str, "str"), (int, "int"), (float, "float"), (bool, "bool"), (None, "None"), (Any, "any"), (object, "any"),
        (list, "list[any]"), (dict, "dict[str, any]"), (list[str], "list[str]"), (dict[str, int], "dict[str, int]"),
        (Mapping[str, list[int]], "dict[str, list[int]]"), (str | None, "str | None"), (Optional[int], "int | None"),  # noqa: UP045

        (Union[int, str], "int | str"),  # noqa: UP007
 (Literal["a", 1, True, None], "Literal['a', 1, true, null]"),
        (Literal["it's"], 'Literal["it\'s"]'), (Annotated[int, "x"], "int"), (Colour, "Literal['red', 'blue']"),
        ("list[Doc]", "list[Doc]"), (list["Message"], "list[Message]"),  # type: ignore[name-defined]  # noqa: F821
 (Place, "Place"),
        (list[Place | None], "list[Place | None]"),
    ],
    ids=str,
)  # fmt: skip
def test_types_as_text(given: Any, text: str) -> None:
    types = PythonTypes()
    assert types.type(given) == text
    names = {"Doc": ANY, "Place": ANY, "Message": ANY}
    assert describe(parse_decl(text, names)[0])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((int, 8000), "int = 8000"), ((str, "it's"), 'str = "it\'s"'), ((list[str], []), "list[str] = []"),
        ((bool, False), "bool = false"), ((int | None, None), "int | None = null"), ((float, 1e-7), "float = 1e-07"),
        ((dict[str, Any], {"a": [1, "x\n"]}), "dict[str, any] = {'a': [1, 'x\\n']}"), ((Colour, Colour.RED),
        "Literal['red', 'blue'] = 'red'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_default_is_a_pair(given: Any, text: str) -> None:
    assert PythonTypes().declaration(given) == text
    parsed, default = parse_decl(text, {})
    assert literal(default) == text.partition(" = ")[2]
    assert describe(parsed)


def test_a_class_becomes_a_named_type_with_all_that_it_refers_to() -> None:
    types = PythonTypes()
    assert types.type(list[Person]) == "list[Person]"
    assert types.named == {
        "Person": {
            "name": "str", "age": "int = 18", "homes": "list[Place] = []",
            "work": "Place = {'city': 'Ghent', 'zip': null}", "tags": "dict[str, float] = {}",
            "mood": "Literal['good', 'bad'] = 'good'", "colour": "Literal['red', 'blue'] = 'red'",
        },
        "Place": {"city": "str", "zip": "str | None = null"},
    }  # fmt: skip
    assert types.take_errors() == []
    place = parse_object(types.named["Place"], {}, "Place")
    assert parse_object(types.named["Person"], {"Place": place}, "Person").field("work") is not None


def test_a_mapping_is_an_inline_object_type() -> None:
    found = PythonTypes().type({"bullets": list[str], "at": {"line": (int, 1)}})
    assert found == {"bullets": "list[str]", "at": {"line": "int = 1"}}


@pytest.mark.parametrize(
    "given", [bytes, 5, [], {1, 2}, tuple[int, str], set[int], dict[int, str], (int, 8, 9), ({"a": int}, {}),
              (int, object())],
    ids=lambda given: str(given).partition(" object at ")[0],
)  # fmt: skip
def test_what_is_no_type_is_refused_with_a_hint(given: Any) -> None:
    with pytest.raises(NoType) as caught:
        PythonTypes().declaration(given)
    assert caught.value.hint


def test_a_field_that_is_no_type_is_any_and_told_once() -> None:
    class Blob(BaseModel):
        data: bytes
        size: int

    types = PythonTypes()
    assert types.type(Blob) == "Blob"
    assert types.named == {"Blob": {"data": "any", "size": "int"}}
    assert [error.message for error in types.take_errors()] == ["Blob.data: `bytes` is not a type of the language"]
    assert types.take_errors() == []


def test_two_classes_of_one_name_are_refused() -> None:
    def other() -> type:
        class Place(BaseModel):
            street: str

        return Place

    types = PythonTypes()
    types.type(Place)
    with pytest.raises(NoType, match="two classes are called Place"):
        types.type(other())

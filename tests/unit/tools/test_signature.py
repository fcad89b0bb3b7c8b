"""The signature of a function as JSON Schema; what no model can give is refused by name."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import Field

import graphagent
from graphagent.errors import NodeError
from graphagent.tools.signature import read_signature


class Place(pydantic.BaseModel):
    """A place."""

    city: str
    country: str = "DE"


@dataclasses.dataclass
class Point:
    x: float
    y: float


def weather(
    city: Annotated[str, Field(min_length=2, description="Where")],
    days: Annotated[int, Field(ge=1, le=10)] = 3,
    unit: Literal["c", "f"] = "c",
    place: Place | None = None,
    since: date | None = None,
    *,
    context: graphagent.ToolContext,
    idempotency_key: str,
) -> list[dict[str, float]]:
    """Tell the weather.

    Args:
        city: Said by the annotation already.
        days: So many days ahead.
    """
    return []


def test_annotations_limits_defaults_and_docs_make_the_schema() -> None:
    found = read_signature(weather)
    properties = found.parameters["properties"]
    assert found.description == "Tell the weather."
    assert properties["city"] == {"type": "string", "minLength": 2, "description": "Where"}
    assert properties["days"] == {
        "type": "integer", "minimum": 1, "maximum": 10, "default": 3, "description": "So many days ahead.",
    }  # fmt: skip
    assert properties["unit"] == {"enum": ["c", "f"], "type": "string", "default": "c"}
    assert found.parameters["required"] == ["city"]
    assert found.parameters["additionalProperties"] is False
    assert found.parameters["$defs"]["Place"]["additionalProperties"] is False
    assert found.returns == {
        "items": {"additionalProperties": {"type": "number"}, "type": "object"}, "type": "array",
    }  # fmt: skip
    assert (found.context, found.keyed) == ("context", True)
    assert not {"context", "idempotency_key"} & set(properties)


def test_arguments_become_what_the_annotations_say() -> None:
    given = read_signature(weather).check({"city": "Ulm", "days": "4", "place": {"city": "X"}, "since": "2026-01-02"})
    assert given == {
        "city": "Ulm", "days": 4, "unit": "c", "place": Place(city="X"), "since": date(2026, 1, 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "field", "expected"),
    [
        ({}, "$.city", {"type": "string", "minLength": 2, "description": "Where"}),
        ({"city": "x"}, "$.city", {"type": "string", "minLength": 2, "description": "Where"}),
        ({"city": "Ulm", "unit": "k"}, "$.unit", {"enum": ["c", "f"], "type": "string", "default": "c"}),
        ({"city": "Ulm", "place": {"country": "DE"}}, "$.place.city", None),
        ({"city": "Ulm", "town": "Ulm"}, "$.town", None),
        ({"city": "Ulm", "context": {}}, "$.context", None),
        ({"city": "Ulm", "idempotency_key": "mine"}, "$.idempotency_key", None),
    ],
)
def test_wrong_arguments_name_the_field_and_its_schema(arguments: Any, field: str, expected: Any) -> None:
    with pytest.raises(NodeError) as caught:
        read_signature(weather).check(arguments)
    assert (caught.value.kind, caught.value.cause) == ("invalid_input", "bad_arguments")
    assert caught.value.details["field"] == field
    if expected is not None:
        assert caught.value.details["expected"] == expected


def stars(*words: str) -> Any: ...
def double(**words: str) -> Any: ...
def only(word: str, /) -> Any: ...
def bare(word) -> Any: ...  # type: ignore[no-untyped-def]
def strange(word: Callable[[], int]) -> Any: ...
def lock(word: asyncio.Lock) -> Any: ...
def unknown(word: "Nowhere") -> Any: ...  # type: ignore[name-defined]  # noqa: F821, UP037


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (stars, "`*words`"), (double, "`**words`"), (only, "`word` is positional-only"),
        (bare, "`word` has no annotation"), (strange, "of `word` has no JSON Schema"),
        (lock, "`Lock` of `word` has no JSON Schema"), (unknown, "the type of `word` can't be read: NameError"),
    ],
)  # fmt: skip
def test_a_parameter_that_no_model_can_give_is_named(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(NodeError, match="word") as caught:
        read_signature(function)
    assert said in caught.value.message
    assert caught.value.cause == "bad_signature"
    assert caught.value.hint


def test_names_of_pydantic_itself_are_names_like_others() -> None:
    def tool(copy: str, schema: int, model_config: bool, _private: str = "p") -> Any: ...

    found = read_signature(tool)
    assert list(found.parameters["properties"]) == ["copy", "schema", "model_config", "_private"]
    given = {"copy": "a", "schema": 1, "model_config": True}
    assert found.check(given) == {**given, "_private": "p"}


def test_a_default_that_is_no_plain_data_is_a_default_all_the_same() -> None:
    start = datetime(2026, 1, 1)

    def tool(at: Any = start, where: Point = Point(1, 2)) -> Any: ...  # noqa: B008

    found = read_signature(tool)
    assert found.check({}) == {"at": start, "where": Point(1, 2)}
    assert found.check({"where": {"x": 3, "y": "4"}})["where"] == Point(3.0, 4.0)


def test_objects_that_can_be_called_are_tools_too() -> None:
    class Greeter:
        def __call__(self, name: str) -> str:
            """Greet somebody."""
            return name

    assert read_signature(Greeter()).parameters["required"] == ["name"]

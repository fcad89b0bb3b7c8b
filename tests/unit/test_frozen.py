from __future__ import annotations

import dataclasses

import pytest

from graphagent.frozen import dataclass, replace


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named(Point):
    name: str = ""


def test_replace_gives_a_copy_of_the_same_class() -> None:
    point = Named(1, 2, ("a",), "p")
    moved = replace(point, y=5, name="q")
    assert moved == Named(1, 5, ("a",), "q")
    assert (point.y, type(moved)) == (2, Named)
    assert moved == dataclasses.replace(point, y=5, name="q")


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="Point has no field 'z'"):
        replace(Point(1), z=1)  # type: ignore[call-arg]


def test_a_class_with_a_field_that_init_does_not_take_is_refused() -> None:
    @dataclasses.dataclass(slots=True)
    class Counted:
        x: int
        y: int
        n: int = dataclasses.field(init=False, default=0)

    with pytest.raises(TypeError, match="Counted can't be copied by its fields"):
        replace(Counted(1, 2), x=2)

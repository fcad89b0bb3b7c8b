"""Types seen coarsely: which kinds of plain data their values are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from graphagent.graph.type_model import (
    ANY,
    ARTIFACT,
    FLOAT,
    INT,
    NONE,
    Atom,
    DictOf,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    UnionOf,
    as_object,
    base,
    common,
)

Kind = Literal["number", "text", "bool", "null", "list", "object"]
NUMBER: Final = "number"
TEXT: Final = "text"
YES_NO: Final = "bool"
NULL: Final = "null"
LIST: Final = "list"
OBJECT: Final = "object"

_ATOMS: dict[str, Kind] = {
    "str": TEXT, "int": NUMBER, "float": NUMBER, "bool": YES_NO, "None": NULL, "Artifact": OBJECT,
}  # fmt: skip


def parts(t: Type) -> tuple[Type, ...]:
    """The members of a union, or the type itself."""
    return tuple(part for member in t.members for part in parts(member)) if isinstance(t, UnionOf) else (t,)


def kinds(t: Type) -> frozenset[Kind]:
    """The kinds that values of this type can have; empty for `any`, of which nothing is known."""
    out: set[Kind] = set()
    for part in parts(t):
        if isinstance(part, Atom):
            if part == ANY:
                return frozenset()
            out.add(_ATOMS[part.name])
        elif isinstance(part, LiteralOf):
            out.update(_ATOMS[base(value).name] for value in part.values)
        else:
            out.add(LIST if isinstance(part, ListOf) else OBJECT)
    return frozenset(out)


def item_type(t: Type) -> Type:
    """The type of the items of a list type (of all list types in a union)."""
    return common(part.item for part in parts(t) if isinstance(part, ListOf))


def number_type(types: Sequence[Type]) -> Type:
    """The type of an arithmetic result: `int` of ints, `float` with a float, `any` if that isn't known."""
    numbers = [_number(t) for t in types]
    if FLOAT in numbers:
        return FLOAT
    return INT if all(t == INT for t in numbers) else ANY


def _number(t: Type) -> Type:
    """`int`, `float` (of a union of both too) or `any`."""
    found = {base(value) for part in parts(t) if isinstance(part, LiteralOf) for value in part.values}
    found |= {part for part in parts(t) if isinstance(part, Atom)}
    if ANY in found:
        return ANY
    return FLOAT if FLOAT in found else INT


def scalars(t: Type) -> dict[tuple[bool, object], str | int | float | bool | None] | None:
    """All values of a type, by (is a bool, value); None unless it consists of literals and null."""
    out: dict[tuple[bool, object], str | int | float | bool | None] = {}
    for part in parts(t):
        if part == NONE:
            out[(False, None)] = None
        elif isinstance(part, LiteralOf):
            out.update({(isinstance(value, bool), value): value for value in part.values})
        else:
            return None
    return out


def fields_of(t: Type, name: str | None) -> tuple[list[Type], list[ObjectOf]]:
    """The types that a field has in the objects of a type, and the objects without it. None: all fields."""
    found: list[Type] = []
    lacking: list[ObjectOf] = []
    for part in parts(t):
        if isinstance(part, DictOf):
            found.append(part.value)
        elif isinstance(part, ObjectOf) or part == ARTIFACT:
            item = as_object(part)
            if name is None:
                found += [f.type for f in item.fields]
            elif (f := item.field(name)) is not None:
                found.append(f.type)
            else:
                lacking.append(item)
    return found, lacking

"""The closed set of types, and what can be said about them without a value.

    Atom      str int float bool any None Artifact
    ListOf    list[T]              DictOf     dict[str, T]
    LiteralOf Literal['a', 'b']    UnionOf    A | B
    ObjectOf  { field: T, ... }    closed; `Message` and `Error` are predefined

Types are trees of bounded size (see `type_syntax`), so everything here may recurse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphagent.errors import ERROR_KINDS
from graphagent.snapshot import UNSET


@dataclass(frozen=True, slots=True)
class Atom:
    """One of `str int float bool any None Artifact`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of `item`."""

    item: Type


@dataclass(frozen=True, slots=True)
class DictOf:
    """A mapping from text to `value`, with any keys."""

    value: Type


@dataclass(frozen=True, slots=True, eq=False)
class LiteralOf:
    """One of these scalars. `1`, `1.0` and `true` are three different ones."""

    values: tuple[str | int | float | bool | None, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiteralOf) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[tuple[type, Any], ...]:
        return tuple((type(v), v) for v in self.values)


@dataclass(frozen=True, slots=True)
class UnionOf:
    """One of `members`, of which there are at least two."""

    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; `default` is UNSET where it is required."""

    name: str
    type: Type
    default: Any = field(default=UNSET, hash=False)


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object with exactly these fields. `name` is how the author calls it, if it has a name."""

    fields: tuple[Field, ...]
    name: str | None = None

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)


Type: TypeAlias = Atom | ListOf | DictOf | LiteralOf | UnionOf | ObjectOf

STR, INT, FLOAT, BOOL = Atom("str"), Atom("int"), Atom("float"), Atom("bool")
ANY, NONE, ARTIFACT = Atom("any"), Atom("None"), Atom("Artifact")
ATOMS = {atom.name: atom for atom in (STR, INT, FLOAT, BOOL, ANY, NONE, ARTIFACT)}

_TEXT_OR_NONE = UnionOf((STR, NONE))

ARTIFACT_FIELDS = ObjectOf(
    (Field("id", STR), Field("media_type", STR), Field("size", INT), Field("name", _TEXT_OR_NONE, None)), "Artifact"
)
"""What an `Artifact` looks like as data."""

Message = ObjectOf(
    (
        Field("id", _TEXT_OR_NONE, None),
        Field("role", LiteralOf(("system", "user", "assistant", "tool"))),
        Field("content", ANY),  # text, or a list of parts
        Field("tool_calls", ListOf(DictOf(ANY)), []),
        Field("tool_call_id", _TEXT_OR_NONE, None),
        Field("name", _TEXT_OR_NONE, None),
        Field("meta", DictOf(ANY), {}),
    ),
    "Message",
)
Error = ObjectOf(
    (
        Field("kind", LiteralOf(ERROR_KINDS)),
        Field("cause", _TEXT_OR_NONE),
        Field("message", STR),
        Field("node", STR),
        Field("attempt", INT),
        Field("retryable", BOOL),
        Field("hint", _TEXT_OR_NONE),
    ),
    "Error",
)
PREDEFINED: dict[str, Type] = {**ATOMS, "Message": Message, "Error": Error}

_LITERAL_BASES: dict[type, Atom] = {str: STR, bool: BOOL, int: INT, float: FLOAT, type(None): NONE}
_MOST_LITERALS = 64


def base(value: str | int | float | bool | None) -> Atom:
    """The type of a scalar."""
    return _LITERAL_BASES[type(value)]


def members(t: Type) -> Iterator[Type]:
    """The types of which a value has one: a union's members, each value of a literal, else the type itself."""
    if isinstance(t, UnionOf):
        for member in t.members:
            yield from members(member)
    elif isinstance(t, LiteralOf):
        for value in t.values:
            yield NONE if value is None else LiteralOf((value,))
    else:
        yield t


def union(types: Iterable[Type]) -> Type:
    """`A | B | ...` without repetitions, in the order given; literals become one. `any` takes in all others."""
    out: dict[Type | None, None] = {}
    literals: dict[tuple[type, Any], None] = {}
    for t in types:
        for member in t.members if isinstance(t, UnionOf) else (t,):
            if member == ANY:
                return ANY
            if isinstance(member, LiteralOf):
                literals.update(dict.fromkeys((type(v), v) for v in member.values))
                out[None] = None  # keeps their place
            else:
                out[member] = None
    joined = LiteralOf(tuple(value for _, value in literals))
    parts = tuple(joined if member is None else member for member in out)
    return parts[0] if len(parts) == 1 else UnionOf(parts)


def without_none(t: Type) -> Type:
    """The type without null; `None` itself becomes `any`, since nothing is known of it then."""
    if t == NONE:
        return ANY
    if isinstance(t, LiteralOf):
        left = tuple(v for v in t.values if v is not None)
        return LiteralOf(left) if left else ANY
    if not isinstance(t, UnionOf):
        return t
    kept = [without_none(member) for member in t.members if member != NONE and member != LiteralOf((None,))]
    return union(kept) if kept else ANY


def has_none(t: Type) -> bool:
    """Whether null is one of the values. `any` doesn't say so."""
    return any(member == NONE for member in members(t))


def widen(t: Type) -> Type:
    """The type without literals: `Literal['a']` becomes `str`, inside lists and objects too."""
    if isinstance(t, LiteralOf):
        return union(dict.fromkeys(base(value) for value in t.values))
    if isinstance(t, UnionOf):
        return union(widen(member) for member in t.members)
    if isinstance(t, ListOf):
        return ListOf(widen(t.item))
    if isinstance(t, DictOf):
        return DictOf(widen(t.value))
    if isinstance(t, ObjectOf) and t.name is None:
        return ObjectOf(tuple(Field(f.name, widen(f.type), f.default) for f in t.fields))
    return t


def common(types: Iterable[Type]) -> Type:
    """The narrowest simple type that takes values of all of these; `any` for none of them."""
    literals: dict[tuple[type, Any], None] = {}
    others: list[Type] = []
    for t in types:
        if t == ANY:
            return ANY
        for part in t.members if isinstance(t, UnionOf) else (t,):
            if isinstance(part, LiteralOf):
                literals.update(dict.fromkeys((type(v), v) for v in part.values))
            elif not any(assignable(part, other) for other in others):
                others = [other for other in others if not assignable(other, part)] + [part]
                if len(others) > _MOST_LITERALS:
                    return ANY
    left = tuple(v for kind, v in literals if not any(assignable(LiteralOf((v,)), other) for other in others))
    if len(left) > _MOST_LITERALS:
        others += [t for t in dict.fromkeys(base(v) for v in left) if t not in others]
    elif left:
        others.insert(0, LiteralOf(left))
    return union(others) if others else ANY


def assignable(source: Type, target: Type) -> bool:
    """Whether a value of `source` may go where `target` is declared. `any` fits both ways."""
    if source == ANY or target == ANY or source is target:
        return True
    if isinstance(source, UnionOf):
        return all(assignable(member, target) for member in source.members)
    if isinstance(source, LiteralOf):
        return all(_takes_literal(value, target) for value in source.values)
    if isinstance(target, UnionOf):
        return any(assignable(source, member) for member in target.members)
    if isinstance(source, ListOf):
        return isinstance(target, ListOf) and assignable(source.item, target.item)
    if isinstance(source, DictOf):
        return isinstance(target, DictOf) and assignable(source.value, target.value)
    if isinstance(source, ObjectOf) or source == ARTIFACT:
        return source == target or _object_fits(as_object(source), target)
    return source == target or (source == INT and target == FLOAT)


def as_object(t: Type) -> ObjectOf:
    """The fields of an object type, or of an artifact."""
    return t if isinstance(t, ObjectOf) else ARTIFACT_FIELDS


def _takes_literal(value: Any, target: Type) -> bool:
    if isinstance(target, UnionOf):
        return any(_takes_literal(value, member) for member in target.members)
    if isinstance(target, LiteralOf):
        return any(type(v) is type(value) and v == value for v in target.values)
    return assignable(base(value), target)


def _object_fits(source: ObjectOf, target: Type) -> bool:
    if isinstance(target, DictOf):
        return all(assignable(f.type, target.value) for f in source.fields)
    if not isinstance(target, ObjectOf) and target != ARTIFACT:
        return False
    wanted = {f.name: f for f in as_object(target).fields}
    given = {f.name: f for f in source.fields}
    if any(name not in wanted for name in given):
        return False
    for name, f in wanted.items():
        if name in given:
            if not assignable(given[name].type, f.type):
                return False
        elif f.default is UNSET:
            return False
    return True


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def show_literal(value: Any) -> str:
    """A value as the language writes it: `'text'`, `true`, `[1, 2]`, `{'a': null}`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(show_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {show_literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def describe(t: Type) -> str:
    """The type as its author would write it; an object without a name as `{ a: str }`."""
    if isinstance(t, Atom):
        return t.name
    if isinstance(t, ListOf):
        return f"list[{describe(t.item)}]"
    if isinstance(t, DictOf):
        return f"dict[str, {describe(t.value)}]"
    if isinstance(t, LiteralOf):
        return f"Literal[{', '.join(map(show_literal, t.values))}]"
    if isinstance(t, UnionOf):
        return " | ".join(describe(member) for member in t.members)
    if t.name is not None:
        return t.name
    return "{ " + ", ".join(_describe_field(f) for f in t.fields) + " }" if t.fields else "{}"


def _describe_field(f: Field) -> str:
    name = f.name if _PLAIN.fullmatch(f.name) else repr(f.name)
    return f"{name}: {describe(f.type)}" + ("" if f.default is UNSET else f" = {show_literal(f.default)}")

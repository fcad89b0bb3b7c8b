"""What the functions of the language take and give, for static typing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphagent.graph.kinds import (
    LIST,
    NUMBER,
    OBJECT,
    TEXT,
    YES_NO,
    Kind,
    fields_of,
    item_type,
    number_type,
)
from graphagent.graph.type_model import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    STR,
    DictOf,
    Field,
    ListOf,
    ObjectOf,
    Type,
    common,
    widen,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kinds` None takes everything. `items` are the kinds of a list's items; `alike`: all of one kind."""

    what: str
    kinds: frozenset[Kind] | None = None
    items: frozenset[Kind] | None = None
    alike: bool = False
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """`fixed`: the result is the same type whatever the arguments are."""

    parameters: tuple[Parameter, ...]
    result: Callable[[list[Type]], Type]
    fixed: bool = False


def _takes(what: str, *allowed: Kind) -> Parameter:
    return Parameter(what, frozenset(allowed))


def _list_of(what: str, *items: Kind, alike: bool = False, hint: str | None = None) -> Parameter:
    return Parameter(what, frozenset({LIST}), frozenset(items) or None, alike, hint)


def _gives(t: Type, *parameters: Parameter) -> Signature:
    return Signature(parameters, lambda types: t, fixed=True)


def _widened_item(types: list[Type]) -> Type:
    return widen(item_type(types[0]))


def _item(types: list[Type]) -> Type:
    return item_type(types[0])


def _sum(types: list[Type]) -> Type:
    return number_type([item_type(types[0])])


def _number(types: list[Type]) -> Type:
    return number_type(types[:1])


def _rounded(types: list[Type]) -> Type:
    return INT if len(types) == 1 else number_type(types[:1])


def _same_list(types: list[Type]) -> Type:
    return ANY if types[0] == ANY else ListOf(item_type(types[0]))


def _values(types: list[Type]) -> Type:
    return ListOf(common(fields_of(types[0], None)[0]))


def _merged(types: list[Type]) -> Type:
    a, b = types
    if isinstance(a, ObjectOf) and isinstance(b, ObjectOf):
        fields = {f.name: Field(f.name, f.type) for t in (a, b) for f in t.fields}
        return ObjectOf(tuple(fields.values()))
    if a == ANY or b == ANY:
        return ANY
    return DictOf(common([*fields_of(a, None)[0], *fields_of(b, None)[0]]))


_TEXT = _takes("text", TEXT)
_NUMBER = _takes("a number", NUMBER)
_OBJECT = _takes("an object", OBJECT)
_SOME_LIST = _list_of("a list")
_ORDERED = _list_of("a list of numbers, or of texts", NUMBER, TEXT, alike=True)
_BOOLS = _list_of("a list of bools", YES_NO, hint="`[x > 0 for x in xs]`")

SIGNATURES: dict[str, Signature] = {
    "len": _gives(INT, _takes("a list, an object or text", LIST, OBJECT, TEXT)),
    "str": _gives(STR, _takes("a value that isn't null", NUMBER, TEXT, YES_NO, LIST, OBJECT)),
    "int": _gives(INT, _takes("a number or text", NUMBER, TEXT)),
    "float": _gives(FLOAT, _takes("a number or text", NUMBER, TEXT)),
    "bool": _gives(BOOL, _takes("'true', 'false' or a bool", TEXT, YES_NO)),
    "hash": _gives(STR, Parameter("anything")),
    "min": Signature((_ORDERED,), _widened_item),
    "max": Signature((_ORDERED,), _widened_item),
    "sum": Signature((_list_of("a list of numbers", NUMBER),), _sum),
    "abs": Signature((_NUMBER,), _number),
    "round": Signature((_NUMBER, _takes("an int", NUMBER)), _rounded),
    "any": _gives(BOOL, _BOOLS),
    "all": _gives(BOOL, _BOOLS),
    "sorted": Signature((_SOME_LIST, _TEXT), _same_list),
    "first": Signature((_SOME_LIST,), _item),
    "last": Signature((_SOME_LIST,), _item),
    "keys": _gives(ListOf(STR), _OBJECT),
    "values": Signature((_OBJECT,), _values),
    "merge": Signature((_OBJECT, _OBJECT), _merged),
    "contains": _gives(BOOL, _takes("a list or text", LIST, TEXT), Parameter("anything")),
    "startswith": _gives(BOOL, _TEXT, _TEXT),
    "endswith": _gives(BOOL, _TEXT, _TEXT),
    "lower": _gives(STR, _TEXT),
    "upper": _gives(STR, _TEXT),
    "join": _gives(STR, _list_of("a list of texts", TEXT, hint="`join([str(x) for x in xs], ', ')`"), _TEXT),
    "split": _gives(ListOf(STR), _TEXT, _TEXT),
}
"""`has` and `default` are typed with the paths that they take."""

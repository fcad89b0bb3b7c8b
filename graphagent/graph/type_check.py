"""Whether a value has a type, as closures that are made once per type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphagent.errors import GraphAgentError
from graphagent.graph.suggest import suggest
from graphagent.graph.type_model import (
    ARTIFACT_FIELDS,
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
    describe,
    show_literal,
)
from graphagent.snapshot import UNSET

Check = Callable[[Any], Any]

_LOW, _HIGH = -(1 << 63), (1 << 63) - 1
_INFINITY = float("inf")
_KINDS = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null", list: "a list", dict: "an object"}


class TypeMismatch(GraphAgentError):
    """A value doesn't have the type. `path` is where in it, such as `$.items[3].id`."""

    def __init__(self, path: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}", hint=hint)
        self.path = path
        self.message = message


class _Misfit(Exception):
    """What is wrong with a part of the value; the path is added on the way up, last step first."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.steps: list[str] = []


def check(t: Type, value: Any, path: str = "$") -> Any:
    """The value with the defaults of object fields filled in and `int` made `float` where that is declared.

    The result may share parts with `value`, which isn't changed.

    Raises:
        TypeMismatch: the value doesn't fit; its path starts with `path`.
    """
    try:
        return _check(t)(value)
    except _Misfit as misfit:
        raise TypeMismatch(path + "".join(reversed(misfit.steps)), misfit.message, hint=misfit.hint) from None


def checker(t: Type) -> Check:
    """`check` for one type, made once and fast."""
    inner = _check(t)

    def checked(value: Any) -> Any:
        try:
            return inner(value)
        except _Misfit as misfit:
            raise TypeMismatch("$" + "".join(reversed(misfit.steps)), misfit.message, hint=misfit.hint) from None

    return _CHECKERS.get(t.name, checked) if isinstance(t, Atom) else checked


def kind_name(value: Any) -> str:
    """What a value is, in words: `str`, `null`, `an object`."""
    return _KINDS.get(type(value), f"a Python {type(value).__name__}")


def _show(value: Any) -> str:
    if type(value) in (list, dict) or type(value) not in _KINDS:
        return kind_name(value)
    if isinstance(value, int) and not _LOW <= value <= _HIGH:
        return "an int of more than 64 bits"
    text = show_literal(value if not isinstance(value, str) else value[:40])
    return text if value is None else f"{kind_name(value)} {text}" + ("..." if len(text) > 41 else "")


def _wrong(expected: str, value: Any) -> _Misfit:
    return _Misfit(f"{expected} is expected, this is {_show(value)}")


def _check(t: Type) -> Check:
    if isinstance(t, Atom):
        return _ATOMS[t.name]
    if isinstance(t, ListOf):
        return _list_check(t)
    if isinstance(t, DictOf):
        return _dict_check(t)
    if isinstance(t, LiteralOf):
        return _literal_check(t)
    if isinstance(t, UnionOf):
        return _union_check(t)
    return _object_check(t)


def _check_any(value: Any) -> Any:
    return value


def _check_none(value: Any) -> Any:
    if value is None:
        return value
    raise _wrong("null", value)


def _check_str(value: Any) -> Any:
    if type(value) is str:
        return value
    raise _wrong("str", value)


def _check_int(value: Any) -> Any:
    if type(value) is int and _LOW <= value <= _HIGH:
        return value
    raise _wrong("int", value)


def _check_float(value: Any) -> Any:
    if type(value) is float and -_INFINITY < value < _INFINITY:
        return value
    if type(value) is int and _LOW <= value <= _HIGH:
        return float(value)
    raise _wrong("float", value)


def _check_bool(value: Any) -> Any:
    if value is True or value is False:
        return value
    raise _wrong("bool", value)


def _check_artifact(value: Any) -> Any:
    if type(value) is not dict:
        raise _wrong("Artifact", value)
    return _ARTIFACT(value)


def _list_check(t: ListOf) -> Check:
    item = _check(t.item)
    expected = describe(t)

    def check_list(value: Any) -> Any:
        if type(value) is not list:
            raise _wrong(expected, value)
        if item is _check_any:
            return value
        out: list[Any] = []
        add = out.append
        try:
            for part in value:
                add(item(part))
        except _Misfit as misfit:
            misfit.steps.append(f"[{len(out)}]")
            raise
        return out

    return check_list


def _dict_check(t: DictOf) -> Check:
    item = _check(t.value)
    expected = describe(t)

    def check_dict(value: Any) -> Any:
        if type(value) is not dict:
            raise _wrong(expected, value)
        out = {}
        for key, part in value.items():
            if type(key) is not str:
                raise _Misfit(f"keys are text, this one is {_show(key)}")
            try:
                out[key] = item(part)
            except _Misfit as misfit:
                misfit.steps.append(f".{key}")
                raise
        return out

    return check_dict


def _literal_check(t: LiteralOf) -> Check:
    allowed = frozenset((type(v), v) for v in t.values)
    expected = " or ".join(map(show_literal, t.values)) if len(t.values) < 6 else describe(t)
    words = [v for v in t.values if isinstance(v, str)]

    def check_literal(value: Any) -> Any:
        kind = type(value)
        if kind in _KINDS and kind is not list and kind is not dict and (kind, value) in allowed:
            return value
        misfit = _wrong(expected, value)
        meant = suggest(value, words) if kind is str else None
        misfit.hint = meant and f"did you mean `{show_literal(meant)}`?"
        raise misfit

    return check_literal


def _union_check(t: UnionOf) -> Check:
    # An int stays an int where one is allowed: what turns it into a float is tried last.
    checks = [(m, _check(m)) for m in t.members if m != FLOAT] + [(m, _check(m)) for m in t.members if m == FLOAT]
    none, others = NONE in t.members, [pair for pair in checks if pair[0] != NONE]
    expected = describe(t)

    def check_union(value: Any) -> Any:
        if none and value is None:
            return value
        misfits: list[tuple[Type, _Misfit]] = []
        for member, part in others:
            try:
                return part(value)
            except _Misfit as misfit:
                misfits.append((member, misfit))
        near = _nearest(misfits, value)
        raise near if near else _wrong(expected, value)

    return check_union


def _nearest(misfits: Sequence[tuple[Type, _Misfit]], value: Any) -> _Misfit | None:
    """The complaint of the only member of the value's kind, which tells more than the union's own."""
    if type(value) is list:
        same = [misfit for member, misfit in misfits if isinstance(member, ListOf)]
    elif type(value) is dict:
        same = [misfit for member, misfit in misfits if isinstance(member, DictOf | ObjectOf)]
    else:
        same = [misfit for member, misfit in misfits if isinstance(member, LiteralOf)] if len(misfits) == 1 else []
    return same[0] if len(same) == 1 else None


def _object_check(t: ObjectOf) -> Check:
    fields = tuple((f.name, _check(f.type), f.default) for f in t.fields)
    names = frozenset(f.name for f in t.fields)
    expected = describe(t) if t.name else "an object"

    def check_object(value: Any) -> Any:
        if type(value) is not dict:
            raise _wrong(expected, value)
        out = {}
        name = ""
        try:
            for name, part, default in fields:
                if name in value:
                    out[name] = part(value[name])
                elif default is not UNSET:
                    out[name] = default
                else:
                    raise _Misfit("is missing")
        except _Misfit as misfit:
            misfit.steps.append(f".{name}")
            raise
        if not value.keys() <= names:
            raise _unknown_field(value, names, expected)
        return out

    return check_object


def _unknown_field(value: dict[Any, Any], names: frozenset[str], expected: str) -> _Misfit:
    unknown = next(key for key in value if key not in names)
    meant = suggest(unknown, names) if type(unknown) is str else None
    what = f"{expected} has" if expected != "an object" else "there is"
    fields = ", ".join(sorted(names)) or "none"
    hint = f"did you mean `{meant}`?" if meant else f"the fields are: {fields}"
    return _Misfit(f"{what} no field {show_literal(unknown) if type(unknown) is str else _show(unknown)}", hint)


_ATOMS: dict[str, Check] = {
    "any": _check_any, "None": _check_none, "str": _check_str, "int": _check_int, "float": _check_float,
    "bool": _check_bool, "Artifact": _check_artifact,
}  # fmt: skip
_ARTIFACT = _object_check(ARTIFACT_FIELDS)


def _fast(kind: type, slow: Check) -> Check:
    """A check without a second call for the common case."""

    def fast(value: Any) -> Any:
        if type(value) is kind:
            return value
        return _place(slow, value)

    return fast


def _place(slow: Check, value: Any) -> Any:
    try:
        return slow(value)
    except _Misfit as misfit:
        raise TypeMismatch("$", misfit.message, hint=misfit.hint) from None


def _fast_number(kind: type[int] | type[float], slow: Check, low: float, high: float) -> Check:
    def fast(value: Any) -> Any:
        if type(value) is kind and low <= value <= high:
            return value
        return _place(slow, value)

    return fast


_LARGEST = 1.7976931348623157e308
_CHECKERS: dict[str, Check] = {
    "any": _check_any,
    "str": _fast(str, _check_str),
    "bool": _fast(bool, _check_bool),
    INT.name: _fast_number(int, _check_int, _LOW, _HIGH),
    FLOAT.name: _fast_number(float, _check_float, -_LARGEST, _LARGEST),
}

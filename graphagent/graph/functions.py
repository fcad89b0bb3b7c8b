"""What the functions of the language do. `has` and `default` are special forms of the evaluator."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from graphagent.graph.expression_errors import Failure
from graphagent.graph.plain import (
    MAX_RESULT,
    Budget,
    add,
    check_sortable,
    contains,
    encoded,
    is_number,
    kind,
    made_list,
    made_text,
    number,
    room_for,
    spend_size,
    spend_steps,
    text_of,
    too_large,
)

Function = Callable[[list[Any], Budget], Any]

_INT = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[+-]?(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?\s*", re.ASCII)
_MOST_DIGITS = 300


def _list(value: Any, function: str) -> list[Any]:
    if type(value) is not list:
        raise Failure(f"`{function}` takes a list, this is {kind(value)}")
    return value


def _text(value: Any, function: str) -> str:
    if type(value) is not str:
        hint = "make text of it: `str(x)`" if is_number(value) or type(value) is bool else None
        raise Failure(f"`{function}` takes text, this is {kind(value)}", hint)
    return value


def _object(value: Any, function: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Failure(f"`{function}` takes an object, this is {kind(value)}")
    return value


def _items(value: Any, function: str, budget: Budget) -> list[Any]:
    """A list that the function walks over."""
    items = _list(value, function)
    spend_steps(budget, len(items))
    return items


def _not_empty(items: list[Any], function: str) -> list[Any]:
    if not items:
        raise Failure(f"`{function}` of an empty list", f"`{function}(xs) if len(xs) > 0 else ...`")
    return items


def _len(args: list[Any], budget: Budget) -> Any:
    value = args[0]
    if type(value) is list or type(value) is str or type(value) is dict:
        return len(value)
    raise Failure(f"{kind(value)} has no length", "`len` takes a list, an object or text")


def _str(args: list[Any], budget: Budget) -> Any:
    return text_of(args[0], budget)


def _int(args: list[Any], budget: Budget) -> Any:
    value = args[0]
    if is_number(value):
        return number(int(value))
    if type(value) is str and _INT.fullmatch(value):
        return number(int(value))
    raise Failure(_no_conversion(value, "int"))


def _float(args: list[Any], budget: Budget) -> Any:
    value = args[0]
    if is_number(value):
        return number(float(value))
    if type(value) is str and _FLOAT.fullmatch(value):
        return number(float(value))
    raise Failure(_no_conversion(value, "float"))


def _no_conversion(value: Any, to: str) -> str:
    if type(value) is str:
        return f"{value[:40]!r} is no {to}"
    return f"`{to}` takes a number or text, this is {kind(value)}"


def _bool(args: list[Any], budget: Budget) -> Any:
    value = args[0]
    if type(value) is bool:
        return value
    if type(value) is str and value in ("true", "false"):
        return value == "true"
    shown = f"{value[:40]!r}" if type(value) is str else kind(value)
    raise Failure(f"`bool` takes 'true', 'false' or a bool, this is {shown}", "compare instead: `x != 0`, `x != ''`")


def _hash(args: list[Any], budget: Budget) -> Any:
    return hashlib.sha256(encoded(args[0], budget)).hexdigest()


def _min(args: list[Any], budget: Budget) -> Any:
    items = _not_empty(_items(args[0], "min", budget), "min")
    check_sortable(items, "`min`", budget)
    return min(items)


def _max(args: list[Any], budget: Budget) -> Any:
    items = _not_empty(_items(args[0], "max", budget), "max")
    check_sortable(items, "`max`", budget)
    return max(items)


def _sum(args: list[Any], budget: Budget) -> Any:
    """A left fold, so that rounding is the same in every version of Python."""
    total: Any = 0
    for item in _items(args[0], "sum", budget):
        if not is_number(item):
            raise Failure(f"`sum` takes numbers, {kind(item)} is none")
        total = add(total, item, budget)
    return total


def _abs(args: list[Any], budget: Budget) -> Any:
    if not is_number(args[0]):
        raise Failure(f"`abs` takes a number, this is {kind(args[0])}")
    return number(abs(args[0]))


def _round(args: list[Any], budget: Budget) -> Any:
    value, digits = args[0], args[1] if len(args) > 1 else None
    if not is_number(value):
        raise Failure(f"`round` takes a number, this is {kind(value)}")
    if digits is None:
        return number(round(value))
    if type(digits) is not int or abs(digits) > _MOST_DIGITS:
        raise Failure(f"the digits of `round` are an int from -{_MOST_DIGITS} to {_MOST_DIGITS}")
    try:
        return number(round(value, digits))
    except OverflowError:
        raise Failure("the result is too large for a float") from None


def _any(args: list[Any], budget: Budget) -> Any:
    return any(_bools(args[0], "any", budget))


def _all(args: list[Any], budget: Budget) -> Any:
    return all(_bools(args[0], "all", budget))


def _bools(value: Any, function: str, budget: Budget) -> list[Any]:
    items = _items(value, function, budget)
    for item in items:
        if type(item) is not bool:
            raise Failure(f"`{function}` takes bools, {kind(item)} is none", f"`{function}([x > 0 for x in xs])`")
    return items


def _sorted(args: list[Any], budget: Budget) -> Any:
    items = _items(args[0], "sorted", budget)
    if len(args) == 1:
        check_sortable(items, "`sorted`", budget)
        return made_list(sorted(items), budget)
    field = _text(args[1], "sorted")
    keys = []
    for item in items:
        if type(item) is not dict or field not in item:
            what = "an item" if type(item) is dict else kind(item)
            raise Failure(f"`sorted` by {field[:40]!r}: {what} has no such field")
        keys.append(item[field])
    check_sortable(keys, f"`sorted` by {field[:40]!r}", budget)
    order = sorted(range(len(items)), key=keys.__getitem__)
    return made_list([items[i] for i in order], budget)


def _first(args: list[Any], budget: Budget) -> Any:
    return _not_empty(_list(args[0], "first"), "first")[0]


def _last(args: list[Any], budget: Budget) -> Any:
    return _not_empty(_list(args[0], "last"), "last")[-1]


def _keys(args: list[Any], budget: Budget) -> Any:
    mapping = _object(args[0], "keys")
    spend_steps(budget, len(mapping))
    return made_list(sorted(mapping), budget)


def _values(args: list[Any], budget: Budget) -> Any:
    mapping = _object(args[0], "values")
    spend_steps(budget, len(mapping))
    return made_list([mapping[key] for key in sorted(mapping)], budget)


def _merge(args: list[Any], budget: Budget) -> Any:
    a, b = _object(args[0], "merge"), _object(args[1], "merge")
    room_for(2 * (len(a) + len(b)), budget)
    return {**a, **b}


def _contains(args: list[Any], budget: Budget) -> Any:
    if type(args[0]) is not list and type(args[0]) is not str:
        raise Failure(f"`contains` takes a list or text, this is {kind(args[0])}", "for a key: `'name' in x`")
    return contains(args[0], args[1], budget)


def _startswith(args: list[Any], budget: Budget) -> Any:
    return _text(args[0], "startswith").startswith(_text(args[1], "startswith"))


def _endswith(args: list[Any], budget: Budget) -> Any:
    return _text(args[0], "endswith").endswith(_text(args[1], "endswith"))


def _lower(args: list[Any], budget: Budget) -> Any:
    return made_text(_short(args[0], "lower").lower(), budget)


def _upper(args: list[Any], budget: Budget) -> Any:
    return made_text(_short(args[0], "upper").upper(), budget)


def _short(value: Any, function: str) -> str:
    text = _text(value, function)
    if len(text) > MAX_RESULT:
        raise too_large()
    return text


def _join(args: list[Any], budget: Budget) -> Any:
    items, separator = _items(args[0], "join", budget), _text(args[1], "join")
    size = len(separator) * max(0, len(items) - 1)
    for item in items:
        if type(item) is not str:
            raise Failure(f"`join` takes texts, {kind(item)} is none", "`join([str(x) for x in xs], ', ')`")
        size += len(item)
    if size > MAX_RESULT:
        raise too_large()
    spend_size(budget, size)
    return separator.join(items)


def _split(args: list[Any], budget: Budget) -> Any:
    text, separator = _text(args[0], "split"), _text(args[1], "split")
    if not separator:
        raise Failure("the separator of `split` is empty")
    spend_size(budget, len(text))
    room_for(text.count(separator) + 1, budget)
    return text.split(separator)


FUNCTIONS: dict[str, Function] = {
    "len": _len, "str": _str, "int": _int, "float": _float, "bool": _bool, "hash": _hash, "min": _min, "max": _max,
    "sum": _sum, "abs": _abs, "round": _round, "any": _any, "all": _all, "sorted": _sorted, "first": _first,
    "last": _last, "keys": _keys, "values": _values, "merge": _merge, "contains": _contains,
    "startswith": _startswith, "endswith": _endswith, "lower": _lower, "upper": _upper, "join": _join,
    "split": _split,
}  # fmt: skip

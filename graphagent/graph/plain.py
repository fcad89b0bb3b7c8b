"""Operations on plain JSON data, with a budget: what expressions are made of.

A budget is a list `[steps, size]` of what is left: steps are counted where Python code walks over items, size
(roughly bytes) where values are made or read in depth. Values that expressions make share their parts, so a
small one can stand for a huge tree: nothing here walks a value without paying for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, Final

from graphagent.codec import encode
from graphagent.errors import CodecError
from graphagent.graph.expression_errors import Failure

Budget = list[Any]

MAX_STEPS: Final = 10_000
MAX_RESULT: Final = 1 << 20
MAX_WORK: Final = 8 * MAX_RESULT
"""The size of all that one evaluation makes or reads in depth."""
MAX_ITEMS: Final = MAX_RESULT // 2
"""A longer list can't be encoded in MAX_RESULT bytes."""
_MAX_NESTING = 200  # the codec's limit
_ITEM_SIZE = 8
_LONG = 4_096
"""Comparing shorter texts is free."""
_INT_LIMIT = 1 << 63
_INFINITY = float("inf")

_KINDS = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null", list: "a list", dict: "an object"}
_COMPARABLE = {str: "text", int: "number", float: "number", bool: "bool", list: "list", dict: "object"}


def kind(value: Any) -> str:
    """What a value is, in words.

    Raises:
        Failure: it is no plain data.
    """
    found = _KINDS.get(type(value))
    if found is None:
        raise Failure(f"a Python {type(value).__name__} is not plain data")
    return found


def is_number(value: Any) -> bool:
    """Whether it is an int or a float; a bool is no number."""
    return type(value) is int or type(value) is float


def spend_steps(budget: Budget, steps: int) -> None:
    """Pay for walking over that many items."""
    budget[0] -= steps
    if budget[0] < 0:
        raise Failure(f"the expression takes more than {MAX_STEPS:,} steps", "do it in a code node")


def spend_size(budget: Budget, size: int) -> None:
    """Pay for making or reading that many bytes."""
    budget[1] -= size
    if budget[1] < 0:
        raise Failure("the expression makes or compares too much data", "do it in a code node")


def made_text(text: str, budget: Budget) -> str:
    """Pay for a text that was made from others."""
    if len(text) > MAX_RESULT:
        raise too_large()
    spend_size(budget, len(text))
    return text


def made_list(items: list[Any], budget: Budget) -> list[Any]:
    """Pay for a list that was made; its items are paid for by whoever made them."""
    if len(items) > MAX_ITEMS:
        raise too_large()
    spend_size(budget, len(items) * _ITEM_SIZE)
    return items


def room_for(items: int, budget: Budget) -> None:
    """Refuse a list of that many items before it is made."""
    if items > MAX_ITEMS:
        raise too_large()
    spend_size(budget, items * _ITEM_SIZE)


def too_large() -> Failure:
    return Failure("the result is larger than 1 MiB", "large data belongs into an artifact or a code node")


def measure(value: Any, limit: int) -> int:
    """How many bytes the canonical encoding has, counted up to a little over `limit`.

    Raises:
        Failure: something in it is no plain data, or it is nested too deeply.
    """
    return _measure(value, limit, 0, {})


def _measure(value: Any, limit: int, nesting: int, known: dict[int, int]) -> int:
    """`known` has the sizes of lists and objects by identity: what is shared is walked once and counts each time."""
    t = type(value)
    if t is str:
        size = len(value) + 2
        return size if size > limit else len(encode_basestring(value).encode("utf-8", "surrogatepass"))
    if t is list or t is dict:
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = _measure_items(value, limit, nesting, known)
        return found
    if value is None or value is True:
        return 4
    if value is False:
        return 5
    kind(value)
    return len(repr(value))


def _measure_items(value: Any, limit: int, nesting: int, known: dict[int, int]) -> int:
    if nesting > _MAX_NESTING:
        raise Failure(f"the value is nested deeper than {_MAX_NESTING}")
    size = 1 + (len(value) or 1)  # brackets and commas
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise Failure(f"a key of type {type(key).__name__} is not plain data")
            size += _measure(key, limit - size, 0, known) + 1
            if size > limit:
                return size
        value = value.values()
    for item in value:
        if size > limit:
            return size
        size += _measure(item, limit - size, nesting + 1, known)
    return size


def check_result(value: Any) -> None:
    """Refuse a result of more than 1 MiB."""
    if measure(value, MAX_RESULT) > MAX_RESULT:
        raise too_large()


def encoded(value: Any, budget: Budget) -> bytes:
    """The canonical bytes, if the budget allows to walk over the value."""
    left = budget[1]
    size = measure(value, left)
    spend_size(budget, size)
    try:
        return encode(value)
    except (CodecError, ValueError, UnicodeEncodeError) as error:
        raise Failure("the value can't be encoded") from error


def text_of(value: Any, budget: Budget) -> str:
    """The value inside of text: text as it is, everything else as canonical JSON; null has no text."""
    t = type(value)
    if t is str:
        return value  # type: ignore[no-any-return]
    if value is None:
        raise Failure("null can't be made text", "give another value for null: `default(x, '')`")
    if t is bool:
        return "true" if value else "false"
    if t is int or t is float:
        return repr(value)
    return made_text(encoded(value, budget).decode(), budget)


def number(value: Any) -> Any:
    """An arithmetic result, if it fits."""
    if type(value) is int:
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return value
        raise Failure("the result doesn't fit into 64 bits")
    if -_INFINITY < value < _INFINITY:
        return value
    raise Failure("the result is too large for a float")


def alike(a: Any, b: Any) -> None:
    """Refuse to compare unlike types. Null is unlike everything else."""
    left, right = _COMPARABLE.get(type(a)), _COMPARABLE.get(type(b))
    if left == right:
        if left is None and not (a is None and b is None):
            kind(a), kind(b)
        return
    hint = "null is compared with `is null`, or replaced: `default(x, '')`" if a is None or b is None else None
    raise Failure(f"{kind(a)} can't be compared with {kind(b)}", hint)


def equal(a: Any, b: Any, budget: Budget) -> bool:
    """Whether two values are the same data; `1` and `1.0` are. Unlike types raise, below the top they differ."""
    alike(a, b)
    if type(a) is list or type(a) is dict:
        spend_size(budget, min(measure(a, budget[1]), measure(b, budget[1])))
        return _same(a, b)
    if type(a) is str:
        _spend_comparison(a, b, budget)
    return bool(a == b)


def _spend_comparison(a: str, b: str, budget: Budget) -> None:
    if len(a) > _LONG and len(b) > _LONG:
        spend_size(budget, min(len(a), len(b)) // 16)


def _same(a: Any, b: Any) -> bool:
    """Deep equality of values that were measured."""
    if _COMPARABLE.get(type(a)) != _COMPARABLE.get(type(b)):
        return False
    if type(a) is list:
        return len(a) == len(b) and all(map(_same, a, b))
    if type(a) is dict:
        return len(a) == len(b) and all(key in b and _same(value, b[key]) for key, value in a.items())
    return bool(a == b)


def ordered(a: Any, b: Any, compare: Callable[[Any, Any], Any], budget: Budget) -> bool:
    """`a < b` and the like, for two numbers or two texts (by code point)."""
    if is_number(a) and is_number(b):
        return bool(compare(a, b))
    if type(a) is str and type(b) is str:
        _spend_comparison(a, b, budget)
        return bool(compare(a, b))
    alike(a, b)
    raise Failure(f"{kind(a)} has no order", "numbers and texts can be compared with `<`")


def contains(container: Any, part: Any, budget: Budget) -> bool:
    """`part in container`: an item of a list, a part of a text, a key of an object."""
    t = type(container)
    if t is list:
        spend_size(budget, 2 * len(container))
        return _contains_item(container, part, budget)
    if t is not str and t is not dict:
        raise Failure(f"{kind(container)} contains nothing", "`in` works on lists, texts and objects")
    if type(part) is not str:
        what = "a text contains texts" if t is str else "keys are texts"
        raise Failure(f"{what}, {kind(part)} is none")
    if t is str:
        spend_size(budget, len(container) // 16)
    return part in container


def _contains_item(items: list[Any], part: Any, budget: Budget) -> bool:
    for item in items:
        if item is None or part is None:
            if item is part:
                return True
        elif equal(item, part, budget):
            return True
    return False


def check_sortable(items: list[Any], what: str, budget: Budget) -> None:
    """Refuse to order anything but numbers, or texts."""
    kinds = set(map(type, items))
    if kinds <= {int, float}:
        return
    if kinds == {str}:
        spend_size(budget, sum(map(len, items)))
        return
    found = ", ".join(sorted(kind(item) for item in {type(item): item for item in items}.values()))
    raise Failure(f"{what} takes numbers, or texts; here are {found}")


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def add(a: Any, b: Any, budget: Budget) -> Any:
    """The sum of two numbers, or two texts or two lists joined."""
    if is_number(a) and is_number(b):
        return number(a + b)
    t = type(a)
    if t is type(b) and (t is str or t is list):
        size = len(a) + len(b)
        if t is str:
            if size > MAX_RESULT:
                raise too_large()
            spend_size(budget, size)
        else:
            room_for(size, budget)
        return a + b
    hint = "null can be replaced: `default(x, 0)`" if a is None or b is None else None
    if t is str or type(b) is str:
        hint = hint or "make text of the other one: `str(x)`"
    if t is list or type(b) is list:
        hint = hint or "a list is extended by a list: `xs + [x]`"
    raise Failure(f"{kind(a)} can't be added to {kind(b)}" if t is not type(b) else f"{kind(a)} can't be added", hint)


def _numbers(a: Any, b: Any, sign: str) -> None:
    if not (is_number(a) and is_number(b)):
        wrong = b if is_number(a) else a
        raise Failure(f"`{sign}` takes numbers, {kind(wrong)} is none")


def subtract(a: Any, b: Any, budget: Budget) -> Any:
    _numbers(a, b, "-")
    return number(a - b)


def multiply(a: Any, b: Any, budget: Budget) -> Any:
    _numbers(a, b, "*")
    return number(a * b)


def divide(a: Any, b: Any, budget: Budget) -> Any:
    _numbers(a, b, "/")
    return number(a / _divisor(b))


def floor_divide(a: Any, b: Any, budget: Budget) -> Any:
    _numbers(a, b, "//")
    return number(a // _divisor(b))


def modulo(a: Any, b: Any, budget: Budget) -> Any:
    _numbers(a, b, "%")
    return number(a % _divisor(b))


def _divisor(b: Any) -> Any:
    if b == 0:
        raise Failure("division by zero")
    return b


ARITHMETIC: dict[str, Callable[[Any, Any, Budget], Any]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "//": floor_divide, "%": modulo,
}  # fmt: skip

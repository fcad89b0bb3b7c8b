"""The filters of templates: those of Jinja2, with a price, and our own where its are for HTML or know no bound."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from jinja2 import filters as theirs
from jinja2 import pass_environment
from jinja2.filters import FILTERS as JINJA

from graphagent.graph.plain import ARITHMETIC
from graphagent.graph.template_words import FILTERS
from graphagent.prompts.budget import TooMuch, left, spend, spend_steps, spend_value, weigh

MAX_INDENT: Final = 64


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which pays for what it is given and what it makes."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        for value in arguments[first:]:
            weigh(value)
        made = function(*arguments, **named)
        if isinstance(made, str):
            spend(len(made))
            return made
        return _settled(made) if isinstance(made, Iterator) else made

    return call


def _settled(items: Iterator[Any]) -> list[Any]:
    """What a filter gives one by one, as a list."""
    out = []
    for item in items:
        spend_steps()
        out.append(item)
    return out


def _indent(text: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    size = len(width) if isinstance(width, str) else width
    if not 0 <= size <= MAX_INDENT:
        raise TooMuch(f"`indent` takes a width up to {MAX_INDENT}")
    spend(len(str(text)) + size * (str(text).count("\n") + 1))
    return theirs.do_indent(str(text), width, first, blank)


def _replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = str(text), str(old), str(new)
    found = text.count(old) if count is None else min(text.count(old), max(count, 0))
    spend(len(text) + found * max(0, len(new) - len(old)))
    return str(text.replace(old, new, -1 if count is None else count))


@pass_environment
def _join(environment: Any, value: Any, separator: Any = "", attribute: Any = None) -> str:
    items = list(value)
    spend_steps(len(items))
    if attribute is not None:
        items = [theirs.make_attrgetter(environment, attribute)(item) for item in items]
    texts = []
    for item in items:
        spend_value(item)
        texts.append(str(item))
    spend(len(str(separator)) * max(0, len(texts) - 1) + sum(map(len, texts)))
    return str(separator).join(texts)


@pass_environment
def _sum(environment: Any, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = start
    for item in value:
        spend_steps()
        found = item if attribute is None else theirs.make_attrgetter(environment, attribute)(item)
        total = ARITHMETIC["-"](total, ARITHMETIC["-"](0, found, left()), left())  # numbers only
    return total


def _tojson(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 16:
        raise TooMuch("`tojson` takes an indent up to 16")
    spend_value(value)
    return json.dumps(value, indent=indent, ensure_ascii=False, sort_keys=True)


def _string(value: Any) -> str:
    spend_value(value)
    return str(value)


def _escape(text: Any) -> str:
    return html.escape(str(text))


def _dictsort(value: Any, case_sensitive: bool = False, by: Any = "key", reverse: bool = False) -> list[list[Any]]:
    return [list(pair) for pair in theirs.do_dictsort(value, case_sensitive, by, reverse)]


def _items(value: Any) -> list[list[Any]]:
    return [list(pair) for pair in theirs.do_items(value)]


_OURS: Final[dict[str, Callable[..., Any]]] = {
    "indent": _indent, "replace": _replace, "join": _join, "sum": _sum, "tojson": _tojson, "escape": _escape,
    "e": _escape, "string": _string, "dictsort": _dictsort, "items": _items,
}  # fmt: skip
FILTER_TABLE: Final = {name: _guarded(_OURS.get(name) or JINJA[name]) for name in FILTERS}

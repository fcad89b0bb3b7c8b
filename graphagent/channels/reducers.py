"""The reducers of the language, and those that `registry.REDUCERS` adds."""

from __future__ import annotations

from typing import Any

from graphagent import registry
from graphagent.channels.reducer import Reducer, unset
from graphagent.codec import encode
from graphagent.snapshot import UNSET


def last(value: Any, write: Any) -> Any:
    """Replaces. Two tasks that write in one superstep are a conflict."""
    return write


def first(value: Any, write: Any) -> Any:
    """Keeps the first write of the scope, drops later ones."""
    return write if value is UNSET else value


def append(value: list[Any], write: list[Any]) -> list[Any]:
    """Concatenates."""
    return value + write


def union(value: list[Any], write: list[Any]) -> list[Any]:
    """Appends items that aren't there yet; equal means equal canonical encoding."""
    seen = {encode(item) for item in value}
    out = list(value)
    for item in write:
        key = encode(item)
        if key not in seen:
            seen.add(key)
            out.append(item)
    return out


def merge(value: dict[str, Any], write: dict[str, Any]) -> dict[str, Any]:
    """Shallow; the later key wins, null is a value."""
    return {**value, **write}


def add(value: float, write: float) -> float:
    """Left fold of numbers."""
    return value + write


def smallest(value: Any, write: Any) -> Any:
    """The smaller one; text by code point."""
    return write if value is UNSET or write < value else value


def largest(value: Any, write: Any) -> Any:
    """The larger one; text by code point."""
    return write if value is UNSET or write > value else value


def messages(value: list[dict[str, Any]], write: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A known id replaces in place, a new one goes to the end; `{remove: ID}` and `{remove: all}` take away."""
    out = list(value)
    for item in write:
        if "remove" in item:
            out = [] if item["remove"] == "all" else [m for m in out if m.get("id") != item["remove"]]
            continue
        at = next((i for i, m in enumerate(out) if m.get("id") == item["id"]), None)
        if at is None:
            out.append(item)
        else:
            out[at] = item
    return out


def custom_reducer(reference: str) -> Reducer:
    """Stands for an author's reducer, `pkg.mod:name`, until its function is bound."""

    def fold(value: Any, write: Any) -> Any:
        raise RuntimeError(f"the reducer {reference!r} isn't bound")

    return Reducer(reference, fold, unset, _ANY)


_ANY = frozenset({"any"})
_LIST, _DICT, _NUMBER = frozenset({"list"}), frozenset({"dict"}), frozenset({"int", "float"})
_ORDERED = _NUMBER | {"str"}

REDUCERS: dict[str, Reducer] = {
    r.name: r
    for r in (
        Reducer("last", last, unset, _ANY, folds=False),
        Reducer("first", first, unset, _ANY),
        Reducer("append", append, list, _LIST, appends=True),
        Reducer("union", union, list, _LIST),
        Reducer("merge", merge, dict, _DICT),
        Reducer("sum", add, int, _NUMBER),
        Reducer("min", smallest, unset, _ORDERED),
        Reducer("max", largest, unset, _ORDERED),
        Reducer("messages", messages, list, frozenset({"messages"})),
        *(registry.load("reducers", name) for name in registry.REDUCERS),
    )
}
"""By name."""

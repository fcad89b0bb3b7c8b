"""Values checked against the JSON Schema of a server: enough of it that a model is told before anything is called.

The server has the last word, so keywords that aren't known here pass. `pattern` is one of them: an expression of a
stranger, matched against the text of a model, may take for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from graphagent.tools.arguments import Place, target

Problem = tuple[Place, str]
MOST: Final = 20
_DEEPEST: Final = 50


def problems(value: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """What of a value doesn't fit, at most `MOST` places of it."""
    found: list[Problem] = []
    for problem in _Check(schema).value(value, schema, ()):
        found.append(problem)
        if len(found) == MOST:
            break
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value == int(value)


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None, "boolean": lambda value: isinstance(value, bool), "number": _is_number,
    "integer": _is_integer, "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list), "object": lambda value: isinstance(value, Mapping),
}  # fmt: skip


class _Check:
    """One document of schemas, whose definitions refer to each other."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def value(self, value: Any, schema: Any, place: tuple[int | str, ...]) -> Iterator[Problem]:
        if not isinstance(schema, Mapping) or len(place) > _DEEPEST:
            if schema is False:
                yield place, "nothing is allowed here"
            return
        schema = target(self.root, schema)
        wrong = _type(value, schema)
        if wrong is not None:
            yield place, wrong
            return
        yield from self._choice(value, schema, place)
        if isinstance(value, Mapping):
            yield from self._object(value, schema, place)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                yield from self.value(item, schema.get("items", True), (*place, i))
        for text in _size(value, schema):
            yield place, text

    def _choice(self, value: Any, schema: Mapping[str, Any], place: tuple[int | str, ...]) -> Iterator[Problem]:
        if "const" in schema and not _equal(value, schema["const"]):
            yield place, f"must be {schema['const']!r}"
        if isinstance(schema.get("enum"), list) and not any(_equal(value, one) for one in schema["enum"]):
            yield place, f"must be one of {', '.join(map(repr, schema['enum'][:10]))}"
        for part in schema.get("allOf", ()):
            yield from self.value(value, part, place)
        for key in ("anyOf", "oneOf"):
            branches = schema.get(key)
            if isinstance(branches, list) and branches:
                failures = [list(self.value(value, branch, place)) for branch in branches]
                if all(failures):
                    yield min(failures, key=lambda found: -max(len(where) for where, _ in found))[0]

    def _object(
        self, value: Mapping[str, Any], schema: Mapping[str, Any], place: tuple[int | str, ...]
    ) -> Iterator[Problem]:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield (*place, name), "is missing"
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                yield from self.value(item, properties[name], (*place, name))
            elif more is False:
                yield (*place, name), "there is no such field"
            else:
                yield from self.value(item, more, (*place, name))


def _type(value: Any, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with the type of a value; None if nothing is."""
    allowed = schema.get("type")
    names = [allowed] if isinstance(allowed, str) else allowed if isinstance(allowed, list) else []
    if not names or any(_TYPES.get(name, lambda _: True)(value) for name in names):
        return None
    return f"must be of type {' or '.join(map(str, names))}"


def _size(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if _is_number(value):
        bounds = [("minimum", "maximum", value, "")]
    elif isinstance(value, str):
        bounds = [("minLength", "maxLength", len(value), " characters")]
    elif isinstance(value, list):
        bounds = [("minItems", "maxItems", len(value), " items")]
    else:
        return
    for low, high, size, unit in bounds:
        if _is_number(schema.get(low)) and size < schema[low]:
            yield f"must be at least {schema[low]}{unit}"
        if _is_number(schema.get(high)) and size > schema[high]:
            yield f"must be at most {schema[high]}{unit}"
    if _is_number(value) and _is_number(schema.get("exclusiveMinimum")) and value <= schema["exclusiveMinimum"]:
        yield f"must be over {schema['exclusiveMinimum']}"
    if _is_number(value) and _is_number(schema.get("exclusiveMaximum")) and value >= schema["exclusiveMaximum"]:
        yield f"must be under {schema['exclusiveMaximum']}"


def _equal(a: Any, b: Any) -> bool:
    """Equal as JSON: true isn't 1."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)

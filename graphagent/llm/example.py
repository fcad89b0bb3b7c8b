"""A small value that fits a JSON Schema, made without chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DEEP = 8
"""Below this a recursive type takes its way out: null, or an empty list."""


def example_of(schema: Mapping[str, Any], text: str) -> Any:
    """A value that fits `schema`.

    The first of an enum, the first branch that isn't null, true, 1 or another number that is allowed, a list of one
    item if that is allowed, all properties. Formats and patterns aren't met.

    Args:
        schema: Any schema that a graph's types give.
        text: What free strings say, cut to their length.
    """
    return _example(schema, schema, text, 0)


def _example(schema: Any, root: Mapping[str, Any], text: str, depth: int) -> Any:
    if not isinstance(schema, Mapping):
        return text
    if "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if part and isinstance(target, Mapping) else target
        return _example(target, root, text, depth + 1) if depth < 40 else None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(_branch(schema[key], depth), root, text, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind == "object":
        extra = schema.get("properties") or {}
        return {name: _example(part, root, text, depth + 1) for name, part in extra.items()}
    if kind == "array":
        return _items(schema, root, text, depth)
    return _scalar(kind, schema, text)


def _branch(branches: Sequence[Any], depth: int) -> Any:
    full = [b for b in branches if not (isinstance(b, Mapping) and b.get("type") == "null")]
    if depth > DEEP and len(full) < len(branches):
        return {"type": "null"}
    return (full or branches)[0]


def _items(schema: Mapping[str, Any], root: Mapping[str, Any], text: str, depth: int) -> list[Any]:
    fewest = schema.get("minItems", 0)
    count = max(fewest, 0 if depth > DEEP else min(1, schema.get("maxItems", 1)))
    return [_example(schema.get("items", {}), root, text, depth + 1) for _ in range(count)]


def _scalar(kind: Any, schema: Mapping[str, Any], text: str) -> Any:
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(schema.get("minLength", 0), ".")


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 2))
    step = schema.get("multipleOf", 1)
    candidates = (
        1,
        0,
        low,
        low + 1,
        high,
        high - 1,
        (low + high) / 2,
        -(-low // step) * step,
        (low // step + 1) * step,
    )
    good = (n for n in candidates if _allowed(n, schema) and (not whole or n == int(n)))
    value = next(good, 1)
    return int(value) if whole else float(value)


def _allowed(n: float, schema: Mapping[str, Any]) -> bool:
    inside: bool = schema.get("minimum", n) <= n <= schema.get("maximum", n)
    strictly: bool = schema.get("exclusiveMinimum", n - 1) < n < schema.get("exclusiveMaximum", n + 1)
    whole: bool = n % schema.get("multipleOf", 1 if isinstance(n, int) else n or 1) == 0
    return inside and strictly and whole

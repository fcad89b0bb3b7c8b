"""Structured answers: the schema that goes to a provider, and the answer's way back to a value.

Providers want strict schemas: an object at the root, no extra properties, every property required; an optional one
becomes nullable. `strict` makes one of any schema that a graph's types give, `parse` undoes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphagent.errors import NodeError

FREE_STRING = 200
FREE_LIST = 8
"""A model of 135 million weights never ends a free string or list by itself, so its grammar has to."""

_KEPT = {
    "type", "description", "enum", "const", "properties", "required", "items", "anyOf", "$ref", "$defs", "pattern",
    "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
    "minLength", "maxLength", "additionalProperties",
}  # fmt: skip
_UNKNOWN_TO_STRICT = {"minLength", "maxLength"}


@dataclass(frozen=True, slots=True)
class Constraint:
    """What constrains an answer. `strict`: providers with a strict mode can take it. `wrapped`: the value is
    expected under the key `value`, since the root has to be an object."""

    schema: dict[str, Any]
    strict: bool
    wrapped: bool


def strict(schema: Mapping[str, Any], *, bounded: bool = False) -> Constraint:
    """The constraint for a JSON Schema.

    Args:
        schema: What the answer has to fit.
        bounded: Bound free strings and lists, for small local models.
    """
    wrapped = needs_wrapping(schema)
    shaped, closed = _Shaper(bounded).shape(schema)
    if wrapped:
        definitions = shaped.pop("$defs", None)
        shaped = {
            "type": "object", "properties": {"value": shaped}, "required": ["value"], "additionalProperties": False,
        }  # fmt: skip
        if definitions:
            shaped["$defs"] = definitions
    return Constraint(shaped, closed, wrapped)


def needs_wrapping(schema: Mapping[str, Any]) -> bool:
    """Whether the root isn't surely an object."""
    return schema.get("type") != "object" or "anyOf" in schema or "oneOf" in schema


def parse(text: str, schema: Mapping[str, Any], *, finish: str = "stop") -> Any:
    """The value of a structured answer: the first JSON value in `text`, unwrapped, made-up nulls taken out.

    It isn't checked against the schema; that is for whoever knows the type.

    Args:
        text: The whole answer; text around the JSON, such as a code fence, is passed over.
        schema: The schema of the request, as it was before `strict`.
        finish: Why the model stopped; `length` makes the error say so.

    Raises:
        NodeError: kind `invalid_output`, there is no JSON in it.
    """
    value = first_json(text)
    if needs_wrapping(schema) and isinstance(value, dict) and value.keys() == {"value"}:
        value = value["value"]
    elif _resolve(schema, schema).get("type") == "string" and not isinstance(value, str):
        return text.strip()  # a model that wasn't constrained, or a scripted one, answers plainly
    if value is _NOTHING:
        if finish == "length":
            message, hint = "the answer was cut at its token limit and is no whole JSON", "allow more output"
        else:
            message, hint = "the answer holds no JSON", "say in the prompt what the answer should hold"
        raise NodeError(f"{message}: {_short(text)!r}", kind="invalid_output", hint=hint)
    return _without_nulls(value, schema, schema)


_NOTHING: Any = object()


def first_json(text: str) -> Any:
    """The whole text if it is JSON, else the first object or list in it, else a private mark for none."""
    stripped = text.strip()
    try:
        return json.loads(stripped, parse_constant=_refuse)
    except (ValueError, RecursionError):
        pass
    decoder = json.JSONDecoder(parse_constant=_refuse)
    starts = 0
    for i, c in enumerate(stripped):
        if c in "{[":
            try:
                return decoder.raw_decode(stripped, i)[0]
            except (ValueError, RecursionError):
                starts += 1
                if starts == 100:  # each try may read to the end, and text of a model is anybody's
                    break
    return _NOTHING


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(20):
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return schema
        target: Any = root
        for part in ref[2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
        schema = target
    return schema


def _allows_null(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    schema = _resolve(schema, root)
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    if "const" in schema:
        return schema["const"] is None
    if "enum" in schema:
        return None in schema["enum"]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return any(_allows_null(branch, root) for branch in branches)
    return kind is None


class _Shaper:
    def __init__(self, bounded: bool) -> None:
        self.bounded = bounded
        self.closed = True
        self.root: Mapping[str, Any] = {}

    def shape(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        self.root = schema
        return self._schema(schema), self.closed

    def _schema(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, Mapping):  # `true` allows anything
            self.closed = False
            return {}
        schema = self._merged(schema)
        out: dict[str, Any] = {k: v for k, v in schema.items() if k in _KEPT}
        if not self.bounded:
            out = {k: v for k, v in out.items() if k not in _UNKNOWN_TO_STRICT}
        if "$defs" in out:
            out["$defs"] = {name: self._schema(part) for name, part in out["$defs"].items()}
        if "anyOf" in out:
            out["anyOf"] = [self._schema(part) for part in out["anyOf"]]
        kind = out.get("type")
        if kind == "object":
            self._object(out)
        elif kind == "array":
            out["items"] = self._schema(out.get("items", True))
            if self.bounded:
                out.setdefault("maxItems", max(FREE_LIST, out.get("minItems", 0)))
        elif kind == "string" and self.bounded and not out.keys() & {"enum", "const", "pattern", "format"}:
            out.setdefault("maxLength", max(FREE_STRING, out.get("minLength", 0)))
        elif kind is None and not out.keys() & {"anyOf", "enum", "const", "$ref"}:
            self.closed = False
        return out

    def _merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """`oneOf` as `anyOf`, and an `allOf` of one part as that part."""
        if "oneOf" in schema and "anyOf" not in schema:
            schema = {**schema, "anyOf": schema["oneOf"]}
        parts = schema.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], Mapping):
            schema = {**{k: v for k, v in schema.items() if k != "allOf"}, **parts[0]}
        elif parts:
            self.closed = False
        return schema

    def _object(self, out: dict[str, Any]) -> None:
        properties = out.get("properties")
        extra = out.get("additionalProperties", True)
        if properties is None and extra is not False:  # a map with free keys
            self.closed = False
            out["additionalProperties"] = self._schema(extra) if isinstance(extra, Mapping) else True
            out.pop("required", None)
            return
        required = set(out.get("required", ()))
        shaped = {}
        for name, part in (properties or {}).items():
            inner = self._schema(part)
            if name not in required and not _allows_null(part if isinstance(part, Mapping) else {}, self.root):
                inner = {"anyOf": [inner, {"type": "null"}]}
            shaped[name] = inner
        out["properties"] = shaped
        out["required"] = list(shaped)
        out["additionalProperties"] = False


def _without_nulls(value: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    """`value` without the nulls that only `strict` allowed, so that defaults apply."""
    if not isinstance(schema, Mapping):
        return value
    schema = _resolve(schema, root)
    if isinstance(value, list):
        return [_without_nulls(item, schema.get("items"), root) for item in value]
    if not isinstance(value, dict):
        return value
    branches = [b for b in schema.get("anyOf") or schema.get("oneOf") or () if isinstance(b, Mapping)]
    if branches:
        schema = next((b for b in (_resolve(b, root) for b in branches) if _could_be(value, b)), {})
    properties = schema.get("properties") or {}
    required = set(schema.get("required", ()))
    out = {}
    for name, item in value.items():
        part = properties.get(name, schema.get("additionalProperties"))
        made_up = name in properties and name not in required and not _allows_null(properties[name], root)
        if not (item is None and made_up):
            out[name] = _without_nulls(item, part, root)
    return out


def _could_be(value: dict[str, Any], schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties") or {}
    return schema.get("type") == "object" and set(schema.get("required", ())) <= value.keys() <= set(properties)

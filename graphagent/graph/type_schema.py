"""Types as JSON Schema (draft-07): objects are closed, and what has a default isn't required."""

from __future__ import annotations

from typing import Any

from graphagent.graph.type_model import (
    ARTIFACT_FIELDS,
    Atom,
    DictOf,
    ListOf,
    LiteralOf,
    ObjectOf,
    Type,
    UnionOf,
    base,
)
from graphagent.snapshot import UNSET

_ATOMS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "None": "null"}


def json_schema(t: Type) -> dict[str, Any]:
    """The schema; named objects carry their name as `title`. Every call returns new dicts."""
    if isinstance(t, Atom):
        if t.name == "Artifact":
            return _object(ARTIFACT_FIELDS)
        return {} if t.name == "any" else {"type": _ATOMS[t.name]}
    if isinstance(t, ListOf):
        return {"type": "array", "items": json_schema(t.item)}
    if isinstance(t, DictOf):
        return {"type": "object", "additionalProperties": json_schema(t.value)}
    if isinstance(t, LiteralOf):
        return _literal(t)
    if isinstance(t, UnionOf):
        return {"anyOf": [json_schema(member) for member in t.members]}
    return _object(t)


def _literal(t: LiteralOf) -> dict[str, Any]:
    kinds = list(dict.fromkeys(_ATOMS[base(value).name] for value in t.values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(t.values)}


def _object(t: ObjectOf) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for f in t.fields:
        properties[f.name] = json_schema(f.type)
        if f.default is not UNSET:
            properties[f.name]["default"] = f.default
    schema: dict[str, Any] = {"title": t.name} if t.name else {}
    required = [f.name for f in t.fields if f.default is UNSET]
    schema |= {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return schema

"""JSON Schema (draft-07), generated into `schemas/`: of graphs for editors, of the JSON documents, of events.

`python -m graphagent.session.schemas --write` writes them anew; a test fails where they differ.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from graphagent.events import CORE
from graphagent.ids import Id
from graphagent.session.documents import DOCUMENTS
from graphagent.session.documents.part import Document, Part
from graphagent.snapshot import Unset

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
_ID = "[0-9a-hjkmnp-tv-z]{26}"
_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def document_schema(name: str) -> dict[str, Any]:
    """The schema of the document that `schema` calls `graphagent/NAME@1`. Unknown keys are allowed everywhere."""
    definitions: dict[str, Any] = {}
    cls = DOCUMENTS[name]
    body = _object(cls, definitions)
    out = {"$schema": "http://json-schema.org/draft-07/schema#", "title": f"graphagent/{name}@1", **body}
    definitions.pop(cls.__name__, None)
    return {**out, "definitions": dict(sorted(definitions.items()))}


def schema_texts() -> dict[str, str]:
    """The content of the files, by their path in the folder."""
    found = {f"documents/{name}.json": document_schema(name) for name in DOCUMENTS}
    found |= {"graph.v1.json": written_graph_schema(), "event.json": event_schema()}
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in found.items()}


def names() -> list[str]:
    """The names of the documents."""
    return list(DOCUMENTS)


def written_graph_schema() -> dict[str, Any]:
    """The schema of graphs with a description of each key; kinds that are added here or by packages are left out."""
    from graphagent.graph.key_pages import describe
    from graphagent.graph.schema import graph_schema

    return graph_schema(describe)


def own_graph_schema() -> dict[str, Any]:
    """The same with the node kinds that are added here, for the editor of somebody who has them."""
    from graphagent.graph.key_pages import describe
    from graphagent.graph.keys import added_kinds
    from graphagent.graph.schema import graph_schema

    return graph_schema(describe, added_kinds())


def event_schema() -> dict[str, Any]:
    """The schema of one event as `--jsonl` prints it; the payloads of the core kinds are in `definitions`."""
    definitions: dict[str, Any] = {}
    for kind, payload in CORE.items():
        hints = get_type_hints(payload)
        properties = {field.name: _loose(hints[field.name]) for field in fields(payload)}
        about = " ".join((payload.__doc__ or "").split())
        definitions[kind] = {"description": about, "type": "object", "properties": properties,
                             "required": [f.name for f in fields(payload) if f.default is MISSING]}  # fmt: skip
    cases = []
    for kind in CORE:
        payload_schema = {"properties": {"data": {"$ref": f"#/definitions/{kind}"}}}
        cases.append({"if": {"properties": {"kind": {"const": kind}}}, "then": payload_schema})
    text, number = {"type": ["string", "null"]}, {"type": ["integer", "null"]}
    properties = {
        "kind": {"anyOf": [{"enum": list(CORE)}, {"type": "string", "pattern": r"^x\.[\w-]+(\.[\w.-]+)?$"}]},
        "seq": number, "event_id": {"type": "string"}, "session": {"type": "string"}, "run": text, "superstep": number,
        "step": text, "node": text, "task": text, "attempt": number, "time": {"type": "string"},
        "data": {"type": "object"},
    }  # fmt: skip
    return {
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Event of graphagent", "type": "object",
        "properties": properties, "required": list(properties), "allOf": cases, "definitions": definitions,
    }  # fmt: skip


def _loose(hint: Any) -> dict[str, Any]:
    """The schema of a payload's field; a mapping may hold anything."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin in (Union, UnionType):
        parts = [_loose(part) for part in args]
        return {} if {} in parts else {"anyOf": parts}
    if origin is Literal:
        return {"enum": list(args)}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object"}
    return {"type": "array"} if isinstance(origin, type) and issubclass(origin, Sequence) else {}


def _object(cls: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    properties, required, either = {}, [], []
    for field in fields(cls):  # type: ignore[arg-type]
        key = field.name.removesuffix("_")
        properties[key] = _type(hints[field.name], definitions)
        if field.default is MISSING or not field.init:
            required.append(key)
        elif key in ("value", "value_ref"):
            either.append({"required": [key]})
    out = {"description": " ".join((cls.__doc__ or "").split()), "type": "object", "properties": properties,
           "required": required}  # fmt: skip
    return {**out, "oneOf": either} if len(either) == 2 else out


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return {}
    if origin is Annotated:
        return {"type": "string", "pattern": f"^{args[1]}$"}
    if origin is Literal:
        return {"const": args[0]} if len(args) == 1 else {"enum": list(args)}
    if origin in (Union, UnionType):
        return _union([a for a in args if a is not Unset], definitions)
    if origin is list:
        item = _type(args[0], definitions)
        return {"type": "array", "items": item} if item else {"type": "array"}
    if origin is dict:
        value = _type(args[1], definitions)
        return {"type": "object", "additionalProperties": value} if value else {"type": "object"}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if issubclass(hint, Id):
        return {"type": "string", "pattern": f"^{hint.prefix}_{_ID}$"}
    return _reference(hint, definitions)


def _union(args: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if Any in args:
        return {}
    parts = [_type(a, definitions) for a in args]
    if len(parts) == 1:
        return parts[0]
    if all(set(p) == {"type"} for p in parts):
        return {"type": [p["type"] for p in parts]}
    return {"anyOf": parts}


def _reference(cls: type[Part], definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        definitions[cls.__name__] = _object(cls, definitions)
        if issubclass(cls, Document):
            definitions[cls.__name__]["title"] = cls.__name__
    return {"$ref": f"#/definitions/{cls.__name__}"}


def main(arguments: list[str]) -> int:
    """Write the files, or say which ones differ."""
    differing = []
    for name, text in schema_texts().items():
        file = FOLDER / name
        if "--write" in arguments:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            differing.append(name)
    print("\n".join(f"{name} differs" for name in differing) or "schemas are up to date")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

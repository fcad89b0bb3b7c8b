"""JSON Schema (draft-07) of graphs and libraries, for editors: generated from the tables in `keys`.

It says what may stand where. What only the compiler can know (names, types, flow) is left to `validate`.
Expressions and values are text in JSON Schema's eyes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from graphagent.errors import ERROR_KINDS
from graphagent.graph import keys
from graphagent.graph.keys import Key, Shape
from graphagent.graph.spec import API_VERSION

Schema: TypeAlias = dict[str, Any]
Describe: TypeAlias = Callable[[Shape, str], "str | None"]
"""What a key of a table means, for people; None where nothing is written about it."""

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_NAME: Final = "^[A-Za-z][A-Za-z0-9_]*$"
_REFERENCE: Final = r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$"
_DURATION: Final = r"^\d{1,12}(\.\d{1,3})?(ms|s|m|h|d)$"
_ANY: Final[Schema] = {}
_TEXT: Final[Schema] = {"type": "string"}
_NAMED: Final[Schema] = {"type": "string", "pattern": _NAME}
_REFERRING: Final[Schema] = {"type": "string", "pattern": _REFERENCE}
_FUNCTION: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"}

_PARTS: Final[Mapping[str, Shape]] = {
    "metadata": keys.METADATA, "import": keys.IMPORT, "override": keys.OVERRIDE, "channel": keys.CHANNEL,
    "model": keys.MODEL, "tool": keys.TOOL, "mcp": keys.MCP, "client": keys.CLIENT, "defaults": keys.DEFAULTS,
    "limits": keys.LIMITS, "route": keys.ROUTE, "retry": keys.RETRY, "history": keys.HISTORY, "prompt": keys.PROMPT,
    "join": keys.AT_LEAST, "need": keys.NEED, "cache": keys.CACHE, "sandbox": keys.SANDBOX, "approval": keys.APPROVAL,
    "delegate": keys.DELEGATE, "graph": keys.GRAPH,
}  # fmt: skip


def graph_schema(
    describe: Describe = lambda shape, key: None, added: Mapping[str, Shape] = MappingProxyType({})
) -> Schema:
    """The schema of a document: a Graph, or a Library.

    Args:
        describe: Gives each key its description.
        added: The keys of node kinds that the language doesn't have, by kind.
    """
    kinds = {**keys.KINDS, **added}
    writer = _Writer(describe)
    definitions = {name: writer.object(shape) for name, shape in _PARTS.items()}
    definitions |= {"node": writer.node(keys.NODE, kinds), "item": writer.node(keys.ITEM, writer.item_kinds())}
    for kind, shape in kinds.items():
        definitions[f"node_{kind}"] = writer.object({**keys.NODE, **shape})
    for kind, shape in writer.item_kinds().items():
        definitions[f"item_{kind}"] = writer.object({**keys.ITEM, **shape})
    definitions |= {"document_graph": writer.document(keys.DOCUMENT, "Graph"),
                    "document_library": writer.document(keys.LIBRARY, "Library")}  # fmt: skip
    return {
        "$schema": DRAFT, "title": "Graph or Library of graphagent", "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": ["Graph", "Library"]}},
        "if": {"properties": {"kind": {"const": "Library"}}, "required": ["kind"]},
        "then": _ref("document_library"), "else": _ref("document_graph"),
        "definitions": dict(sorted(definitions.items())),
    }  # fmt: skip


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _list(item: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": item, **({"minItems": least} if least else {})}


def _map(value: Schema, names: str | None = _NAME) -> Schema:
    out: Schema = {"type": "object", "additionalProperties": value or True}
    return {**out, "propertyNames": {"pattern": names}} if names else out


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


_TYPE: Final = _either(_TEXT, {"type": "object", "propertyNames": {"pattern": _NAME}})
_TARGETS: Final = _either(_NAMED, _list(_NAMED, 1))
_EVENT: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]*([.-][A-Za-z0-9_]+)*$"}
_TOOL: Final[Schema] = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_-]*)*(\.\*)?$"}
_PROMPT: Final = _either(_TEXT, _ref("prompt"))
_MODEL: Final[Schema] = {"type": "string", "pattern": r"^[^\s/$]+/\S+$"}
_EFFECTS: Final[Schema] = {"enum": ["pure", "read", "write"]}

FRAGMENTS: Final[Mapping[str, Schema]] = {
    "text": _TEXT, "texts": _list(_TEXT), "name": _NAMED, "names": _list(_NAMED), "reference": _REFERRING,
    "reference_list": _list(_REFERRING), "references": _map(_REFERRING), "boolean": {"type": "boolean"},
    "graph_name": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$"}, "event": _EVENT,
    "events": _either(_EVENT, _list(_EVENT, 1)), "function": _FUNCTION, "tool_name": _TOOL, "tool_names": _list(_TOOL),
    "import_path": {"type": "string", "pattern": r"^(graphagent:)?[^\s:]+\.(graph|library)\.ya?ml$"},
    "provider_model": _MODEL,
    "duration": {"type": "string", "pattern": _DURATION},
    "size": {"type": ["string", "integer"], "pattern": "^[1-9][0-9]{0,11}[kmg]?$"},
    "share": {"type": "number", "minimum": 0}, "expression": {"type": ["string", "boolean", "number"]},
    "targets": _TARGETS, "value": _ANY, "values": _map(_ANY), "headers": _map(_ANY, None), "literal": _ANY,
    "literals": _map(_ANY, None), "labels": _map(_TEXT, None), "type": _TYPE,
    "event_types": _either(_TEXT, _map(_TYPE, None)),
    "object": _map(_ANY), "declarations": _map(_TYPE), "visits": _map({"type": "integer", "minimum": 1}),
    "error_kinds": _list({"enum": list(ERROR_KINDS)}), "network": _either({"const": "none"}, _list(_TEXT)),
    "command": _list(_ANY, 1), "effects": _either(_EFFECTS, _map(_EFFECTS, None)), "blocks": _map(_TEXT),
    "passed_history": _either({"enum": ["none", "all"]}, {
        "type": "object", "properties": {"last": {"type": "integer", "minimum": 1}}, "required": ["last"],
        "additionalProperties": False}),
    "prompt": _PROMPT, "prompts": _map(_PROMPT), "metadata": _ref("metadata"),
    "imports": _map(_either(_TEXT, _ref("import"))),
    "override": _ref("override"), "types": _map(_map(_TYPE)), "secrets": _list(_NAMED),
    "models": _map(_either(_MODEL, _ref("model"))), "tools": _map(_ref("tool")), "mcp": _ref("mcp"),
    "client": _ref("client"), "channels": _map(_either(_TEXT, _ref("channel"))), "defaults": _ref("defaults"),
    "limits": _ref("limits"), "graphs": _map(_ref("graph")), "nodes": {**_map(_ref("node")), "minProperties": 1},
    "routes": _either(_NAMED, _list(_NAMED, 1), _list(_ref("route"), 1)), "retry": _ref("retry"),
    "history": _ref("history"), "cache": _ref("cache"), "sandbox": _ref("sandbox"), "item": _ref("item"),
    "join": _either({"enum": ["any", "all"]}, _ref("join")), "need": _either({"const": "all"}, _ref("need")),
    "approvals": _list(_ref("approval")), "tool_writes": _map(_map(_ANY), None), "delegates": _map(_ref("delegate")),
}  # fmt: skip
"""What a reader takes, by its name; those with an option are in `_with_option`."""


def _with_option(reader: str, option: Any) -> Schema:
    if reader == "choice":
        return {"enum": list(option)}
    if reader in ("integer", "number"):
        return {"type": reader} if option is None else {"type": reader, "minimum": option}
    return FRAGMENTS[reader]


class _Writer:
    """Writes tables of keys as schemas of objects."""

    def __init__(self, describe: Describe) -> None:
        self.describe = describe

    def item_kinds(self) -> dict[str, Shape]:
        """The kinds that may stand under `do`, with the keys that they have there."""
        return {kind: {key: entry for key, entry in keys.KINDS[kind].items() if key not in keys.NOT_IN_DO}
                for kind in keys.ITEM_KINDS}  # fmt: skip

    def key(self, shape: Shape, name: str, entry: Key) -> Schema:
        found = dict(_with_option(entry.reader, entry.option))
        about = self.describe(shape, name)
        if about is None:
            return found
        # beside a `$ref` nothing counts in draft-07
        return {"description": about, **({"allOf": [found]} if "$ref" in found else found)}

    def object(self, shape: Shape) -> Schema:
        return {
            "type": "object", "properties": {name: self.key(shape, name, entry) for name, entry in shape.items()},
            "required": [name for name, entry in shape.items() if entry.required], "additionalProperties": False,
        }  # fmt: skip

    def document(self, shape: Shape, kind: str) -> Schema:
        out = self.object(shape)
        out["properties"] |= {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}}
        return out

    def node(self, common: Shape, kinds: Mapping[str, Shape]) -> Schema:
        """A node: its kind says which keys it has."""
        word = "node" if common is keys.NODE else "item"
        cases = [{"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": _ref(f"{word}_{kind}")}
                 for kind in kinds]  # fmt: skip
        return {
            "type": "object", "required": ["kind"], "properties": {"kind": {"enum": list(kinds)}}, "allOf": cases,
        }  # fmt: skip

"""The keys of the language, as tables: what may be written where, and how each key is read.

A table maps a key to the method of `Reader` or one of its walkers that reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from graphagent import registry


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `reader` reads it, with `option` as argument; `field` is its name in the spec if it is another."""

    reader: str
    option: Any = None
    required: bool = False
    field: str | None = None


Shape: TypeAlias = Mapping[str, Key]

GRAPH: Final[Shape] = {
    "inputs": Key("declarations"),
    "outputs": Key("declarations"),
    "channels": Key("channels"),
    "defaults": Key("defaults"),
    "limits": Key("limits"),
    "start": Key("targets", required=True),
    "nodes": Key("nodes", required=True),
    "result": Key("values"),
}
LIBRARY: Final[Shape] = {
    "apiVersion": Key("text", required=True),
    "kind": Key("text", required=True),
    "metadata": Key("metadata", required=True),
    "imports": Key("imports"),
    "types": Key("types"),
    "secrets": Key("secrets"),
    "models": Key("models"),
    "tools": Key("tools"),
    "prompts": Key("prompts"),
    "defaults": Key("defaults"),
    "graphs": Key("graphs"),
}
DOCUMENT: Final[Shape] = {**LIBRARY, **GRAPH}
METADATA: Final[Shape] = {
    "name": Key("graph_name", required=True),
    "version": Key("text"),
    "description": Key("text"),
    "labels": Key("labels"),
}
IMPORT: Final[Shape] = {"from": Key("import_path", required=True, field="source"), "override": Key("override")}
OVERRIDE: Final[Shape] = {
    "models": Key("models"),
    "tools": Key("tools"),
    "prompts": Key("prompts", "override"),
    "defaults": Key("defaults"),
    "graphs": Key("references"),
}
CHANNEL: Final[Shape] = {
    "type": Key("text", required=True),
    "reducer": Key("text"),
    "default": Key("literal"),
    "scope": Key("choice", ("step", "run", "session")),
    "secret": Key("boolean"),
    "description": Key("text"),
}
MODEL: Final[Shape] = {
    "use": Key("provider_model", required=True),
    "temperature": Key("number", 0),
    "params": Key("literals"),
    "fallback": Key("reference_list"),
    "base_url": Key("value"),
    "api_key": Key("value"),
}
TOOL_SOURCES: Final = ("python", "mcp", "openapi", "graph", "client")
TOOL: Final[Shape] = {
    "python": Key("function"),
    "mcp": Key("mcp"),
    "openapi": Key("text"),
    "graph": Key("reference"),
    "client": Key("client"),
    "only": Key("names"),
    "about": Key("text"),
    "effects": Key("effects"),
    "idempotency_key": Key("value"),
    "check": Key("function"),
}
MCP: Final[Shape] = {
    "command": Key("texts"),
    "env": Key("values"),
    "url": Key("value"),
    "headers": Key("headers"),
}
CLIENT: Final[Shape] = {"params": Key("declarations"), "returns": Key("type")}
DEFAULTS: Final[Shape] = {
    "retry": Key("retry"),
    "timeout": Key("duration", 1),
    "model": Key("reference"),
    "on_error": Key("routes"),
}
LIMITS: Final[Shape] = {
    "supersteps": Key("integer", 1),
    "tokens": Key("integer", 0),
    "cost_usd": Key("number", 0),
    "wall": Key("duration", 1),
    "visits": Key("visits"),
    "map_items": Key("integer", 1),
    "on_limit": Key("name"),
}
ROUTE: Final[Shape] = {
    "when": Key("expression"),
    "to": Key("targets", required=True),
    "writes": Key("values"),
    "label": Key("text"),
}
RETRY: Final[Shape] = {
    "max": Key("integer", 1),
    "on": Key("error_kinds"),
    "backoff": Key("choice", ("fixed", "exponential")),
    "delay": Key("duration", 0),
    "max_delay": Key("duration", 0),
    "jitter": Key("boolean"),
}
HISTORY: Final[Shape] = {
    "channel": Key("name", required=True),
    "last": Key("integer", 1),
    "max_tokens": Key("integer", 1),
    "overflow": Key("choice", ("drop", "summarize", "error")),
}
PROMPT: Final[Shape] = {
    "text": Key("text"),
    "file": Key("text"),
    "use": Key("reference"),
    "vars": Key("declarations"),
    "blocks": Key("blocks"),
}
PROMPT_SOURCES: Final = ("text", "file", "use")
AT_LEAST: Final[Shape] = {"at_least": Key("share", required=True), "cancel": Key("choice", ("siblings",))}
NEED: Final[Shape] = {"at_least": Key("share", required=True)}
CACHE: Final[Shape] = {"key": Key("value", required=True), "ttl": Key("duration", 1)}
SANDBOX: Final[Shape] = {
    "image": Key("text"),
    "network": Key("network"),
    "cpu": Key("duration", 1),
    "memory": Key("size"),
    "disk": Key("size"),
    "env": Key("values"),
}
APPROVAL: Final[Shape] = {
    "tool": Key("tool_name", required=True),
    "when": Key("expression"),
    "on_deny": Key("choice", ("fail", "tell")),
}
DELEGATE: Final[Shape] = {
    "graph": Key("reference"),
    "do": Key("item"),
    "about": Key("text", required=True),
    "handoff": Key("values"),
    "history": Key("passed_history"),
    "writes": Key("values"),
}

ITEM: Final[Shape] = {
    "kind": Key("text", required=True),
    "description": Key("text"),
    "with": Key("values", field="arguments"),
    "retry": Key("retry"),
    "timeout": Key("duration", 1),
    "cache": Key("cache"),
}
"""What the node under a `do` may have besides the keys of its kind."""
NODE: Final[Shape] = {
    **ITEM,
    "writes": Key("values"),
    "next": Key("routes", required=True),
    "join": Key("join"),
    "on_update": Key("names"),
    "on_error": Key("routes"),
    "interrupt": Key("choice", ("before", "after")),
}
_LLM: Final[Shape] = {
    "model": Key("reference"),
    "system": Key("prompt"),
    "prompt": Key("prompt"),
    "history": Key("history"),
    "returns": Key("type"),
}
KINDS: Final[Mapping[str, Shape]] = {
    "agent": {
        **_LLM,
        "tools": Key("tool_names"),
        "approve": Key("approvals"),
        "tool_writes": Key("tool_writes"),
        "delegates": Key("delegates"),
        "max_turns": Key("integer", 1),
        "parallel_delegates": Key("integer", 1),
    },
    "llm": {**_LLM, "tools": Key("tool_names")},
    "tool": {"tool": Key("tool_name"), "tools": Key("tool_names"), "call": Key("value")},
    "code": {
        "python": Key("function"),
        "run": Key("command"),
        "files": Key("value"),
        "sandbox": Key("sandbox"),
        "effects": Key("choice", ("pure", "read", "write")),
        "idempotency_key": Key("value"),
        "returns": Key("type"),
    },
    "human": {
        "mode": Key("choice", ("approve", "choose", "form", "edit"), required=True),
        "prompt": Key("prompt", required=True),
        "form": Key("object"),
        "options": Key("value"),
        "value": Key("value"),
        "assign": Key("value"),
    },
    "graph": {"graph": Key("reference", required=True), "max_depth": Key("integer", 1)},
    "map": {
        "over": Key("expression", required=True),
        "do": Key("item", required=True),
        "as": Key("name", field="item"),
        "concurrency": Key("integer", 1),
        "need": Key("need"),
        "collect": Key("value"),
    },
    "router": {},
    "set": {},
    "emit": {"event": Key("event", required=True), "data": Key("values", field="event_data")},
    "wait": {
        "event": Key("events"),
        "match": Key("expression"),
        "for": Key("duration", 1, field="duration"),
        "until": Key("value"),
        "returns": Key("event_types"),
    },
}
OTHER_READERS: Final = ("text", "choice", "integer", "number", "boolean", "literal", "value", "values")
"""What may read the keys of a kind that the language doesn't have: what they give is plain data."""


def kinds() -> tuple[str, ...]:
    """The kinds of the language, then those that `registry.NODES` and installed packages add."""
    return tuple(dict.fromkeys((*KINDS, *registry.NODES, *registry.added("nodes"))))


def added_kinds() -> dict[str, Shape]:
    """The keys of the kinds that the language doesn't have; their classes are imported for it."""
    shapes = {kind: shape_of(kind) for kind in kinds() if kind not in KINDS}
    return {kind: shape for kind, shape in shapes.items() if shape is not None}


def shape_of(kind: str) -> Shape | None:
    """The keys of a kind: those of the language, or `KEYS` of the class that the registry has; None if it has none."""
    if kind in KINDS:
        return KINDS[kind]
    try:
        found: Shape | None = getattr(registry.load("nodes", kind), "KEYS", None)
    except LookupError:
        return None
    if found is not None and not all(entry.reader in OTHER_READERS for entry in found.values()):
        raise ValueError(f"the keys of kind {kind!r} are read by {', '.join(OTHER_READERS)}")
    return found


def values_of(kind: str, fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and raw form of all values in the fields of a kind that the language doesn't have."""
    for key, entry in (shape_of(kind) or {}).items():
        field = entry.field or key
        if field in fields and entry.reader == "value":
            yield (key,), fields[field]
        elif field in fields and entry.reader == "values":
            yield from (((key, name), raw) for name, raw in fields[field].items())


ITEM_KINDS: Final = ("agent", "llm", "tool", "code", "graph")
"""Kinds that a map may run for each item, and a delegate as its one node."""
NOT_IN_DO: Final = (frozenset(NODE) - frozenset(ITEM)) | {"tool_writes"}
"""What the node under a `do` can't have."""


def owner_of(key: str) -> str | None:
    """The kind that a key belongs to, None if none or several have it."""
    owners = [kind for kind, shape in KINDS.items() if key in shape]
    return owners[0] if len(owners) == 1 else None

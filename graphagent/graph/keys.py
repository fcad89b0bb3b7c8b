"""The keys of the language, as tables: what may be written where, and how each key is read.

A table maps a key to the method of `Reader` or `Walker` that reads it. Keys that the language has and this
release doesn't run stand in `LATER`, so that an author is told just that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias


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
DOCUMENT: Final[Shape] = {
    "apiVersion": Key("text", required=True),
    "kind": Key("text", required=True),
    "metadata": Key("metadata", required=True),
    "types": Key("types"),
    "models": Key("models"),
    **GRAPH,
    "graphs": Key("graphs"),
}
METADATA: Final[Shape] = {
    "name": Key("graph_name", required=True),
    "version": Key("text"),
    "description": Key("text"),
    "labels": Key("labels"),
}
CHANNEL: Final[Shape] = {
    "type": Key("text", required=True),
    "reducer": Key("text"),
    "default": Key("literal"),
    "scope": Key("choice", ("step", "run", "session")),
    "description": Key("text"),
}
MODEL: Final[Shape] = {
    "use": Key("provider_model", required=True),
    "temperature": Key("number", 0),
    "params": Key("literals"),
    "base_url": Key("text"),
    "api_key": Key("text"),
}
DEFAULTS: Final[Shape] = {
    "retry": Key("retry"),
    "timeout": Key("duration", 1),
    "model": Key("name"),
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
    "overflow": Key("choice", ("drop", "error")),
}
PROMPT: Final[Shape] = {"text": Key("text"), "file": Key("text")}
NEED: Final[Shape] = {"at_least": Key("share", required=True)}

ITEM: Final[Shape] = {
    "kind": Key("text", required=True),
    "description": Key("text"),
    "with": Key("values", field="arguments"),
    "retry": Key("retry"),
    "timeout": Key("duration", 1),
}
"""What the node under `do` of a map may have besides the keys of its kind."""
NODE: Final[Shape] = {
    **ITEM,
    "writes": Key("values"),
    "next": Key("routes", required=True),
    "join": Key("join"),
    "on_update": Key("names"),
    "on_error": Key("routes"),
}
KINDS: Final[Mapping[str, Shape]] = {
    "set": {},
    "router": {},
    "code": {
        "python": Key("function", required=True),
        "effects": Key("choice", ("pure", "read", "write")),
        "returns": Key("type"),
    },
    "llm": {
        "model": Key("name"),
        "system": Key("prompt"),
        "prompt": Key("prompt"),
        "history": Key("history"),
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
    "graph": {"graph": Key("name", required=True), "max_depth": Key("integer", 1)},
    "map": {
        "over": Key("expression", required=True),
        "do": Key("item", required=True),
        "as": Key("name", field="item"),
        "concurrency": Key("integer", 1),
        "need": Key("need"),
        "collect": Key("value"),
    },
    "emit": {"event": Key("event", required=True), "data": Key("values", field="event_data")},
}
ITEM_KINDS: Final = ("llm", "code", "graph")
"""Kinds that a map may run for each item."""

LATER_KINDS: Final = ("agent", "tool", "wait")
LATER: Final[Mapping[str, frozenset[str]]] = {
    "document": frozenset({"imports", "secrets", "tools", "prompts"}),
    "graph": frozenset(),
    "channel": frozenset({"secret"}),
    "model": frozenset({"fallback"}),
    "prompt": frozenset({"use", "vars", "blocks"}),
    "node": frozenset({"cache", "interrupt"}),
    "code": frozenset({"run", "files", "sandbox", "idempotency_key"}),
}
LATER_VALUES: Final = frozenset({("overflow", "summarize")})
FOREIGN: Final[Mapping[str, str]] = {
    "tools": "agent", "approve": "agent", "tool_writes": "agent", "delegates": "agent", "max_turns": "agent",
    "parallel_delegates": "agent", "tool": "tool", "match": "wait", "for": "wait", "until": "wait",
    "run": "code", "files": "code", "sandbox": "code",
}  # fmt: skip
"""Keys of kinds, or forms of kinds, that this release doesn't run."""


def owner_of(key: str) -> str | None:
    """The kind that a key belongs to, None if none or several have it."""
    owners = [kind for kind, shape in KINDS.items() if key in shape]
    return owners[0] if len(owners) == 1 else FOREIGN.get(key)

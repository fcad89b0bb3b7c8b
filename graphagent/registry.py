"""Registries of strings: kind -> name -> `module:attribute`, so that nothing is imported before it is used.

Adding a node kind or a reducer is one file and one line here (docs/howto/extend.md). Third parties add their kinds
as entry points of the group `graphagent.nodes`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

NODES = {
    "agent": "graphagent.nodes.agent:AgentNode",
    "set": "graphagent.nodes.set:SetNode",
    "router": "graphagent.nodes.router:RouterNode",
    "emit": "graphagent.nodes.emit:EmitNode",
    "code": "graphagent.nodes.code:CodeNode",
    "tool": "graphagent.nodes.tool:ToolNode",
    "llm": "graphagent.nodes.llm:LLMNode",
    "human": "graphagent.nodes.human:HumanNode",
    "graph": "graphagent.nodes.graph:GraphNode",
    "map": "graphagent.nodes.map:MapNode",
    "wait": "graphagent.nodes.wait:WaitNode",
}
REDUCERS: dict[str, str] = {}
"""Those beside the ones of `channels.reducers`."""
STORES = {
    "memory": "graphagent.stores.memory:MemoryStore",
    "sqlite": "graphagent.stores.sqlite:SqliteStore",
    "postgres": "graphagent.stores.postgres:PostgresStore",
    "redis": "graphagent.stores.redis:beside",
}
ARTIFACTS = {
    "memory": "graphagent.artifacts.memory:MemoryArtifacts",
    "local": "graphagent.artifacts.local:LocalArtifacts",
}
REGISTRIES = {"nodes": NODES, "reducers": REDUCERS, "stores": STORES, "artifacts": ARTIFACTS}


def load(registry: str, name: str) -> Any:
    """The object registered under `name`. Raises LookupError."""
    target = REGISTRIES[registry].get(name) or _entry_point(registry, name)
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


@cache
def added(registry: str) -> tuple[str, ...]:
    """The names that installed packages register, none of which is imported. They are looked for once in a process."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group=f"graphagent.{registry}")}))


def _entry_point(registry: str, name: str) -> str:
    from importlib.metadata import entry_points

    for point in entry_points(group=f"graphagent.{registry}", name=name):
        return point.value
    raise LookupError(f"no {name!r} in {registry}")

"""The `tools` document and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.session.documents.part import Document, Part
from graphagent.snapshot import EffectClass


@dataclass(frozen=True, slots=True)
class ToolApproval(Part):
    """A rule of an agent: a person is asked before a call for which `when` holds; null is every call."""

    node: str
    when: str | None
    on_deny: Literal["fail", "tell"]


@dataclass(frozen=True, slots=True)
class ToolEntry(Part):
    """A tool as a model would see it. `parameters` and `returns` are JSON Schemas; `used_by` are paths of nodes.

    `of` names the tool set that it belongs to, such as `std.todos`, or is `delegates`: the agent in `used_by` hands
    work over by calling it. Null is a tool under the graph's `tools`. `timeout_ms` is null where only the node's own
    counts.
    """

    name: str
    of: str | None
    source: Literal["python", "mcp", "openapi", "graph", "client", "std"]
    description: str
    parameters: dict[str, Any]
    returns: dict[str, Any] | None
    effects: EffectClass
    timeout_ms: int | None
    approvals: list[ToolApproval]
    used_by: list[str]


@dataclass(frozen=True, slots=True)
class ToolProblem(Part):
    """An entry of `tools` that can't be listed, and why."""

    name: str
    kind: str
    cause: str | None
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class ToolsDocument(Document):
    """The tools of a graph. None was called; servers were asked for their lists."""

    table = "tools_text:tools_text"
    schema: Literal["graphagent/tools@1"] = field(default="graphagent/tools@1", init=False)
    graph: str
    tools: list[ToolEntry]
    problems: list[ToolProblem]

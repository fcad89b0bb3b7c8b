"""What the tools of all sets have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphagent.graph.plan import GraphPlan, Writes
from graphagent.graph.types import STR, Field, ObjectOf, Type, json_schema
from graphagent.graph.values import parse_value
from graphagent.nodes.offers import fitting
from graphagent.ports import Task, ToolInfo
from graphagent.snapshot import UNSET

WRITTEN = "written"
"""The name under which a write sees what the call left for the channel."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the model reads of a call, and what is written to the set's channel; UNSET is nothing."""

    text: Any
    written: Any = UNSET


@dataclass(frozen=True, slots=True)
class StandardTool:
    """One tool of a set.

    Attributes:
        writes: The write to the set's channel.
        ordered: Calls of one turn run one after the other in call order, since each sees what the one before it wrote.
        once: Only one call of a turn is taken.
        ends: A call that succeeds is the agent's answer.
    """

    info: ToolInfo
    kind: ObjectOf
    call: Callable[[Task, dict[str, Any]], Awaitable[Told]]
    writes: Writes = ()
    ordered: bool = False
    once: bool = False
    ends: bool = False

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """See `Offer`."""
        return fitting(self.kind, arguments)

    async def run(self, task: Task, arguments: dict[str, Any]) -> Told:
        """See `Offer`."""
        return await self.call(task, arguments)


def standard_tool(
    name: str, about: str, fields: Mapping[str, tuple[Type, Any]], call: Callable[..., Awaitable[Told]], **more: Any
) -> StandardTool:
    """A tool whose parameters have these types and defaults."""
    kind = ObjectOf(tuple(Field(field, of, default) for field, (of, default) in fields.items()))
    info = ToolInfo(name, "std", about, json_schema(kind), None, "read", float("inf"))
    return StandardTool(info, kind, call, **more)


def writes_to(graph: GraphPlan, channel: str) -> Writes:
    """A write of what a call leaves to this channel."""
    return ((graph.channel_index[channel], parse_value(f"${{ {WRITTEN} }}")),)


TEXT = (STR, UNSET)
"""A text that has to be given."""

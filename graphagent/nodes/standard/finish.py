"""`std.finish`: the model gives its answer as a call, whose arguments are what `returns` asks for."""

from __future__ import annotations

from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.plan import NodePlan
from graphagent.graph.types import STR, Field, ObjectOf, json_schema
from graphagent.nodes.standard.offer import StandardTool, Told
from graphagent.ports import Task, ToolInfo
from graphagent.snapshot import UNSET


def finish_offers(node: NodePlan) -> list[StandardTool]:
    """`finish`: the run of the agent ends with valid arguments."""
    kind = node.returns if isinstance(node.returns, ObjectOf) else ObjectOf((Field("text", STR, UNSET),))
    if node.returns is not None and not isinstance(node.returns, ObjectOf):
        message = "`std.finish` needs `returns` with fields, or none"
        raise NodeError(message, kind="invalid_input", retryable=False, hint="give `returns` an object type")

    async def finish(task: Task, arguments: dict[str, Any]) -> Told:
        return Told(arguments)

    about = "Give the final answer and stop. Call it once, when everything is done."
    info = ToolInfo("finish", "std", about, json_schema(kind), None, "read", float("inf"))
    return [StandardTool(info, kind, finish, ends=True)]

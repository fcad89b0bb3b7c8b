"""What all kinds do with the arguments of `with`."""

from __future__ import annotations

from typing import Any

from graphagent.graph.plan import NodePlan
from graphagent.ports import Task


def arguments(node: NodePlan, task: Task) -> dict[str, Any]:
    """The values of `with`, by name."""
    return {name: value.evaluate(task.env) for name, value in node.arguments}

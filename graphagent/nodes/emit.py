"""Kind `emit`: a named event, committed with the checkpoint and so exactly once."""

from __future__ import annotations

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import EmitBody
from graphagent.ports import Finished, Task


class EmitNode:
    """Emits `x.user.<event>` with its `data`."""

    immediate = True

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, EmitBody)
        self.kind = f"x.user.{node.body.event}"
        self.data = [(name, node.values[f"data.{name}"]) for name in node.body.event_data]

    def run_now(self, task: Task) -> Finished:
        """See `ports.Node`."""
        task.emit(self.kind, {name: value.evaluate(task.env) for name, value in self.data})
        return Finished()

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        return self.run_now(task)

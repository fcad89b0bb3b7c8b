"""Kind `set`: only writes."""

from __future__ import annotations

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.ports import Finished, Task


class SetNode:
    """Does nothing by itself: the engine evaluates its `writes`."""

    immediate = True

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        self.node = node

    def run_now(self, task: Task) -> Finished:
        """See `ports.Node`."""
        return Finished()

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        return Finished()

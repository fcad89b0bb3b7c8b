"""Kind `graph`: runs a graph of the document as a child session."""

from __future__ import annotations

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import SELF, GraphBody
from graphagent.nodes.arguments import arguments
from graphagent.ports import Finished, Parked, Task


class GraphNode:
    """Its `out` is the child's outputs. While the child waits for somebody, the token parks."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, GraphBody)
        self.node, self.body = node, node.body
        self.target = graph.name if node.body.graph == SELF else node.body.graph

    def run_now(self, task: Task) -> Finished | Parked:
        """Not an immediate kind."""
        raise TypeError("kind graph is awaited")

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        if self.body.max_depth is not None and task.depth >= self.body.max_depth:
            message = f"the recursion is {task.depth} deep, `max_depth` allows {self.body.max_depth}"
            raise NodeError(message, kind="limit", retryable=False, hint="raise `max_depth`, or end the recursion")
        outputs = await task.child(self.target, arguments(self.node, task))
        return Parked("child") if outputs is None else Finished(out=dict(outputs))

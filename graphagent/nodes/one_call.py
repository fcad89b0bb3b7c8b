"""A call as a model wrote it, made by a node of kind `tool`: its name says which of the node's tools it is."""

from __future__ import annotations

from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.types import STR, Field, ObjectOf, TypeMismatch, checker
from graphagent.nodes.agent_calls import AgentCalls, Turn
from graphagent.nodes.offers import by_shown_name
from graphagent.nodes.toolbox import Toolbox
from graphagent.ports import Task

_FIELDS: Final = ("id", "name", "arguments")
_check = checker(ObjectOf(tuple(Field(name, STR) for name in _FIELDS)))


class OneCall:
    """What the model is told of a call is what an agent would tell it: failures are messages too."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        self.call = node.values["call"]
        self.toolbox, self.entries = Toolbox(node, graph, plan), plan.tools.keys()
        self.calls = AgentCalls(node, graph, None)

    async def run(self, task: Task) -> dict[str, Any]:
        """The message of role `tool`.

        Raises:
            NodeError: `invalid_input`, it is no call; or a failure that is no matter of a model.
        """
        try:
            wanted = _check(self.call.evaluate(task.env))
        except TypeMismatch as error:
            raise NodeError(
                f"`call` is no call: {error.message} at call{error.path[1:]}", kind="invalid_input", retryable=False,
                hint="give an item of `out.calls` of an `llm` node with `tools`",
            ) from error  # fmt: skip
        offers = by_shown_name(await self.toolbox.open(task), self.entries)
        (called,) = await self.calls.run(task, Turn({**offers}, [], []), [wanted])
        return called.message

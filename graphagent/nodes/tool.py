"""Kind `tool`: calls a tool with the arguments of `with`; what it gives is `out`."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

import trio

from graphagent.codec import freeze
from graphagent.errors import NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import SELF, ToolBody
from graphagent.ids import StepId
from graphagent.nodes.arguments import arguments
from graphagent.nodes.client import ClientCall
from graphagent.nodes.offers import fitting, inputs_of
from graphagent.nodes.one_call import OneCall
from graphagent.nodes.tool_calls import KEY, DeclaredCall
from graphagent.nodes.tool_events import CallName, Start, ToolEvents
from graphagent.ports import EffectCall, Finished, Parked, Task, ToolCall, ToolInfo

PURE: Final = "pure"
"""In place of the ordinal of a call that is computed again and never journaled."""


class ToolNode:
    """A call of a tool: of a function or a server, of a graph as a child session, or as a question to our caller."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, ToolBody)
        self.one = None if node.body.call is None else OneCall(node, graph, plan)
        if self.one is not None:
            return
        assert node.tool is not None
        self.node, self.name, self.tool = node, node.body.tool, node.tool
        self.graph_name = graph.name if node.tool.graph == SELF else node.tool.graph
        self.inputs = None if self.graph_name is None else inputs_of(plan.graphs[self.graph_name])
        # Where the node has a timeout, the engine holds it.
        limit = None if node.timeout_s is None else math.inf
        self.declared = DeclaredCall(node.tool, self.name, node.effects, node.values.get(KEY), limit)
        self.client = ClientCall(node.tool, node.tool.client, plan) if node.tool.client is not None else None
        self.events = ToolEvents(node, graph)
        self.info = ToolInfo(self.name, node.tool.source, "", {}, None, node.effects, limit or 0.0)

    def run_now(self, task: Task) -> Finished | Parked:
        """Not an immediate kind."""
        raise TypeError("kind tool is awaited")

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        if self.one is not None:
            return Finished(out=await self.one.run(task))
        given = {name: freeze(value) for name, value in arguments(self.node, task).items()}
        name = CallName(self.name, of=(task.born, task.path, task.attempt, "call"))
        start = Start(self.events, task, name, self.info, given)
        try:
            ended = await self._run(task, given, start)
        except trio.Cancelled:
            start()  # whoever abandons the attempt ends it
            raise
        except NodeError as error:
            start.failed(error)
            self.events.failed(task, name, error, ran=self._ran(task), child=self._called_child(task))
            raise
        start()
        if isinstance(ended, Finished):
            ran, child = self._ran(task), self._called_child(task)
            self.events.ended(task, name, "ok", result=ended.out, ran=ran, child=child)
        return ended

    def _ran(self, task: Task) -> Sequence[str | int] | None:
        return (task.path, task.attempt, PURE) if self.node.effects == "pure" else task.last_call

    def _called_child(self, task: Task) -> bool:
        return self.graph_name is not None and task.last_call is not None

    async def _run(self, task: Task, given: dict[str, Any], start: Start) -> Finished | Parked:
        """What is called tells the start; a server is asked in the middle of the call what it takes."""
        if self.graph_name is not None:
            assert self.inputs is not None
            fitting(self.inputs, given)
            start()
            outputs = await task.child(self.graph_name, given)
            return Parked("child") if outputs is None else Finished(out=dict(outputs))
        if self.client is not None:
            self.client.question(given)
            start()
            return await self.client.ask(task, self.node, given)
        return Finished(out=await self.call(task, given, start))

    async def call(self, task: Task, given: dict[str, Any], start: Start) -> Any:
        """What the tool gives: one effect of its class; a pure one is just computed."""
        source = task.services.tool_source(self.tool.name)

        async def run(call: ToolCall) -> Any:
            call.on_sent = start
            return freeze(await told(source.call(self.name, given, call)))

        if self.node.effects == "pure":
            fault("effect.during")
            step = StepId.derive(task.session, task.superstep, task.path, task.attempt, PURE)
            return await run(self.declared.call(task, EffectCall(b"", step), None))
        return await self.declared.effect(task, given, run, start)


async def told(call: Awaitable[Any]) -> Any:
    """The result of a tool. What a foreign exception said is shown here, since no model reads it."""
    try:
        return await call
    except NodeError as error:
        if isinstance(error.details, Mapping) and "raised" in error.details:
            error.message, error.details = error.details["raised"], None
            error.args = (error.message,)
        raise

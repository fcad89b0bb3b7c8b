"""Kind `tool`: calls a tool with the arguments of `with`; what it gives is `out`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from graphagent.calling import call, failure
from graphagent.codec import freeze
from graphagent.errors import NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import SELF, ToolBody
from graphagent.ids import StepId
from graphagent.nodes.arguments import arguments
from graphagent.nodes.client import ClientCall
from graphagent.ports import EffectCall, Finished, Parked, Task, ToolCall

KEY = "idempotency_key"
"""The parameter that gets the key of a write, if the function has it."""


class ToolNode:
    """A call of a tool: of a function or a server, of a graph as a child session, or as a question to our caller."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, ToolBody)
        assert node.tool is not None
        self.node, self.name, self.tool = node, node.body.tool, node.tool
        self.graph_name = graph.name if node.tool.graph == SELF else node.tool.graph
        self.client = ClientCall(node.tool, node.tool.client, plan) if node.tool.client is not None else None

    def run_now(self, task: Task) -> Finished | Parked:
        """Not an immediate kind."""
        raise TypeError("kind tool is awaited")

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        given = {name: freeze(value) for name, value in arguments(self.node, task).items()}
        if self.graph_name is not None:
            outputs = await task.child(self.graph_name, given)
            return Parked("child") if outputs is None else Finished(out=dict(outputs))
        if self.client is not None:
            return await self.client.ask(task, self.node, given)
        return Finished(out=await self.call(task, given))

    async def call(self, task: Task, given: dict[str, Any]) -> Any:
        """What the tool gives: one effect of its class; a pure one is just computed."""
        source = task.services.tool_source(self.tool.name)
        key = self.key(task, given)

        async def execute(effect: EffectCall) -> Any:
            fault("effect.during")
            return freeze(await told(source.call(self.name, given, self.about(task, effect, key))))

        async def check(effect: EffectCall) -> Any:
            asked = task.services.function(str(self.tool.check))
            takes_key = KEY in inspect.signature(asked).parameters
            more = {KEY: self.about(task, effect, key).idempotency_key} if takes_key else {}
            return verdict(freeze(await called(asked, {**given, **more})))

        if self.node.effects == "pure":
            step = StepId.derive(task.session, task.superstep, task.path, task.attempt, "pure")
            return await execute(EffectCall(b"", step))
        request = {"tool": self.name, "with": given}  # the key may hold the run's id, and two equal runs are equal
        return await task.effect(
            "tool", self.name, self.node.effects, request, execute, keyed=key is not None,
            check=check if self.tool.check is not None else None,
        )  # fmt: skip

    def about(self, task: Task, effect: EffectCall, key: str | None) -> ToolCall:
        """What the tool may know of a call. Where the node has a timeout, the engine holds it."""
        return tool_call(task, effect, key, None if self.node.timeout_s is None else math.inf)

    def key(self, task: Task, given: Mapping[str, Any]) -> str | None:
        """The author's key of a write, as text; None without one."""
        value = self.node.values.get(KEY)
        if value is None or self.node.effects != "write":
            return None
        scope = {"args": given, **({"run": task.env["run"]} if "run" in task.env else {})}
        return str(value.evaluate(scope))


def tool_call(
    task: Task, effect: EffectCall, key: str | None, timeout_s: float | None, result_limit: int | None = None
) -> ToolCall:
    """What a tool may know of a call; its progress is shown to whoever watches."""

    def progress(fraction: float, note: str) -> None:
        data = {"call_id": effect.step, "fraction": fraction, "note": note}
        task.show("x.tool.progress", task.services.redact(data))

    return ToolCall(task.session, effect, key, progress, task.now, timeout_s, artifacts=task, result_limit=result_limit)


async def told(call: Awaitable[Any]) -> Any:
    """The result of a tool. What a foreign exception said is shown here, since no model reads it."""
    try:
        return await call
    except NodeError as error:
        if isinstance(error.details, Mapping) and "raised" in error.details:
            error.message, error.details = error.details["raised"], None
            error.args = (error.message,)
        raise


async def called(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Ask a tool's check; what it raises is `tool_failed`, unless it says more."""
    try:
        return await call(function, given)
    except NodeError as error:
        raise tool_failure(error) from error


def tool_failure(error: Exception) -> Exception:
    """What an exception of a tool is to the engine."""
    found = failure(error)
    if isinstance(found, NodeError) and found.kind == "code_failed":
        found.kind = "tool_failed"
    return found


def verdict(found: Any) -> Any:
    """What a check says, in one of its three forms.

    Raises:
        NodeError: it says something else.
    """
    if found in ("not_found", "unknown") or (isinstance(found, Mapping) and set(found) == {"found"}):
        return found
    hint = "return {'found': value}, 'not_found' or 'unknown'"
    raise NodeError(f"the check of a write gave {found!r}", kind="tool_failed", hint=hint)

"""Kind `wait`: parks its token until an event is posted or a time comes; no process is held."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import WaitBody
from graphagent.ports import Finished, Parked, Task
from graphagent.snapshot import UNSET


class WaitNode:
    """It leaves `event` behind where it waited for one, and nothing after a timer."""

    immediate = True

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, WaitBody)
        self.node, self.body = node, node.body

    def run_now(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        if task.answer is None:
            return self.parked(task)
        if "error" in task.answer:
            error = task.answer["error"]
            raise NodeError(error["message"], kind=error["kind"], cause=error.get("cause"), retryable=False)
        return Finished(event=task.answer.get("event", UNSET))

    async def run(self, task: Task) -> Finished | Parked:
        """See `ports.Node`."""
        return self.run_now(task)

    def parked(self, task: Task) -> Parked:
        """How it waits."""
        if self.body.event:
            return Parked("event", timeout_s=self.node.timeout_s)
        if self.body.duration is not None:
            return Parked("timer", timeout_s=self.node.timeout_s, due_s=self.body.duration.seconds)
        until = time_us(self.node.values["until"].evaluate(task.env))
        return Parked("timer", timeout_s=self.node.timeout_s, until_us=until)


def time_us(text: Any) -> int:
    """Microseconds of an ISO 8601 time; without an offset it is UTC.

    Raises:
        NodeError: kind `expression`: it is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        hint = "give a time such as 2031-05-01T08:00:00Z"
        raise NodeError(f"`until` is no time: {text!r}", kind="expression", retryable=False, hint=hint) from None
    at = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds

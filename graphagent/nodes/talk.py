"""What a model is told first: the system text, what was said before, and the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import AgentBody, LLMBody
from graphagent.nodes.arguments import arguments
from graphagent.nodes.history import window
from graphagent.nodes.prompts import template_of
from graphagent.ports import Task


class Talk:
    """Prompts and history of one node of kind `llm` or `agent`."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, LLMBody | AgentBody)
        self.node, self.body = node, node.body
        self.system = template_of(plan, self.body.system) if self.body.system else None
        self.prompt = template_of(plan, self.body.prompt) if self.body.prompt else None
        self.channel = graph.channel_index[self.body.history.channel] if self.body.history else None

    def begin(self, task: Task) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """What the model is sent, and the new user message in it, if the prompt isn't empty."""
        variables = arguments(self.node, task)
        out: list[dict[str, Any]] = []
        if self.system is not None:
            out.append({"role": "system", "content": task.services.render(self.system, variables)})
        if self.body.history is not None:
            past = task.env.get(self.body.history.channel) or []
            out += window(past, self.body.history)
        asked = None
        if self.prompt is not None:
            text = task.services.render(self.prompt, variables)
            if text.strip() or self.body.history is None:
                asked = {"role": "user", "content": text}
                out.append(asked)
        return out, asked

    def history(self, task: Task, said: Sequence[dict[str, Any] | None]) -> Any:
        """What this task adds to the history channel: (channel, messages with ids), or None."""
        if self.channel is None:
            return None
        new = [m for m in said if m is not None]
        return self.channel, [{"id": task.message_id(i), **m} for i, m in enumerate(new)]

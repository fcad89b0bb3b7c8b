"""What a model is told: the system text, what was said before, the prompt, and what was said since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.skills import SET, skills_of
from graphagent.graph.spec import AgentBody, LLMBody
from graphagent.nodes.arguments import arguments
from graphagent.nodes.history import shown_message, window
from graphagent.nodes.memory import Measured, Memory, Summarise
from graphagent.nodes.model_calls import Again
from graphagent.nodes.prompts import sources_of, template_of
from graphagent.nodes.standard.skills import listed
from graphagent.ports import Task

BUDGET: Final = 16_000
"""Model tokens of a conversation that is summarised, unless `history.max_tokens` says otherwise."""


class Talk:
    """Prompts and history of one node of kind `llm` or `agent`."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, LLMBody | AgentBody)
        self.node, self.body = node, node.body
        self.system = template_of(plan, self.body.system) if self.body.system else None
        self.prompt = template_of(plan, self.body.prompt) if self.body.prompt else None
        self.skills = ""
        if isinstance(self.body, AgentBody) and SET in self.body.tools:
            self.skills = listed(skills_of(plan.templates, graph.name))
        self.sources = sources_of(plan, {"system": self.system, "prompt": self.prompt}, self.skills)
        self.channel = graph.channel_index[self.body.history.channel] if self.body.history else None

    def begin(self, task: Task, summarise: Summarise) -> Conversation:
        """The conversation of one task, as it begins."""
        variables = arguments(self.node, task)
        system, past, asked = None, [], None
        if self.system is not None:
            system = {"role": "system", "content": task.services.render(self.system, variables)}
        if self.skills:
            text = self.skills if system is None else f"{system['content']}\n\n{self.skills}"
            system = {"role": "system", "content": text}
        if self.body.history is not None:
            past = [shown_message(m) for m in task.env.get(self.body.history.channel) or []]
        if self.prompt is not None:
            text = task.services.render(self.prompt, variables)
            if text.strip() or self.body.history is None:
                asked = {"role": "user", "content": text}
        measured = Measured(task.services.contexts, (task.session, self.node.name))
        return Conversation(self, system, past, asked, summarise, measured)


class Conversation:
    """What was said to and by one task's model.

    Attributes:
        said: What came after the prompt, or after the past where there is no prompt.
    """

    def __init__(
        self, talk: Talk, system: dict[str, Any] | None, past: Sequence[dict[str, Any]],
        asked: dict[str, Any] | None, summarise: Summarise, measured: Measured | None = None,
    ) -> None:  # fmt: skip
        self.talk, self.system, self.past, self.asked = talk, system, list(past), asked
        self.said: list[dict[str, Any]] = []
        history = talk.body.history
        self.memory = None
        if history is not None and history.overflow == "summarize":
            self.memory = Memory(history.max_tokens or BUDGET, asked, summarise, measured)

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The whole conversation so far, without the system text."""
        return [*self.past, *([] if self.asked is None else [self.asked]), *self.said]

    async def shown(self) -> list[Mapping[str, Any]]:
        """What the model is sent of it: what fits into the window, and the prompt.

        Raises:
            NodeError: kind `context_overflow`.
        """
        first: list[Mapping[str, Any]] = [] if self.system is None else [self.system]
        if self.memory is not None:
            return [*first, *await self.memory.pack(self.heard)]
        if self.talk.body.history is None:
            return [*first, *self.heard]
        after = ([] if self.asked is None else [self.asked]) + self.said
        return [*first, *window(self.past, self.talk.body.history, after)]

    def again(self, more: Sequence[Mapping[str, Any]] = ()) -> Again | None:
        """How it is packed once more when a provider refuses it as too long; None if it isn't packed at all.

        Args:
            more: What the model is sent after it.
        """
        memory = self.memory
        if memory is None:
            return None
        first: list[Mapping[str, Any]] = [] if self.system is None else [self.system]

        async def again(sent: int, counted: int | None) -> list[Mapping[str, Any]]:
            return [*first, *await memory.pack_again(self.heard, sent, counted), *more]

        return again

    def history(self, task: Task) -> Any:
        """What this task adds to the history channel: (channel, messages with ids), or None."""
        if self.talk.channel is None:
            return None
        new = ([] if self.asked is None else [self.asked]) + self.said
        return self.talk.channel, [{"id": task.message_id(i), **m} for i, m in enumerate(new)]

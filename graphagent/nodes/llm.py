"""Kind `llm`: one model call, with at most one repair of a structured answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.messages import Usage
from graphagent.nodes.model_calls import REPAIRS, ModelCalls, Wanted, correction
from graphagent.nodes.talk import Talk
from graphagent.nodes.toolbox import Toolbox
from graphagent.ports import Finished, Task


class LLMNode:
    """Its `out` is `{text}`, or the value that `returns` asks for; with `tools` it is `{text, calls}`."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        self.talk = Talk(node, graph, plan)
        self.calls = ModelCalls(node, graph, plan, self.talk.sources)
        self.toolbox = None if node.agent is None else Toolbox(node, graph, plan)
        self.entries = plan.tools.keys()

    def run_now(self, task: Task) -> Finished:
        """Not an immediate kind."""
        raise TypeError("kind llm is awaited")

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        total = Usage()
        models = list(self.calls.models)

        def spent(usage: Usage) -> None:
            nonlocal total
            total += usage

        tools = [] if self.toolbox is None else await self.toolbox.shown(task, self.entries)
        conversation = self.talk.begin(task, self.calls.summariser(task, spent, models))
        shown, more = await conversation.shown(), list[Mapping[str, Any]]()
        for repair in range(REPAIRS + 1):
            wanted = Wanted([*shown, *more], tools, output=self.calls.schema)
            reply = await self.calls.call(task, wanted, models, conversation.again(more))
            spent(Usage.from_data(reply["usage"]))
            answer = {"role": "assistant", "content": reply["text"]}
            if tools:
                calls = [dict(call) for call in reply.get("tool_calls") or ()]
                conversation.said.append({**answer, "tool_calls": calls} if calls else answer)
                out = {"text": reply["text"], "calls": calls}
                return Finished(out=out, usage=total, history=conversation.history(task))
            try:
                out = self.calls.read(task, reply)
            except NodeError as error:
                if repair == REPAIRS:
                    raise
                shown, more = await conversation.shown(), [answer, correction(error)]
                continue
            conversation.said.append(answer)
            return Finished(out=out, usage=total, history=conversation.history(task))
        raise AssertionError("the last repair returns or raises")

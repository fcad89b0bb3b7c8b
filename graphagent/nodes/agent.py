"""Kind `agent`: a model that calls tools and delegates until it answers.

All turns are inside one superstep. Every model and tool call is an effect of its own, so after a crash or an answer the
node runs again from its top, through its journal, and makes no call twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import AgentBody
from graphagent.messages import Usage
from graphagent.nodes.agent_calls import AgentCalls, Called, Turn
from graphagent.nodes.large_results import READ, ArtifactReader, names_one
from graphagent.nodes.model_calls import REPAIRS, ModelCalls, Parts, Wanted, correction
from graphagent.nodes.offers import Offer, by_shown_name, shown
from graphagent.nodes.spokes import Spoke
from graphagent.nodes.talk import Talk
from graphagent.nodes.toolbox import Toolbox
from graphagent.ports import Finished, Task

FAILURES: Final = 6
"""So many calls in a row may fail."""
SAME_FAILURES: Final = 3
"""So often in a row a call may fail in the same way."""
CALLS: Final = 200
"""So many calls of tools may one task make."""
LAST_WORDS: Final = "You can't call tools any more. Give your final answer now, from what you know."


class AgentNode:
    """Its `out` is `{text}`, or the value that `returns` asks for."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, AgentBody)
        assert node.agent is not None
        self.node, self.body = node, node.body
        self.talk = Talk(node, graph, plan)
        self.models = ModelCalls(node, graph, plan, self.talk.sources)
        self.toolbox, self.entries = Toolbox(node, graph, plan), plan.tools.keys()
        self.spokes = [Spoke(delegate, plan) for delegate in node.agent.delegates.values()]
        self.calls = AgentCalls(node, graph, self.models)

    def run_now(self, task: Task) -> Finished:
        """Not an immediate kind."""
        raise TypeError("kind agent is awaited")

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        offers: list[Offer | Spoke] = [*await self.toolbox.open(task), *self.spokes]
        loop = _Loop(self, task, by_shown_name(offers, self.entries))
        out = await loop.run()
        return Finished(out=out, usage=loop.usage, history=loop.conversation.history(task))


class _Loop:
    """One task's conversation: what was said in it, what it has used, and how its calls went."""

    def __init__(self, agent: AgentNode, task: Task, offers: Mapping[str, Offer | Spoke]) -> None:
        self.agent, self.task, self.offers = agent, task, offers
        self.usage = Usage()
        self.models = list(agent.models.models)
        self.conversation = agent.talk.begin(task, agent.models.summariser(task, self.spent, self.models))
        self.tools = [shown(name, offer.info) for name, offer in offers.items()]
        self.parts = Parts(self.tools)
        self.failed: list[Called] = []
        self.made = 0
        self.looked = 0
        """How many messages were looked through for artifacts."""

    def spent(self, usage: Usage) -> None:
        """Count what a model call has used."""
        self.usage += usage

    async def run(self) -> Any:
        """The agent's result.

        Raises:
            NodeError: `max_turns`, or its calls failed too often, or a call that isn't the model's matter.
        """
        turns = self.agent.body.max_turns
        for turn in range(turns):
            self.task.emit("x.agent.turn_started", {"turn": turn})
            reply = await self.ask(last=turn == turns - 1 and turn > 0)
            wanted = reply.get("tool_calls") or ()
            if not wanted:
                out = await self.answer(reply)
                self.turn_ended(turn, ())
                return out
            if turn == turns - 1:
                self.turn_ended(turn, ())
                break
            called = await self.call(reply, wanted)
            self.turn_ended(turn, wanted)
            ended = next((c for c in called if c.ends), None)
            if ended is not None:
                return self.finished(ended)
        raise NodeError(
            f"there is no answer after {turns} model calls", kind="max_turns", retryable=False,
            hint="raise `max_turns`, or say in the prompt when to stop",
        )  # fmt: skip

    def turn_ended(self, turn: int, wanted: Sequence[Mapping[str, str]]) -> None:
        """Say which calls a turn made."""
        self.task.emit("x.agent.turn_completed", {"turn": turn, "calls": [call["name"] for call in wanted]})

    async def ask(self, *, last: bool) -> Mapping[str, Any]:
        """What the model says next. The last call goes without tools."""
        more = [{"role": "user", "content": LAST_WORDS}] if last else []
        messages = [*await self.conversation.shown(), *more]
        self.offer_artifacts()
        wanted = Wanted(messages, self.tools, "none" if last else "auto", self.agent.models.schema, self.parts)
        reply = await self.agent.models.call(self.task, wanted, self.models, self.conversation.again(more))
        self.spent(Usage.from_data(reply["usage"]))
        if last and reply.get("tool_calls"):
            return {**reply, "tool_calls": ()} if reply["text"].strip() else reply
        return reply

    def offer_artifacts(self) -> None:
        """Offer to read artifacts once the conversation names one; another tool of that name stays what it is."""
        heard = self.conversation.heard
        new, self.looked = heard[self.looked :], len(heard)
        if READ not in self.offers and names_one(new):
            self.offers = {**self.offers, READ: ArtifactReader()}
            self.tools.append(shown(READ, ArtifactReader.info))
            self.parts = Parts(self.tools)

    async def answer(self, reply: Mapping[str, Any]) -> Any:
        """The result in a final message; one that doesn't fit `returns` is corrected once."""
        for repair in range(REPAIRS + 1):
            answer = {"role": "assistant", "content": reply["text"]}
            try:
                out = self.agent.models.read(self.task, reply)
            except NodeError as error:
                if repair == REPAIRS:
                    raise
                more = [answer, correction(error)]
                asked = [*await self.conversation.shown(), *more]
            else:
                self.conversation.said.append(answer)
                return out
            wanted = Wanted(asked, self.tools, "none", self.agent.models.schema, self.parts)
            reply = await self.agent.models.call(self.task, wanted, self.models, self.conversation.again(more))
            self.spent(Usage.from_data(reply["usage"]))
        raise AssertionError("the last repair returns or raises")

    def finished(self, called: Called) -> Any:
        """The arguments of a call that is the answer."""
        check = self.agent.node.check_returns
        return called.args if check is None else check(called.args)

    async def call(self, reply: Mapping[str, Any], wanted: Sequence[Mapping[str, str]]) -> Sequence[Called]:
        """Make the calls of a turn, and note what the model is to read of them."""
        self.made += len(wanted)
        if self.made > CALLS:
            raise NodeError(
                f"{self.made} calls of tools are wanted, {CALLS} are allowed in one run of the agent", kind="limit",
                retryable=False, hint="split the work: a delegate has calls of its own",
            )  # fmt: skip
        turn = Turn(self.offers, self.conversation.heard, self.models)
        called = await self.agent.calls.run(self.task, turn, wanted)
        asked = {"role": "assistant", "content": reply["text"], "tool_calls": [dict(call) for call in wanted]}
        self.conversation.said += [asked, *(one.message for one in called)]
        self._count(called)
        return called

    def _count(self, called: Sequence[Called]) -> None:
        """Raise NodeError of kind `tool_failed` where calls fail again and again."""
        for one in called:
            self.failed = [*self.failed, one] if one.error is not None else []
            same = [f for f in self.failed[-SAME_FAILURES:] if f.fingerprint == one.fingerprint]
            if len(same) == SAME_FAILURES:
                self._give_up(one, "the same error three times in a row")
            if len(self.failed) == FAILURES:
                self._give_up(one, f"{FAILURES} calls in a row failed")

    def _give_up(self, one: Called, hint: str) -> None:
        error = one.error or {}
        raise NodeError(
            f"{one.name}: {error.get('message', '')}", kind="tool_failed", cause=error.get("cause"), retryable=False,
            hint=hint,
        )  # fmt: skip

"""Calls of a node's model, each an effect of its own: fallbacks in order, tries inside, pieces shown as they come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from graphagent.codec import digest, freeze, hash_value, show_digest
from graphagent.errors import ModelError, NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, ModelPlan, NodePlan, Plan
from graphagent.graph.secrecy import touches_secret
from graphagent.graph.types import TypeMismatch, json_schema
from graphagent.messages import Done, ModelRequest, ReasoningDelta, Sampling, TextDelta, ToolCallDelta, Usage
from graphagent.nodes.hooks import LATER, Hooked
from graphagent.nodes.memory import Summarise, size
from graphagent.nodes.prompts import Sources
from graphagent.nodes.reasoning import Thinking, tell
from graphagent.nodes.retrying import TRANSIENT, retrying
from graphagent.ports import EffectCall, Task

LARGER = "larger"
PRICE_DATE = "price_date"
"""The date of the table by which a reply's cost was computed."""
LATER_S = 1.0
"""A call's deadline is that much after its node's timeout, which ends it. It is for waits that would pass both."""
REPAIRS = 1
"""How often a model may correct an answer that doesn't fit `returns`."""
COUNTED = "counted"
"""In the details of an overflow: how many model tokens the provider counted."""
Again = Callable[[int, int | None], Awaitable[Sequence[Mapping[str, Any]]]]
"""Packs the messages of a request that a provider refused as too long once more. Gets its model tokens as they were
estimated, and as the provider counted them. Raises NodeError: there is no shorter form."""


class Parts:
    """Hashes of what a conversation's requests are made of. A message isn't changed once it was said."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self.tools = hash_value(freeze(list(tools))).hex()
        self._known: dict[int, tuple[Mapping[str, Any], str]] = {}

    def hash(self, message: Mapping[str, Any]) -> str:
        """The hash of a message."""
        known = self._known.get(id(message))
        if known is None or known[0] is not message:  # an id is free again when its object is gone
            known = self._known[id(message)] = (message, hash_value(freeze(dict(message))).hex())
        return known[1]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model is asked: messages, the tools that it may call, and the JSON Schema that its answer has to fit.

    `parts` stand for messages and tools in the journal, where these are hashed once and not at every turn again.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str = "auto"
    output: Mapping[str, Any] | None = None
    parts: Parts | None = None

    def request(self, model: ModelPlan) -> dict[str, Any]:
        """The request as the journal hashes it: endpoints and deadlines are no part of it."""
        said = list(self.messages) if self.parts is None else [self.parts.hash(m) for m in self.messages]
        out = {
            "model": model.use, "messages": said, "temperature": model.temperature, "params": dict(model.params),
            "output": self.output,
        }  # fmt: skip
        if self.parts is not None:
            return {**out, "tools": self.parts.tools, "tool_choice": self.tool_choice}
        return {**out, "tools": list(self.tools), "tool_choice": self.tool_choice} if self.tools else out

    def to_send(self, model: ModelPlan, deadline_s: float | None = None) -> ModelRequest:
        """The request as an adapter takes it."""
        sampling = Sampling(temperature=model.temperature)
        return ModelRequest(
            tuple(self.messages), tuple(self.tools), self.tool_choice, self.output, sampling, model.params, deadline_s
        )


class ModelCalls:
    """The models of one node, and how their answers are read."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan, sources: Sources) -> None:
        self.node, self.sources, self.hidden = node, sources, touches_secret(node, graph)
        self.models = [plan.models[name] for name in with_fallbacks(plan, node.model or "")]
        self.schema = json_schema(node.returns) if node.returns is not None else None

    async def call(
        self, task: Task, wanted: Wanted, models: list[ModelPlan], again: Again | None = None
    ) -> Mapping[str, Any]:
        """What the first of these models answers that can be reached; those before it are taken off the list.

        The reply is `{text, finish, usage}`, with `tool_calls` where it has some: `{id, name, arguments}` each, the
        arguments as the model wrote them; `reasoning`, groups of blocks, where it gave that; and `price_date` where its
        cost is by a table with a date. It has passed the operator's hooks, and so have the messages. What is too long
        is packed `again`, once, before a larger model is asked.
        """
        hooked = Hooked(task, models[0].name, self.sources)
        return await hooked.after(await self.reached(task, wanted, models, hooked, again))

    async def reached(
        self, task: Task, wanted: Wanted, models: list[ModelPlan], hooked: Hooked, again: Again | None
    ) -> Mapping[str, Any]:
        """What the first model answers that can be reached, before its hooks."""
        wanted, later = await _allowed(hooked, wanted), hooked.later()
        while True:
            try:
                return await self.ask(task, wanted, models, later)
            except NodeError as error:
                if again is not None and error.kind == "context_overflow":
                    shorter, again = await _shorter(task, wanted, again, error), None
                    if shorter is not None:
                        wanted = await _allowed(hooked, shorter)
                        continue
                after = _next_after(error, models)
                if after is None:
                    raise
                failed = models[0]
                del models[:after]
                data = {"model": failed.name, "next": models[0].name, "cause": error.kind, "call": task.last_call}
                task.emit("x.model.fallback", data)

    async def ask(
        self, task: Task, wanted: Wanted, models: Sequence[ModelPlan], later: Sequence[str]
    ) -> Mapping[str, Any]:
        """One call of the first of these models as an effect; tries are made inside it."""
        model, *others = models

        async def execute(effect: EffectCall) -> Any:
            limit = self.node.timeout_s
            send = wanted.to_send(model, None if limit is None else limit + LATER_S)
            unseen = bool(later)

            async def once() -> dict[str, Any]:
                return await stream(task, send, effect, model.name, unseen=unseen, hidden=unseen or self.hidden)

            try:
                reply = await retrying(self.node.retry, effect, task, once)
                return {**reply, LATER: list(later)} if later else reply
            except ModelError as error:
                if error.kind == "context_overflow" and others:
                    error.details = await _with_larger(task, error.details, model, others)
                raise

        prompt = show_digest(self.sources.hash)
        parts = {"messages": len(wanted.messages), "tools": len(wanted.tools)}
        task.show("x.model.started", {"model": model.name, "prompt_hash": prompt, "parts": parts})
        reply: Mapping[str, Any] = await task.effect(
            "model", model.name, "read", wanted.request(model), execute, made_of=self.sources
        )
        call = task.last_call
        dated = {PRICE_DATE: reply[PRICE_DATE]} if PRICE_DATE in reply else {}
        self.tell(task, reply)
        task.emit("x.model.completed", {"model": model.name, "usage": reply["usage"], "call": call, **dated})
        return reply

    def tell(self, task: Task, reply: Mapping[str, Any]) -> None:
        """Say how the stream of the newest call ended, from what the journal holds of it.

        Hooks see a message before anybody else does, so where there are some its reasoning isn't shown.
        """
        usage = reply["usage"]
        tell(task, reply.get("reasoning", ()), usage, hidden=self.hidden or LATER in reply)
        cost = usage.get("cost_micro")
        data = {
            "call": task.last_call, "content_hash": show_digest(digest(reply["text"].encode())),
            "finish_reason": reply["finish"], "usage": usage, "cost": None if cost is None else cost / 1e6,
        }  # fmt: skip
        task.emit("RunContentCompleted", data)

    def summariser(self, task: Task, spent: Callable[[Usage], None], models: list[ModelPlan]) -> Summarise:
        """Summarises with the node's model, as an effect of the task."""

        async def summarise(prompt: str) -> str:
            reply = await self.call(task, Wanted([{"role": "user", "content": prompt}]), models)
            spent(Usage.from_data(reply["usage"]))
            task.emit("x.memory.summarised", {"call": task.last_call})
            return str(reply["text"])

        return summarise

    def read(self, task: Task, reply: Mapping[str, Any]) -> Any:
        """The node's `out` of a reply. Raises NodeError of kind `invalid_output`."""
        if self.schema is None or self.node.check_returns is None:
            return {"text": reply["text"]}
        value = task.services.read_answer(reply["text"], self.schema, reply["finish"])
        try:
            return self.node.check_returns(value)
        except TypeMismatch as error:
            message = f"the answer doesn't fit `returns` at out{error.path[1:]}: {error.message}"
            raise NodeError(message, kind="invalid_output") from error


async def _allowed(hooked: Hooked, wanted: Wanted) -> Wanted:
    """What may be asked. Raises CallBlocked."""
    messages = await hooked.before(wanted.messages)
    return wanted if messages is wanted.messages else replace(wanted, messages=messages)


async def _shorter(task: Task, wanted: Wanted, again: Again, error: NodeError) -> Wanted | None:
    """What is asked after this overflow; None if it can't be made shorter.

    It follows from the journal alone, which holds the overflow and what the provider counted.
    """
    call = task.last_call
    counted = error.details.get(COUNTED) if isinstance(error.details, Mapping) else None
    try:
        messages = await again(size(wanted.messages, wanted.tools), counted)
    except NodeError as failure:
        if failure.kind != "context_overflow":
            raise
        return None
    task.emit("x.memory.repacked", {"call": call, "messages": len(messages), "was": len(wanted.messages)})
    return replace(wanted, messages=messages)


def _next_after(error: NodeError, models: Sequence[ModelPlan]) -> int | None:
    """Which of the models is asked after the first one failed so; None if that can't help, or would hide something."""
    if error.kind in TRANSIENT:
        return 1 if len(models) > 1 else None
    larger = error.details.get(LARGER) if isinstance(error.details, Mapping) else None
    return next((i for i, model in enumerate(models) if i and model.name == larger), None)


async def _with_larger(task: Task, details: Any, model: ModelPlan, others: Sequence[ModelPlan]) -> dict[str, Any]:
    """The details of an overflow, with the first other model whose window is known to be larger.

    It is chosen where the call is made, so that the journal holds it: a replay opens no model.
    """
    out = dict(details) if isinstance(details, Mapping) else {}
    window = (await task.services.model(model.name)).info.context_window
    if window is None:
        return out
    for other in others:
        with suppress(ModelError):  # one that can't be opened isn't a way out
            if ((await task.services.model(other.name)).info.context_window or 0) > window:
                return {**out, LARGER: other.name}
    return out


@dataclass(slots=True)
class _Calls:
    """The tool calls of one answer while they arrive."""

    parts: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, delta: ToolCallDelta) -> None:
        call = self.parts.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = delta.id or call["id"]
        call["name"] = delta.name or call["name"]
        call["arguments"] += delta.arguments

    def whole(self) -> list[dict[str, str]]:
        """The calls in order. One without an id, or with that of another, gets one."""
        out: list[dict[str, str]] = []
        taken: set[str] = set()
        for index, call in sorted(self.parts.items()):
            name = call["id"] if call["id"] and call["id"] not in taken else f"call_{index}"
            taken.add(name)
            out.append({**call, "id": name})
        return out


async def stream(
    task: Task, request: ModelRequest, effect: EffectCall, name: str, *, unseen: bool, hidden: bool
) -> dict[str, Any]:
    """Read one answer to its end, showing its text as it comes unless it is to stay unseen.

    Args:
        hidden: Its reasoning isn't shown.
    """
    model = await task.services.model(name)
    pieces: list[str] = []
    calls, thinking = _Calls(), Thinking(task, effect.step, hidden=hidden)
    done: Done | None = None
    fault("effect.during")
    effect.begin()
    try:
        async with aclosing(model.stream(request)) as parts:
            async for part in parts:
                if not isinstance(part, Done):
                    effect.arrived()
                if isinstance(part, ReasoningDelta):
                    thinking.piece(part)
                    continue
                thinking.end()
                if isinstance(part, TextDelta):
                    if not unseen:
                        task.say(effect.step, len(pieces), part.text)
                    pieces.append(part.text)
                elif isinstance(part, ToolCallDelta):
                    calls.add(part)
                elif isinstance(part, Done):
                    done = part
    finally:
        thinking.end()
    if done is None:
        raise ModelError("the model's stream ended before its answer did", cause="stream_broken")
    usage = done.usage.priced(model.info.price) if done.usage.cost_micro is None else done.usage
    effect.usage = usage
    effect.tries += done.tries - 1
    reply: dict[str, Any] = {"text": "".join(pieces), "finish": done.finish, "usage": usage.data()}
    if thinking.groups:
        reply["reasoning"] = thinking.groups
    if calls.parts:
        reply["tool_calls"] = calls.whole()
    price = model.info.price
    if price is not None and price.date is not None and usage.cost_micro is not None:
        reply[PRICE_DATE] = price.date
    return reply


def with_fallbacks(plan: Plan, name: str) -> list[str]:
    """A model and those that are tried after it, each once."""
    out = [name]
    for other in plan.models[name].fallback:
        out += [n for n in with_fallbacks(plan, other) if n not in out]
    return out


def correction(error: NodeError) -> dict[str, Any]:
    """What the model is told about an answer that doesn't fit."""
    return {"role": "user", "content": f"That answer can't be used: {error.message}. Answer again, only with the JSON."}

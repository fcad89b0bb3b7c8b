"""Kind `llm`: one model call, streamed, with bounded repair of a typed answer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from graphagent.errors import ModelError, NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, ModelPlan, NodePlan, Plan
from graphagent.graph.spec import LLMBody
from graphagent.graph.types import TypeMismatch, json_schema
from graphagent.messages import Done, ModelRequest, Sampling, TextDelta, Usage
from graphagent.nodes.arguments import arguments
from graphagent.nodes.history import window
from graphagent.nodes.prompts import template_of
from graphagent.nodes.retrying import TRANSIENT, retrying
from graphagent.ports import EffectCall, Finished, Task

REPAIRS = 1


class LLMNode:
    """Its `out` is `{text}`, or the value that `returns` asks for."""

    immediate = False

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert isinstance(node.body, LLMBody)
        self.node, self.body = node, node.body
        self.models = [plan.models[name] for name in with_fallbacks(plan, node.model or "")]
        self.system = template_of(plan, self.body.system) if self.body.system else None
        self.prompt = template_of(plan, self.body.prompt) if self.body.prompt else None
        self.schema = json_schema(node.returns) if node.returns is not None else None
        self.history = graph.channel_index[self.body.history.channel] if self.body.history else None

    def run_now(self, task: Task) -> Finished:
        """Not an immediate kind."""
        raise TypeError("kind llm is awaited")

    async def run(self, task: Task) -> Finished:
        """See `ports.Node`."""
        messages, asked = self.messages(task)
        total = Usage()
        models = list(self.models)
        for repair in range(REPAIRS + 1):
            reply = await self.call(task, messages, models)
            total += Usage.from_data(reply["usage"])
            try:
                out = self.read(task, reply)
            except NodeError as error:
                if repair == REPAIRS:
                    raise
                messages = [*messages, {"role": "assistant", "content": reply["text"]}, correction(error)]
                continue
            answer = {"role": "assistant", "content": reply["text"]}
            return Finished(out=out, usage=total, history=self.turn(task, asked, answer))
        raise AssertionError("the last repair returns or raises")

    def messages(self, task: Task) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
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

    async def call(self, task: Task, messages: list[dict[str, Any]], models: list[ModelPlan]) -> Mapping[str, Any]:
        """What the first of these models answers that can be reached; those before it are taken off the list."""
        while True:
            try:
                return await self.ask(task, messages, models[0])
            except NodeError as error:
                if error.kind not in TRANSIENT or len(models) == 1:
                    raise
                failed = models.pop(0)
                data = {"model": failed.name, "next": models[0].name, "cause": error.kind, "call": task.last_call}
                task.emit("x.model.fallback", data)

    async def ask(self, task: Task, messages: list[dict[str, Any]], model: ModelPlan) -> Mapping[str, Any]:
        """One model call as an effect; tries are made inside it."""
        request = {
            "model": model.use, "messages": messages, "temperature": model.temperature, "params": dict(model.params),
            "output": self.schema,
        }  # fmt: skip
        wanted = ModelRequest(
            tuple(messages), output=self.schema, sampling=Sampling(temperature=model.temperature), params=model.params
        )

        async def execute(effect: EffectCall) -> Any:
            return await retrying(self.node.retry, effect, task, lambda: self.stream(task, wanted, effect, model.name))

        reply: Mapping[str, Any] = await task.effect("model", model.name, "read", request, execute)
        call = task.last_call
        task.emit("x.model.completed", {"model": model.name, "usage": reply["usage"], "call": call})
        return reply

    async def stream(self, task: Task, request: ModelRequest, effect: EffectCall, name: str) -> Any:
        """Read one answer to its end, showing it as it comes."""
        model = await task.services.model(name)
        pieces: list[str] = []
        done: Done | None = None
        fault("effect.during")
        async with aclosing(model.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, TextDelta):
                    task.say(effect.step, len(pieces), part.text)
                    pieces.append(part.text)
                elif isinstance(part, Done):
                    done = part
        if done is None:
            raise ModelError("the model's stream ended before its answer did", cause="stream_broken")
        usage = done.usage.priced(model.info.price) if done.usage.cost_micro is None else done.usage
        effect.usage = usage
        effect.tries += done.tries - 1
        return {"text": "".join(pieces), "finish": done.finish, "usage": usage.data()}

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

    def turn(self, task: Task, asked: dict[str, Any] | None, answer: dict[str, Any]) -> Any:
        """What this call adds to the history channel: (channel, messages with ids), or None."""
        if self.history is None:
            return None
        new = [m for m in (asked, answer) if m is not None]
        return self.history, [{"id": task.message_id(i), **m} for i, m in enumerate(new)]


def with_fallbacks(plan: Plan, name: str) -> list[str]:
    """A model and those that are tried after it, each once."""
    out = [name]
    for other in plan.models[name].fallback:
        out += [n for n in with_fallbacks(plan, other) if n not in out]
    return out


def correction(error: NodeError) -> dict[str, Any]:
    """What the model is told about an answer that doesn't fit."""
    return {"role": "user", "content": f"That answer can't be used: {error.message}. Answer again, only with the JSON."}

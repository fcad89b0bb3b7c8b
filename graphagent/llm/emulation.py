"""Tool calls for models that have none: the call is an answer that is constrained to a schema.

    two_step   first the name, out of an enum, then the arguments of that tool
    one_step   one answer, `anyOf` over the tools

Nobody above knows: a request with tools goes in, `ToolCallDelta` or `TextDelta` come out. To finish, the model calls
`reply`. A call that was made before with the same arguments is not made again: the model is asked for its answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import trio

from graphagent.errors import ModelError
from graphagent.llm.structured import first_json, needs_wrapping
from graphagent.llm.tool_prompt import (
    MAX_STRING,
    REPLY,
    call_text,
    examples,
    joined,
    listing,
    named,
    plain_messages,
    text_of,
)
from graphagent.messages import (
    Done,
    Model,
    ModelInfo,
    ModelPart,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

Mode = Literal["two_step", "one_step"]
MODES: Final[tuple[Mode, ...]] = ("two_step", "one_step")
CALL: Final = "call"
"""Providers want an object at the root of a schema, so `anyOf` stands below this key."""
RESULT_LIMIT: Final = 8_000
"""Characters of one result where the model's window is unknown."""


class EmulatedTools:
    """A model that calls tools, over one whose answers can only be constrained to a schema.

    Args:
        inner: Its `info.json_schema` is true.
        mode: How a tool is chosen.
        max_reply: Characters of an answer to a request with tools.
    """

    def __init__(self, inner: Model, mode: Mode = "two_step", *, max_reply: int = 4_000) -> None:
        self.inner, self.mode = inner, mode
        self.info: ModelInfo = replace(inner.info, tools=True, parallel_tools=False)
        self._max_reply = max_reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last. Pieces of a request without tools come as the model makes them.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        called = any(m.get("role") == "tool" or m.get("tool_calls") for m in request.messages)
        if not request.tools:
            sent = request if not called else replace(request, messages=tuple(self._plain(request, replies=False)))
            if not called or request.output is not None:
                async with aclosing(self.inner.stream(sent)) as parts:
                    async for part in parts:
                        yield part
                return
        thoughts: list[ReasoningDelta] = []
        chosen = await self._choose(request, thoughts)
        for thought in thoughts:
            yield thought
        if chosen.name == REPLY:
            yield TextDelta(chosen.said(request))
        else:
            count = sum(len(m.get("tool_calls") or ()) for m in request.messages)
            yield ToolCallDelta(0, f"call_{count}", chosen.name, chosen.text())
        ended = chosen.done
        yield replace(ended, finish="tool_calls" if chosen.name != REPLY and ended.finish == "stop" else ended.finish)

    async def aclose(self) -> None:
        """Close the model below."""
        await self.inner.aclose()

    async def _choose(self, request: ModelRequest, thoughts: list[ReasoningDelta]) -> _Chosen:
        """What the model wants; what it thought meanwhile is added to `thoughts`, the blocks of one question after
        those of another."""
        tools = _allowed(request)
        asking = _Asking(self.inner, request, self._messages(request, tools), thoughts)
        reply = _reply(request, self._max_reply)
        may_reply = not tools or (request.tool_choice in ("auto", "none"))
        options = ([reply] if may_reply else []) + tools
        chosen = await (asking.in_two if self.mode == "two_step" else asking.in_one)(options)
        if may_reply and chosen.name != REPLY and _repeated(request, chosen):
            chosen = await asking.in_two([reply])
        return chosen

    def _messages(self, request: ModelRequest, tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        said = self._plain(request, replies=True)
        system = said.pop(0)["content"] if said and said[0]["role"] == "system" else ""
        users = [text_of(m) for m in request.messages if m.get("role") == "user"]
        last = next((m.get("role") for m in reversed(request.messages) if m.get("role") != "system"), "user")
        answered = last == "tool" or not tools
        head = "\n\n".join(part for part in (system, listing(tools)) if part)
        shown = examples(tools, users[-1] if users else "", answered=answered)
        if self.mode == "one_step":
            shown = [m if m["role"] == "user" else {**m, "content": _below(m["content"])} for m in shown]
            said = [m if m["role"] == "user" else {**m, "content": _below(m["content"])} for m in said]
        return joined([{"role": "system", "content": head}, *shown, *said])

    def _plain(self, request: ModelRequest, *, replies: bool) -> list[dict[str, Any]]:
        window = self.inner.info.context_window
        # four characters are about a model token, so this is about a quarter of the window
        return plain_messages(request.messages, window or RESULT_LIMIT, replies=replies)


def _below(text: str) -> str:
    return f'{{"{CALL}": {text}}}'


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the model wants to call. `arguments` are text where they are no JSON object."""

    name: str
    arguments: Any
    done: Done

    def text(self) -> str:
        """The arguments as JSON text, or as the model wrote them."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)

    def said(self, request: ModelRequest) -> str:
        """The answer in a call of `reply`."""
        if isinstance(self.arguments, str):
            return self.arguments
        if request.output is not None:
            return json.dumps(self.arguments, ensure_ascii=False)
        return str(self.arguments.get("text", ""))


def _allowed(request: ModelRequest) -> list[Mapping[str, Any]]:
    tools = [tool.get("function", tool) for tool in request.tools]
    choice = request.tool_choice
    if any(tool["name"] == REPLY for tool in tools):
        message = f"a model without tools of its own answers by calling {REPLY!r}, so no tool can have that name"
        raise ModelError(message, kind="invalid_input", hint="rename the tool, or use a model that calls tools itself")
    if choice == "none":
        return []
    if choice in ("auto", "required"):
        return tools
    found = [tool for tool in tools if tool["name"] == choice]
    if not found:
        raise ModelError(f"`tool_choice` names {choice!r}, and there is no such tool", kind="invalid_input")
    return found


def _reply(request: ModelRequest, longest: int) -> dict[str, Any]:
    """The answer as a tool: a text, or what `output` wants."""
    if request.output is None:
        text = {"type": "string", "maxLength": longest}
        return {"name": REPLY, "parameters": {"type": "object", "properties": {"text": text}, "required": ["text"]}}
    schema = request.output
    if needs_wrapping(schema):
        outer = {k: v for k, v in schema.items() if k == "$defs"}
        inner = {k: v for k, v in schema.items() if k != "$defs"}
        schema = {"type": "object", "properties": {"value": inner}, "required": ["value"], **outer}
    return {"name": REPLY, "parameters": schema}


def _repeated(request: ModelRequest, chosen: _Chosen) -> bool:
    """Whether this call was made since the user spoke last, with the same arguments."""
    wanted = call_text(chosen.name, chosen.arguments)
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return False
        if any(call_text(*named(call)) == wanted for call in message.get("tool_calls") or ()):
            return True
    return False


class _Asking:
    """The constrained questions of one request."""

    def __init__(
        self, inner: Model, request: ModelRequest, messages: Sequence[Mapping[str, Any]],
        thoughts: list[ReasoningDelta],
    ) -> None:  # fmt: skip
        self.inner, self.request, self.messages, self.thoughts = inner, request, tuple(messages), thoughts
        self.spent = Usage()
        self.tries = 0
        self._end = None if request.deadline_s is None else trio.current_time() + request.deadline_s

    async def in_two(self, options: Sequence[Mapping[str, Any]]) -> _Chosen:
        """First the name, then the arguments. What is the only choice isn't asked."""
        tool = options[0]
        if len(options) > 1:
            names = [option["name"] for option in options]
            text, done = await self._answer("name", {"name": {"enum": names}})
            value = first_json(text)
            name = value.get("name") if isinstance(value, dict) else None
            if name not in names:  # the server doesn't constrain what it says
                return self._loose(text, done)
            tool = next(option for option in options if option["name"] == name)
        parameters = tool.get("parameters") or {}
        if not parameters.get("properties") and tool["name"] != REPLY:
            return _Chosen(tool["name"], {}, self._ended(Done("stop", Usage())))
        definitions: dict[str, Any] = {}
        text, done = await self._answer("arguments", branch(tool, definitions), definitions)
        return self._read(first_json(text), text, done, tool["name"])

    async def in_one(self, options: Sequence[Mapping[str, Any]]) -> _Chosen:
        """Name and arguments in one answer."""
        definitions: dict[str, Any] = {}
        branches = [_object(branch(option, definitions)) for option in options]
        text, done = await self._answer("call", {CALL: {"anyOf": branches}}, definitions)
        value = first_json(text)
        return self._read(value.get(CALL, value) if isinstance(value, dict) else value, text, done, REPLY)

    async def _answer(
        self, step: str, properties: Mapping[str, Any], definitions: Mapping[str, Any] | None = None
    ) -> tuple[str, Done]:
        schema = _object(properties) | ({"$defs": dict(definitions)} if definitions else {})
        key = self.request.idempotency_key
        left = None if self._end is None else max(self._end - trio.current_time(), 0.001)
        sent = replace(
            self.request, messages=self.messages, tools=(), tool_choice="auto", output=schema, deadline_s=left,
            sampling=replace(self.request.sampling, stop=()), idempotency_key=None if key is None else f"{key}-{step}",
        )  # fmt: skip
        pieces: list[str] = []
        done: Done | None = None
        first = 1 + self.thoughts[-1].block if self.thoughts else 0
        async with aclosing(self.inner.stream(sent)) as parts:
            async for part in parts:
                if isinstance(part, TextDelta):
                    pieces.append(part.text)
                elif isinstance(part, ReasoningDelta):
                    self.thoughts.append(replace(part, block=first + part.block))
                elif isinstance(part, Done):
                    done = part
        if done is None:
            raise ModelError("the model's stream ended before its answer did", cause="stream_broken")
        self.spent += done.usage
        self.tries += done.tries - 1
        return "".join(pieces), done

    def _read(self, value: Any, text: str, done: Done, name: str) -> _Chosen:
        if not isinstance(value, dict) or not isinstance(value.get("arguments"), dict):
            return self._loose(text, done, name)
        said = value.get("name")
        return _Chosen(said if isinstance(said, str) else name, value["arguments"], self._ended(done))

    def _loose(self, text: str, done: Done, name: str = REPLY) -> _Chosen:
        """An answer that isn't what was asked for: it is kept as it is, for whoever checks arguments."""
        return _Chosen(name, text, self._ended(done))

    def _ended(self, done: Done) -> Done:
        return replace(done, usage=self.spent, tries=self.tries + 1)


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def branch(tool: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The properties of a call of this tool. What its schema defines goes to `definitions` under names of its own."""
    parameters = dict(tool.get("parameters") or {"type": "object", "properties": {}})
    parameters.setdefault("type", "object")
    own = {key: parameters.pop(key) for key in ("$defs", "definitions") if key in parameters}
    for inner in own.values():
        definitions.update({f"{tool['name']}.{name}": _moved(part, tool["name"]) for name, part in inner.items()})
    return {"name": {"const": tool["name"]}, "arguments": _moved(parameters, tool["name"])}


def _moved(schema: Any, name: str) -> Any:
    """A part of a tool's schema with its references where `branch` puts what they name, and with bounded strings."""
    if not isinstance(schema, Mapping):
        return schema
    out = {key: _inside(key, part, name) for key, part in schema.items() if key != "examples"}
    if isinstance(schema.get("$ref"), str):
        out["$ref"] = f"#/$defs/{name}.{schema['$ref'].rpartition('/')[2]}"
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern", "format"}:
        out.setdefault("maxLength", max(MAX_STRING, schema.get("minLength", 0)))
    return out


def _inside(key: str, part: Any, name: str) -> Any:
    if key in ("enum", "const", "default"):
        return part
    if key == "properties" and isinstance(part, Mapping):
        return {own: _moved(schema, name) for own, schema in part.items()}
    return [_moved(schema, name) for schema in part] if isinstance(part, list) else _moved(part, name)

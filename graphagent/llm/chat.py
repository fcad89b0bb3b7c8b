"""The wire format of chat/completions: a request as its body, the chunks of a stream as model parts.

Pure; `openai_compatible` does the talking. Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphagent.errors import ModelError
from graphagent.llm.failures import Endpoint, from_stream, garbage
from graphagent.llm.structured import strict
from graphagent.messages import (
    Done,
    Finish,
    ModelPart,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

_MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
MAX_CALLS = 1_000
"""Calls in one answer."""
_TOOL_KEYS = ("name", "description", "parameters", "strict")
_FINISH: dict[str, Finish] = {"length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls"}


def body(
    request: ModelRequest,
    model: str,
    *,
    bounded: bool = False,
    limit_key: str = "max_tokens",
    parallel: bool = True,
) -> dict[str, Any]:
    """The JSON body. Keys of `request.params` come last and win.

    Args:
        parallel: Several calls in one answer are allowed; said only where they aren't.
        bounded: Bound free strings and lists in the schema, for small local models.
        limit_key: What this provider calls the limit of the answer.
    """
    sampling = request.sampling
    out: dict[str, Any] = {
        "model": model,
        "messages": [_message(m) for m in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        limit_key: sampling.max_output,
    }
    out |= {k: v for k, v in optional.items() if v is not None}
    if request.tools:
        out["tools"] = [_tool(t) for t in request.tools]
        choice = request.tool_choice
        named = choice not in ("auto", "none", "required")
        out["tool_choice"] = {"type": "function", "function": {"name": choice}} if named else choice
        if not parallel:
            out["parallel_tool_calls"] = False
    if request.output is not None:
        constraint = strict(request.output, bounded=bounded)
        shape = {"name": "answer", "strict": constraint.strict, "schema": constraint.schema}
        out["response_format"] = {"type": "json_schema", "json_schema": shape}
    return out | dict(request.params)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Only what the format knows: our `id` and `meta` stay here."""
    out = {k: message[k] for k in _MESSAGE_KEYS if message.get(k) is not None}
    out.setdefault("content", None if "tool_calls" in out else "")
    if "tool_calls" in out:
        out["tool_calls"] = [_sent_call(c) for c in out["tool_calls"]]
    return out


def _sent_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    if "function" in call:
        return call
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": call.get("id"), "type": "function", "function": {"name": call.get("name"), "arguments": text}}


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    if "function" in tool:
        return tool
    return {"type": "function", "function": {k: tool[k] for k in _TOOL_KEYS if k in tool}}


class Answer:
    """One answer while it arrives. Feed it the data of each event; `done` makes the last part."""

    def __init__(self, who: Endpoint, request: ModelRequest) -> None:
        self._who = who
        self._request = request
        self._finish: str | None = None
        self._usage: Mapping[str, Any] | None = None
        self._id: str | None = None
        self._characters = 0
        self._calls: list[str | None] = []
        self.ended = False
        """Whether the provider said that this is all."""

    def chunk(self, data: str) -> list[ModelPart]:
        """The parts of one chunk.

        Raises:
            ModelError: it is an error, or no chunk at all.
        """
        if data.strip() == "[DONE]":
            self.ended = True
            return []
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise garbage(self._who, f"broken JSON, {data[:60]!r}") from error
        return self.whole(chunk, "delta")

    def whole(self, chunk: Any, key: str = "message") -> list[ModelPart]:
        """The parts of one decoded object: a chunk with key `delta`, or a whole completion with key `message`."""
        if isinstance(chunk, dict) and chunk.get("error"):
            raise from_stream(self._who, chunk["error"])
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        if not isinstance(choices, list):
            raise garbage(self._who, f"other JSON, {json.dumps(chunk)[:60]}")
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        if isinstance(chunk.get("id"), str):
            self._id = chunk["id"]
        if not choices:
            return []
        choice = choices[0]
        delta = (choice.get(key) or {}) if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            raise garbage(self._who, f"other JSON, {json.dumps(chunk)[:60]}")
        finish = choice.get("finish_reason")
        if finish == "content_filter":
            raise ModelError(f"a content filter cut the answer of {self._who}", kind="content_filter")
        if isinstance(finish, str):
            self._finish = finish
        return self._parts(delta)

    def _parts(self, delta: Mapping[str, Any]) -> list[ModelPart]:
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            said = self._who.clean(delta["refusal"])
            raise ModelError(f"{self._who} refused to answer: {said}", kind="content_filter", cause="refusal")
        parts: list[ModelPart] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            parts.append(ReasoningDelta(self._count(thought)))
        text = delta.get("content")
        if isinstance(text, list):  # some send a list of parts
            text = "".join(p["text"] for p in text if isinstance(p, dict) and isinstance(p.get("text"), str))
        if isinstance(text, str) and text:
            parts.append(TextDelta(self._count(text)))
        calls = delta.get("tool_calls")
        for i, call in enumerate(calls if isinstance(calls, list) else ()):
            parts.append(self._call(i, call))
        return parts

    def _call(self, position: int, call: Any) -> ToolCallDelta:
        function = call.get("function", {}) if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise garbage(self._who, "a tool call of another shape")
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        id = call["id"] if isinstance(call.get("id"), str) and call["id"] else None
        return ToolCallDelta(
            self._index(call.get("index"), id, position),
            id,
            function["name"] if isinstance(function.get("name"), str) else None,
            self._count(arguments),
        )

    def _index(self, given: Any, id: str | None, position: int) -> int:
        """Which call a piece belongs to. Some servers send each call whole and all with index 0, or without one."""
        index = given if type(given) is int and 0 <= given < MAX_CALLS else position
        known = self._calls[index] if index < len(self._calls) else None
        if id is not None and known is not None and known != id:
            index = self._calls.index(id) if id in self._calls else len(self._calls)
        while len(self._calls) <= index:
            self._calls.append(None)
        self._calls[index] = id or self._calls[index]
        return index

    def _count(self, text: str) -> str:
        self._characters += len(text)
        return well_formed(text)

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, so that the end of the stream may come."""
        return self._finish is not None or (self.ended and self._characters > 0)

    def done(self) -> Done:
        """The last part."""
        finish = _FINISH.get(self._finish or "stop", "stop")
        if self._calls and finish == "stop":
            finish = "tool_calls"
        return Done(finish, self._counted(), self._id)

    def _counted(self) -> Usage:
        reported = self._usage or {}
        given = _number(reported, "prompt_tokens")
        made = _number(reported, "completion_tokens")
        return Usage(
            input_tokens=estimate_input(self._request) if given is None else given,
            output_tokens=-(-self._characters // 4) if made is None else made,
            cached_input_tokens=_number(reported.get("prompt_tokens_details"), "cached_tokens") or 0,
            reasoning_tokens=_number(reported.get("completion_tokens_details"), "reasoning_tokens") or 0,
            cost_micro=None,
            estimated=given is None or made is None,
        )


def _number(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if type(value) is int and value >= 0 else None


def estimate_input(request: ModelRequest) -> int:
    """Model tokens of a request by its characters, four of which are about one."""
    characters = 0
    for message in request.messages:
        content = message.get("content") or ""
        characters += len(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
        if message.get("tool_calls"):
            characters += len(json.dumps(message["tool_calls"], ensure_ascii=False))
    characters += sum(len(json.dumps(dict(tool), ensure_ascii=False)) for tool in request.tools)
    return -(-characters // 4)


def well_formed(text: str) -> str:
    """`text` with half surrogate pairs replaced: JSON can carry them, no store can."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

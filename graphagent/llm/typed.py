"""Typed answers of a model that can't be held to a schema: by one forced tool call, else by asking for JSON.

The first that a model can do is taken: a schema for its answer (`chat` sends it, a local server makes a grammar of it),
a tool whose arguments are the answer, a prompt that shows the schema. Whoever asked checks the value in every case.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from graphagent.errors import ModelError
from graphagent.llm.structured import strict
from graphagent.messages import Done, Model, ModelInfo, ModelPart, ModelRequest, TextDelta, ToolCallDelta

ANSWER: Final = "answer"
ASKED: Final = "Answer only with JSON, without any other text. It has to fit this JSON Schema:\n"


class TypedAnswers:
    """A model whose answers fit a schema, over one whose `info.json_schema` is false."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner

    @property
    def info(self) -> ModelInfo:
        """That of the model."""
        return self.inner.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last. The value is text, as of a model that takes schemas.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        if request.output is None:
            sent, name = request, None
        elif self.info.tools:
            sent, name = _with_tool(request)
        else:
            sent, name = replace(request, messages=_with_schema(request), output=None), None
        answers: set[int] = set()
        others = False
        async with aclosing(self.inner.stream(sent)) as parts:
            async for part in parts:
                if isinstance(part, ToolCallDelta) and name is not None:
                    if part.name == name:
                        answers.add(part.index)
                    others = others or part.index not in answers
                    if part.index in answers:
                        if part.arguments and part.index == min(answers):
                            yield TextDelta(part.arguments)
                        continue
                ended = isinstance(part, Done) and answers and not others and part.finish == "tool_calls"
                yield replace(part, finish="stop") if ended and isinstance(part, Done) else part

    async def aclose(self) -> None:
        """Close the model."""
        await self.inner.aclose()


def _with_tool(request: ModelRequest) -> tuple[ModelRequest, str]:
    """The request with a tool whose arguments are the answer, and the tool's name."""
    assert request.output is not None
    taken = {tool.get("function", tool)["name"] for tool in request.tools}
    if ANSWER in taken:
        raise ModelError(f"a tool is named {ANSWER!r}, as the typed answer of this model is", kind="invalid_input")
    tool = {"name": ANSWER, "description": "Give the answer", "parameters": strict(request.output).schema}
    if not request.tools or request.tool_choice == "none":
        return replace(request, tools=(tool,), tool_choice=ANSWER, output=None), ANSWER
    choice = "required" if request.tool_choice == "auto" else request.tool_choice
    return replace(request, tools=(*request.tools, tool), tool_choice=choice, output=None), ANSWER


def _with_schema(request: ModelRequest) -> tuple[Mapping[str, Any], ...]:
    """The messages with the schema in the first one of the system."""
    assert request.output is not None
    text = ASKED + json.dumps(strict(request.output).schema, ensure_ascii=False)
    first, rest = request.messages[:1], request.messages[1:]
    if first and first[0].get("role") == "system" and isinstance(first[0].get("content"), str):
        return ({**first[0], "content": f"{first[0]['content']}\n\n{text}"}, *rest)
    return ({"role": "system", "content": text}, *request.messages)

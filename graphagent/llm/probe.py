"""What a model really does, tried with a few small calls: declared abilities are often wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from graphagent.errors import ModelError, NodeError
from graphagent.llm.structured import parse
from graphagent.messages import Done, Model, ModelRequest, Sampling, TextDelta, ToolCallDelta

SCHEMA: Final = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
TOOL: Final = {
    "name": "get_weather",
    "description": "Tell the weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FEW: Final = Sampling(temperature=0.0, seed=1, max_output=200)


@dataclass(frozen=True, slots=True)
class Probed:
    """One ability: what is assumed of it, and how it went. `declared` None: nothing is said of it beforehand."""

    ability: str
    declared: bool | None
    works: bool
    said: str


@dataclass(frozen=True, slots=True)
class _Got:
    text: str
    pieces: int
    calls: tuple[tuple[str, str], ...]
    done: Done


async def probe(model: Model) -> AsyncIterator[Probed]:
    """Each ability of a model, one call for each.

    Raises:
        ModelError: it can't be reached at all, or denies access.
    """
    got = await _ask(model, "Say hello.")
    yield Probed("text", None, bool(got.text.strip()), _short(got.text))
    yield Probed("streaming", None, got.pieces > 1, f"{got.pieces} pieces")
    usage = got.done.usage
    told = "not reported" if usage.estimated else f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
    yield Probed("usage", None, not usage.estimated, told)
    yield await _tried("json_schema", model.info.json_schema, _typed(model))
    yield await _tried("tools", model.info.tools, _called(model))


async def _tried(ability: str, declared: bool, trial: Any) -> Probed:
    try:
        works, said = await trial
    except NodeError as error:
        works, said = False, error.message
    return Probed(ability, declared, works, _short(said))


async def _typed(model: Model) -> tuple[bool, str]:
    """The prompt asks for something else, so that only a constraint gives a fitting value."""
    got = await _ask(model, "Write one sentence about bees.", output=SCHEMA)
    value = parse(got.text, SCHEMA, finish=got.done.finish)
    fits = isinstance(value, dict) and value.keys() == {"colour", "count"} and value["colour"] in ("red", "green")
    return fits, got.text


async def _called(model: Model) -> tuple[bool, str]:
    got = await _ask(model, "What is the weather in Oslo?", tools=(TOOL,), tool_choice="required")
    if not got.calls:
        return False, f"no call: {got.text}"
    name, arguments = got.calls[0]
    try:
        fits = name == TOOL["name"] and "city" in json.loads(arguments)
    except (ValueError, TypeError):
        fits = False
    return fits, f"{name}({arguments})"


async def _ask(model: Model, prompt: str, **fields: Any) -> _Got:
    pieces: list[str] = []
    calls: dict[int, list[str]] = {}
    done: Done | None = None
    request = ModelRequest(({"role": "user", "content": prompt},), sampling=FEW, **fields)
    async with aclosing(model.stream(request)) as parts:
        async for part in parts:
            if isinstance(part, TextDelta):
                pieces.append(part.text)
            elif isinstance(part, ToolCallDelta):
                call = calls.setdefault(part.index, ["", ""])
                call[0], call[1] = part.name or call[0], call[1] + part.arguments
            elif isinstance(part, Done):
                done = part
    if done is None:
        raise ModelError("the model's stream ended before its answer did", cause="stream_broken")
    found = tuple((name, arguments) for name, arguments in calls.values())
    return _Got("".join(pieces), len(pieces), found, done)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."

"""Which tool the local model calls, and whether it answers after the result: 20 prompts over four tools.

python -m tests.benchmarks.tool_calls [two_step] [one_step]
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import trio

from graphagent.llm.emulation import MODES, EmulatedTools, Mode
from graphagent.llm.local.model import LocalModel
from graphagent.messages import Model, ModelRequest, TextDelta, ToolCallDelta


def _tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "parameters": parameters}


TEXT = {"type": "string"}
TOOLS = (
    _tool("search_archive", "Search the archive of articles", query=TEXT),
    _tool("calculate", "Calculate an arithmetic expression", expression=TEXT),
    _tool("get_weather", "Tell the weather in a city", city=TEXT, unit={"enum": ["celsius", "fahrenheit"]}),
    _tool("send_message", "Send a message to a person", to=TEXT, text=TEXT),
)
RESULTS = {
    "search_archive": "1. The secret life of bees: a hive has one queen.",
    "calculate": "42",
    "get_weather": "14 degrees, cloudy",
    "send_message": "sent",
}
PROMPTS = (
    ("What is 12 * 7?", "calculate"),
    ("Calculate 19 + 23.", "calculate"),
    ("How much is 144 / 12?", "calculate"),
    ("Compute (3 + 4) * 5.", "calculate"),
    ("What is the weather in Paris?", "get_weather"),
    ("How warm is it in Oslo today, in celsius?", "get_weather"),
    ("Is it raining in Lima?", "get_weather"),
    ("Tell me the weather in Boston in fahrenheit.", "get_weather"),
    ("Find articles about bees.", "search_archive"),
    ("Search the archive for volcanoes.", "search_archive"),
    ("What does the archive say about solar power?", "search_archive"),
    ("Look up the history of bread.", "search_archive"),
    ("Send a message to Anna: the meeting is at noon.", "send_message"),
    ("Tell Bob that dinner is ready.", "send_message"),
    ("Write to Carol that I am late.", "send_message"),
    ("Send Dave the text: call me back.", "send_message"),
    ("Hello!", ""),
    ("Thank you, that is all.", ""),
    ("Good morning, how are you?", ""),
    ("Goodbye!", ""),
)
"""What is asked, and the tool that should be called; "" is an answer without one."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one request came to."""

    name: str
    text: str

    @property
    def valid(self) -> bool:
        """Whether it is an answer, or a call whose arguments have the keys of the tool."""
        if not self.name:
            return bool(self.text.strip())
        tool = next(tool for tool in TOOLS if tool["name"] == self.name)
        try:
            given = json.loads(self.text)
        except ValueError:
            return False
        return isinstance(given, dict) and given.keys() == set(tool["parameters"]["properties"])


@dataclass(frozen=True, slots=True)
class Measured:
    """The first answer to each prompt, and the one after the result of a call."""

    first: tuple[Said, ...]
    after: tuple[Said, ...]

    @property
    def valid(self) -> int:
        """How many of the first answers are valid."""
        return sum(said.valid for said in self.first)

    @property
    def right(self) -> int:
        """How many call what they should."""
        return sum(said.name == wanted for said, (_, wanted) in zip(self.first, PROMPTS, strict=True))

    @property
    def ended(self) -> int:
        """How many answer after the result."""
        return sum(not said.name for said in self.after)


async def said_to(model: Model, messages: list[dict[str, Any]], **fields: Any) -> Said:
    """One request with all tools."""
    name = text = ""
    async with aclosing(model.stream(ModelRequest(tuple(messages), tools=TOOLS, **fields))) as parts:
        async for part in parts:
            if isinstance(part, ToolCallDelta):
                name, text = part.name or "", part.arguments
            elif isinstance(part, TextDelta):
                text += part.text
    return Said(name, text)


async def measure(model: Model, *, show: bool = False) -> Measured:
    """All prompts, each alone."""
    first, after = [], []
    for prompt, wanted in PROMPTS:
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        said = await said_to(model, messages)
        first.append(said)
        if said.name:
            call = {"id": "call_0", "name": said.name, "arguments": said.text}
            result = {"role": "tool", "tool_call_id": "call_0", "content": RESULTS[said.name]}
            messages += [{"role": "assistant", "content": "", "tool_calls": [call]}, result]
            after.append(await said_to(model, messages))
        if show:
            then = f" -> {after[-1].name or 'reply'} {after[-1].text[:60]!r}" if said.name else ""
            print(
                f"{prompt[:34]:34} {wanted or 'reply':14} {said.name or 'reply':14} {said.text[:60]}{then}", flush=True
            )
    return Measured(tuple(first), tuple(after))


async def main(modes: list[str]) -> None:
    """Measure and print."""
    for mode in [m for m in MODES if not modes or m in modes]:
        await _print(mode)


async def _print(mode: Mode) -> None:
    model = EmulatedTools(LocalModel(), mode, max_reply=200)
    begun = time.perf_counter()
    measured = await measure(model, show=True)
    spent = time.perf_counter() - begun
    print(
        f"{mode}: valid {measured.valid}/20, right {measured.right}/20, "
        f"ended {measured.ended}/{len(measured.after)}, {spent:.0f} s"
    )
    await model.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])

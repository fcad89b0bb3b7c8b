"""A provider says that a conversation is too long: it is packed again, once, before anything else is tried."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.errors import ModelError
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.messages import Model, ModelInfo, ModelPart, ModelRequest
from graphagent.testing.model_server import AnyReply, ModelServer, Received, Reply
from tests.acceptance.scenarios.world import Crash, World, play, scenario

FILES = 16
LONG = """
    outputs: {{ answer: str }}
    models: {{ m: {{ use: openai/m, fallback: [large] }}, large: scripted/large }}
    channels:
      answer: {{ type: str, default: "" }}
      talk: {{ type: "list[Message]", reducer: messages }}
      files: {{ type: "dict[str, any]", reducer: merge }}
    start: a
    nodes:
      a: {{ kind: agent, model: m, prompt: Write them all, tools: [std.files], max_turns: 80, history: {{ channel: talk, max_tokens: {budget}, overflow: summarize }}, writes: {{ answer: "${{ out.text }}" }}, on_error: failed, next: end }}
      failed: {{ kind: set, writes: {{ answer: "${{ error.kind }}" }}, next: end }}
"""


class Narrow:
    """What a server with a small window answers: one file after the other is written, unless the prompt is too long."""

    def __init__(self, window: int, *, says: bool = True) -> None:
        self.window, self.says = window, says
        self.refused: list[int] = []
        self.sizes: list[int] = []

    def __call__(self, call: Received) -> AnyReply:
        size = len(json.dumps(call.body["messages"])) // 3  # this server's tokens are shorter than ours
        if size > self.window:
            self.refused.append(len(self.sizes) + len(self.refused))
            counted = f" However, your messages resulted in {size} tokens." if self.says else ""
            return Reply(status=400, message=f"This model's maximum context length is {self.window} tokens.{counted}")
        self.sizes.append(size)
        if call.prompt.startswith("Summarise"):
            return "Many notes are written."
        found = re.match(r"notes/(\d+)\.md is written", call.prompt)
        number = int(found[1]) + 1 if found else 0
        if number == FILES:
            return f"{number} files are written."
        arguments = {"path": f"notes/{number}.md", "content": f"note {number} " * 40}
        return Reply(tool_calls=[{"name": "write_file", "arguments": arguments}])


class Dying:
    """A model whose process dies once, when the overflow is durable and the shorter request is on its way."""

    def __init__(self, inner: Model, world: World, narrow: Narrow) -> None:
        self.inner, self.world, self.narrow = inner, world, narrow
        self.info = inner.info
        self.died = False

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        asks = not str(request.messages[-1]["content"]).startswith("Summarise")
        if self.narrow.refused and asks and not self.died:
            self.died = True
            for line in self.world.host.lines.values():
                await line.journal.flush()
            self.world.wire.cut = True
            raise Crash
        async for part in self.inner.stream(request):
            yield part

    async def aclose(self) -> None:
        await self.inner.aclose()


def run(folder: Path, server: ModelServer, narrow: Narrow, *, budget: int, dies: bool = False) -> Any:
    """Digests of a run against the server, its outputs, and the number of packs that it reports."""
    found: dict[str, Any] = {}

    async def case(world: World) -> None:
        model: Any = OpenAICompatibleModel(ModelInfo("m", "test"), server.base_url)
        world.models["m"] = Dying(model, world, narrow) if dies else model
        outcome = await world.start(LONG.format(budget=budget))
        assert not dies or world.models["m"].died  # type: ignore[attr-defined]
        found["outputs"] = outcome.outputs
        found["again"] = await world.kinds(outcome.row.session, "x.memory.repacked")
        found["files"] = (await world.values(outcome.row.session)).get("files") or {}
        found["talk"] = (await world.values(outcome.row.session)).get("talk") or []
        found["rows"] = [r for r in await world.store.effects(outcome.row.spans(0)) if r.kind == "model"]
        await model.aclose()

    found["digests"] = concurrency.run_sync(play, case, World(folder, "sessions.db"))
    return found


@pytest.mark.parametrize("says", [True, False])
def test_a_refused_conversation_is_packed_again(says: bool, tmp_path: Path) -> None:
    """By the provider's own count where it says it, and by a guess else; a replay takes the same way without a call,
    and so does a process that takes over between the refusal and the shorter request."""
    narrow = Narrow(1_000, says=says)
    with ModelServer(narrow) as server:
        calm = run(tmp_path / "calm", server, narrow, budget=2_000)
        refusals, calls = len(narrow.refused), server.calls
        assert calm["outputs"] == {"answer": f"{FILES} files are written."}
        assert len(calm["files"]) == FILES
        assert len(calm["talk"]) == 1 + 2 * FILES + 1, "the channel has the whole conversation"
        assert 1 <= len(calm["again"]) <= refusals
        assert all(one["messages"] < one["was"] for one in calm["again"])
        assert len(calm["rows"]) == calls, "each call is in the journal, and the replay at the end made none"
        narrow.refused.clear()
        dying = run(tmp_path / "dying", server, narrow, budget=2_000, dies=True)
        assert len(narrow.refused) == refusals, "what was refused isn't sent again after the crash"
        assert server.calls == 2 * calls
    assert dying["digests"] == calm["digests"]
    assert dying["outputs"] == calm["outputs"]


def error(kind: str = "context_overflow") -> ModelError:
    return ModelError("This model's maximum context length is 10 tokens.", kind=kind)


def sized(model: ScriptedModel, window: int) -> ScriptedModel:
    model.info = replace(model.info, context_window=window)
    return model


def asks(text: str) -> Any:
    return lambda request: text in str(request.messages[-1]["content"])


TALK = """
    inputs: { say: str }
    outputs: { answer: str }
    models: { m: { use: scripted/m, fallback: [large] }, large: scripted/large }
    channels:
      answer: { type: str, default: "" }
      talk: { type: "list[Message]", reducer: messages, scope: session }
    start: a
    nodes:
      a: { kind: llm, model: m, prompt: "{{ say }}", with: { say: "${ inputs.say }" }, history: { channel: talk, max_tokens: 4000, overflow: summarize }, writes: { answer: "${ out.text }" }, on_error: failed, next: end }
      failed: { kind: set, writes: { answer: "${ error.kind }" }, next: end }
"""


@scenario
async def test_a_larger_model_comes_after_the_shorter_pack(world: World) -> None:
    """First the same model is asked for less, then the larger one for the same; no third time."""
    small = [Turn(text="Noted " + "x" * 3_000, match=asks("one"), repeat=True), Turn(text="short", match=asks("Summarise"), repeat=True),
             Turn(error=error(), match=asks("two"), repeat=True)]  # fmt: skip
    world.models["m"] = first = sized(ScriptedModel(small), 1_000)
    world.models["large"] = second = sized(ScriptedModel([Turn(text="done", match=asks("two"), repeat=True)]), 9_000)
    session = (await world.start(TALK, {"say": "one"})).row.session
    await world.run_again(session, {"say": "one more"})
    outcome = await world.run_again(session, {"say": "two"})
    assert outcome.outputs == {"answer": "done"}
    wanted = [r for r in first.requests if "two" in str(r.messages[-1]["content"])]
    sizes = [sum(len(str(m["content"])) for m in r.messages) for r in wanted]
    assert len(sizes) == 2 or world.crashing
    assert sizes[1] < 0.7 * sizes[0]
    assert [m["content"] for m in second.requests[0].messages] == [m["content"] for m in wanted[1].messages]
    changes = await world.kinds(session, "x.model.fallback")
    assert [(c["model"], c["next"], c["cause"]) for c in changes] == [("m", "large", "context_overflow")]
    assert len(await world.kinds(session, "x.memory.repacked")) == 1


@scenario
async def test_nothing_shorter_and_no_larger_model(world: World) -> None:
    """A prompt alone has no shorter form, and a small model is no way out: the node has the overflow as data."""
    world.models["m"] = first = sized(ScriptedModel([Turn(error=error(), match=asks("two"), repeat=True)]), 1_000)
    world.models["large"] = sized(ScriptedModel([]), 1_000)
    outcome = await world.start(TALK, {"say": "two"})
    assert outcome.outputs == {"answer": "context_overflow"}
    assert len(first.requests) == 1 or world.crashing
    assert await world.kinds(outcome.row.session, "x.memory.repacked") == []

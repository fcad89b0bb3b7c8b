"""A1: what an agent's loop costs beside its model: the journal, the events and the conversation, a turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from graphagent.messages import Done, ModelInfo, ModelPart, ModelRequest, Price, TextDelta, ToolCallDelta, Usage
from graphagent.session.host import Host
from tests.benchmarks.graphs import finish, in_project, plan
from tests.benchmarks.measure import Figure, times

AGENT = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: agent }
outputs: { answer: str }
models: { m: scripted/m }
tools: { inc: { python: "bench_functions:add_one", effects: pure } }
channels: { answer: { type: str, default: "" } }
start: a
nodes:
  a:
    kind: agent
    model: m
    prompt: Go
    tools: [inc]
    max_turns: 1000
    writes: { answer: "${ out.text }" }
    next: end
"""


class Immediate:
    """A model that takes no time: it calls the tool so many times, then answers."""

    def __init__(self, turns: int) -> None:
        self.info = ModelInfo("immediate", "scripted", price=Price(0, 0))
        self.turns = turns

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """One call, or the answer."""
        made = len(request.messages) // 2
        if made >= self.turns - 1:
            yield TextDelta("done")
            yield Done("stop", Usage())
            return
        yield ToolCallDelta(0, f"c{made}", "inc", f'{{"x": {made}}}')
        yield Done("tool_calls", Usage())

    async def aclose(self) -> None:
        """Nothing is open."""


def a1(folder: Path, quick: bool) -> list[Figure]:
    """Turns of one model call and one tool call each, in memory and on SQLite."""
    sizes = (10,) if quick else (10, 50, 100)
    out: list[Figure] = []
    for store in ("memory:", "bench.db"):
        graph = plan(folder, AGENT)
        for turns in sizes:

            async def work(host: Host, turns: int = turns, store: str = store) -> list[Figure]:
                host.models.given = {"m": Immediate(turns)}
                values = await times(lambda: finish(host, graph, {}), 5, per=turns)  # noqa: B023
                where = "in memory" if store == "memory:" else "SQLite"
                return [Figure("A1", f"an agent of {turns} turns, {where}, a turn", "us", values, 500)]

            out += in_project(work, folder, guest=False, store=store)
    return out

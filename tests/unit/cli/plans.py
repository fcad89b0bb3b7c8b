"""Small plans for the tests of the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphagent import concurrency
from graphagent.events import Event
from graphagent.graph.compile import compile_spec
from graphagent.graph.plan import Plan
from graphagent.graph.validate import positions_of, validate_text
from graphagent.session import operations
from graphagent.session.documents import run_document
from graphagent.session.host import Host
from graphagent.session.observer import Observer
from graphagent.session.project import Project
from graphagent.snapshot import SessionRow

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\n"


def plan(text: str) -> Plan:
    """The plan of the rest of a graph."""
    spec, found, document = validate_text(HEAD + text, "t.graph.yaml")
    assert spec is not None, found
    return compile_spec(spec, lambda file: None, positions_of(spec, document))


TYPED = """
inputs: { s: str, n: int, f: "float = 1", b: bool, l: "list[str]", o: "str | None", k: "Literal['1', '2']", a: any }
channels: { c: { type: str, default: "" }, xs: { type: "list[int]", reducer: append } }
models: { main: scripted/echo }
start: a
nodes:
  a: { kind: llm, model: main, prompt: hi, writes: { c: "${ out.text }" }, next: bee }
  bee: { kind: set, writes: { xs: [1] }, next: end }
"""

LOOKS = """
inputs: { text: str }
outputs: { said: "list[str]" }
models: { main: scripted/echo }
channels: { said: { type: "list[str]", reducer: append } }
start: [one, each, child]
nodes:
  one:
    { kind: llm, model: main, prompt: "{{ t }}", with: { t: "${ inputs.text }" }, writes: { said: "${ [out.text] }" },
      next: both }
  each:
    kind: map
    over: "['a', 'b']"
    do: { kind: llm, model: main, prompt: "{{ i }}", with: { i: "${ item }" } }
    collect: "${ out.text }"
    writes: { said: "${ results }" }
    next: both
  child: { kind: graph, graph: inner, next: both }
  both: { kind: set, join: all, next: ask }
  ask: { kind: human, mode: approve, prompt: Is that right?, next: end }
graphs:
  inner:
    start: think
    nodes:
      think: { kind: llm, model: main, prompt: Think., next: end }
"""


@dataclass(frozen=True, slots=True)
class Played:
    """A run in memory: its events in order, its `run` document, and what was made of it afterwards."""

    events: list[Event]
    run: dict[str, Any]
    after: Any = None


def played(
    made: Plan, inputs: dict[str, Any], then: Callable[[Host, SessionRow], Awaitable[Any]] | None = None
) -> Played:
    """Run a plan in a store in memory."""

    async def body() -> Played:
        project = Project(Path("/"), store="memory:")
        try:
            host = await project.host()
            events: list[Event] = []
            outcome = await operations.start(host, made, inputs, operations.Options(seed=1), Observer(events.append))
            after = await then(host, outcome.row) if then is not None else None
            return Played(events, (await run_document(host, outcome)).data(), after)
        finally:
            await project.aclose()

    return concurrency.run_sync(body)

"""The turns of agents that wait inside their superstep, in documents and in what `show` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session.documents.history import history_document
from graphagent.session.documents.run import run_document
from graphagent.session.documents.show import show_document
from graphagent.session.tables_text import show_text
from graphagent.snapshot import SessionRow
from tests.unit.session.stage import Stage

FUNCTIONS = '''
def look(x: int) -> int:
    """Looks."""
    return x

def send(x: int) -> int:
    """Sends."""
    return x
'''
GRAPH = """
models: { m: scripted/m }
tools:
  look: { python: "fns:look", effects: read }
  send: { python: "fns:send", effects: write }
start: t
nodes:
  t: { %s, next: end }
"""
AGENT = "kind: agent, model: m, prompt: Go., tools: [look, send], approve: [{ tool: send, on_deny: tell }]"
ITEM = f"kind: map, over: '[1]', do: {{ {AGENT} }}"


def call(name: str, n: int) -> dict[str, Any]:
    return {"id": f"{name}-{n}", "name": name, "arguments": {"x": n}}


async def turns(stage: Stage, row: SessionRow, task: str) -> list[tuple[int, list[tuple[str, str]]]]:
    """The turns of the open superstep; all documents have the same."""
    head = row.head_superstep
    document = await show_document(stage.host, row, head)
    assert document.open is not None
    assert document.open.superstep == head
    (found,) = [one for one in document.open.tasks if one.task == task]
    history = await history_document(stage.host, row)
    assert history.open == document.open
    agents = [a for a in (await run_document(stage.host, row)).agents if a.superstep == head]
    assert [(a.task, a.turns) for a in agents] == [(task, found.turns)]
    text = show_text(document)
    for turn in found.turns:
        assert (turn.model, turn.wall_ms is None) == ("m", False)
        assert f"  turn {turn.turn + 1}  {turn.input_tokens + turn.output_tokens} tokens" in text
    return [(turn.turn, [(c.tool, c.status) for c in turn.calls]) for turn in found.turns]


@pytest.mark.parametrize(("node", "task"), [(AGENT, "t"), (ITEM, "t[0]")])
def test_an_agent_that_waits_shows_its_turns(tmp_path: Path, node: str, task: str) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, FUNCTIONS)
        stage.models["m"] = ScriptedModel([
            Turn(tool_calls=(call("look", 1),)), Turn(tool_calls=(call("look", 2), call("send", 2))),
            Turn(tool_calls=(call("send", 3),)), "Done.",
        ])  # fmt: skip
        row = (await stage.start(GRAPH % node)).row
        before = (0, [("look", "ok")])
        assert await turns(stage, row, task) == [before, (1, [("look", "ok")])]
        stage.store.worker_died(stage.host.worker)
        stage.boot()
        row = (await stage.answer(row, {"decision": "approve"})).row
        answered = (1, [("look", "ok"), ("send", "ok")])
        assert await turns(stage, row, task) == [before, answered, (2, [])]
        row = (await stage.answer(row, {"decision": "reject"})).row
        assert row.status == "done"
        document = await show_document(stage.host, row, row.head_superstep)
        assert document.open is None
        (done,) = [one for one in document.tasks if one.task == task]
        assert [len(turn.calls) for turn in done.turns] == [1, 2, 1, 0]
        (agent,) = (await run_document(stage.host, row)).agents
        assert agent.turns == done.turns

    concurrency.run_sync(main)

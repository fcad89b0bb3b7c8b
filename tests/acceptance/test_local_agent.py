"""The ready-made agent with the real local model: it calls a real tool with the right arguments, and answers.

What the model knows is no matter: the answer has the number that the tool gave.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import graphagent as ga
from graphagent.llm.local.install import locate

QUESTION = "How many days are there from 2026-02-01 to 2026-03-01?"


def test_an_agent_without_any_account(tmp_path: Path) -> None:
    if locate() is None:
        pytest.fail("the weights of the local model aren't installed: run `graphagent local install --yes`")

    async def main() -> None:
        project = ga.Project(tmp_path, store="memory:")
        stream = ga.load("graphagent:react.graph.yaml").stream({"question": QUESTION}, project=project)
        events = [event async for event in stream if not event.provisional]
        called = [e.data for e in events if e.kind == "ToolCallStarted"]
        ended = [e.data for e in events if e.kind == "ToolCallCompleted"]
        assert [c["tool"] for c in called] == ["days_between"]
        assert [c["status"] for c in ended] == ["ok"]
        assert stream.result.status == "done"
        assert "28" in stream.result.outputs["answer"]
        replay = await stream.result.session.areplay()
        assert replay.identical, "without the model"
        await project.aclose()

    asyncio.run(main())

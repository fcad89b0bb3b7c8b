"""Twenty sub-agents at once, and a process that dies among them: each is found again, and none runs twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphagent.ports import Store
from graphagent.snapshot import SessionQuery, Span
from tests.acceptance.shop import Shop

SPOKES = 20
SCRIPTED = ("--scripted", "script.yaml")
TEAM = """
    outputs: { answer: str, found: "list[str]" }
    models: { lead: scripted/lead, spoke: scripted/spoke }
    tools: { work: { python: "shop_floor:work", idempotency_key: "${ args.name }" } }
    channels:
      answer: { type: str, default: "" }
      found: { type: "list[str]", reducer: append }
      talk: { type: "list[Message]", reducer: messages }
    start: hub
    nodes:
      hub:
        kind: agent
        model: lead
        prompt: Ask them all.
        history: { channel: talk }
        parallel_delegates: 20
        delegates: { spoke: { graph: spoke, about: Works, writes: { found: "${ [out.text] }" } } }
        writes: { answer: "${ out.text }" }
        next: end
    graphs:
      spoke:
        inputs: { task: str }
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: do
        nodes:
          do: { kind: agent, model: spoke, prompt: "{{ t }}", with: { t: "${ inputs.task }" }, tools: [work], writes: { text: "${ out.text }" }, next: end }
"""
FLOOR = """
    def work(name: str, idempotency_key: str) -> str:
        \"\"\"Work, once for each key.\"\"\"
        try:  # as a peer does that refuses a repeat
            (HERE / f"done-{idempotency_key}").touch(exist_ok=False)
        except FileExistsError:
            return f"{name} worked"
        note(name)
        time.sleep(0.15)
        return f"{name} worked"
"""


def script() -> dict[str, Any]:
    """What the hub and its spokes say; a model that is asked again says the same."""
    names = [f"task{n:02}" for n in range(SPOKES)]
    asked = [{"id": n, "name": "spoke", "arguments": {"task": n}} for n in names]
    lead = [
        {"match": f"{names[-1]} is done", "text": "All are done.", "repeat": True},
        {"match": "Ask them all", "tool_calls": asked, "repeat": True},
    ]
    spoke = []
    for name in names:
        call = {"id": f"w-{name}", "name": "work", "arguments": {"name": name}}
        spoke += [
            {"match": f"{name} worked", "text": f"{name} is done", "repeat": True},
            {"match": name, "tool_calls": [call], "repeat": True},
        ]
    return {"models": {"lead": lead, "spoke": spoke}}


def shop_at(folder: Path) -> Shop:
    shop = Shop(folder, TEAM, FLOOR)
    (folder / "script.yaml").write_text(yaml.safe_dump(script()))
    return shop


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digest of the undisturbed run."""
    shop = shop_at(tmp_path_factory.mktemp("team"))
    code, run = shop.run(*SCRIPTED)
    assert (code, run["outputs"]["answer"]) == (0, "All are done."), run["told"]
    return shop.digest()


@pytest.mark.parametrize("after", [1, 7, 19])
def test_twenty_spokes_outlive_their_process(tmp_path: Path, golden: bytes, after: int) -> None:
    """Killed when so many of them have begun their work."""
    shop = shop_at(tmp_path)
    process = shop.spawn("run", shop.graph.name, "--seed", "1", *SCRIPTED)
    deadline = time.monotonic() + 60
    while sum(shop.calls().values()) < after and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    code, run = shop.do("resume", "@last", *SCRIPTED)
    assert (code, run["status"]) == (0, "done"), run["told"]
    assert run["outputs"]["found"] == [f"task{n:02} is done" for n in range(SPOKES)], "in call order"
    assert shop.calls() == {f"task{n:02}": 1 for n in range(SPOKES)}, "none worked twice"
    assert shop.digest() == golden

    async def read(store: Store) -> int:
        (root,) = [e.row for e in await store.sessions(SessionQuery())]
        children = await store.children(root.session)
        assert all(child.status == "done" for child in children)
        tools = [r for c in children for r in await store.effects([Span(c.session, 0, None)]) if r.kind == "tool"]
        assert len(tools) == SPOKES, "one call each, in the journal of its own session"
        return len(children)

    assert shop.stored(read) == SPOKES
    _, talk = shop.do("show", "@last", "--channel", "talk", "--full")
    roles = [m["role"] for m in talk["value"]]
    assert roles == ["user", "assistant", *["tool"] * SPOKES, "assistant"], "the hub's talk has their results, no more"

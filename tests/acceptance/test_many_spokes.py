"""Twenty sub-agents at once, and a process that dies among them: each is found again, and none runs twice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphagent.codec import decode
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
        note(name)
        deadly = HERE / "deadly"
        if deadly.exists() and len((HERE / "calls.log").read_text().split()) >= int(deadly.read_text()):
            os.kill(os.getpid(), 9)
        try:  # as a peer does that refuses a repeat
            (HERE / f"done-{idempotency_key}").touch(exist_ok=False)
        except FileExistsError:
            return f"{name} worked"
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


async def outcomes(store: Store) -> list[str]:
    """Which tasks have an outcome in the journals of the hub's children."""
    (root,) = [e.row for e in await store.sessions(SessionQuery())]
    found = []
    for child in await store.children(root.session):
        for row in await store.effects([Span(child.session, 0, None)]):
            if row.kind == "tool" and row.outcome is not None:
                found.append(decode(row.outcome).removesuffix(" worked"))
    return found


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
    deadly = tmp_path / "deadly"
    deadly.write_text(str(after))
    assert shop.run(*SCRIPTED)[0] == -signal.SIGKILL
    deadly.unlink()
    finished = shop.stored(outcomes)
    code, run = shop.do("resume", "@last", *SCRIPTED)
    assert (code, run["status"]) == (0, "done"), run["told"]
    names = [f"task{n:02}" for n in range(SPOKES)]
    assert run["outputs"]["found"] == [f"{name} is done" for name in names], "in call order"
    calls = shop.calls()
    assert set(calls) == set(names)
    assert {calls[name] for name in finished} <= {1}, "what had an outcome isn't called again"
    assert max(calls.values()) <= 2, "what was under way is called once more, under its key"
    assert len(list(tmp_path.glob("done-*"))) == SPOKES, "and happened once"
    assert shop.digest() == golden
    assert sorted(shop.stored(outcomes)) == names, "one call each, in the journal of its own session"
    _, talk = shop.do("show", "@last", "--channel", "talk", "--full")
    roles = [m["role"] for m in talk["value"]]
    assert roles == ["user", "assistant", *["tool"] * SPOKES, "assistant"], "the hub's talk has their results, no more"

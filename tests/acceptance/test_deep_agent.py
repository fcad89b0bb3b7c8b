"""An agent of 55 turns whose process is killed in the middle: it goes on where it was, and ends as if nothing had been."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphagent.codec import decode
from tests.acceptance.shop import Shop

TURNS = 55
SCRIPTED = ("--scripted", "script.yaml")
DEEP = """
    outputs: { answer: str, notes: int }
    models: { m: scripted/m }
    tools: { measure: { python: "shop_floor:measure", effects: read } }
    channels:
      answer: { type: str, default: "" }
      files: { type: "dict[str, any]", reducer: merge }
      talk: { type: "list[Message]", reducer: messages }
    start: a
    nodes:
      a:
        kind: agent
        model: m
        prompt: Begin.
        tools: [std.files, measure]
        max_turns: 60
        history: { channel: talk, max_tokens: 2500, overflow: summarize }
        writes: { answer: "${ out.text }" }
        next: end
    result: { answer: "${ answer }", notes: "${ len(files) }" }
"""
FLOOR = """
    def measure(n: int) -> str:
        \"\"\"Measure.\"\"\"
        note(f"measure{n}")
        return f"measured {n}"
"""


def script() -> dict[str, Any]:
    """Each turn measures and writes one note; the newest note in the prompt says how far the agent is."""
    turns: list[dict[str, Any]] = [
        {"match": "Summarise this conversation", "text": "Some notes are written.", "repeat": True},
        {"match": f"notes/{TURNS}.md is written", "text": "All are written.", "repeat": True},
    ]
    for n in range(TURNS - 1, -1, -1):
        calls = [
            {"id": f"m{n}", "name": "measure", "arguments": {"n": n}},
            {"id": f"w{n}", "name": "write_file", "arguments": {"path": f"notes/{n + 1}.md", "content": "x" * 300}},
        ]
        match = f"notes/{n}.md is written" if n else "Begin."
        turns.append({"match": match, "tool_calls": calls, "repeat": True})
    return {"turns": turns}


def shop_at(folder: Path) -> Shop:
    shop = Shop(folder, DEEP, FLOOR)
    (folder / "script.yaml").write_text(yaml.safe_dump(script()))
    return shop


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digest of the undisturbed run."""
    shop = shop_at(tmp_path_factory.mktemp("deep"))
    code, run = shop.run(*SCRIPTED)
    assert (code, run.get("outputs")) == (0, {"answer": "All are written.", "notes": TURNS}), run["told"]
    return shop.digest()


@pytest.mark.parametrize(
    "fault", ["effect.during:9:kill", "effect.after:60:kill", "append.after:3:kill", "commit.before:2:kill"]
)
def test_a_long_agent_outlives_its_process(tmp_path: Path, golden: bytes, fault: str) -> None:
    shop = shop_at(tmp_path)
    code, _ = shop.run(*SCRIPTED, fault=fault)
    assert code == -signal.SIGKILL
    before = list(shop.calls())
    kept = {f"measure{decode(row.request or b'')['with']['n']}" for row in shop.outcomes() if row.name == "measure"}
    code, run = shop.do("resume", "@last", *SCRIPTED)
    assert (code, run.get("outputs")) == (0, {"answer": "All are written.", "notes": TURNS}), run["told"]
    assert shop.digest() == golden
    assert before == [f"measure{n}" for n in range(len(before))], "turn by turn"
    lost = before[len(kept) :]
    assert kept == set(before[: len(kept)]), "what is durable is a beginning of what was done"
    expected = dict.fromkeys([f"measure{n}" for n in range(TURNS)], 1) | dict.fromkeys(lost, 2)
    assert shop.calls() == expected, "a read is made again if its outcome wasn't durable, and only then"
    code, replay = shop.do("replay", "@last")
    assert (code, replay["identical"]) == (0, True)

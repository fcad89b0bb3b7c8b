"""Agents whose process dies between the answers of people, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.shop import Shop

SCRIPTED = ("--scripted", "script.yaml")
MAIL = """
    outputs: { answer: str }
    models: { m: scripted/m }
    tools: { send: { python: "shop_floor:send" } }
    channels: { answer: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: agent, model: m, prompt: Write to them all., tools: [send], approve: [{ tool: send, on_deny: tell }], writes: { answer: "${ out.text }" }, next: end }
"""
FLOOR = """
    def send(to: str) -> str:
        \"\"\"Send a letter.\"\"\"
        return note(f"sent-{to}")
"""
NAMES = ("ann", "bob", "cid", "dan")


def shop_at(folder: Path, graph: str, turns: list[dict[str, Any]]) -> Shop:
    shop = Shop(folder, graph, FLOOR)
    (folder / "script.yaml").write_text(yaml.safe_dump({"turns": turns}))
    return shop


def test_four_decisions_and_a_kill_between_them(tmp_path: Path) -> None:
    """Each call runs as it was decided, once, whichever process is there."""
    calls = [{"id": n, "name": "send", "arguments": {"to": n}} for n in NAMES]
    turns: list[dict[str, Any]] = [{"match": "I told him", "text": "Done."}, {"match": "Write to", "tool_calls": calls}]
    shop = shop_at(tmp_path, MAIL, turns)
    code, run = shop.run(*SCRIPTED)
    assert (code, run["reason"]) == (4, "interrupt")
    asked = {i["payload"]["args"]["to"]: i["id"] for i in run["interrupts"]}
    assert set(asked) == set(NAMES)
    assert "send with" in run["told"], "people see what they decide about"
    answers = {
        "ann": ["--approve"],
        "bob": [json.dumps({"decision": "edit", "args": {"to": "bea"}})],
        "cid": ["--reject", "--note", "not him"],
        "dan": [json.dumps({"decision": "respond", "content": "I told him"})],
    }
    killed = shop.spawn("answer", asked["ann"], "--approve", *SCRIPTED, fault="effect.after:1:kill")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    for name in ("bob", "cid", "dan"):
        code, run = shop.do("answer", asked[name], *answers[name], *SCRIPTED)
    # The letter to ann was on its way when the process died: somebody has to say how that ended.
    assert (code, [i["kind"] for i in run["interrupts"]]) == (4, ["in_doubt"])
    code, run = shop.do("answer", run["interrupts"][0]["id"], "--choose", "done", '"sent-ann"', *SCRIPTED)
    assert (code, run["outputs"]) == (0, {"answer": "Done."}), run["told"]
    assert shop.calls() == {"sent-ann": 1, "sent-bea": 1}
    code, replay = shop.do("replay", "@last")
    assert (code, replay["identical"]) == (0, True)


LEVELS = """
    outputs: { answer: str }
    models: { m: scripted/m }
    channels: { answer: { type: str, default: "" } }
    start: top
    nodes:
      top: { kind: agent, model: m, prompt: I am the top., delegates: { middle: { graph: middle, about: The middle } }, writes: { answer: "${ out.text }" }, next: end }
    graphs:
      middle:
        inputs: { task: str }
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: work
        nodes:
          work: { kind: agent, model: m, prompt: I am the middle., delegates: { low: { graph: low, about: The lowest } }, writes: { text: "${ out.text }" }, next: end }
      low:
        inputs: { task: str }
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: work
        nodes:
          work: { kind: agent, model: m, prompt: I am the lowest., tools: [std.human], writes: { text: "${ out.text }" }, next: end }
"""


def test_three_levels_and_a_question_at_the_lowest(tmp_path: Path) -> None:
    """The question shows at the hub, its answer there ends all three, and each of them ran once."""

    def calls(name: str, **arguments: str) -> list[dict[str, Any]]:
        return [{"id": name, "name": name, "arguments": arguments}]

    said: list[dict[str, Any]] = [
        {"match": "the low said yes", "text": "The middle says that the low said yes"},
        {"match": {"regex": "lowest[^$]*\\n\\nyes$"}, "text": "the low said yes"},
        {"match": "I am the lowest", "tool_calls": calls("ask_human", question="May we?")},
        {"match": {"regex": "top[^$]*The middle says"}, "text": "It may be done."},
        {"match": "I am the middle", "tool_calls": calls("low", task="ask")},
        {"match": "I am the top", "tool_calls": calls("middle", task="see to it")},
    ]
    turns = [said[i] for i in (3, 1, 0, 2, 4, 5)]
    shop = shop_at(tmp_path, LEVELS, turns)
    code, run = shop.run(*SCRIPTED, fault="park.after:1:kill")
    assert code == -9
    code, run = shop.do("resume", "@last", *SCRIPTED)
    assert (code, run["reason"]) == (4, "interrupt"), run["told"]
    (asked,) = run["interrupts"]
    assert (asked["prompt"], asked["session"] != run["session"]) == ("May we?", True)
    code, run = shop.do("answer", asked["id"], json.dumps({"form": {"answer": "yes"}}), *SCRIPTED)
    assert (code, run["outputs"]) == (0, {"answer": "It may be done."}), run["told"]
    code, replay = shop.do("replay", "@last")
    assert (code, replay["identical"]) == (0, True)

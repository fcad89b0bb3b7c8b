"""Forks inside the sessions of an agent's delegates: the family goes along, and nothing that had finished is called
again. The agent goes on with what the forked delegate ends with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphagent.concurrency import run_sync
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.snapshot import SessionRow
from tests.acceptance.scenarios.test_agents import call, calls, saying, told
from tests.acceptance.scenarios.world import World, play, scenario_of_calls

HUB = """
    outputs: { report: str, facts: "list[str]", side: str }
    models: { m: scripted/m, s: scripted/s }
    tools: { look: { python: "fns:look", effects: read }, pay: { python: "fns:pay", effects: write } }
    channels:
      facts: { type: "list[str]", reducer: append }
      report: { type: str, default: "" }
      side: { type: str, default: "" }
    start: [hub, side]
    nodes:
      hub:
        kind: agent
        model: m
        prompt: go
        tools: [look, pay]
        parallel_delegates: 3
        RETRY
        delegates:
          web: { graph: spoke, about: Finds facts, writes: { facts: "${ out.found }" } }
          think: { about: Thinks, do: { kind: llm, model: s, prompt: "think {{ task }}", with: { task: "${ inputs.task }" } }, writes: { facts: "${ [out.text] }" } }
        writes: { report: "${ out.text }" }
        next: end
      side: { kind: code, python: "fns:work", with: { x: side }, writes: { side: "${ out }" }, next: end }
    graphs:
      spoke:
        inputs: { task: str }
        outputs: { found: "list[str]" }
        channels: { found: { type: "list[str]", reducer: append }, mark: { type: str, default: "" } }
        start: read
        nodes:
          read: { kind: llm, model: s, prompt: "find {{ t }}", with: { t: "${ inputs.task }" }, writes: { mark: "${ out.text }" }, next: ASK }
          ask: { kind: human, mode: choose, prompt: "{{ t }}?", with: { t: "${ inputs.task }" }, options: [yes, no], writes: { mark: "${ mark + ' ' + out.choice }" }, next: keep }
          keep: { kind: code, python: "fns:work", with: { x: "${ mark }" }, writes: { found: "${ [out] }" }, next: end }
"""
PLAIN = HUB.replace("        RETRY\n", "").replace("ASK", "keep").replace("          ask:", "          # ask:")
ASKING = HUB.replace("        RETRY\n", "").replace("ASK", "ask")
WORK = """
    def work(x):
        note(x)
        return x

    def look(at: str) -> str:
        \"\"\"Look.\"\"\"
        note("look " + at)
        return "seen " + at

    def pay(to: str) -> str:
        \"\"\"Pay.\"\"\"
        note("pay " + to)
        return "paid " + to
"""
TURNS = [
    calls(call("pay", to="ann"), call("look", at="hive")),
    calls(call("web", task="bees"), call("think", task="hard"), call("web", task="ants")),
    calls(call("web", task="owls")),
    "The report.",
]
FACTS = ["fact bees", "a thought", "fact ants", "fact owls"]


def spokes() -> ScriptedModel:
    found = [Turn(text=f"fact {n}", match=f"find {n}", repeat=True) for n in ("bees", "ants", "owls")]
    return ScriptedModel([*found, Turn(text="a thought", match="think", repeat=True)])


async def started(world: World, graph: str, turns: Sequence[Any] = TURNS) -> tuple[Any, ScriptedModel, ScriptedModel]:
    world.functions(WORK)
    world.models["m"] = hub = saying(turns)
    world.models["s"] = spoke = spokes()
    return await world.start(graph), hub, spoke


async def delegate(world: World, session: Any, task: str) -> SessionRow:
    """The child session that found this."""
    for child in await world.children(session):
        values = await world.values(child.session, 1)
        events = await world.kinds(child.session, "RunStarted")
        if events[0]["inputs_ref"].get("task") == task and "mark" in {**values, "mark": 1}:
            return child
    raise AssertionError(task)


def counts(world: World, *models: ScriptedModel) -> tuple[dict[str, int], list[int]]:
    """How often each thing was done, and how often each model was asked."""
    return {x: world.calls(x) for x in set(world.noted())}, [len(m.requests) for m in models]


@scenario_of_calls
async def test_the_agent_goes_on_with_what_the_forked_delegate_found(world: World) -> None:
    """Of one turn's delegates the first: those beside it and all before them stand, the model's later turns are new."""
    outcome, hub, spoke = await started(world, PLAIN)
    session = outcome.row.session
    assert outcome.outputs == {"report": "The report.", "facts": FACTS, "side": "side"}
    child = await delegate(world, session, "bees")
    assert child.caller_path == "hub/3.0"
    digests = await world.digests(session)
    before = counts(world, hub, spoke)
    made = await world.fork(child.session, 2, {"mark": "edited"})
    assert [old.session for _, old in made.family] == [session]
    ran = await world.resume(made.root)
    assert ran.outputs == {"report": "The report.", "facts": ["edited", *FACTS[1:]], "side": "side"}
    after = counts(world, hub, spoke)
    if not world.crashing:
        assert after[0] == {**before[0], "edited": 1, "fact owls": before[0]["fact owls"] + 1}
        assert [new - old for new, old in zip(after[1], before[1], strict=True)] == [2, 1], "two turns, and owls"
    assert all(world.calls(x) == before[0][x] for x in ("pay ann", "look hive", "side", "fact ants"))
    assert json.loads(told(hub, 2)[2]["content"]) == {"found": ["edited"]}
    assert made.row.session in [c.session for c in await world.children(made.root)]
    assert await world.digests(session) == digests
    assert (await world.standing(session)).outputs == outcome.outputs


@scenario_of_calls
async def test_the_last_delegate_leaves_all_turns_before_it(world: World) -> None:
    outcome, hub, spoke = await started(world, PLAIN)
    child = await delegate(world, outcome.row.session, "owls")
    assert str(child.caller_path).startswith("hub/5")
    before = counts(world, hub, spoke)
    made = await world.fork(child.session, 2, {"mark": "edited"})
    ran = await world.resume(made.root)
    assert ran.outputs == {"report": "The report.", "facts": [*FACTS[:3], "edited"], "side": "side"}
    after = counts(world, hub, spoke)
    if not world.crashing:
        assert after == ({**before[0], "edited": 1}, [before[1][0] + 1, before[1][1]])
    again = await world.fork(made.row.session, 2, {"mark": "again"})
    assert (await world.resume(again.root)).outputs == {
        "report": "The report.", "facts": [*FACTS[:3], "again"], "side": "side",
    }  # fmt: skip


@scenario_of_calls
async def test_a_delegate_done_by_hand(world: World) -> None:
    """`as_node`: what the delegate would have found is said, and nothing of it runs."""
    outcome, hub, spoke = await started(world, PLAIN)
    child = await delegate(world, outcome.row.session, "ants")
    before = counts(world, hub, spoke)
    made = await world.fork(child.session, 2, {"found": ["by hand"]}, as_node="keep")
    assert made.row.status == "done"
    ran = await world.resume(made.root)
    assert ran.outputs == {"report": "The report.", "facts": [*FACTS[:2], "by hand", FACTS[3]], "side": "side"}
    assert world.calls("fact ants") == before[0]["fact ants"]


@scenario_of_calls
async def test_delegates_that_ask(world: World) -> None:
    """All of a turn wait: a fork of one takes its hub along, in which the others are asked anew under other ids."""
    outcome, hub, spoke = await started(world, ASKING)
    session = outcome.row.session
    assert outcome.row.status == "waiting"
    theirs = await world.asked(session)
    assert set(theirs) == {"bees?", "ants?"}
    before = counts(world, hub, spoke)
    child = await delegate(world, session, "bees")
    made = await world.fork(child.session, child.head_superstep)
    await world.resume(made.root)
    mine = await world.asked(made.root)
    assert set(mine) == {"bees?", "ants?"}
    assert not {i.interrupt for i in mine.values()} & {i.interrupt for i in theirs.values()}
    if not world.crashing:
        assert counts(world, hub, spoke)[1][0] == before[1][0], "the hub's model isn't asked again"
    for one, root, said in ((mine, made.root, "no"), (theirs, session, "yes")):
        for interrupt in one.values():
            await world.answer(interrupt, said)
        await world.drive(root)
        (last,) = await world.open(root)
        await world.answer(last, said)
        ended = await world.drive(root)
        assert ended.outputs == {
            "report": "The report.", "side": "side",
            "facts": [f"fact bees {said}", "a thought", f"fact ants {said}", f"fact owls {said}"],
        }  # fmt: skip
    assert world.calls("pay ann") == 1


RETRIED = PLAIN.replace(
    "parallel_delegates: 3\n",
    "parallel_delegates: 3\n        returns: { text: str }\n"
    "        retry: { max: 3, on: [invalid_output], delay: 0s }\n",
)


@pytest.mark.parametrize("store", [None, "sessions.db"])
def test_a_delegate_of_a_later_attempt(store: str | None, tmp_path: Path) -> None:
    """The agent failed once: a delegate that only its second attempt called is forked with it, those of both stand.
    Its model answers one question differently, so no crash may make it answer again."""
    run_sync(play, later_attempt, World(tmp_path, store))


async def later_attempt(world: World) -> None:
    turns = [
        Turn(tool_calls=(call("web", task="bees"),)), Turn(text="no JSON"), Turn(text="none again"),
        Turn(tool_calls=(call("web", task="ants"),)), Turn(value={"text": "The report."}),
        *(Turn(value={"text": f"Another, {n}."}) for n in range(9)),
    ]  # fmt: skip
    world.functions(WORK)
    world.models["m"] = hub = ScriptedModel(turns)
    world.models["s"] = spokes()
    outcome = await world.start(RETRIED)
    session = outcome.row.session
    assert outcome.outputs == {"report": "The report.", "facts": ["fact ants"], "side": "side"}
    asked, bees = len(hub.requests), world.calls("fact bees")
    child = await delegate(world, session, "ants")
    made = await world.fork(child.session, 2, {"mark": "edited"})
    ran = await world.resume(made.root)
    assert ran.outputs is not None
    assert (ran.outputs["facts"], ran.outputs["side"]) == (["edited"], "side")
    assert (len(hub.requests), world.calls("fact bees")) == (asked + 1, bees)
    assert world.calls("side") == 1
    assert made.row.session in [c.session for c in await world.children(made.root)]

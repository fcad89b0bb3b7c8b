"""Hooks of the operator around model calls: what they decide, and that no process asks a finished one again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import trio

from graphagent.events import CORE
from graphagent.ids import SessionId
from graphagent.llm.scripted import ScriptedModel, Turn
from graphagent.session.hooks import read_hooks
from graphagent.snapshot import EffectRow, EffectState
from tests.acceptance.scenarios.test_agents import call, calls, saying
from tests.acceptance.scenarios.test_doubts import drive_and_die
from tests.acceptance.scenarios.test_overflow import TALK, asks, error, sized
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

FUNCTIONS = """
    import threading
    from graphagent import Allow, Block, HookContext, Replace

    DYING = []
    HOOK = []
    SETTLED = []

    def look(messages, context: HookContext):
        note("look", context.graph, context.node, context.model)
        messages.clear()
        return Allow()

    async def mask(messages):
        note("mask")
        await asyncio.sleep(0)
        clean = [{**m, "content": m["content"].replace("4711", "****")} for m in messages]
        return Replace(clean, "a number") if clean != messages else Allow()

    def more(messages, text):
        return Replace([{**m, "content": m["content"] + text} for m in messages])

    def blocks(messages):
        return more(messages, " in a thread" if threading.current_thread() is not threading.main_thread() else "")

    async def awaits(messages):
        asyncio.get_running_loop()
        return more(messages, " on the loop" if threading.current_thread() is threading.main_thread() else "")

    def refuse(messages):
        note("refuse")
        return Block("no secrets, please") if "secret" in str(messages) else Allow()

    def soften(message):
        note("soften")
        return Replace({**message, "content": message["content"].replace("damn", "darn")})

    def silence(message):
        note("silence")
        return Block("not in this house") if "damn" in message["content"] else Allow()

    @trio_node
    async def no_sending(message):
        wanted = [c for c in message.get("tool_calls", []) if c["name"] != "send"]
        return Replace({"role": "assistant", "content": message["content"], "tool_calls": wanted})

    def raises(messages):
        raise KeyError("4711")

    async def hangs(messages):
        await asyncio.Event().wait()

    async def stubborn(messages):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Allow()

    def quiet(messages):
        pass

    def chatty(messages):
        return Replace([{"role": "robot", "content": "hi"}])

    def no_summaries(messages):
        return Block("keep it") if "Summarise this" in messages[-1]["content"] else Allow()

    @trio_node
    async def dies(message):
        await SETTLED[0]()
        HOOK[0]()

    @trio_node
    async def pay_later(order: str) -> str:
        await SETTLED[0]()
        return pay(order)

    def pay(order: str) -> str:
        \"\"\"Pay.\"\"\"
        note("pay", order)
        if order in DYING:
            HOOK[0]()
        return "paid " + order
"""
LLM = """
    inputs: { question: str }
    outputs: { said: str }
    models: { m: scripted/m }
    channels: { said: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: llm, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, writes: { said: "${ out.text }" }, next: end, on_error: failed }
      failed: { kind: set, writes: { said: "${ error.kind + ' ' + default(error.cause, '') + ' ' + error.message }" }, next: end }
"""


def hooked(world: World, **hooks: Sequence[Any]) -> None:
    """From now on the operator has these hooks."""
    world.functions(FUNCTIONS)
    world.settings = replace(world.settings, hooks=read_hooks(hooks))
    world.boot()


def verdicts(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(e["hook"], e["verdict"], e["reason"]) for e in events]


@scenario_of_calls
async def test_a_model_is_asked_what_the_hooks_leave(world: World) -> None:
    """In the order of the settings, each on what the one before left; what they get is a copy."""
    hooked(world, before=["fns:look", "fns:mask", "fns:refuse"])
    world.models["m"] = model = saying(["So be it."])
    outcome = await world.start(LLM, {"question": "Is 4711 my pin?"})
    assert outcome.outputs == {"said": "So be it."}
    assert [m["content"] for m in model.requests[0].messages] == ["Is **** my pin?"]
    assert world.noted() == [("look", "scenario", "a", "m"), "mask", "refuse"]
    started, completed = [await world.kinds(outcome.row.session, f"PreHook{what}") for what in ("Started", "Completed")]
    assert verdicts(completed) == [
        ("fns:look", "allow", None),
        ("fns:mask", "replace", "a number"),
        ("fns:refuse", "allow", None),
    ]
    assert started[0]["target_ref"] == started[1]["target_ref"]
    assert completed[1]["result_ref"] == started[2]["target_ref"]
    rows = await world.store.effects(outcome.row.spans(0))
    assert [(r.kind, r.name) for r in rows if r.ordinal >= 0] == [
        ("hook", "before fns:look"), ("hook", "before fns:mask"), ("hook", "before fns:refuse"), ("model", "m"),
    ]  # fmt: skip
    for event in await world.events(outcome.row.session):
        if event.kind.startswith("PreHook"):
            assert CORE[event.kind](**event.data).kind == event.kind, "the fields are those of the reference"


@scenario
async def test_a_hook_runs_as_it_is_written(world: World) -> None:
    """A plain function in a worker thread, so that it may block; a coroutine on the loop that the host lends."""
    hooked(world, before=["fns:blocks", "fns:awaits"])
    world.models["m"] = model = saying(["so"])
    await world.start(LLM, {"question": "where"})
    assert [m["content"] for m in model.requests[0].messages] == ["where in a thread on the loop"]


@scenario_of_calls
async def test_an_answer_counts_as_the_hooks_leave_it(world: World) -> None:
    hooked(world, after=["fns:soften", "fns:silence"])
    world.models["m"] = saying(["damn it"])
    outcome = await world.start(LLM, {"question": "?"})
    assert outcome.outputs == {"said": "darn it"}
    kinds = [
        e.kind for e in await world.events(outcome.row.session) if "Hook" in e.kind or e.kind.startswith("x.model")
    ]
    assert kinds == ["x.model.completed", *["PostHookStarted", "PostHookCompleted"] * 2]
    assert not [e for e in world.seen if e.kind == "RunContent"], "nobody sees an answer before its hooks"


@scenario_of_calls
async def test_a_blocked_call_is_never_made(world: World) -> None:
    hooked(world, before=["fns:refuse", "fns:mask"])
    world.models["m"] = model = saying(["never"])
    outcome = await world.start(LLM, {"question": "a secret"})
    said = "content_filter hook_blocked the hook fns:refuse blocked the model call: no secrets, please"
    assert outcome.outputs == {"said": said}
    assert (model.requests, world.noted()) == ([], ["refuse"])
    completed = await world.kinds(outcome.row.session, "PreHookCompleted")
    assert verdicts(completed) == [("fns:refuse", "block", "no secrets, please")]


@scenario_of_calls
async def test_a_blocked_answer_ends_a_run_without_a_route(world: World) -> None:
    hooked(world, after=["fns:silence"])
    world.models["m"] = saying(["damn it"])
    graph, _, _ = LLM.replace(", on_error: failed", "").partition("      failed:")
    outcome = await world.start(graph, {"question": "?"})
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["cause"]) == ("content_filter", "hook_blocked")
    assert "on_error" in outcome.error["hint"]
    assert verdicts(await world.kinds(outcome.row.session, "PostHookCompleted"))[0][1] == "block"


@scenario
async def test_a_hook_that_gives_no_verdict_blocks(world: World) -> None:
    """What it raised may quote what it keeps out: only the operator reads it."""
    for function, cause, said in (
        ("fns:raises", "hook_failed", "it raised KeyError"), ("fns:hangs", "hook_timeout", "it took longer than 0.05 s"),
        ("fns:stubborn", "hook_timeout", "it took longer than 0.05 s"),
        ("fns:quiet", "hook_verdict", "it is NoneType"), ("fns:chatty", "hook_verdict", "[0].role is 'robot'"),
    ):  # fmt: skip
        hooked(world, before=[{"function": function, "timeout": "50ms"} if cause == "hook_timeout" else function])
        world.models["m"] = model = saying(["never"])
        outcome = await world.start(LLM, {"question": "?"})
        assert outcome.outputs is not None
        assert outcome.outputs["said"].startswith(f"content_filter {cause} the hook {function}")
        assert said in outcome.outputs["said"]
        assert "4711" not in outcome.outputs["said"]
        assert model.requests == []
        (completed,) = await world.kinds(outcome.row.session, "PreHookCompleted")
        assert completed["verdict"] == "block"


AGENT = """
    inputs: { question: str }
    outputs: { said: str }
    models: { m: scripted/m }
    tools: { pay: { python: "fns:pay" }, send: { python: "fns:pay", effects: read } }
    channels: { said: { type: str, default: "" } }
    start: a
    nodes:
      a: { kind: agent, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, tools: [pay, send], writes: { said: "${ out.text }" }, next: end }
"""


@scenario_of_calls
async def test_a_finished_hook_is_not_asked_again(world: World) -> None:
    """The process dies in a tool between two model calls. What the hooks said is in the journal, so the next process
    asks them about the second call alone; and a replay asks them about none, also where they are gone."""
    hooked(world, before=["fns:mask", "fns:look"], after=["fns:silence"])
    world.models["m"] = model = saying([calls(call("pay", order="o1")), "Paid."])
    session = await world.create(AGENT, {"question": "Pay 4711"})
    await drive_and_die(world, session, "o1")
    asked = ["mask", ("look", "scenario", "a", "m"), "silence"]
    assert world.noted() == [*asked, ("pay", "o1")]
    await world.drive(session)
    (doubt,) = await world.open(session)
    await world.answer(doubt, {"decision": "done", "value": "paid o1"})
    assert (await world.drive(session)).outputs == {"said": "Paid."}
    assert world.noted() == [*asked, ("pay", "o1"), *asked]
    assert [r.messages[0]["content"] for r in model.requests] == ["Pay ****"] * 2
    assert [e["verdict"] for e in await world.kinds(session, "PreHookCompleted")] == ["replace", "allow"] * 2
    assert [e["verdict"] for e in await world.kinds(session, "PostHookCompleted")] == ["allow"] * 2
    hooked(world, before=["fns:gone"])
    await world.verify_all()
    assert world.noted() == []


@scenario_of_calls
async def test_an_open_superstep_goes_on_under_new_settings(world: World) -> None:
    """Calls that were made keep their hooks; those that come are asked of the hooks that stand there now. What a call
    of the first process is numbered by doesn't change, or a tool would be called twice."""
    hooked(world, before=["fns:mask"])
    world.models["m"] = model = saying([calls(call("pay", order="o1")), "Paid."])
    session = await world.create(AGENT, {"question": "Pay 4711"})
    await drive_and_die(world, session, "o1")
    hooked(world, before=["fns:refuse"], after=["fns:soften"])
    await world.drive(session)
    (doubt,) = await world.open(session)
    await world.answer(doubt, {"decision": "done", "value": "paid o1"})
    assert (await world.drive(session)).outputs == {"said": "Paid."}
    assert world.noted() == ["refuse", "soften"]
    assert [r.messages[0]["content"] for r in model.requests] == ["Pay ****", "Pay 4711"]


@scenario_of_calls
async def test_a_pattern_names_graphs_and_nodes(world: World) -> None:
    """A graph inside of another one has the name of both; an item of a map is asked about as its map."""
    hooked(world, before=[{"function": "fns:look", "nodes": ["*.sub/*", "*/each"]}])
    world.models["m"] = saying(["yes"])
    outcome = await world.start("""
    outputs: { got: "list[str]" }
    models: { m: scripted/m }
    channels: { got: { type: "list[str]", reducer: append } }
    start: alone
    nodes:
      alone: { kind: llm, model: m, prompt: one, writes: { got: "${ [out.text] }" }, next: each }
      each: { kind: map, over: "[1, 2]", do: { kind: llm, model: m, prompt: two }, collect: "${ out.text }", writes: { got: "${ results }" }, next: below }
      below: { kind: graph, graph: sub, writes: { got: "${ [out.said] }" }, next: end }
    graphs:
      sub:
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: ask
        nodes: { ask: { kind: llm, model: m, prompt: three, writes: { said: "${ out.text }" }, next: end } }
    """)  # fmt: skip
    assert outcome.outputs == {"got": ["yes"] * 4}
    places = [("look", "scenario", "each", "m")] * 2 + [("look", "scenario.sub", "ask", "m")]
    assert world.noted() == places
    completed = await world.kinds(outcome.row.session, "PreHookCompleted")
    assert [data["item"] for data in completed] == [0, 1]


@scenario_of_calls
async def test_hooks_stand_around_repairs_and_tool_calls(world: World) -> None:
    """Each call of a model is one of its own: that which corrects an answer too. A call of a tool can be taken out."""
    hooked(world, before=["fns:look"], after=["fns:no_sending", "fns:soften"])
    turns = [calls(call("send", order="o1"), call("pay", order="o2")), "damn", Turn(value={"text": "ok"})]
    world.models["m"] = model = saying(turns)
    graph = AGENT.replace("tools: [pay, send],", "tools: [pay, send], returns: { text: str },")
    outcome = await world.start(graph, {"question": "?"})
    assert outcome.outputs == {"said": "ok"}
    assert [n for n in world.noted() if n[0] == "pay"] == [("pay", "o2")]
    assert len([n for n in world.noted() if n[0] == "look"]) == 3
    assert [m["content"] for m in model.requests[2].messages if m["role"] == "assistant"] == ["", "darn"]
    assert {e["verdict"] for e in await world.kinds(outcome.row.session, "PostHookCompleted")} == {"replace"}


HUB = """
    inputs: { question: str }
    outputs: { said: str }
    models: { m: scripted/m }
    channels: { said: { type: str, default: "" } }
    start: a
    nodes:
      a:
        kind: agent
        model: m
        prompt: "{{ q }}"
        with: { q: "${ inputs.question }" }
        delegates: { nurse: { about: "Says how it is", graph: nurse } }
        writes: { said: "${ out.text }" }
        on_error: [{ to: end, writes: { said: "${ error.kind }" } }]
        next: end
    graphs:
      nurse:
        inputs: { task: str, days: int }
        outputs: { text: str }
        channels: { text: { type: str, default: "" } }
        start: ask
        nodes: { ask: { kind: human, mode: form, prompt: "How?", form: { how: str }, writes: { text: "${ out.form.how }" }, next: end } }
"""


@scenario_of_calls
async def test_a_block_is_no_matter_of_the_model(world: World) -> None:
    """The call that repairs the arguments for a delegate is blocked: the agent ends, the model isn't told of it."""
    hooked(world, before=["fns:refuse"])
    world.models["m"] = model = saying([calls(call("nurse", task="look", days="a secret"))])
    outcome = await world.start(HUB, {"question": "?"})
    assert outcome.outputs == {"said": "content_filter"}
    assert len(model.requests) == 1
    completed = await world.kinds(outcome.row.session, "PreHookCompleted")
    assert [data["verdict"] for data in completed] == ["allow", "block"]


@scenario_of_calls
async def test_a_waiting_delegate_is_found_again_under_new_settings(world: World) -> None:
    """The hooks that came meanwhile stand at the calls that come, and number nothing anew: the child is the same."""
    hooked(world)
    world.models["m"] = saying([calls(call("nurse", task="look", days=1)), "damn fine"])
    session = (await world.start(HUB, {"question": "?"})).row.session
    hooked(world, before=["fns:look"], after=["fns:soften"])
    (question,) = await world.open(session)
    await world.answer(question, {"how": "well"})
    assert (await world.drive(session)).outputs == {"said": "darn fine"}
    assert len(await world.children(session)) == 1
    assert world.noted() == [("look", "scenario", "a", "m"), "soften"]


async def journaled(world: World, session: SessionId, wanted: Callable[[EffectRow], bool]) -> None:
    """From now on the functions that wait for it go on when the journal durably holds such a row."""

    async def settled() -> None:
        journal = world.host.lines[session].journal
        while not any(map(wanted, journal.rows.values())):
            await trio.sleep(0.001)
        await journal.flush()

    (await world.plan_module(session)).__globals__["SETTLED"][:] = [settled]


@scenario
async def test_a_hook_that_is_gone_before_it_was_asked_blocks(world: World) -> None:
    """The model had answered when the process died in the hook: where the operator took that away, nothing passes."""
    hooked(world, after=["fns:dies"])
    world.models["m"] = saying(["damn"])
    session = await world.create(LLM, {"question": "?"})
    await journaled(world, session, lambda row: row.kind == "model")
    await drive_and_die(world, session)
    hooked(world)
    outcome = await world.drive(session)
    assert outcome.outputs is not None
    assert "the hook fns:dies let the model's message not pass: it stood there" in outcome.outputs["said"]


@scenario_of_calls
async def test_a_summary_is_a_call_too(world: World) -> None:
    """A conversation isn't summarised behind the back of a hook, nor goes on with less of it."""
    hooked(world, before=["fns:no_summaries"])
    world.models["m"] = model = ScriptedModel([Turn(text="z" * 1500, match=lambda _: True, repeat=True)])
    session = (await world.start("""
    inputs: { question: str }
    outputs: { said: str }
    models: { m: scripted/m }
    channels:
      said: { type: str, default: "" }
      talk: { type: "list[Message]", reducer: messages, scope: session }
    start: a
    nodes:
      a: { kind: llm, model: m, prompt: "{{ q }}", with: { q: "${ inputs.question }" }, history: { channel: talk, max_tokens: 1000, overflow: summarize }, writes: { said: "${ out.text }" }, on_error: [{ to: end, writes: { said: "${ error.message }" } }], next: end }
    """, {"question": "x" * 600})).row.session  # fmt: skip
    assert len(model.requests) == 1
    outcome = await world.run_again(session, {"question": "y" * 600})
    assert outcome.outputs == {"said": "the hook fns:no_summaries blocked the model call: keep it"}
    assert len(model.requests) == 1


@scenario_of_calls
async def test_what_was_blocked_stays_so_after_a_crash(world: World) -> None:
    """The process dies in a tool, after a hook had refused a call beside it: the next one knows that, and tells it."""
    hooked(world, before=["fns:refuse"])
    world.models["m"] = model = saying(["never"])
    session = await world.create("""
    outputs: { got: "list[str]" }
    models: { m: scripted/m }
    tools: { pay: { python: "fns:pay_later" } }
    channels: { got: { type: "list[str]", reducer: append } }
    start: [a, b]
    nodes:
      a: { kind: llm, model: m, prompt: a secret, on_error: [{ to: end, writes: { got: "${ [error.kind] }" } }], next: end }
      b: { kind: tool, tool: pay, with: { order: o1 }, writes: { got: "${ [out] }" }, next: end }
    """)  # fmt: skip
    await journaled(world, session, lambda row: row.kind == "task" and row.state is EffectState.FAILED)
    await drive_and_die(world, session, "o1")
    await world.drive(session)
    (doubt,) = await world.open(session)
    await world.answer(doubt, {"decision": "done", "value": "paid"})
    assert (await world.drive(session)).outputs == {"got": ["paid", "content_filter"]}
    assert world.calls("refuse") == 1
    assert model.requests == []
    assert [e["verdict"] for e in await world.kinds(session, "PreHookCompleted")] == ["block"]
    kinds = [e.kind for e in await world.events(session) if e.node == "a"]
    assert kinds[-4:] == ["x.task.started", "PreHookStarted", "PreHookCompleted", "x.task.finished"]


@scenario
async def test_what_is_packed_again_passes_again(world: World) -> None:
    """A conversation that the provider refuses as too long: the shorter one is a request of its own, as is its summary."""
    hooked(world, before=["fns:mask"], after=["fns:soften"])
    long = "damn 4711 " * 300
    turns = [
        Turn(text=long, match=asks("one"), repeat=True), Turn(text="4711 in short", match=asks("Summarise"), repeat=True),
        Turn(error=error(), match=asks("two"), repeat=True),
    ]  # fmt: skip
    world.models["m"] = first = sized(ScriptedModel(turns), 1_000)
    world.models["large"] = second = sized(ScriptedModel([Turn(text="done", match=asks("two"), repeat=True)]), 9_000)
    session = (await world.start(TALK, {"say": "one 4711"})).row.session
    await world.run_again(session, {"say": "one more"})
    assert (await world.run_again(session, {"say": "two"})).outputs == {"answer": "done"}
    assert len(await world.kinds(session, "x.memory.repacked")) == 1
    requests = [*first.requests, *second.requests]
    assert {"****" in str(r.messages) for r in requests} == {True}
    assert not [r for r in requests if "4711" in str(r.messages) or "damn" in str(r.messages)]
    assert "4711" in str((await world.values(session))["talk"]), "what people said is kept as they said it"

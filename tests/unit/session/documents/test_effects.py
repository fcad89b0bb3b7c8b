"""What `show` says of a node, of a superstep's changes and of its calls, and the events of a history."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import NotFound
from graphagent.session import operations
from graphagent.session.documents import history_document, last_snapshot_of, show_document
from graphagent.session.show_text import step_text, with_effects
from tests.unit.session.documents.test_run import HUB
from tests.unit.session.documents.world import World, checked, on_stores

GRAPH = """
    inputs: { n: int }
    outputs: { text: str }
    channels:
      text: { type: str, default: "" }
      log: { type: "list[str]", reducer: append }
      token: { type: str, default: hunter2, secret: true }
    start: first
    nodes:
      first: { kind: set, writes: { text: one }, next: [{ to: [work, spy] }] }
      work: { kind: code, python: "fns:work", writes: { log: "${ [out] }", text: "${ out }" }, next: tell }
      spy: { kind: code, python: "fns:spy", with: { token: "${ token }" }, next: end }
      tell: { kind: set, writes: { text: "${ text + '!' }" }, next: end }
"""
FUNCTIONS = """
    from graphagent.marks import trio_node

    def measure(x):
        return x + "!"

    @trio_node
    async def work(context):
        a = await context.effect("a", measure, "a", effects="read")
        b = await context.effect("b", measure, "b", effects="write")
        return a + b

    def spy(token):
        return "saw " + token
"""


async def show(world: World, session: Any, snapshot: int, **options: Any) -> dict[str, Any]:
    row = await world.store.session(session)
    return checked(await show_document(world.host, row, snapshot, **options))


@on_stores
async def test_the_calls_of_a_superstep(world: World) -> None:
    world.functions(FUNCTIONS)
    session = (await world.start(GRAPH, {"n": 1})).row.session
    plain = await show(world, session, 3)
    assert "effects" not in plain
    effects = (await show(world, session, 3, effects=True))["effects"]
    assert [(e["task"], e["ordinal"], e["kind"], e["name"], e["class"]) for e in effects] == [
        ("spy", 0, "code", "documents_test_nodes:spy", "read"),
        ("work", 0, "code", "a", "read"), ("work", 1, "code", "b", "write"),
    ]  # fmt: skip
    assert [e["outcome"] for e in effects] == [{"value": "***"}, {"value": "a!"}, {"value": "b!"}]
    assert effects[0]["request"] == {"value": "***"}
    assert {(e["superstep"], e["attempt"], e["state"], e["tries"], e["error"]) for e in effects} == {
        (2, 0, "done", 1, None)
    }
    assert (await show(world, session, 2, effects=True))["effects"] == []
    assert (await show(world, session, 0, effects=True))["effects"] == []
    row = await world.store.session(session)
    text = with_effects(await show_document(world.host, row, 3, effects=True))
    assert f"graphagent fork {session} --at 2 --before work:1" in text
    assert "hunter2" not in text + str(effects)


@on_stores
async def test_one_node(world: World) -> None:
    world.functions(FUNCTIONS)
    session = (await world.start(GRAPH, {"n": 1})).row.session
    row = await world.store.session(session)
    assert [await last_snapshot_of(world.host, row, n) for n in ("first", "work", "spy", "tell")] == [2, 3, 3, 4]
    assert await last_snapshot_of(world.host, row, "never") == row.head_superstep
    work = await show(world, session, 3, node="work", effects=True)
    assert ([t["node"] for t in work["tasks"]], len(work["effects"])) == (["work"], 2)
    assert [c["name"] for c in work["channels"]] == ["log", "text"]
    spy = await show(world, session, 3, node="spy", effects=True)
    assert (spy["channels"], spy["changes"], len(spy["effects"])) == ([], [], 1)
    with pytest.raises(NotFound, match="no node 'nope'") as caught:
        await show_document(world.host, row, 3, node="nope")
    assert "work" in str(caught.value.hint)
    text = step_text(await show_document(world.host, row, 3, node="work", effects=True), node="work")
    assert "work  code  ✔ done" in text
    assert "because: route first" in text
    assert '+ "a!b!"' in text
    assert "text: differs  (version 1 to version 2 by work)" in text
    elsewhere = step_text(await show_document(world.host, row, 2, node="work"), node="work")
    assert "work didn't run in superstep 1" in elsewhere


@on_stores
async def test_what_changed(world: World) -> None:
    world.functions(FUNCTIONS)
    session = (await world.start(GRAPH, {"n": 1})).row.session
    data = await show(world, session, 4, changed=True)
    assert [c["name"] for c in data["channels"]] == ["text"]
    row = await world.store.session(session)
    text = step_text(await show_document(world.host, row, 4, changed=True))
    assert '- "a!b!"' in text
    assert '+ "a!b!!"' in text
    assert "nothing has run yet" in step_text(await show_document(world.host, row, 0, changed=True))


@on_stores
async def test_an_open_superstep_and_a_failed_call(world: World) -> None:
    world.functions("""
        from graphagent.marks import trio_node

        def measure(x):
            if x == "bad":
                raise ValueError("not today")
            return x

        @trio_node
        async def work(context):
            await context.effect("good", measure, "good")
            await context.effect("bad", measure, "bad", effects="read")

        def spy(token):
            raise ValueError("I saw " + token)
    """)
    session = (await world.start(GRAPH, {"n": 1})).row.session
    row = await world.store.session(session)
    assert row.status == "failed"
    effects = (await show(world, session, row.head_superstep, effects=True))["effects"]
    found = {(e["task"], e["ordinal"]): e for e in effects}
    assert found["work", 0]["state"] == "done"
    assert (found["work", 1]["state"], found["work", 1]["outcome"]) == ("failed", None)
    assert "not today" in found["work", 1]["error"]["message"]
    assert "hunter2" not in str(effects)
    text = with_effects(await show_document(world.host, row, row.head_superstep, effects=True))
    assert "not today" in text


@on_stores
async def test_a_child_and_an_inherited_superstep(world: World) -> None:
    """Of a fork's prefix the calls of its origin are shown; a call of a child names it."""
    outcome = await world.start(HUB)
    session = outcome.row.session
    children = {c.session for c in await world.store.children(session)}
    fork = (await operations.fork(world.host, session, outcome.row.head_superstep)).row.session
    seen = set()
    for at in range(1, outcome.row.head_superstep + 1):
        mine, theirs = [(await show(world, s, at, effects=True))["effects"] for s in (fork, session)]
        assert mine == theirs
        seen |= {e["child"] for e in theirs if e["child"] is not None}
    assert seen <= children


@on_stores
async def test_the_events_of_a_history(world: World) -> None:
    world.functions(FUNCTIONS)
    session = (await world.start(GRAPH, {"n": 1})).row.session
    row = await world.store.session(session)
    document = await history_document(world.host, row, events=True)
    steps = checked(document)["supersteps"]
    events = [e for step in steps for e in step["events"]]
    assert [e["seq"] for e in events] == list(range(row.event_n))
    assert events[-1]["kind"] == "RunCompleted"
    assert "x.task.finished" in str(document)
    bare = checked(await history_document(world.host, row))
    assert all("events" not in step for step in bare["supersteps"])
    (only,) = checked(await history_document(world.host, row, events=True, since=2, limit=1))["supersteps"]
    assert {e["superstep"] for e in only["events"]} == {2}

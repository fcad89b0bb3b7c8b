"""The `replay` document."""

from __future__ import annotations

from graphagent.session import operations
from graphagent.session.documents import replay_document
from tests.unit.session.documents.test_run import CHAT
from tests.unit.session.documents.world import World, checked, on_stores


@on_stores
async def test_an_identical_replay(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"})
    report = await operations.replay(world.host, outcome.row.session)
    data = checked(replay_document(report))
    assert (data["mode"], data["from"], data["to"], data["floor"], data["identical"]) == ("verify", 0, 2, 0, True)
    assert data["effects"] == {"replayed": 1, "external": 0}
    assert [s["superstep"] for s in data["supersteps"]] == [0, 1]
    assert all(s["identical"] and s["recorded"] == s["replayed"] for s in data["supersteps"])
    assert data["first_difference"] is None


@on_stores
async def test_a_view_computes_nothing(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"})
    data = checked(replay_document(await operations.replay(world.host, outcome.row.session, mode="view")))
    assert data["identical"]
    assert [(s["replayed"], s["identical"]) for s in data["supersteps"]] == [(None, True)] * 2


@on_stores
async def test_a_changed_prompt_is_the_first_difference(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"})
    changed = world.plan(CHAT.replace("About", "All about"))
    report = await operations.replay(world.host, outcome.row.session, plan=changed)
    data = checked(replay_document(report))
    assert not data["identical"]
    found = data["first_difference"]
    assert (found["superstep"], found["node"], found["kind"], found["ordinal"]) == (1, "write", "request_changed", 0)
    assert found["diff"][0]["json_path"].startswith("$.messages[0]")
    assert data["supersteps"][-1]["identical"] is False


@on_stores
async def test_other_writes_have_both_digests(world: World) -> None:
    graph = """
        outputs: { x: int }
        channels: { x: int }
        start: a
        nodes:
          a: { kind: code, python: "fns:make", effects: pure, writes: { x: "${ out }" }, next: end }
    """
    world.functions("def make() -> int:\n    return 1\n")
    outcome = await world.start(graph)
    changed = world.plan(graph.replace("${ out }", "${ out + 1 }"))
    data = checked(replay_document(await operations.replay(world.host, outcome.row.session, plan=changed)))
    found = data["first_difference"]
    assert (found["kind"], found["expected"], found["actual"]) == ("writes_changed", {"x": 1}, {"x": 2})
    assert found["digest"]["expected"] != found["digest"]["actual"]
    assert data["supersteps"][-1]["replayed"] == found["digest"]["actual"]

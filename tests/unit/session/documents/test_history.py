"""The `history` document: tasks, changes, causes, the open superstep, forks, pages."""

from __future__ import annotations

from typing import Any

from graphagent.session import operations
from graphagent.session.documents import history_document
from tests.unit.session.documents.test_run import CHAT, FAILING, HUB, LOOP
from tests.unit.session.documents.world import World, checked, on_stores


async def history(world: World, session: Any, **options: Any) -> dict[str, Any]:
    row = await world.store.session(session)
    return checked(await history_document(world.host, row, **options))


def steps(data: dict[str, Any]) -> list[list[str]]:
    return [[task["task"] for task in step["tasks"]] for step in data["supersteps"]]


@on_stores
async def test_one_entry_for_each_checkpoint(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"}, name="first")
    data = await history(world, outcome.row.session)
    assert (data["name"], data["floor"], data["open"], data["next"], data["origin"]) == ("first", 0, None, None, None)
    begin, write = data["supersteps"]
    assert (begin["kind"], begin["snapshot"], begin["tasks"], begin["wall_ms"]) == ("input", 1, [], 0)
    assert begin["tokens"] == [{"node": "write", "from": []}]
    assert (write["kind"], write["superstep"], write["snapshot"]) == ("superstep", 1, 2)
    assert write["parent"] == begin["checkpoint"]
    assert write["checkpoint"] == data["head"]["checkpoint"]
    assert write["digest"] == data["head"]["digest"]
    assert write["started_at"] < write["committed_at"]
    (task,) = write["tasks"]
    assert (task["node"], task["kind"], task["status"], task["attempts"]) == ("write", "llm", "done", 1)
    assert task["causes"] == [{"type": "start"}]
    assert task["effects"] == {"recorded": 1, "replayed": 0, "in_doubt": 0}
    assert task["usage"] == write["usage"]
    assert task["usage"]["model_calls"] == 1
    assert task["wall_ms"] > 0
    (change,) = write["changes"]
    assert change == {"channel": "text", "reducer": "last", "version": 1, "previous_version": None,
                      "writers": ["write"], "op": "set"}  # fmt: skip


REDUCERS = """
    outputs: { newest: str, log: "list[str]", seen: "list[str]", facts: "dict[str, int]", total: int }
    channels:
      newest: { type: str, default: none }
      log: { type: "list[str]", reducer: append }
      seen: { type: "list[str]", reducer: union }
      facts: { type: "dict[str, int]", reducer: merge }
      talk: { type: "list[Message]", reducer: messages }
      total: { type: int, reducer: sum }
      note: { type: "list[str]", reducer: append, scope: step }
    start: [a, b]
    nodes:
      a:
        kind: set
        writes: { newest: one, log: [a], seen: [x, y], facts: { p/q: 1, r: 1 }, total: 2, note: [n] }
        next: c
      b: { kind: set, writes: { log: [b, bb], talk: [{ id: m1, role: user, content: hi }], total: 3 }, next: c }
      c:
        kind: set
        writes:
          newest: two
          seen: [y, z]
          facts: { r: 2, s: 3 }
          talk: [{ id: m1, role: user, content: hello }, { id: m2, role: assistant, content: sure }]
          note: [m]
        next: d
      d: { kind: set, writes: { talk: [{ remove: m1 }] }, next: end }
"""


@on_stores
async def test_values_before_and_after(world: World) -> None:
    outcome = await world.start(REDUCERS)
    data = await history(world, outcome.row.session, values=True)
    first, second, third = ({c["channel"]: c for c in s["changes"]} for s in data["supersteps"][1:])
    assert (first["newest"]["before"], first["newest"]["after"]) == ({"value": "none"}, {"value": "one"})
    assert (first["log"]["op"], first["log"]["added"], first["log"]["writers"]) == (
        "append",
        ["a", "b", "bb"],
        ["a", "b"],
    )
    assert first["seen"]["added"] == ["x", "y"]
    assert first["total"]["after"] == {"value": 5}
    assert first["facts"]["op"] == "patch"
    assert first["facts"]["patch"] == [
        {"op": "add", "path": "/p~1q", "value": 1},
        {"op": "add", "path": "/r", "value": 1},
    ]
    assert second["newest"]["previous_version"] == 1
    assert second["seen"]["added"] == ["z"]
    assert second["facts"]["patch"] == [
        {"op": "replace", "path": "/r", "value": 2},
        {"op": "add", "path": "/s", "value": 3},
    ]
    assert [(o["op"], o["path"]) for o in second["talk"]["patch"]] == [("replace", "/0"), ("add", "/-")]
    assert second["note"]["op"] == "set"
    assert second["note"]["after"] == {"value": ["m"]}
    assert third["talk"]["patch"] == [{"op": "remove", "path": "/0"}]
    assert "talk" in third
    assert "log" not in second
    for step in data["supersteps"]:
        for change in step["changes"]:
            assert {"before", "after", "added", "patch"} & set(change)


@on_stores
async def test_added_items_of_a_long_append_channel(world: World) -> None:
    """Some supersteps seal the open tail into a segment; what they added is read from there."""
    outcome = await world.start("""
        inputs: { n: int }
        channels: { log: { type: "list[int]", reducer: append, default: [-1] }, i: { type: int, reducer: sum } }
        start: tick
        nodes:
          tick:
            kind: set
            writes: { log: "${ [2 * i, 2 * i + 1] }", i: 1 }
            next: [{ when: i < inputs.n, to: tick }, { to: end }]
    """, {"n": 150})  # fmt: skip
    data = await history(world, outcome.row.session, values=True, limit=1000)
    added = [c["added"] for s in data["supersteps"] for c in s["changes"] if c["channel"] == "log"]
    assert added == [[2 * i, 2 * i + 1] for i in range(150)]


@on_stores
async def test_pages_follow_each_other(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 9})
    session = outcome.row.session
    whole = await history(world, session, values=True)
    got, since = [], 0
    while True:
        page = await history(world, session, values=True, since=since, limit=3)
        got += page["supersteps"]
        if page["next"] is None:
            break
        assert len(page["supersteps"]) == 3
        since = int(page["next"])
    assert got == whole["supersteps"]
    assert (await history(world, session, since=99))["supersteps"] == []


MAPPED = """
    inputs: { xs: "list[int]" }
    outputs: { ys: "list[int]" }
    channels: { xs: { type: "list[int]", default: [] }, ys: { type: "list[int]", reducer: append } }
    start: put
    nodes:
      put: { kind: set, writes: { xs: "${ inputs.xs }" }, next: each }
      each:
        kind: map
        over: xs
        need: { at_least: 0.5 }
        do:
          kind: code
          python: "fns:double"
          with: { x: "${ item }" }
          retry: { max: 2, on: [code_failed], delay: 1ms }
        collect: "${ out }"
        writes: { ys: "${ results }" }
        next: end
"""


@on_stores
async def test_items_of_a_map_are_tasks(world: World) -> None:
    world.functions("""
        TRIES = []
        def double(x: int) -> int:
            TRIES.append(x)
            if x == 3 or (x == 2 and TRIES.count(2) == 1):
                raise ValueError("odd")
            return 2 * x
    """)
    outcome = await world.start(MAPPED, {"xs": [1, 2, 3, *range(10, 19)]})
    data = await history(world, outcome.row.session)
    tasks = data["supersteps"][2]["tasks"]
    assert [t["task"] for t in tasks] == ["each", *(f"each[{i}]" for i in range(12))]
    assert [t["kind"] for t in tasks[:2]] == ["map", "code"]
    assert {t["node"] for t in tasks} == {"each"}
    assert [(t["status"], t["attempts"]) for t in tasks[1:4]] == [("done", 1), ("done", 2), ("failed", 2)]
    assert tasks[3]["error"]["task"] == "each[2]"
    assert tasks[3]["error"]["node"] == "each"
    assert tasks[0]["reads"] == {"xs": 1}
    assert tasks[0]["effects"]["recorded"] == 0
    assert sum(t["effects"]["recorded"] for t in tasks) == 14  # two items were tried twice


@on_stores
async def test_causes_of_a_woken_node_and_opened_interrupts(world: World) -> None:
    outcome = await world.start("""
        outputs: { ok: str }
        channels: { ok: str }
        start: ask
        nodes:
          ask: { kind: human, mode: approve, prompt: Sure?, writes: { ok: "${ out.decision }" }, next: say }
          say: { kind: emit, event: said, on_update: [ok], next: end }
    """)
    parked = await history(world, outcome.row.session)
    assert parked["status"] == "waiting"
    assert parked["open"] is None
    assert parked["supersteps"][1]["tasks"][0]["status"] == "waiting"
    (interrupt,) = await world.store.interrupts(outcome.row.session)
    assert parked["supersteps"][1]["opened"] == [interrupt.interrupt]
    await world.answer(outcome, True)
    data = await history(world, outcome.row.session)
    assert [s["kind"] for s in data["supersteps"]][:4] == ["input", "superstep", "input", "superstep"]
    assert data["supersteps"][3]["tasks"][0]["causes"] == [{"type": "answer", "interrupt": interrupt.interrupt}]
    said = data["supersteps"][4]["tasks"][0]
    assert said["node"] == "say"
    assert said["causes"] == [{"type": "route", "from": "ask"}]


@on_stores
async def test_an_update_is_a_cause(world: World) -> None:
    outcome = await world.start("""
        channels: { n: int }
        start: a
        nodes:
          a: { kind: set, writes: { n: 1 }, next: end }
          b: { kind: emit, on_update: [n], event: seen, next: end }
    """)
    data = await history(world, outcome.row.session)
    assert data["supersteps"][2]["tasks"][0]["causes"] == [{"type": "update", "channel": "n", "version": 1}]


@on_stores
async def test_a_child_session_is_named(world: World) -> None:
    outcome = await world.start(HUB)
    (child,) = await world.store.children(outcome.row.session)
    data = await history(world, outcome.row.session)
    assert data["supersteps"][1]["tasks"][0]["status"] == "waiting"
    assert data["supersteps"][1]["tasks"][0]["child"] == child.session
    (interrupt,) = await world.store.interrupts(child.session)
    await world.answer(outcome, "no")
    data = await history(world, outcome.row.session)
    task = data["supersteps"][3]["tasks"][0]
    assert (task["status"], task["child"]) == ("done", child.session)
    assert task["causes"] == [{"type": "answer", "interrupt": interrupt.interrupt}]


@on_stores
async def test_the_open_superstep_of_a_failed_run(world: World) -> None:
    world.functions("""
        def boom() -> int:
            raise KeyError("title")
        def fine() -> int:
            return 1
    """)
    outcome = await world.start(FAILING)
    data = await history(world, outcome.row.session)
    assert len(data["supersteps"]) == 1
    assert data["open"]["superstep"] == 1
    boom, fine = data["open"]["tasks"]
    assert (boom["status"], boom["error"]["kind"], fine["status"]) == ("failed", "code_failed", "done")
    assert boom["causes"] == [{"type": "start"}]
    await operations.resume(world.host, outcome.row.session)
    data = await history(world, outcome.row.session)
    assert [t["attempts"] for t in data["open"]["tasks"]] == [2, 1]


@on_stores
async def test_a_failed_guard_shows_in_the_open_superstep(world: World) -> None:
    outcome = await world.start("""
        channels: { n: { type: int, default: 0 } }
        start: a
        nodes:
          a: { kind: set, next: [{ when: 1 / n > 2, to: end }, { to: end }] }
    """)
    data = await history(world, outcome.row.session)
    (task,) = data["open"]["tasks"]
    assert (task["status"], task["error"]["kind"], task["error"]["class"]) == ("failed", "expression", "bug")


@on_stores
async def test_an_open_question_inside_a_superstep(world: World) -> None:
    world.functions("""
        def fine() -> int:
            return 1
    """)
    outcome = await world.start("""
        inputs: { xs: "list[int]" }
        start: [each, fine]
        nodes:
          each:
            kind: map
            over: inputs.xs
            do: { kind: graph, graph: spoke }
            next: end
          fine: { kind: code, python: "fns:fine", next: end }
        graphs:
          spoke:
            start: ask
            nodes:
              ask: { kind: human, mode: approve, prompt: Sure?, next: end }
    """, {"xs": [1, 2]})  # fmt: skip
    data = await history(world, outcome.row.session)
    assert data["open"] is not None
    status = {t["task"]: t["status"] for t in data["open"]["tasks"]}
    assert status["each"] == "waiting"
    assert status["fine"] == "done"


@on_stores
async def test_a_fork_shows_what_it_inherited(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 4})
    origin = outcome.row.session
    made = await operations.fork(world.host, origin, 3, edits={"count": 0})
    await operations.resume(world.host, made.row.session)
    data = await history(world, made.row.session, values=True)
    assert [s["superstep"] for s in data["supersteps"]] == list(range(8))
    assert [s["session"] == origin for s in data["supersteps"]] == [True] * 3 + [False] * 5
    assert data["origin"] == {"session": origin, "checkpoint": data["supersteps"][2]["checkpoint"], "snapshot": 3}
    edit = data["supersteps"][3]
    assert (edit["kind"], edit["changes"][0]["op"], edit["changes"][0]["writers"]) == ("edit", "set", [])
    assert (edit["changes"][0]["before"], edit["changes"][0]["after"]) == ({"value": 2}, {"value": 0})
    own = await history(world, made.row.session, own=True, values=True)
    assert own["supersteps"] == data["supersteps"][3:]
    of_origin = await history(world, origin)
    assert [s["forks"] for s in of_origin["supersteps"]] == [[], [], [made.row.session], [], []]


@on_stores
async def test_a_fork_with_another_graph_reads_its_prefix_with_the_old_one(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 4})
    other = world.plan(LOOP.replace("channels: {", "channels: { extra: { type: int, default: 7 },"))
    made = await operations.fork(world.host, outcome.row.session, 3, plan=other, edits={"extra": 8})
    world.host = world.new_host()
    data = await history(world, made.row.session, values=True)
    assert len(data["supersteps"]) == 4
    (change,) = data["supersteps"][3]["changes"]
    assert (change["before"], change["after"]) == ({"value": None}, {"value": 8})


@on_stores
async def test_large_values_stand_as_references(world: World) -> None:
    outcome = await world.start("""
        inputs: { text: str }
        channels: { text: str }
        start: a
        nodes:
          a: { kind: set, writes: { text: "${ inputs.text }" }, next: end }
    """, {"text": "x" * 70_000})  # fmt: skip
    data = await history(world, outcome.row.session, values=True)
    after = data["supersteps"][1]["changes"][0]["after"]
    assert set(after) == {"value_ref"}
    assert after["value_ref"]["size"] == 70_002
    assert len(after["value_ref"]["preview"]) == 200

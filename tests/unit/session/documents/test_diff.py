"""The `diff` document: channels, versions and supersteps of two snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.codec import decode
from graphagent.errors import NotFound
from graphagent.session import operations
from graphagent.session.diff_text import diff_text
from graphagent.session.documents import channel_document, diff_document
from graphagent.session.documents.items import equal_items, list_patch
from graphagent.session.documents.pairs import Part, pairs_of
from graphagent.session.documents.parts import PatchOp
from graphagent.session.operations import Options
from graphagent.snapshot import SessionRow
from tests.unit.session.documents.world import CountingStore, World, checked, on_stores

GRAPH = """
    inputs: { n: int }
    outputs: { notes: "list[str]", text: str }
    limits: { supersteps: 2000 }
    channels:
      notes: { type: "list[str]", reducer: append }
      i: { type: int, default: 0 }
      text: { type: str, default: "" }
      facts: { type: "dict[str, int]", reducer: merge }
      big: { type: str, default: "" }
      quiet: { type: str, default: same }
      key: { type: str, default: "", secret: true }
    start: fill
    nodes:
      fill: { kind: set, writes: { big: "${ 'x' }" }, next: step }
      step:
        kind: set
        writes: { notes: "${ ['note ' + str(i)] }", i: "${ i + 1 }", facts: "${ {'last': i} }" }
        next: [{ when: i < inputs.n, to: step }, { to: tell }]
      tell: { kind: set, writes: { text: "${ 'wrote ' + str(len(notes)) }" }, next: end }
"""


async def diff(world: World, a: tuple[SessionRow, int], b: tuple[SessionRow, int], **more: Any) -> dict[str, Any]:
    return checked(await diff_document(world.host, a, b, **more))


async def fresh(world: World, row: SessionRow) -> tuple[SessionRow, int]:
    row = await world.store.session(row.session)
    return row, row.head_superstep


@on_stores
async def test_two_snapshots_of_a_session(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 3})).row
    data = await diff(world, (row, 3), (row, 5))
    assert [c["channel"] for c in data["changes"]] == ["facts", "i", "notes"]
    facts, i, notes = data["changes"]
    assert notes == {
        "channel": "notes", "reducer": "append", "version": 4, "previous_version": 2, "writers": ["step"],
        "previous_writers": ["step"], "op": "append", "added": ["note 1", "note 2"],
    }  # fmt: skip
    assert (i["before"], i["after"]) == ({"value": 1}, {"value": 3})
    assert facts["patch"] == [{"op": "replace", "path": "/last", "value": 2}]
    assert data["common"] == {"session": row.session, "checkpoint": data["common"]["checkpoint"], "snapshot": 3}
    assert data["pairs"] == [
        {"a": None, "b": k, "same": False, "a_ran": [], "b_ran": ["step"], "differs": ["nodes"]} for k in (3, 4)
    ]
    assert (data["first_difference"], data["same"], data["outputs_same"]) == (3, False, None)
    assert (data["delta"]["supersteps"], data["graph_patch"]) == (2, None)
    back = await diff(world, (row, 5), (row, 3))
    assert back["changes"][2]["patch"] == [{"op": "remove", "path": "/2"}, {"op": "remove", "path": "/1"}]
    assert (back["delta"]["supersteps"], back["first_difference"]) == (-2, 3)


@on_stores
async def test_a_snapshot_and_itself(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 2})).row
    for at in range(row.head_superstep + 1):
        data = await diff(world, (row, at), (row, at))
        assert (data["same"], data["changes"], data["pairs"], data["first_difference"]) == (True, [], [], None)
    twin = (await world.start(GRAPH, {"n": 2})).row
    data = await diff(world, (row, row.head_superstep), (twin, twin.head_superstep))
    assert (data["same"], data["common"], data["outputs_same"]) == (True, None, True)
    assert all(p["same"] and p["a"] == p["b"] for p in data["pairs"])


@on_stores
async def test_two_forks_with_different_tails(world: World) -> None:
    """Open tails, sealed segments and a whole list set by an edit: only what differs stands there."""
    for n, at in ((3, 3), (200, 150)):
        row = (await world.start(GRAPH, {"n": n}, limits={"supersteps": 2000})).row
        made = await operations.fork(world.host, row.session, at, edits={"i": n // 2 - 1})
        ran = await operations.resume(world.host, made.row.session)
        a, b = await fresh(world, row), await fresh(world, ran.row)
        data = await diff(world, a, b)
        assert data["common"]["snapshot"] == at
        assert data["first_difference"] == at
        notes = next(c for c in data["changes"] if c["channel"] == "notes")
        whole = [await whole_list(world, *side) for side in (a, b)]
        assert patched(whole[0], notes) == whole[1]
        kept = len(whole[0]) - len(notes["removed"])
        assert (whole[0][:kept] + notes["added"], whole[0][kept:]) == (whole[1], notes["removed"])
        assert len(notes["patch"]) == abs(len(whole[0]) - len(whole[1])) + sum(
            x != y for x, y in zip(*whole, strict=False)
        )
        assert data["outputs_same"] is False
        assert data["pairs"][0]["b_ran"] == ["edit"]


def patched(value: list[str], change: dict[str, Any]) -> list[str]:
    """The list that a change makes of another one."""
    if change["op"] == "append":
        return [*value, *change["added"]]
    out = list(value)
    for op in change["patch"]:
        where = op["path"][1:]
        if op["op"] == "remove":
            out.pop(int(where))
        elif op["op"] == "replace":
            out[int(where)] = op["value"]
        else:
            assert where == "-"
            out.append(op["value"])
    return out


async def whole_list(world: World, row: SessionRow, at: int) -> list[str]:
    return list(checked(await channel_document(world.host, row, at, "notes"))["value"])


@on_stores
async def test_sealed_segments_that_both_have_arent_read(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 300}, limits={"supersteps": 2000})).row
    counting = CountingStore(world.store)
    hashes: list[bytes] = []

    async def blobs(family: Any, wanted: Any) -> Any:
        hashes.extend(wanted)
        return await world.store.blobs(family, wanted)

    host = world.new_host()
    counting.blobs = blobs  # type: ignore[attr-defined]
    host.store = counting
    await host.plan_of(row)
    hashes.clear()
    data = checked(await diff_document(host, (row, 290), (row, 295)))
    assert data["changes"][2]["added"] == [f"note {k}" for k in range(288, 293)]
    segments = [h for h in hashes if isinstance(decode((await world.store.blobs(row.family, [h]))[h])[0], str)]
    assert segments == []
    assert counting.calls < 20


@on_stores
async def test_only_some_channels_and_wrong_names(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 3})).row
    data = await diff(world, (row, 0), (row, 5), channels=["i"])
    assert [c["channel"] for c in data["changes"]] == ["i"]
    assert (data["changes"][0]["previous_version"], data["changes"][0]["before"]) == (None, {"value": 0})
    bare = await diff(world, (row, 0), (row, 5), values=False)
    assert all("before" not in c and "added" not in c and "patch" not in c for c in bare["changes"])
    with pytest.raises(NotFound, match="no channel 'nope'") as caught:
        await diff_document(world.host, (row, 0), (row, 5), channels=["nope"])
    assert "notes" in str(caught.value.hint)
    for a, b in ((0, 99), (99, 0), (-1, 0)):
        with pytest.raises(NotFound, match="has no snapshot"):
            await diff_document(world.host, (row, a), (row, b))


@on_stores
async def test_a_value_written_later_and_equal(world: World) -> None:
    """Only the version differs: nothing is read, and that it is the same value is said."""
    row = (await world.start(GRAPH, {"n": 3})).row
    made = await operations.fork(world.host, row.session, 3, edits={"big": "x"})
    data = await diff(world, (row, 3), (made.row, 4))
    assert data["changes"] == [
        {"channel": "big", "reducer": "last", "version": 3, "previous_version": 1, "writers": [],
         "previous_writers": ["fill"], "op": "set"}
    ]  # fmt: skip
    document = await diff_document(world.host, (row, 3), (made.row, 4))
    assert "big: same value  (A version 1 by fill, B version 3)" in str(document)


@on_stores
async def test_secrets_stay_hidden(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 1})).row
    made = await operations.fork(world.host, row.session, 2, edits={"key": "hunter2", "text": "public"})
    document = await diff_document(world.host, (row, 2), (made.row, 3))
    found = {c["channel"]: c for c in checked(document)["changes"]}
    assert (found["key"]["before"], found["key"]["after"]) == ({"value": "***"}, {"value": "***"})
    assert found["text"]["after"] == {"value": "public"}
    assert "hunter2" not in document.json() + str(document)


@on_stores
async def test_another_graph(world: World) -> None:
    """Channels that only one of them has, and how the graphs differ."""
    row = (await world.start(GRAPH, {"n": 2})).row
    other = world.plan(GRAPH.replace("quiet: { type: str, default: same }", "loud: { type: int, default: 7 }"))
    made = await operations.fork(world.host, row.session, 2, plan=other, edits={"loud": 8})
    data = await diff(world, (row, 2), (made.row, 3))
    assert {c["channel"]: (c["version"], c["previous_version"]) for c in data["changes"]} == {
        "loud": (2, None), "quiet": (None, None),
    }  # fmt: skip
    assert "-  quiet:" in data["graph_patch"].replace("-    ", "-  ") or "-  quiet" in data["graph_patch"]
    assert "+  loud:" in data["graph_patch"]
    assert data["a"]["graph"]["hash"] != data["b"]["graph"]["hash"]


@on_stores
async def test_how_people_read_it(world: World) -> None:
    row = (await world.start(GRAPH, {"n": 3})).row
    made = await operations.fork(world.host, row.session, 3, edits={"text": "one\ntwo\nthree"})
    await operations.resume(world.host, made.row.session)
    a, b = await fresh(world, row), await fresh(world, made.row)
    document = await diff_document(world.host, a, b)
    text = str(document)
    assert f"common: up to {row.session}@3" in text
    assert "first difference: superstep 3" in text
    assert "only B" in text
    assert "outputs: the same" in text
    short = diff_text(document, stat=True)
    assert len(short.splitlines()) < len(text.splitlines()) or "same value" in text
    edited = str(await diff_document(world.host, (a[0], 3), (b[0], 4)))
    assert "+one" in edited
    assert str(await diff_document(world.host, a, a)).endswith("no difference")


@on_stores
async def test_a_running_or_failed_side(world: World) -> None:
    """Whoever owns the sessions, both are only read."""
    outcome = await world.start(GRAPH, {"n": 9}, until_snapshot=4)
    line = await world.host.open(outcome.row.session)
    before = await world.store.session(outcome.row.session)
    data = await diff(world, (before, 2), (before, 4))
    assert data["b"]["due"] == ["step"]
    await world.host.release(line)
    assert before.commit_n == (await world.store.session(outcome.row.session)).commit_n
    assert Options().until_snapshot is None


def test_equal_items_are_equal_as_they_are_stored() -> None:
    assert equal_items([1, [True]], [1, [1]]) == 1
    assert list_patch(3, [1, 2], [True]) == [PatchOp("replace", "/3", True), PatchOp("remove", "/4")]


def parts(*ran: str) -> list[Part]:
    return [Part(k, tuple(names), (), (), (), {}, 0) for k, names in enumerate(ran)]


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ("", "", []),
        ("xyz", "xyz", [(0, 0), (1, 1), (2, 2)]),
        ("xyz", "xqyz", [(0, 0), (None, 1), (1, 2), (2, 3)]),
        ("xyz", "z", [(0, None), (1, None), (2, 0)]),
        ("ab", "cd", [(0, 0), (1, 1)]),
    ],
)
def test_supersteps_that_stand_for_each_other(a: str, b: str, pairs: list[tuple[int | None, int | None]]) -> None:
    assert [(p.a, p.b) for p in pairs_of(parts(*a), parts(*b))] == pairs


def test_long_histories_are_paired_without_taking_forever() -> None:
    found = pairs_of(parts(*"xy" * 4000), parts(*"yx" * 4000))
    assert [p.a for p in found if p.a is not None] == list(range(8000))
    assert [p.b for p in found if p.b is not None] == list(range(8000))

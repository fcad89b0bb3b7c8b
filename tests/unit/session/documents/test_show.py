"""The `show` and `channel` documents."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import NotFound
from graphagent.session import operations
from graphagent.session.documents import channel_document, show_document
from tests.unit.session.documents.test_history import REDUCERS
from tests.unit.session.documents.test_run import HUB, LOOP
from tests.unit.session.documents.world import World, checked, on_stores


async def show(world: World, session: Any, snapshot: int, **options: Any) -> dict[str, Any]:
    row = await world.store.session(session)
    return checked(await show_document(world.host, row, snapshot, **options))


@on_stores
async def test_every_snapshot_can_be_shown(world: World) -> None:
    outcome = await world.start(REDUCERS)
    session = outcome.row.session
    genesis = await show(world, session, 0)
    assert (genesis["kind"], genesis["tasks"], genesis["changes"], genesis["tokens"]) == ("genesis", [], [], [])
    newest, log = (next(c for c in genesis["channels"] if c["name"] == n) for n in ("newest", "log"))
    assert newest == {"name": "newest", "type": "str", "reducer": "last", "scope": "run", "version": None,
                      "changed": False, "writers": [], "size": 6, "value": "none"}  # fmt: skip
    assert (log["value"], log["version"]) == ([], None)
    at = await show(world, session, 3)
    channels = {c["name"]: c for c in at["channels"]}
    assert (channels["log"]["value"], channels["log"]["changed"]) == (["a", "b", "bb"], False)
    assert (channels["log"]["version"], channels["log"]["writers"]) == (1, ["a", "b"])
    assert (channels["newest"]["value"], channels["newest"]["changed"]) == ("two", True)
    assert channels["newest"]["writers"] == ["c"]
    assert [t["task"] for t in at["tasks"]] == ["c"]
    assert at["tokens"] == [{"node": "d", "from": ["c"]}]
    assert {c["channel"] for c in at["changes"]} == {"newest", "seen", "facts", "talk", "note"}
    assert at["snapshot"] == 3
    head = await show(world, session, outcome.row.head_superstep)
    assert head["digest"] == "sha256:" + outcome.row.head_digest.hex()


@on_stores
async def test_a_snapshot_that_isnt_there(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 1})
    for snapshot in (-1, 99):
        with pytest.raises(NotFound):
            await show_document(world.host, outcome.row, snapshot)


@on_stores
async def test_what_waits(world: World) -> None:
    outcome = await world.start("""
        outputs: { ok: str }
        channels: { ok: str }
        start: [ask, tell]
        nodes:
          ask:
            kind: human
            mode: form
            prompt: Who are you?
            form: { name: str }
            timeout: 1h
            writes: { ok: "${ out.form.name }" }
            on_error: end
            next: end
          tell: { kind: set, next: end }
    """)
    head = await show(world, outcome.row.session, outcome.row.head_superstep)
    (interrupt,) = head["interrupts"]
    assert head["waiting"] == [
        {
            "session": interrupt["session"], "node": "ask", "reason": "interrupt", "interrupt": interrupt["id"],
            "events": [], "due_at": interrupt["expires_at"],
        }
    ]  # fmt: skip
    assert interrupt["expires_at"] is not None
    assert interrupt["kind"] == "form"
    assert interrupt["answer_schema"]["required"] == ["form"]
    await world.answer(outcome, {"form": {"name": "ada"}})
    older = await show(world, outcome.row.session, 2)
    assert older["status"] == "done"
    assert older["waiting"][0]["interrupt"] == interrupt["id"]
    (settled,) = older["interrupts"]
    assert (settled["status"], settled["answered_by"]) == ("answered", "ada")
    assert settled["answer"]["form"] == {"name": "ada"}
    # A fork asks again, under an id of its own, and its prefix still shows who asked there.
    fork = await operations.fork(world.host, outcome.row.session, 2)
    again = await show(world, fork.row.session, 2)
    assert again["waiting"][0]["interrupt"] != interrupt["id"]
    assert again["waiting"][0]["interrupt"] == again["interrupts"][0]["id"]
    assert again["interrupts"][0]["status"] == "open"


@on_stores
async def test_a_hub_shows_the_questions_of_its_spoke(world: World) -> None:
    outcome = await world.start(HUB)
    head = await show(world, outcome.row.session, outcome.row.head_superstep)
    (waiting,) = head["waiting"]
    assert (waiting["node"], waiting["reason"], waiting["interrupt"]) == ("call", "child", None)
    assert head["interrupts"][0]["session"] != outcome.row.session


BIG = """
    inputs: { text: str }
    channels: { text: str, small: { type: int, default: 0 } }
    start: a
    nodes:
      a: { kind: set, writes: { text: "${ inputs.text }" }, next: end }
"""


@on_stores
async def test_one_channel(world: World) -> None:
    outcome = await world.start(BIG, {"text": "\N{HONEYBEE}" * 30_000})
    document = await show_document(world.host, outcome.row, 2)
    data = checked(document)
    (small, text) = data["channels"]
    assert "value" not in text
    assert text["size"] == text["value_ref"]["size"] == 120_002
    assert small["value"] == 0
    assert document.values["small"] == 0
    full = await show(world, outcome.row.session, 2, full=True)
    assert full["channels"][1]["value"] == "\N{HONEYBEE}" * 30_000
    channel = checked(await channel_document(world.host, outcome.row, 2, "text"))
    assert channel["value"] == "\N{HONEYBEE}" * 30_000
    assert next(iter(channel)) == "schema"
    assert {k: v for k, v in channel.items() if k not in ("schema", "value")} == {
        k: v for k, v in text.items() if k != "value_ref"
    }
    short = checked(await channel_document(world.host, outcome.row, 2, "text", full=False))
    assert short["value_ref"] == text["value_ref"]
    with pytest.raises(NotFound, match="no channel 'txt'"):
        await channel_document(world.host, outcome.row, 2, "txt")

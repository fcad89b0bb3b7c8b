"""The `sessions` document."""

from __future__ import annotations

from graphagent.session import operations
from graphagent.session.documents import sessions_document
from graphagent.snapshot import SessionQuery
from tests.unit.session.documents.test_run import CHAT, FAILING, HUB, LOOP
from tests.unit.session.documents.world import World, checked, on_stores


@on_stores
async def test_sessions_newest_first(world: World) -> None:
    world.functions("""
        def boom() -> int:
            raise KeyError("title")
        def fine() -> int:
            return 1
    """)
    chat = await world.start(CHAT, {"topic": "bees"}, name="talk", tags=("x", "y"))
    failed = await world.start(FAILING)
    fork = await operations.fork(world.host, chat.row.session, 1)
    hub = await world.start(HUB)
    data = checked(await sessions_document(world.host, SessionQuery()))
    rows = data["sessions"]
    assert [r["session"] for r in rows] == [o.row.session for o in (hub, fork, failed, chat)]
    assert data["next"] is None
    assert (rows[3]["name"], rows[3]["tags"], rows[3]["runs"], rows[3]["supersteps"]) == ("talk", ["x", "y"], 1, 2)
    assert rows[3]["usage"]["model_calls"] == 1
    assert rows[2]["error"]["kind"] == "code_failed"
    assert rows[1]["origin"]["session"] == chat.row.session
    assert rows[0]["status"] == "waiting"
    with_children = checked(await sessions_document(world.host, SessionQuery(children=True)))
    (child,) = [r for r in with_children["sessions"] if r["parent"] is not None]
    assert (child["parent"], child["interrupts"], child["graph"]["name"]) == (hub.row.session, 1, "t.spoke")


@on_stores
async def test_pages_of_sessions(world: World) -> None:
    made = [await world.start(LOOP, {"n": 1}) for _ in range(5)]
    got, before = [], None
    while True:
        page = checked(await sessions_document(world.host, SessionQuery(limit=2, before_us=before)))
        got += [r["session"] for r in page["sessions"]]
        if page["next"] is None:
            break
        before = int(page["next"])
    assert got == [o.row.session for o in reversed(made)]


@on_stores
async def test_no_session(world: World) -> None:
    document = await sessions_document(world.host, SessionQuery())
    assert checked(document) == {"schema": "graphagent/sessions@1", "sessions": [], "next": None}
    assert str(document) == "no sessions"

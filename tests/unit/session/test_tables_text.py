"""What people see of the documents."""

from __future__ import annotations

import re

from graphagent.session import operations
from graphagent.session.documents import history_document, replay_document, sessions_document, show_document
from graphagent.session.tables_text import short, table
from graphagent.snapshot import SessionQuery
from tests.unit.session.documents.test_history import MAPPED
from tests.unit.session.documents.test_run import CHAT, FAILING, HUB, LOOP
from tests.unit.session.documents.world import World, on_stores


@on_stores
async def test_a_history(world: World) -> None:
    outcome = await world.start(LOOP, {"n": 2})
    made = await operations.fork(world.host, outcome.row.session, 2)
    text = str(await history_document(world.host, outcome.row, values=True))
    assert re.sub(r"\d+ ms", "1 ms", text).splitlines() == [
        f"{outcome.row.session}  t  ✔ done",
        "",
        "superstep  snapshot  time  ran    wrote      next  forks",
        "0          1               input             tick",
        f"1          2         1 ms  tick   count = 1  tick  {made.row.session}",
        "2          3         1 ms  tick   count = 2",
    ]
    fork = str(await history_document(world.host, made.row))
    assert f"fork of {outcome.row.session} at snapshot 2" in fork
    assert "(inherited)" in fork


@on_stores
async def test_what_failed_and_what_waits(world: World) -> None:
    world.functions("""
        def boom() -> int:
            raise KeyError("title")
        def fine() -> int:
            return 1
        def double(x: int) -> int:
            return 2 * x
    """)
    failed = await world.start(FAILING)
    text = str(await history_document(world.host, failed.row))
    assert "1          open      ✖ boom failed, fine" in text
    assert "✖ failed at superstep 1: node boom: code_failed: KeyError: 'title'" in text
    mapped = await world.start(MAPPED, {"xs": [1, 2]})
    assert "each [2 items]" in str(await history_document(world.host, mapped.row))
    hub = await world.start(HUB)
    (child,) = await world.store.children(hub.row.session)
    assert f"⏸ call waiting ▸ {child.session}" in str(await history_document(world.host, hub.row))
    state = str(await show_document(world.host, hub.row, hub.row.head_superstep))
    assert "⏸ waiting: ask: Which one?" in state
    assert "⏸ waiting: call" in state
    assert "✖ failed at superstep 1" in str(await show_document(world.host, failed.row, 1))


@on_stores
async def test_a_state_a_replay_and_a_listing(world: World) -> None:
    outcome = await world.start(CHAT, {"topic": "bees"}, name="talk", tags=("x",))
    lines = str(await show_document(world.host, outcome.row, 2)).splitlines()
    assert lines[0] == f"{outcome.row.session}@2  t  ✔ done"
    assert lines[1] == f"snapshot 2, after superstep 1  sha256:{outcome.row.head_digest.hex()}"
    assert lines[3:] == ["channel  type  version  written by  value", 'text     str   1*       write       "one"']
    replayed = str(replay_document(await operations.replay(world.host, outcome.row.session)))
    assert f"⟲ identical  sha256:{outcome.row.head_digest.hex()}" in replayed
    assert "2 of 2 digests identical; 1 effects from the journal, external calls: 0" in replayed
    changed = world.plan(CHAT.replace("About", "All about"))
    differs = str(replay_document(await operations.replay(world.host, outcome.row.session, plan=changed)))
    assert "✖ first difference: superstep 1, node write, attempt 1, call 0: request_changed" in differs
    listing = str(await sessions_document(world.host, SessionQuery())).splitlines()
    assert listing[0].split() == ["session", "graph", "state", "supersteps", "updated", "name"]
    assert listing[1].startswith(f"{outcome.row.session}  t      ✔ done  2  ")
    assert listing[1].endswith("UTC  talk #x")


def test_nothing_steers_the_terminal() -> None:
    assert table([["a", "b"], ["\x1b[31mred\n", "\N{RIGHT-TO-LEFT OVERRIDE}x"]]) == "a" + " " * 7 + "  b\n�[31mred  x"
    assert short("a\nb\x1b") == '"a\\nb\\u001b"'


def test_columns_count_cells() -> None:
    assert table([["x", "y"], ["日本", "1"], ["ab", ""]]) == "x     y\n日本  1\nab"

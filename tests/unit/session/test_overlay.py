from __future__ import annotations

from graphagent.drawing import draw_plan
from graphagent.session.host import Host
from graphagent.session.overlay import session_overlay
from graphagent.snapshot import SessionRow
from tests.unit.cli.plans import LOOKS, plan, played

LOOP = """
channels: { n: { type: int, reducer: sum } }
limits: { supersteps: 20 }
start: a
nodes:
  a: { kind: set, writes: { n: 1 }, next: [{ when: n < 3, to: a }, { to: b }] }
  b: { kind: set, next: end }
"""


def test_states_runs_and_routes_of_a_loop() -> None:
    async def look(host: Host, row: SessionRow) -> list[object]:
        return [await session_overlay(host, row, at) for at in (1, 2, row.head_superstep)]

    first, second, last = played(plan(LOOP), {}, look).after
    assert (dict(first.nodes), first.taken, first.due) == ({}, {"(start)": 1}, {"a"})
    assert (second.nodes["a"].state, second.nodes["a"].runs, second.taken["a.next[0]"]) == ("done", 1, 1)
    assert (second.outlined, second.due, second.channels) == ({"a"}, {"a"}, {"n": "v1"})
    assert (last.nodes["a"].runs, last.nodes["b"].runs) == (3, 1)
    assert last.taken == {"(start)": 1, "a.next[0]": 2, "a.next[1]": 1, "b.next[0]": 1}
    assert last.due == frozenset()
    assert last.caption.endswith("after superstep 4, done")


def test_children_and_questions_lie_in_their_boxes() -> None:
    async def look(host: Host, row: SessionRow) -> object:
        return await session_overlay(host, row, row.head_superstep)

    made = plan(LOOKS)
    overlay = played(made, {"text": "x"}, look).after
    assert overlay.nodes["child/think"].state == "done"
    assert overlay.nodes["each/do"].state == "done"
    assert (overlay.nodes["ask"].state, overlay.nodes["ask"].prompt) == ("waiting", "Is that right?")
    assert overlay.taken["(start)[2]"] == 1
    assert overlay.taken["child/(start)"] == 1
    assert "Is that right?" in draw_plan(made, overlay=overlay).text()

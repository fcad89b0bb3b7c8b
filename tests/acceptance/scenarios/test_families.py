"""Forks inside child sessions, and of the sessions that call them: scenarios 44 and 45."""

from __future__ import annotations

import pytest

from graphagent.errors import Conflict, NotFound
from graphagent.ids import SessionId
from graphagent.session.documents import fork_document
from graphagent.snapshot import SessionRow
from tests.acceptance.scenarios.test_subgraphs import levels
from tests.acceptance.scenarios.world import World, scenario_of_calls

NESTED = """
    outputs: { said: str, log: "list[str]" }
    channels: { said: { type: str, default: "" }, log: { type: "list[str]", reducer: append } }
    start: [call, other]
    nodes:
      call: { kind: graph, graph: one, with: { who: hub }, writes: { said: "${ out.said }" }, next: end }
      other: { kind: code, python: "fns:work", with: { x: other }, writes: { log: "${ [out] }" }, next: more }
      more: { kind: set, writes: { log: [more] }, next: end }
    graphs:
      one:
        inputs: { who: str }
        outputs: { said: str }
        channels: { said: { type: str, default: "" }, side: { type: str, default: "" } }
        start: before
        nodes:
          before: { kind: code, python: "fns:work", with: { x: "${ inputs.who + '/one' }" }, next: [{ to: [call, side] }] }
          side: { kind: code, python: "fns:work", with: { x: side }, writes: { side: "${ out }" }, next: end }
          call: { kind: graph, graph: two, with: { who: "${ inputs.who + '/one' }" }, writes: { said: "${ out.said }" }, next: end }
      two:
        inputs: { who: str }
        outputs: { said: str }
        channels: { said: { type: str, default: "" }, mark: { type: str, default: none } }
        start: before
        nodes:
          before: { kind: code, python: "fns:work", with: { x: "${ inputs.who + '/two' }" }, writes: { mark: "${ out }" }, next: middle }
          middle: { kind: code, python: "fns:work", with: { x: middle }, next: ASK }
          ask: { kind: human, mode: choose, prompt: "{{ who }}?", with: { who: "${ inputs.who }" }, options: [yes, no], writes: { said: "${ out.choice }" }, next: after }
          after: { kind: code, python: "fns:work", with: { x: after }, writes: { said: "${ said + ' ' + mark }" }, next: end }
"""
WORK = """
    def work(x):
        note(x)
        return x
"""
ASKING = NESTED.replace("ASK", "ask")
SILENT = NESTED.replace("ASK", "after").replace("          ask:", "          # ask:")


async def family(world: World, session: SessionId) -> list[SessionRow]:
    return [await world.row(s) for s in await levels(world, session)]


@scenario_of_calls
async def test_44_a_fork_inside_a_spoke(world: World) -> None:
    """A fork inside a spoke at an older checkpoint: its edit is in the hub's final result; earlier siblings weren't run
    again; the origin family is unchanged. Three levels deep."""
    world.functions(WORK)
    outcome = await world.start(SILENT)
    assert outcome.outputs == {"said": " hub/one/two", "log": ["other", "more"]}
    old = await family(world, outcome.row.session)
    digests = [await world.digests(row.session) for row in old]
    counts = {x: world.calls(x) for x in ("other", "side", "hub/one", "hub/one/two", "middle", "after")}
    made = await world.fork(old[2].session, 2, {"mark": "edited"})
    assert [row.session for row, _ in made.family] == [row.session for row in (await family(world, made.root))[:2]]
    assert [origin.session for _, origin in made.family] == [old[0].session, old[1].session]
    new = await family(world, made.root)
    assert [row.origin for row in new] == [row.session for row in old]
    assert (new[2].session, new[0].caller) == (made.row.session, None)
    assert {row.family for row in new} == {outcome.row.family}
    ran = await world.resume(made.root)
    assert ran.outputs == {"said": " edited", "log": ["other", "more"]}
    assert [row.session for row in await family(world, made.root)] == [row.session for row in new]
    again = {"middle": 1, "after": 1}
    if not world.crashing:
        assert {x: world.calls(x) for x in counts} == {x: n + again.get(x, 0) for x, n in counts.items()}
    assert [await world.digests(row.session) for row in old] == digests
    after = [await world.row(row.session) for row in old]
    assert [(r.commit_n, r.event_n, r.head) for r in after] == [(r.commit_n, r.event_n, r.head) for r in old]


@scenario_of_calls
async def test_44b_a_fork_of_a_spoke_that_waits(world: World) -> None:
    """The question is asked anew under the fork's id; the origin's stays open. Each family goes on by itself."""
    world.functions(WORK)
    session = (await world.start(ASKING)).row.session
    old = await family(world, session)
    (theirs,) = await world.open(session)
    made = await world.fork(old[2].session, old[2].head_superstep)
    (mine,) = await world.open(made.row.session)
    assert mine.interrupt != theirs.interrupt
    counted = list(world.noted())
    await world.answer(mine, "no")
    outcome = await world.resume(made.root)
    assert outcome.outputs == {"said": "no hub/one/two", "log": ["other", "more"]}
    assert [x for x in world.noted() if x in ("other", "side", "hub/one/two")] == [
        x for x in counted if x in ("other", "side", "hub/one/two")
    ]
    await world.answer(theirs, "yes")
    first = await world.drive(session)
    assert first.outputs == {"said": "yes hub/one/two", "log": ["other", "more"]}


@scenario_of_calls
async def test_44c_a_fork_of_a_fork_inside_a_spoke(world: World) -> None:
    """A second fork in the forked family, before and after that ran; it carries what the first one carried."""
    world.functions(WORK)
    outcome = await world.start(SILENT)
    old = await family(world, outcome.row.session)
    first = await world.fork(old[2].session, 2, {"mark": "first"})
    second = await world.fork(first.row.session, 3, {"mark": "second"})
    ran = await world.resume(first.root)
    third = await world.fork(first.row.session, 3, {"mark": "third"})
    others = world.calls("other"), world.calls("side")
    for made, said in ((second, " second"), (third, " third")):
        outcome = await world.resume(made.root)
        assert outcome.outputs is not None
        assert outcome.outputs["said"] == said
    assert ran.outputs is not None
    assert ran.outputs["said"] == " first"
    assert (world.calls("other"), world.calls("side")) == others
    assert len({first.root, second.root, third.root, outcome.row.session}) == 3


@scenario_of_calls
async def test_44d_alone(world: World) -> None:
    """`alone` forks the spoke only, as a session of its own."""
    world.functions(WORK)
    outcome = await world.start(SILENT)
    old = await family(world, outcome.row.session)
    count = len(await world.sessions())
    made = await world.fork(old[2].session, 2, {"mark": "alone"}, alone=True)
    assert (made.family, made.row.caller, made.root) == ((), None, made.row.session)
    assert len(await world.sessions()) == count + 1
    ran = await world.resume(made.row.session)
    assert ran.outputs == {"said": " alone"}
    assert made.row.graph == old[2].graph


@scenario_of_calls
async def test_44e_the_running_origin_and_what_cant_be(world: World) -> None:
    """A fork reads only: the origin may be owned by a living worker. Snapshot 0 of a spoke holds no run; a caller that
    isn't there any more is said to be gone; a refused fork leaves nothing."""
    world.functions(WORK)
    session = (await world.start(ASKING)).row.session
    old = await family(world, session)
    count = len(await world.sessions())
    with pytest.raises(Conflict, match="nothing has run at snapshot 0"):
        await world.fork(old[2].session, 0)
    with pytest.raises(NotFound, match="has no snapshot 99"):
        await world.fork(old[2].session, 99)
    dry = await world.fork(old[2].session, 2, dry_run=True)
    assert len(dry.family) == 2
    document = await fork_document(world.host, dry, created=False)
    assert (document.session, document.family) == (None, [])
    assert len(await world.sessions()) == count
    lines = [await world.host.open(row.session) for row in old]
    made = await world.fork(old[1].session, 2)
    assert len(made.family) == 1
    for line in reversed(lines):
        await world.host.release(line)
    document = await fork_document(world.host, made)
    assert [part.session for part in document.family] == [made.root]
    assert document.family[0].origin.session == session
    assert (await world.resume(made.root)).row.status == "waiting"


MAPPED = """
    outputs: { each: any, side: str }
    channels: { each: any, side: { type: str, default: "" } }
    start: [each, side]
    nodes:
      each: { kind: map, over: "['a', 'b', 'c']", do: { kind: graph, graph: one, with: { x: "${ item }" } }, collect: "${ out.said }", writes: { each: "${ results }" }, next: last }
      side: { kind: code, python: "fns:work", with: { x: side }, writes: { side: "${ out }" }, next: end }
      last: { kind: code, python: "fns:work", with: { x: last }, next: end }
    graphs:
      one:
        inputs: { x: str }
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: before
        nodes:
          before: { kind: code, python: "fns:work", with: { x: "${ inputs.x }" }, writes: { said: "${ out }" }, next: after }
          after: { kind: code, python: "fns:work", with: { x: "${ inputs.x + '2' }" }, writes: { said: "${ said + '!' }" }, next: end }
"""


@scenario_of_calls
async def test_44f_a_map_item(world: World) -> None:
    """A fork inside the spoke of one item: the other items aren't run again, and the map's result has the edit."""
    world.functions(WORK)
    outcome = await world.start(MAPPED)
    assert outcome.outputs == {"each": ["a!", "b!", "c!"], "side": "side"}
    child = next(c for c in await world.children(outcome.row.session) if c.caller_path == "each[1]")
    counts = {x: world.calls(x) for x in ("a", "b", "c", "a2", "c2", "side")}
    made = await world.fork(child.session, 2, {"said": "edited"})
    ran = await world.resume(made.root)
    assert ran.outputs == {"each": ["a!", "edited!", "c!"], "side": "side"}
    assert {x: world.calls(x) for x in counts} == counts
    assert [c.session for c in await world.children(made.root)] == [made.row.session]


RETRIED = """
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: [call, side]
    nodes:
      call: { kind: graph, graph: one, retry: { max: 3, on: [child_failed], delay: 1ms, jitter: false }, writes: { said: "${ out.said }" }, next: end }
      side: { kind: code, python: "fns:work", with: { x: side }, next: end }
    graphs:
      one:
        inputs: {}
        outputs: { said: str }
        channels: { said: { type: str, default: "" } }
        start: first
        nodes:
          first: { kind: code, python: "fns:work", with: { x: first }, writes: { said: "${ out }" }, next: flaky }
          flaky: { kind: code, python: "fns:flaky", writes: { said: "${ said + out }" }, next: end }
"""
FLAKY = """
    FAILS = ["x", "x"]

    def work(x):
        note(x)
        return x

    def flaky():
        if FAILS:
            FAILS.pop()
            raise ValueError("not yet")
        return "!"
"""


@scenario_of_calls
async def test_44g_a_later_attempt(world: World) -> None:
    """The spoke of a retried call: the failed attempts before it are carried, and the fork goes on with its own."""
    world.functions(FLAKY)
    outcome = await world.start(RETRIED)
    assert outcome.outputs == {"said": "first!"}
    children = sorted(await world.children(outcome.row.session), key=lambda c: (c.status == "done", c.created_at))
    assert [c.status for c in children] == ["failed", "failed", "done"]
    sides = world.calls("side")
    for child in children:
        made = await world.fork(child.session, 2, {"said": child.status})
        ran = await world.resume(made.root)
        assert ran.outputs == {"said": child.status + "!"}
        assert [c.session for c in await world.children(made.root)] == [made.row.session]
    assert world.calls("side") == sides


@scenario_of_calls
async def test_45b_a_fork_of_the_hub_before_its_call(world: World) -> None:
    """A fork of the hub before the call gives the spoke a new session; after the call, the recorded outcome."""
    world.functions(WORK)
    outcome = await world.start("""
        outputs: { said: str, tail: str }
        channels: { said: { type: str, default: "" }, tail: { type: str, default: "" } }
        start: first
        nodes:
          first: { kind: code, python: "fns:work", with: { x: first }, next: call }
          call: { kind: graph, graph: one, writes: { said: "${ out.said }" }, next: last }
          last: { kind: code, python: "fns:work", with: { x: last }, writes: { tail: "${ out }" }, next: end }
        graphs:
          one:
            inputs: {}
            outputs: { said: str }
            channels: { said: { type: str, default: "" } }
            start: tell
            nodes:
              tell: { kind: code, python: "fns:work", with: { x: told }, writes: { said: "${ out }" }, next: end }
    """)
    session = outcome.row.session
    (child,) = await world.children(session)
    told = world.calls("told")
    after = await world.fork(session, 3)
    ran = await world.resume(after.row.session)
    assert ran.outputs == outcome.outputs
    assert (world.calls("told"), await world.children(after.row.session)) == (told, [])
    before = await world.fork(session, 2)
    ran = await world.resume(before.row.session)
    assert ran.outputs == outcome.outputs
    (new,) = await world.children(before.row.session)
    assert new.session != child.session
    assert world.calls("told") > told
    again = await world.fork(session, 2, before="call:0")
    told = world.calls("told")
    assert (await world.resume(again.row.session)).outputs == outcome.outputs
    assert len(await world.children(again.row.session)) == 1
    assert world.calls("told") > told

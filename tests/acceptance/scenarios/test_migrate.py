"""Sessions that go on with a newer version of their graph: old supersteps keep their plan (matrix rows 48 to 50)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphagent.errors import Conflict, SchemaMismatch, SessionBusy, StoreFull
from graphagent.graph.plan import Plan
from graphagent.ids import SessionId
from graphagent.marks import upcaster
from graphagent.session import migrating
from graphagent.session import operations as ops
from graphagent.session.documents import diff_document, history_document, show_document
from tests.acceptance.scenarios.world import World, scenario_of_calls

OLD = """
    outputs: { said: str }
    channels:
      notes: { type: "list[str]", reducer: append, scope: session }
      said: { type: str, default: "" }
      gone: { type: int, default: 1 }
    limits: { visits: { again: 3 } }
    start: again
    nodes:
      again: { kind: set, writes: { notes: [one], gone: 2 }, next: [{ when: len(notes) < 2, to: again }, { to: ask }] }
      ask: { kind: human, mode: choose, prompt: "Go on?", options: [yes, no], writes: { said: "${ out.choice }" }, next: last }
      last: { kind: set, writes: { notes: [last] }, next: end }
"""
NEW = """
    outputs: { said: str, extra: int }
    channels:
      extra: { type: int, default: 7 }
      notes: { type: "list[str]", reducer: append, scope: session }
      said: { type: str, default: "" }
    limits: { visits: { again: 3 } }
    start: before
    nodes:
      before: { kind: set, next: again }
      again: { kind: set, writes: { notes: [one] }, next: [{ when: len(notes) < 2, to: again }, { to: ask }] }
      ask: { kind: human, mode: choose, prompt: "Go on?", options: [yes, no], writes: { said: "${ out.choice + '!' }" }, next: more }
      more: { kind: set, writes: { extra: "${ extra + 1 }", notes: [more] }, next: last }
      last: { kind: set, writes: { notes: [last] }, next: end }
"""


async def migrate(world: World, session: SessionId, plan: Plan | str, **more: Any) -> migrating.Report:
    plan = world.plan(plan) if isinstance(plan, str) else plan
    found: migrating.Report = await world.calmly(lambda: migrating.migrate(world.host, session, plan, **more))
    return found


@scenario_of_calls
async def test_50_a_waiting_session_goes_on_with_another_graph(world: World) -> None:
    """The question stays open under its id; the new graph takes its answer. Channels and nodes move by name, what is
    gone is dropped, what is new has its default, counters of visits stay with their nodes."""
    session = (await world.start(OLD)).row.session
    before = await world.row(session)
    (asked,) = await world.open(session)
    found = await migrate(world, session, NEW, by="me")
    assert (found.added_channels, found.dropped_channels) == (("extra",), ("gone",))
    assert (found.added_nodes, found.dropped_nodes) == (("before", "more"), ())
    row = await world.row(session)
    assert (row.status, row.head_superstep) == ("waiting", before.head_superstep + 1)
    assert (row.plan == before.plan, row.family, row.seed) == (False, before.family, before.seed)
    await world.crash()
    assert [r.interrupt for r in await world.open(session)] == [asked.interrupt]
    line = await world.host.open(session)
    visits = dict(zip([n.name for n in line.graph.nodes], line.snapshot.control.visits, strict=True))
    await world.host.release(line)
    assert visits == {"before": 0, "again": 2, "ask": 1, "more": 0, "last": 0}
    await world.answer(asked, "yes")
    outcome = await world.drive(session)
    assert outcome.outputs == {"said": "yes!", "extra": 8}
    assert (await world.values(session))["notes"] == ["one", "one", "more", "last"]
    (event,) = await world.kinds(session, "x.session.migrated")
    assert (event["by"], event["channels"]) == ("me", [])
    second = await world.run_again(session, {})
    assert second.row.status == "waiting"
    assert (await world.values(session))["extra"] == 7


@scenario_of_calls
async def test_50b_every_superstep_keeps_its_plan(world: World) -> None:
    """Replay, history, show, diff and forks over a migration, each snapshot under the plan that made it."""
    session = (await world.start(OLD)).row.session
    at = (await world.row(session)).head_superstep
    digests = await world.digests(session)
    await migrate(world, session, NEW)
    await world.answer((await world.open(session))[0], "no")
    await world.drive(session)
    assert (await world.digests(session))[:at] == digests
    row = await world.row(session)
    report = await ops.replay(world.host, session)
    assert report.identical
    assert len(report.supersteps) == row.head_superstep
    for start in range(row.head_superstep):
        assert (await ops.replay(world.host, session, start_at=start)).identical
    history = await history_document(world.host, row, values=True)
    assert [s.kind for s in history.supersteps][at] == "edit"
    assert {c.name for c in (await show_document(world.host, row, at)).channels} == {"notes", "said", "gone"}
    assert {c.name for c in (await show_document(world.host, row, at + 1)).channels} == {"notes", "said", "extra"}
    diff = await diff_document(world.host, (row, at), (row, at + 1))
    assert {c.channel for c in diff.changes} == {"extra", "gone"}
    assert diff.graph_patch is not None
    old = await world.fork(session, at)
    assert old.row.plan != row.plan
    new = await world.fork(session, at + 1)
    assert new.row.plan == row.plan
    for made, said in ((old, "yes"), (new, "yes!")):
        await world.drive(made.row.session)
        await world.answer((await world.open(made.row.session))[0], "yes")
        outcome = await world.drive(made.row.session)
        assert outcome.outputs is not None
        assert outcome.outputs["said"] == said


@scenario_of_calls
async def test_50c_a_migration_that_isnt_stored_changes_nothing(world: World) -> None:
    """The commit is refused: the session goes on with the old graph, in this process too."""
    session = (await world.start(OLD)).row.session
    before = await world.row(session)
    world.wire.faults = [StoreFull("the disk is full")]
    with pytest.raises(StoreFull):
        await migrate(world, session, NEW)
    after = await world.row(session)
    assert (after.plan, after.head, after.status) == (before.plan, before.head, "waiting")
    await world.answer((await world.open(session))[0], "yes")
    outcome = await world.drive(session)
    assert outcome.outputs == {"said": "yes"}
    assert (await world.values(session))["gone"] == 2


TYPED = NEW.replace(
    'notes: { type: "list[str]", reducer: append', 'notes: { type: "list[Note]", reducer: append'
).replace("    outputs:", "    types: { Note: { text: str } }\n    outputs:", 1)
for word in ("one", "more", "last"):
    TYPED = TYPED.replace(f"notes: [{word}]", f"notes: [{{ text: {word} }}]")


def notes_of(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of its own each time: a mark stays on what it was put on."""
    return upcaster("scenario", "notes", "list[str]", "list[Note]")(lambda value: function(value))


@scenario_of_calls
async def test_48_a_channel_of_another_type(world: World) -> None:
    """Without an upcaster it is refused before any write; with one, its value is of the new type from then on."""
    session = (await world.start(OLD)).row.session
    before = await world.row(session)
    with pytest.raises(SchemaMismatch, match=r"notes: list\[str\] -> list\[Note\]") as caught:
        await migrate(world, session, TYPED)
    assert '@graphagent.upcaster("scenario", "notes", "list[str]", "list[Note]")' in str(caught.value.hint)
    for wrong in (lambda texts: texts, lambda texts: {"a": 1}, lambda texts: [object()], lambda texts: 1 / 0):
        with pytest.raises(SchemaMismatch, match="upcaster of `notes`"):
            await migrate(world, session, TYPED, upcasters=[marked(wrong)])
    other = upcaster("scenario", "notes", "list[int]", "list[Note]")(lambda value: notes_of(value))
    with pytest.raises(SchemaMismatch, match="another type"):
        await migrate(world, session, TYPED, upcasters=[other])
    after = await world.row(session)
    assert (after.commit_n, after.head, after.plan) == (before.commit_n, before.head, before.plan)
    report = await migrate(world, session, TYPED, upcasters=[marked(notes_of)])
    assert [(u.channel, u.known) for u in report.upcasts] == [("notes", True)]
    assert (await world.values(session))["notes"] == [{"text": "one"}, {"text": "one"}]
    (event,) = await world.kinds(session, "x.session.migrated")
    assert event["channels"] == ["notes"]
    await world.crash()
    await world.answer((await world.open(session))[0], "yes")
    await world.drive(session)
    assert (await world.values(session))["notes"][-1] == {"text": "last"}


@scenario_of_calls
async def test_what_has_no_place_is_refused(world: World) -> None:
    """A parked node that is gone, another graph, the same graph, a session that is owned."""
    session = (await world.start(OLD)).row.session
    before = await world.row(session)
    gone = NEW.replace("ask:", "asked:").replace("to: ask }", "to: asked }")
    with pytest.raises(Conflict, match="waits at `ask`, which is gone"):
        await migrate(world, session, gone)
    report = await migrating.report(world.host, session, world.plan(gone))
    assert not report.fits
    assert (await migrate(world, session, OLD)).same
    line = await world.host.open(session)
    with pytest.raises(SessionBusy):
        await migrate(world, session, NEW)
    await world.host.release(line)
    after = await world.row(session)
    assert (after.head, after.plan) == (before.head, before.plan)


FAILING = """
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: START
    nodes:
      pay: { kind: code, python: "fns:pay", effects: write, writes: { log: "${ [out] }" }, next: end }
      bad: { kind: code, python: "fns:NAME", writes: { log: "${ [out] }" }, next: end }
"""
CODE = """
    def pay():
        note("pay")
        return "paid"

    def bad():
        raise ValueError("no")

    def good():
        return "good"
"""


@scenario_of_calls
async def test_a_failed_session_goes_on_with_the_mended_graph(world: World) -> None:
    """Where nothing else was done in the open superstep it is paused, and `resume` runs the new node."""
    world.functions(CODE)
    lines = FAILING.replace("START", "bad").splitlines()
    text = "\n".join(line for line in lines if " pay: " not in line)
    session = (await world.start(text.replace("NAME", "bad"))).row.session
    assert (await world.row(session)).status == "failed"
    await migrate(world, session, text.replace("NAME", "good"))
    row = await world.row(session)
    assert (row.status, row.reason) == ("waiting", "paused")
    outcome = await world.resume(session)
    assert outcome.outputs == {"log": ["good"]}


@scenario_of_calls
async def test_calls_of_an_open_superstep_arent_made_again(world: World) -> None:
    """A sibling has paid: that is refused, and says how to take it along."""
    world.functions(CODE)
    text = FAILING.replace("START", "[pay, bad]")
    session = (await world.start(text.replace("NAME", "bad"))).row.session
    row = await world.row(session)
    with pytest.raises(Conflict, match=r"superstep 1 hasn't closed, and calls were made in it by `pay`") as caught:
        await migrate(world, session, text.replace("NAME", "good"))
    assert f"graphagent fork {session} --at 1 --graph" in str(caught.value.hint)
    assert await world.row(session) == row
    fork = await world.fork(session, 1, plan=world.plan(text.replace("NAME", "good")))
    outcome = await world.resume(fork.row.session)
    assert outcome.outputs == {"log": ["paid", "good"]}
    assert world.calls("pay") == 1

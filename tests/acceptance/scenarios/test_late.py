"""What comes too late, and what a person takes back: evidence about writes in doubt, discarded tasks."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest
import trio
import trio.testing

from graphagent.codec import decode
from graphagent.errors import Conflict, NotFound
from graphagent.session import operations as ops
from graphagent.session.discarding import Discard
from graphagent.session.documents import interrupt_in
from graphagent.snapshot import Span
from tests.acceptance.scenarios.world import World, scenario

SLOW = """
    from pathlib import Path

    def pay():
        note("pay")
        while not Path(__file__).with_name("go").exists():
            time.sleep(0.005)
        if FAIL:
            raise ValueError("the card was refused")
        return {"receipt": 17}

    FAIL = False
"""
PAYS = """
    outputs: { got: any }
    channels: { got: { type: any, default: null } }
    start: pay
    nodes:
      pay: { kind: code, python: "fns:pay", effects: write, timeout: 400ms, writes: { got: "${ out }" }, next: end }
"""


async def evidence(world: World, interrupt: Any) -> Any:
    """What stands beside a question, as soon as something does."""
    with trio.move_on_after(20):
        while (part := await interrupt_in(world.host, interrupt)).evidence is None:
            await trio.sleep(0.01)
        return part.evidence
    row = await world.row(interrupt.session)
    pytest.fail(f"no evidence came: epoch {row.epoch}, {await world.store.effects([Span(interrupt.session, 0, None)])}")


@scenario
async def test_36_the_late_outcome_of_a_write_is_evidence(world: World) -> None:
    """It is shown with the question, it isn't applied, and it is in no digest."""
    world.functions(SLOW)
    session = (await world.start(PAYS)).row.session
    (asked,) = await world.open(session)
    assert (await interrupt_in(world.host, asked)).evidence is None
    (world.project / "go").touch()
    found = await evidence(world, asked)
    assert (found.value, found.error) == ({"receipt": 17}, None)
    assert (await world.row(session)).status == "waiting", "evidence decides nothing"
    await world.answer(asked, {"decision": "done", "value": {"receipt": 18}})
    outcome = await world.drive(session)
    assert outcome.outputs == {"got": {"receipt": 18}}, "the person's word counts"
    assert world.calls("pay") == 1


@scenario
async def test_36b_a_late_failure_is_evidence_too(world: World) -> None:
    world.functions(SLOW.replace("FAIL = False", "FAIL = True"))
    session = (await world.start(PAYS)).row.session
    (asked,) = await world.open(session)
    (world.project / "go").touch()
    found = await evidence(world, asked)
    assert found.value is None
    assert "the card was refused" in found.error


@scenario
async def test_36c_nothing_late_reaches_a_write_that_is_settled(world: World) -> None:
    """Behind the answer the late outcome finds no question any more, and is dropped."""
    world.functions(SLOW)
    session = (await world.start(PAYS)).row.session
    (asked,) = await world.open(session)
    await world.answer(asked, {"decision": "done", "value": {"receipt": 1}})
    await world.drive(session)
    before = await world.store.effects([Span(session, 0, None)])
    (world.project / "go").touch()
    while any(t.name.startswith("Trio thread") and t.is_alive() and _busy(t) for t in threading.enumerate()):
        await trio.sleep(0.01)
    await trio.testing.wait_all_tasks_blocked()
    assert [r for r in await world.store.effects([Span(session, 0, None)]) if r.ordinal < -1] == []
    assert len(await world.store.effects([Span(session, 0, None)])) == len(before)


def _busy(thread: threading.Thread) -> bool:
    """Whether a worker thread is inside the function of this test."""
    import sys

    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "pay":
            return True
        frame = frame.f_back
    return False


ASKS = """
    outputs: { got: any }
    channels: { got: { type: any, default: null } }
    start: work
    nodes:
      work: { kind: code, python: "fns:work", writes: { got: "${ out }" }, next: end }
"""


def body(name: str, effects: str = "read") -> str:
    return f"""
        def {name}():
            note("{name}")
            return "{name}"

        async def work(context):
            got = await context.effect("{name}", {name}, effects="{effects}")
            answer = await context.ask("go?")
            return [got, answer["decision"]]
    """


async def diverged(world: World, effects: str) -> Any:
    """A session whose function makes another call than the one in its journal."""
    world.functions(body("one", effects))
    session = (await world.start(ASKS)).row.session
    (asked,) = await world.open(session)
    world.functions(body("two", effects))
    world.boot() if world.place is None else await world.crash()
    await world.answer(asked, {"decision": "approve"})
    outcome = await world.drive(session)
    assert (outcome.row.status, outcome.row.reason) == ("failed", "divergence")
    return session


async def discard(world: World, session: Any, path: str, *, accept: bool = False) -> ops.Outcome:
    wanted = Discard(path, accept, "somebody")
    outcome: ops.Outcome = await world.calmly(lambda: ops.resume(world.host, session, discard=wanted))
    return outcome


@scenario
async def test_a_discarded_task_begins_anew(world: World) -> None:
    session = await diverged(world, "read")
    with pytest.raises(NotFound, match="no task 'nobody'") as caught:
        await discard(world, session, "nobody")
    assert "work" in str(caught.value.hint)
    assert (await world.row(session)).status == "failed"
    await discard(world, session, "work")
    (asked,) = await world.open(session)
    await world.answer(asked, {"decision": "approve"})
    outcome = await world.drive(session)
    assert outcome.outputs == {"got": ["two", "approve"]}
    rows = await world.store.effects([Span(session, 0, None)])
    (left,) = [decode(r.outcome or b"") for r in rows if r.ordinal == -1 and r.attempt == 0]
    assert "somebody" in left["message"], "the record says who it was"
    assert {r.name for r in rows if r.ordinal == 0} == {"one", "two"}, "nothing is taken out of the journal"


@scenario
async def test_a_task_with_writes_is_discarded_only_on_purpose(world: World) -> None:
    session = await diverged(world, "write")
    before = await world.row(session)
    with pytest.raises(Conflict, match="has made the write 'one'"):
        await discard(world, session, "work")
    after = await world.row(session)
    assert dataclasses.replace(after, epoch=0, updated_at=0) == dataclasses.replace(before, epoch=0, updated_at=0)
    await discard(world, session, "work", accept=True)
    (asked,) = await world.open(session)
    await world.answer(asked, {"decision": "approve"})
    assert (await world.drive(session)).outputs == {"got": ["two", "approve"]}

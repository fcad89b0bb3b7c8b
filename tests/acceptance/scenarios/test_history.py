"""History: scenarios 46 to 50."""

from __future__ import annotations

import pytest
import trio

from graphagent.codec import encode
from graphagent.engine.run import Stop
from graphagent.errors import InputInvalid, NotFound
from graphagent.ids import SessionId
from graphagent.session import operations as ops
from graphagent.snapshot import NewInput
from tests.acceptance.scenarios.world import World, scenario, scenario_of_calls

STEPS = """
    outputs: { log: "list[str]", n: int }
    channels:
      log: { type: "list[str]", reducer: append }
      n: { type: int, reducer: sum }
      word: { type: str, default: x }
    limits: { supersteps: 300 }
    start: tick
    nodes:
      tick: { kind: code, python: "fns:tick", with: { n: "${ n }", word: "${ word }" }, writes: { log: "${ [out] }", n: 1 }, next: [{ when: n < LAST, to: tick }, { to: end }] }
"""
TICK = """
    def tick(n, word):
        note("tick")
        return f"{word}{n}"
"""


@scenario_of_calls
async def test_46_resume_and_replay_are_different_verbs(world: World) -> None:
    """Resume at the head runs, replay runs nothing outside, and running on from an old checkpoint is always a
    fork."""
    world.functions(TICK)
    outcome = await world.start(STEPS.replace("LAST", "4"), options=ops.Options(seed=1, until_snapshot=3))
    session = outcome.row.session
    assert (outcome.row.status, world.calls("tick")) == ("waiting", 2)
    before = await world.row(session)
    report = await ops.replay(world.host, session)
    assert (report.identical, report.effects_replayed, world.calls("tick")) == (True, 2, 2)
    view = await ops.replay(world.host, session, mode="view")
    assert [step.recorded for step in view.supersteps] == await world.digests(session)
    assert await world.row(session) == before
    outcome = await world.resume(session)
    assert outcome.outputs == {"log": ["x0", "x1", "x2", "x3"], "n": 4}
    assert world.calls("tick") == 4
    fork = await world.fork(session, 2)
    assert fork.row.session != session
    assert fork.row.head_superstep == 2
    forked = await world.resume(fork.row.session)
    assert forked.outputs == outcome.outputs
    assert (await world.row(session)).head_digest == outcome.row.head_digest
    with pytest.raises(NotFound):
        await world.fork(session, outcome.row.head_superstep + 1)
    with pytest.raises(InputInvalid):
        await world.fork(session, 2, {"n": "text"})
    with pytest.raises(InputInvalid):
        await world.fork(session, 2, {"nobody": 1})


def words(word: str, *rounds: int) -> list[str]:
    return [f"{word}{n}.{i}" for n in rounds for i in range(12)]


@scenario
async def test_47_forks_do_not_see_each_other(world: World) -> None:
    """Two forks of one checkpoint don't see each other's writes, also in `append` channels and in their open
    tails."""
    world.functions("""
        def tick(n, word):
            return [f"{word}{n}.{i}" for i in range(12)]
    """)
    graph = STEPS.replace("LAST", "8").replace("${ [out] }", "${ out }")  # the sixth round seals 72 items
    session = (await world.start(graph)).row.session
    origin = await world.values(session)
    one = await world.fork(session, 7, {"word": "one"})
    two = await world.fork(session, 7, {"word": "two"})
    bare = await world.fork(session, 7)
    shared = words("x", *range(6))

    async def log(session: SessionId) -> list[str]:
        outcome = await world.resume(session)
        assert outcome.outputs is not None
        found: list[str] = outcome.outputs["log"]
        return found

    for _ in range(2):
        for fork, word in ((one, "one"), (two, "two"), (bare, "x")):
            assert await log(fork.row.session) == [*shared, *words(word, 6, 7)]
    assert await world.values(session) == origin
    # A fork of a fork, above and below the first fork's point, and of the sealed part.
    deeper = await world.fork(one.row.session, 9, {"word": "deep"})
    assert await log(deeper.row.session) == [*shared, *words("one", 6), *words("deep", 7)]
    shallow = await world.fork(deeper.row.session, 3, {"word": "low"})
    assert await log(shallow.row.session) == [*words("x", 0, 1), *words("low", *range(2, 8))]
    # An edited append channel starts anew, in a fork and in a fork of it.
    edited = await world.fork(session, 7, {"log": ["edited"], "word": "e"})
    assert await log(edited.row.session) == ["edited", *words("e", 6, 7)]
    emptied = await world.fork(edited.row.session, 9, {"log": []})
    assert await log(emptied.row.session) == words("e", 7)
    assert await world.values(session) == origin


@scenario
async def test_48_a_fork_at_a_parked_checkpoint(world: World) -> None:
    """A fork at a parked checkpoint asks again under its own id; the origin's question stays answerable."""
    graph = """
        outputs: { said: str, n: int }
        channels: { said: { type: str, default: "" }, n: { type: int, default: 0 } }
        start: ask
        nodes:
          ask: { kind: human, mode: choose, prompt: "Which?", options: [x, y], timeout: 1h, writes: { said: "${ out.choice }" }, next: end, on_error: late }
          late: { kind: set, writes: { said: "${ error.kind }" }, next: end }
    """
    outcome = await world.start(graph)
    session = outcome.row.session
    (theirs,) = await world.open(session)
    world.clock.skipped += 1_800_000_000
    fork = await world.fork(session, outcome.row.head_superstep)
    edited = await world.fork(session, outcome.row.head_superstep, {"n": 5})
    (mine,), (other,) = await world.open(fork.row.session), await world.open(edited.row.session)
    assert len({theirs.interrupt, mine.interrupt, other.interrupt}) == 3
    assert (mine.question, other.question) == (theirs.question, theirs.question)
    assert mine.expires_at is not None
    assert theirs.expires_at is not None
    assert mine.expires_at >= theirs.expires_at + 1_700_000_000  # the full duration again
    assert (await world.drive(fork.row.session)).row.status == "waiting"
    await world.answer(other, "y")
    assert (await world.drive(edited.row.session)).outputs == {"said": "y", "n": 5}
    assert (await world.open(session), await world.open(fork.row.session)) == ([theirs], [mine])
    await world.answer(theirs, "x")
    assert (await world.drive(session)).outputs == {"said": "x", "n": 0}
    world.clock.skipped += 1_900_000_000
    assert (await world.drive(fork.row.session)).row.status == "waiting"
    world.clock.skipped += 1_900_000_000
    assert (await world.drive(fork.row.session)).outputs == {"said": "timeout", "n": 0}


@scenario
async def test_48b_a_fork_of_a_fork_at_a_parked_checkpoint(world: World) -> None:
    """The question of a fork's fork is that of the session which asked it first."""
    outcome = await world.start("""
        outputs: { said: "list[str]" }
        channels: { said: { type: "list[str]", reducer: append } }
        start: [a, b]
        nodes:
          a: { kind: human, mode: choose, prompt: A, options: [x, y], writes: { said: "${ ['a' + out.choice] }" }, next: end }
          b: { kind: human, mode: choose, prompt: B, options: [x, y], writes: { said: "${ ['b' + out.choice] }" }, next: end }
    """)
    first = await world.fork(outcome.row.session, outcome.row.head_superstep)
    await world.answer((await world.asked(first.row.session))["A"], "x")
    half = await world.drive(first.row.session)
    assert half.row.status == "waiting"
    second = await world.fork(first.row.session, half.row.head_superstep, {"said": ["edited"]})
    asked = await world.asked(second.row.session)
    assert list(asked) == ["B"]
    await world.answer(asked["B"], "y")
    assert (await world.drive(second.row.session)).outputs == {"said": ["edited", "by"]}
    assert list(await world.asked(first.row.session)) == ["B"]
    assert sorted(await world.asked(outcome.row.session)) == ["A", "B"]


@scenario
async def test_49_two_processes_send_inputs(world: World) -> None:
    """Two processes send inputs to one session at once: both are applied, in order of acceptance, by one writer."""
    world.functions("""
        def work(x):
            note(x)
            return x
    """)
    graph = """
        inputs: { x: int }
        outputs: { log: "list[int]" }
        channels: { log: { type: "list[int]", reducer: append, scope: session } }
        start: work
        nodes:
          work: { kind: code, python: "fns:work", with: { x: "${ inputs.x }" }, writes: { log: "${ [out] }" }, next: end }
    """
    session = (await world.start(graph, {"x": 0})).row.session
    for x in range(1, 6):
        await world.accept(session, NewInput("run", f"m{x}", encode({"inputs": {"x": x}, "limits": {}})))
    outcome = await world.drive(session)
    assert outcome.outputs == {"log": [0, 1, 2, 3, 4, 5]}
    assert world.noted() == [0, 1, 2, 3, 4, 5]
    assert len(await world.kinds(session, "RunStarted")) == 6
    assert len(await world.kinds(session, "RunCompleted")) == 6


@scenario
async def test_50_resuming_a_finished_session(world: World) -> None:
    """Resuming a finished session without input changes nothing and writes nothing; with input it starts a new run on
    the last state."""
    graph = """
        inputs: { x: int }
        outputs: { kept: "list[int]", fresh: "list[int]", total: int, step: bool }
        channels:
          kept: { type: "list[int]", reducer: append, scope: session }
          fresh: { type: "list[int]", reducer: append }
          total: { type: int, reducer: sum, scope: session }
          flash: { type: "list[int]", reducer: append, scope: step }
          step: { type: bool, default: false }
        start: first
        nodes:
          first: { kind: set, writes: { kept: "${ [inputs.x] }", fresh: "${ [inputs.x] }", total: "${ inputs.x }", flash: "${ [inputs.x] }" }, next: second }
          second: { kind: set, writes: { fresh: "${ [inputs.x + len(flash)] }", step: "${ len(flash) == 1 }" }, next: third }
          third: { kind: set, writes: { fresh: "${ [len(flash)] }" }, next: end }
    """
    outcome = await world.start(graph, {"x": 1})
    session = outcome.row.session
    assert outcome.outputs == {"kept": [1], "fresh": [1, 2, 0], "total": 1, "step": True}
    before = await world.row(session)
    for _ in range(2):
        again = await world.resume(session)
        assert again.outputs == outcome.outputs
        await world.crash()
    after = await world.row(session)
    assert (after.commit_n, after.event_n, after.head) == (before.commit_n, before.event_n, before.head)
    outcome = await world.run_again(session, {"x": 10})
    assert outcome.outputs == {"kept": [1, 10], "fresh": [10, 11, 0], "total": 11, "step": True}
    await world.crash()
    outcome = await world.run_again(session, {"x": 100})
    assert outcome.outputs == {"kept": [1, 10, 100], "fresh": [100, 101, 0], "total": 111, "step": True}


@scenario
async def test_50_a_resume_of_what_has_ended_is_cancelled(world: World) -> None:
    """A session in which nothing is left to do stays as it is, also if whoever looks after it is interrupted."""
    ends = "outputs: { x: int }\nchannels: { x: { type: int, default: 1 } }\nstart: n\nnodes: { n: { kind: set, writes: { x: 2 }, next: end } }"
    asks = "start: ask\nnodes: { ask: { kind: human, mode: approve, prompt: Yes?, next: end } }"
    for graph in (ends, asks):
        before = (await world.start(graph)).row
        with trio.CancelScope() as scope:
            line = await world.host.open(before.session)
            scope.cancel()
            try:
                await world.host.advance(line, Stop())
            finally:
                await world.host.release(line)
        after = await world.row(before.session)
        assert (after.status, after.reason, after.commit_n) == (before.status, before.reason, before.commit_n)

"""The contract of `ports.Store`: every async function here runs on every store.

A case gets a `World`: it opens stores on one place, as several processes would, and lets one die.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest
import trio

from graphagent.codec import digest, encode
from graphagent.errors import (
    Conflict,
    Fenced,
    InterruptAnswered,
    InterruptExpired,
    NotFound,
    SessionBusy,
    StoreCorrupt,
)
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId, WorkerId
from graphagent.ports import Store
from graphagent.snapshot import (
    ArtifactRow,
    Binding,
    Blob,
    CachedResult,
    Carried,
    CheckpointRow,
    Commit,
    Delta,
    EffectRow,
    EffectState,
    EventBatch,
    InterruptRow,
    LineageEntry,
    NewFork,
    NewInput,
    Opened,
    SessionQuery,
    SessionRow,
    Span,
)

T0 = 1_700_000_000_000_000
PLAN = digest(b"plan")
ANN, BOB = WorkerId.derive("ann"), WorkerId.derive("bob")


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = T0

    def now_us(self) -> int:
        return self.now


class World(Protocol):
    """One place where sessions are kept."""

    clock: HandClock

    async def open(self) -> Store:
        """A store object on this place."""
        ...

    async def die(self, store: Store, worker: WorkerId) -> None:
        """The process that holds `store`, and is `worker`, dies."""
        ...


Case = Callable[[World], Awaitable[None]]


# ---- makers ----------------------------------------------------------------------------------------------------------


def session_row(n: int = 1, **fields: Any) -> SessionRow:
    session = SessionId.timed(T0 + n * 1000, digest(b"%d" % n))
    first: dict[str, Any] = {
        "session": session, "family": session, "plan": PLAN, "graph": "demo", "seed": digest(b"seed%d" % n)[:16],
        "created_at": T0 + n, "updated_at": T0 + n,
    }  # fmt: skip
    return SessionRow(**(first | fields))


def checkpoint_row(row: SessionRow, superstep: int, parent: CheckpointId | None = None, **fields: Any) -> CheckpointRow:
    at = T0 + (superstep + 2) * 1000
    first: dict[str, Any] = {
        "checkpoint": CheckpointId.timed(at, digest(row.session.encode() + b"%d" % superstep)), "superstep": superstep,
        "kind": "genesis" if superstep < 0 else "superstep", "parent": parent, "plan": row.plan,
        "manifest": encode({"channels": {"n": [superstep, "v", superstep]}}), "digest": digest(b"%d" % superstep),
        "opened_at": at, "committed_at": at + 10,
    }  # fmt: skip
    return CheckpointRow(**(first | fields))


def effect_row(superstep: int = 0, ordinal: int = 0, **fields: Any) -> EffectRow:
    first: dict[str, Any] = {
        "superstep": superstep, "path": "node", "attempt": 0, "ordinal": ordinal, "kind": "model", "name": "fast",
        "effect_class": "read", "state": EffectState.DONE, "request_hash": digest(b"q"), "request": b'{"q":1}',
        "outcome": b'"yes"', "started_at": T0,
    }  # fmt: skip
    return EffectRow(**(first | fields))


def artifact_row(row: SessionRow, data: bytes = b"picture", **fields: Any) -> ArtifactRow:
    hash = digest(data)
    first: dict[str, Any] = {
        "artifact": ArtifactId.of(hash[:16]), "session": row.session, "superstep": 0, "name": "../ö.png",
        "media_type": "image/png", "size": len(data), "hash": hash,
    }  # fmt: skip
    return ArtifactRow(**(first | fields))


def interrupt_row(row: SessionRow, name: str = "ask", **fields: Any) -> InterruptRow:
    first: dict[str, Any] = {
        "interrupt": InterruptId.derive(row.session, name), "session": row.session, "superstep": 0, "path": name,
        "node": name, "kind": "question", "question": encode({"prompt": "Really?" * 100}), "opened_at": T0,
    }  # fmt: skip
    return InterruptRow(**(first | fields))


def run_input(message_id: str = "m1", **fields: Any) -> NewInput:
    return NewInput(**({"kind": "run", "message_id": message_id, "body": b'{"topic":"x"}', "principal": "me"} | fields))


def next_commit(row: SessionRow, superstep: int | None, **fields: Any) -> Commit:
    """The commit of a superstep, or a park for None, on the authority row as it was read."""
    first: dict[str, Any] = {
        "session": row.session, "epoch": row.epoch, "commit_n": row.commit_n, "status": "running", "reason": None,
        "token": digest(b"%d.%d" % (row.epoch, row.commit_n))[:16], "head_superstep": row.head_superstep,
        "at": T0 + 100 + row.commit_n,
    }  # fmt: skip
    if superstep is not None:
        first |= {"checkpoint": checkpoint_row(row, superstep, row.head), "head_superstep": superstep + 1}
    return Commit(**(first | fields))


def batch(superstep: int, count: int = 2, text: str = "happened") -> EventBatch:
    return EventBatch(superstep, count, encode([{"kind": text}] * count), T0 + superstep)


async def started(store: Store, row: SessionRow | None = None, *inputs: NewInput, worker: WorkerId = ANN) -> Opened:
    """A new session, taken over."""
    row = row or session_row()
    assert await store.create(row, checkpoint_row(row, -1), (), inputs)
    return await store.takeover(row.session, worker)


async def run_on(store: Store, row: SessionRow, supersteps: int) -> SessionRow:
    """Commit so many more supersteps with two events and a delta each."""
    for _ in range(supersteps):
        k = row.head_superstep
        delta = Delta("log", k, encode([f"{row.session[-4:]}:{k}"]))
        await store.commit(next_commit(row, k, events=batch(k), deltas=[delta], effects=[effect_row(k)]))
        row = await store.session(row.session)
    return row


def fork_row(origin: SessionRow, superstep: int, checkpoint: CheckpointRow, n: int) -> SessionRow:
    """A fork that reads supersteps below `superstep` from its origin."""
    lineage = (*origin.lineage, LineageEntry(origin.session, superstep, 2 * superstep))
    return session_row(
        n, family=origin.family, origin=origin.session, origin_checkpoint=checkpoint.checkpoint, lineage=lineage,
        head=checkpoint.checkpoint, head_superstep=superstep, head_digest=checkpoint.digest, event_n=2 * superstep,
    )  # fmt: skip


# ---- sessions and ownership ------------------------------------------------------------------------------------------


async def a_created_session_is_read_back_whole(world: World) -> None:
    store = await world.open()
    row = session_row(
        name="Ünï", tags=("a", 'b"c'), caller=SessionId.derive("hub"), caller_superstep=3, caller_path="node[2]",
        mode="pipelined", graph_version="1.2", graph_file="demo.yaml",
    )  # fmt: skip
    genesis = checkpoint_row(row, -1)
    assert await store.create(row, genesis, (), (run_input("a"), run_input("b", kind="resume")))
    got = await store.session(row.session)
    assert got == replace(row, head=genesis.checkpoint, head_superstep=0, head_digest=genesis.digest, input_n=2)
    assert await store.checkpoint(genesis.checkpoint) == genesis
    assert [(i.n, i.message_id, i.accepted_at) for i in await store.inputs(row.session)] == [(1, "a", T0), (2, "b", T0)]


async def a_second_creation_changes_nothing(world: World) -> None:
    store = await world.open()
    row = session_row()
    assert await store.create(row, checkpoint_row(row, -1), (), (run_input(),))
    assert not await store.create(replace(row, graph="other"), checkpoint_row(row, -1), (), (run_input("m2"),))
    assert (await store.session(row.session)).graph == "demo"
    assert len(await store.inputs(row.session)) == 1


async def what_is_unknown_is_not_found(world: World) -> None:
    store = await world.open()
    row = session_row()
    unknown: list[Awaitable[Any]] = [
        store.session(row.session),
        store.takeover(row.session, ANN),
        store.accept(row.session, run_input()),
        store.label(row.session, "x", None),
        store.checkpoint(CheckpointId.derive("x")),
        store.interrupt(InterruptId.derive("x")),
        store.answer(InterruptId.derive("x"), b"1", None, ()),
        store.fork([NewFork(replace(row, head=CheckpointId.derive("x")))]),
    ]
    for call in unknown:
        with pytest.raises(NotFound):
            await call
    assert await store.inputs(row.session) == []
    assert await store.events(row.spans()) == []


async def takeover_gives_all_that_is_needed(world: World) -> None:
    store = await world.open()
    opened = await started(store, None, run_input())
    assert (opened.row.epoch, opened.row.owner, opened.row.attempts) == (1, ANN, 1)
    question = interrupt_row(opened.row)
    journal = [effect_row(1, 1), effect_row(1, 0), effect_row(1, -1, kind="task")]
    await store.commit(next_commit(opened.row, 0, taken_n=1, events=batch(0), effects=[effect_row(0)]))
    await store.accept(opened.row.session, run_input("m2"))
    await store.append(opened.row.session, 1, journal)
    row = await store.session(opened.row.session)
    closed = (interrupt_row(row, "gone").interrupt, "cancelled")
    asked = [question, interrupt_row(row, "gone")]
    await store.commit(next_commit(row, None, status="waiting", interrupts=asked, closed=[closed], events=batch(1)))
    again = await store.takeover(row.session, ANN)
    assert again.row == await store.session(row.session)
    assert (again.row.epoch, again.row.attempts, again.row.head_superstep, again.row.event_n) == (2, 1, 1, 4)
    assert again.checkpoint == checkpoint_row(row, 0, opened.checkpoint.checkpoint)
    assert again.journal == tuple(sorted(journal, key=lambda e: e.key))
    assert [i.n for i in again.inputs] == [2]
    assert again.interrupts == (question,)


async def a_living_owner_keeps_its_session(world: World) -> None:
    first, second = await world.open(), await world.open()
    opened = await started(first)
    with pytest.raises(SessionBusy):
        await second.takeover(opened.row.session, BOB)
    await first.release(opened.row.session, opened.row.epoch)
    taken = await second.takeover(opened.row.session, BOB)
    assert (taken.row.epoch, taken.row.owner, taken.row.attempts) == (2, BOB, 1)


async def a_takeover_accepts_an_input_or_changes_nothing(world: World) -> None:
    first, second = await world.open(), await world.open()
    row = (await started(first, None, run_input())).row
    with pytest.raises(SessionBusy):
        await second.takeover(row.session, BOB, run_input("m2"))
    assert (await second.session(row.session)).input_n == 1
    opened = await first.takeover(row.session, ANN, run_input("m2"))
    assert ([i.message_id for i in opened.inputs], opened.row.input_n) == (["m1", "m2"], 2)
    again = await first.takeover(row.session, ANN, run_input("m2"))
    assert again.inputs == opened.inputs
    with pytest.raises(Conflict):
        await first.takeover(row.session, ANN, NewInput("run", "m2", b'"another body"'))
    assert (await first.session(row.session)).epoch == again.row.epoch


async def a_commit_can_give_the_session_back(world: World) -> None:
    first, second = await world.open(), await world.open()
    row = (await started(first)).row
    last = replace(next_commit(row, 0, status="done"), release=True)
    await first.commit(last)
    await first.commit(last)
    stored = await second.session(row.session)
    assert (stored.owner, stored.attempts, stored.status, stored.commit_n) == (None, 0, "done", 1)
    assert (await second.takeover(row.session, BOB)).row.owner == BOB
    with pytest.raises(Fenced):
        await first.commit(next_commit(await first.session(row.session), 1, epoch=row.epoch))


async def a_dead_owner_loses_its_session_at_once(world: World) -> None:
    first = await world.open()
    opened = await started(first)
    second = await world.open()
    await world.die(first, ANN)
    assert (await second.takeover(opened.row.session, BOB)).row.attempts == 2


async def an_old_epoch_changes_nothing(world: World) -> None:
    store = await world.open()
    old = (await started(store)).row
    await store.takeover(old.session, ANN)
    before = await store.session(old.session)
    with pytest.raises(Fenced):
        await store.commit(next_commit(old, 0, effects=[effect_row()]))
    with pytest.raises(Fenced):
        await store.append(old.session, 1, [effect_row()])
    await store.release(old.session, 1)
    assert await store.session(old.session) == before
    assert await store.effects(old.spans()) == []
    with pytest.raises(Fenced):
        await store.commit(next_commit(session_row(99), 0))


async def release_takes_back_an_attempt(world: World) -> None:
    store = await world.open()
    opened = await started(store)
    await store.release(opened.row.session, 1)
    row = await store.session(opened.row.session)
    assert (row.owner, row.attempts, row.epoch) == (None, 0, 1)


# ---- commits ---------------------------------------------------------------------------------------------------------


async def a_commit_moves_everything_together(world: World) -> None:
    store = await world.open()
    row = (await started(store, None, run_input("a"), run_input("b"))).row
    data = encode("x" * 5000)
    commit = next_commit(
        row, 0, status="waiting", reason="answer", events=batch(0, 3), effects=[effect_row()], taken_n=1,
        deltas=[Delta("log", 0, b"[1]")], blobs=[Blob(digest(data), data)], interrupts=[interrupt_row(row)],
    )  # fmt: skip
    await store.commit(commit)
    got = await store.session(row.session)
    assert commit.checkpoint is not None
    assert got == replace(
        row, status="waiting", reason="answer", attempts=0, commit_n=1, commit_token=commit.token,
        head=commit.checkpoint.checkpoint, head_superstep=1, head_digest=commit.checkpoint.digest, event_n=3, taken_n=1,
        updated_at=commit.at,
    )  # fmt: skip
    assert await store.events(got.spans()) == [replace(batch(0, 3), first=0)]
    assert await store.effects(got.spans()) == [effect_row()]
    assert await store.deltas(got.spans(), "log") == [Delta("log", 0, b"[1]")]
    assert await store.deltas(got.spans(), "other") == []
    assert await store.blobs(row.family, [digest(data)]) == {digest(data): data}
    assert await store.interrupts(row.session) == [interrupt_row(row)]
    assert [i.taken_by for i in await store.inputs(row.session)] == [1, None]
    assert [i.n for i in await store.inputs(row.session, after=1)] == [2]


async def the_same_commit_again_is_stored_once(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    commit = next_commit(row, 0, events=batch(0))
    await store.commit(commit)
    await store.commit(commit)
    got = await store.session(row.session)
    assert (got.commit_n, got.event_n) == (1, 2)
    with pytest.raises(Fenced):
        await store.commit(replace(commit, token=b"another token..."))
    await store.takeover(row.session, ANN)
    with pytest.raises(Fenced):  # epoch first: whether it had landed no longer matters
        await store.commit(commit)


def queued(row: SessionRow, supersteps: int) -> list[Commit]:
    """The commits of the next supersteps, one behind the other."""
    out = []
    for _ in range(supersteps):
        k = row.head_superstep
        commit = next_commit(row, k, events=batch(k), deltas=[Delta("log", k, b"[%d]" % k)], effects=[effect_row(k)])
        assert commit.checkpoint is not None
        out.append(commit)
        row = replace(row, commit_n=row.commit_n + 1, head=commit.checkpoint.checkpoint, head_superstep=k + 1)
    return out


async def several_commits_are_one(world: World) -> None:
    """Supersteps that were queued are stored together, each with its checkpoint, its events and its inputs."""
    store = await world.open()
    row = (await started(store, None, run_input("a"), run_input("b"))).row
    commits = queued(row, 3)
    commits[1] = replace(commits[1], taken_n=1)
    commits[2] = replace(commits[2], taken_n=2, release=True)
    for _ in range(2):  # the acknowledgement may be lost
        await store.commit(*commits)
        got = await store.session(row.session)
        last = commits[-1]
        assert last.checkpoint is not None
        assert (got.commit_n, got.commit_token, got.head, got.event_n) == (3, last.token, last.checkpoint.checkpoint, 6)
        assert (got.owner, got.taken_n, got.head_superstep, got.updated_at) == (None, 2, 3, last.at)
        assert [c.checkpoint for c in await store.checkpoints(got.spans(0))] == [
            c.checkpoint.checkpoint for c in commits if c.checkpoint is not None
        ]
        assert [(b.superstep, b.first) for b in await store.events(got.spans())] == [(0, 0), (1, 2), (2, 4)]
        assert [i.taken_by for i in await store.inputs(row.session)] == [2, 3]
        assert len(await store.effects(got.spans())) == 3
        assert [d.items for d in await store.deltas(got.spans(), "log")] == [b"[0]", b"[1]", b"[2]"]


async def of_several_commits_all_or_none_are_stored(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    commits = queued(row, 3)
    before = await store.session(row.session)
    for wrong in (replace(commits[1], commit_n=7), replace(commits[1], epoch=9)):
        with pytest.raises(Fenced):
            await store.commit(commits[0], wrong, commits[2])
        assert await store.session(row.session) == before
        assert await store.checkpoints(row.spans(0)) == []
        assert await store.events(row.spans()) == []
    await store.commit(commits[0])
    with pytest.raises(Fenced):  # they weren't sent together
        await store.commit(*commits)
    await store.commit(*commits[1:])
    assert (await store.session(row.session)).commit_n == 3


async def a_park_keeps_head_and_attempts(world: World) -> None:
    store = await world.open()
    opened = await started(store)
    await store.commit(next_commit(opened.row, None, status="failed", reason="raised", events=batch(0, 1)))
    got = await store.session(opened.row.session)
    assert (got.head, got.head_superstep, got.attempts, got.commit_n) == (opened.row.head, 0, 1, 1)
    assert (got.status, got.reason, got.event_n) == ("failed", "raised", 1)


async def a_state_of_an_effect_is_never_lowered(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    intent = effect_row(state=EffectState.INTENT, effect_class="write", write_key=b"k" * 32, outcome=None)
    done = replace(intent, state=EffectState.DONE, outcome=encode("z" * 3000), cost=b"{}", ended_at=T0 + 5)
    await store.append(row.session, 1, [intent, intent])
    await store.append(row.session, 1, [replace(intent, state=EffectState.IN_DOUBT)])
    await store.append(row.session, 1, [intent])
    assert [e.state for e in await store.effects(row.spans())] == [EffectState.IN_DOUBT]
    await store.commit(next_commit(row, 0, effects=[done]))
    await store.append(row.session, 1, [intent, replace(done, outcome=b'"late"')])
    assert await store.effects(row.spans()) == [done]


async def a_later_try_takes_the_place_of_a_doubtful_one(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    first = effect_row(state=EffectState.INTENT, effect_class="write", write_key=b"k" * 32, outcome=None)
    doubt, again = replace(first, state=EffectState.IN_DOUBT), replace(first, tries=2)
    for sent, there in ((doubt, doubt), (first, doubt), (again, again), (doubt, again), (first, again)):
        await store.append(row.session, 1, [sent])
        assert await store.effects(row.spans()) == [there]
    done = replace(first, state=EffectState.DONE, outcome=b"1", tries=2)
    for sent in (done, replace(again, tries=3), replace(done, state=EffectState.FAILED, tries=3)):
        await store.append(row.session, 1, [sent])
        assert await store.effects(row.spans()) == [done]
    assert (await store.takeover(row.session, ANN)).journal == (done,)


async def a_write_key_belongs_to_one_row(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    await store.append(row.session, 1, [effect_row(write_key=b"k" * 32)])
    with pytest.raises(Conflict):
        await store.append(row.session, 1, [effect_row(ordinal=1), effect_row(ordinal=2, write_key=b"k" * 32)])
    with pytest.raises(Conflict):
        await store.commit(next_commit(row, 0, effects=[effect_row(ordinal=3, write_key=b"k" * 32)]))
    assert [e.ordinal for e in await store.effects(row.spans())] == [0]
    assert (await store.session(row.session)).commit_n == 0


async def a_question_that_is_settled_stays_so(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    question = interrupt_row(row)
    await store.commit(next_commit(row, None, interrupts=[question]))
    await store.answer(question.interrupt, b'"yes"', "me", ())
    row = await store.session(row.session)
    await store.commit(next_commit(row, None, interrupts=[question], closed=[(question.interrupt, "cancelled")]))
    assert (await store.interrupt(question.interrupt)).status == "answered"


async def events_are_dense_over_commits_and_parks(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    for superstep, count in ((0, 2), (None, 1), (None, 3), (1, 2), (2, 0), (3, 1)):
        events = batch(row.head_superstep, count, "long " * 200)
        await store.commit(next_commit(row, superstep, events=events))
        row = await store.session(row.session)
    got = await store.events(row.spans())
    assert [(b.superstep, b.first, b.count) for b in got] == [
        (0, 0, 2), (1, 2, 1), (1, 3, 3), (1, 6, 2), (2, 8, 0), (3, 8, 1)
    ]  # fmt: skip
    assert all(b.body == batch(b.superstep, b.count, "long " * 200).body for b in got)
    assert await store.events(row.spans(), limit=2) == got[:2]
    assert await store.events(row.spans(1, 2)) == got[1:4]
    assert row.event_n == 9


async def many_sessions_commit_at_once(world: World) -> None:
    store = await world.open()
    rows = [(await started(store, session_row(n))).row for n in range(1, 31)]

    async def run(row: SessionRow) -> None:
        assert (await run_on(store, row, 5)).head_superstep == 5

    async with trio.open_nursery() as nursery:
        for row in rows:
            nursery.start_soon(run, row)
    for row in rows:
        assert [c.superstep for c in await store.checkpoints(row.spans())] == [-1, 0, 1, 2, 3, 4]


async def one_of_two_racing_commits_is_fenced(world: World) -> None:
    store = await world.open()
    rows = [(await started(store, session_row(n))).row for n in (1, 2)]
    results: list[str] = []

    async def send(commit: Commit) -> None:
        try:
            await store.commit(commit)
            results.append("stored")
        except Fenced:
            results.append("fenced")

    async with trio.open_nursery() as nursery:
        for row in rows:
            for token in (b"a" * 16, b"b" * 16):
                nursery.start_soon(send, next_commit(row, 0, token=token, events=batch(0)))
    assert sorted(results) == ["fenced", "fenced", "stored", "stored"]
    for row in rows:
        assert (await store.session(row.session)).event_n == 2


async def a_cancelled_commit_is_whole(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.commit(next_commit(row, 0, events=batch(0)))
    assert (await store.session(row.session)).head_superstep == 1


# ---- inputs and answers ----------------------------------------------------------------------------------------------


async def inputs_are_numbered_and_taken_once(world: World) -> None:
    store = await world.open()
    row = (await started(store, None, run_input("first"))).row
    second = await store.accept(row.session, run_input("m"))
    world.clock.now += 1000
    assert (second.n, second.accepted_at, second.kind, second.principal) == (2, T0, "run", "me")
    assert await store.accept(row.session, run_input("m")) == second
    for other in (run_input("m", body=b"{}"), run_input("m", kind="cancel")):
        with pytest.raises(Conflict):
            await store.accept(row.session, other)
    assert (await store.accept(row.session, run_input("n", principal=None))).n == 3
    got = await store.session(row.session)
    assert (got.input_n, got.taken_n, got.commit_n) == (3, 0, 0)
    await store.commit(next_commit(got, 0, taken_n=2))
    assert [(i.n, i.taken_by) for i in await store.inputs(row.session)] == [(1, 1), (2, 1), (3, None)]
    assert (await store.accept(row.session, run_input("m"))).taken_by == 1


async def the_first_answer_wins(world: World) -> None:
    store = await world.open()
    hub = (await started(store, session_row(1))).row
    spoke = (await started(store, session_row(2, family=hub.family, caller=hub.session))).row
    question = interrupt_row(spoke)
    await store.commit(next_commit(spoke, None, interrupts=[question]))
    world.clock.now += 7
    follow = [(spoke.session, run_input("ans:1", kind="answer")), (hub.session, run_input("ans:1", kind="child"))]
    got = await store.answer(question.interrupt, b'"yes"', "ann", follow)
    assert got == replace(question, status="answered", answer=b'"yes"', answered_by="ann", answered_at=world.clock.now)
    assert await store.interrupt(question.interrupt) == got
    world.clock.now += 1
    assert await store.answer(question.interrupt, b'"yes"', "bob", follow) == got
    with pytest.raises(InterruptAnswered, match="ann"):
        await store.answer(question.interrupt, b'"no"', "bob", follow)
    for row, kind in ((spoke, "answer"), (hub, "child")):
        assert [i.kind for i in await store.inputs(row.session)] == [kind]
    assert await store.interrupts(spoke.session) == []
    assert await store.interrupts(spoke.session, status="answered") == [got]


async def a_late_answer_changes_nothing(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    timed = interrupt_row(row, "timed", expires_at=T0 + 50)
    dropped = interrupt_row(row, "dropped")
    await store.commit(next_commit(row, None, interrupts=[timed, dropped], closed=[(dropped.interrupt, "cancelled")]))
    with pytest.raises(InterruptExpired):
        await store.answer(dropped.interrupt, b"1", None, [(row.session, run_input())])
    world.clock.now = T0 + 50
    with pytest.raises(InterruptExpired):
        await store.answer(timed.interrupt, b"1", None, [(row.session, run_input())])
    assert await store.inputs(row.session) == []
    assert (await store.interrupt(timed.interrupt)).status == "open"


async def an_answer_whose_inputs_are_refused_is_not_taken(world: World) -> None:
    store = await world.open()
    row = (await started(store, None, run_input("m"))).row
    question = interrupt_row(row)
    await store.commit(next_commit(row, None, interrupts=[question]))
    refused = [(row.session, run_input("new")), (row.session, run_input("m", body=b"other"))]
    with pytest.raises(Conflict):
        await store.answer(question.interrupt, b"1", None, refused)
    with pytest.raises(NotFound):
        await store.answer(question.interrupt, b"1", None, [(session_row(9).session, run_input())])
    assert await store.interrupt(question.interrupt) == question
    assert [i.message_id for i in await store.inputs(row.session)] == ["m"]


# ---- forks and history -----------------------------------------------------------------------------------------------


async def forks_read_through_their_lineage(world: World) -> None:
    store = await world.open()
    root = await run_on(store, (await started(store)).row, 5)
    middle = (await store.checkpoints(root.spans()))[3]
    assert middle.snapshot == 3
    await store.fork([NewFork(fork_row(root, 3, middle, 2), (run_input("f"),))])
    opened = await store.takeover(session_row(2).session, ANN)
    assert opened.checkpoint == middle
    assert ([i.n for i in opened.inputs], opened.journal, opened.row.epoch) == ([1], (), 1)
    fork = await run_on(store, opened.row, 2)
    head = await store.checkpoint(fork.head or CheckpointId(""))
    await store.fork([NewFork(fork_row(fork, 5, head, 3))])
    third = await run_on(store, (await store.takeover(session_row(3).session, ANN)).row, 1)
    assert [s.session for s in third.spans()] == [root.session, fork.session, third.session]
    own = [root.session[-4:]] * 3 + [fork.session[-4:]] * 2 + [third.session[-4:]]
    deltas = await store.deltas(third.spans(), "log")
    assert [d.items for d in deltas] == [encode([f"{name}:{k}"]) for k, name in enumerate(own)]
    assert [c.superstep for c in await store.checkpoints(third.spans())] == [-1, 0, 1, 2, 3, 4, 5]
    assert [c.superstep for c in await store.checkpoints(third.spans(), newest=True, limit=3)] == [3, 4, 5]
    assert [c.superstep for c in await store.checkpoints(third.spans(), limit=5)] == [-1, 0, 1, 2, 3]
    assert [c.superstep for c in await store.checkpoints([Span(root.session, 1, 3)])] == [1, 2]
    assert [b.first for b in await store.events(third.spans())] == [0, 2, 4, 6, 8, 10]
    assert [e.superstep for e in await store.effects(third.spans(2))] == [2, 3, 4, 5]
    assert (await store.session(root.session)).head_superstep == 5
    assert [f.session for f in await store.forks(root.session)] == [fork.session]
    assert third.lineage == (LineageEntry(root.session, 3, 6), LineageEntry(fork.session, 5, 10))


async def a_fork_is_stored_once(world: World) -> None:
    store = await world.open()
    root = await run_on(store, (await started(store)).row, 2)
    head = await store.checkpoint(root.head or CheckpointId(""))
    row = fork_row(root, 2, head, 2)
    await store.fork([NewFork(row, (run_input("f"),))])
    await store.fork([NewFork(row, (run_input("f"),))])
    assert len(await store.inputs(row.session)) == 1
    with pytest.raises(Conflict):
        await store.fork([NewFork(replace(row, seed=b"other"))])


async def a_commit_can_bind_its_session_to_another_plan(world: World) -> None:
    store = await world.open()
    row = await run_on(store, (await started(store)).row, 2)
    plan = Blob(digest(b"newer"), b"newer")
    bound = Binding(plan.hash, "2.0.0", "newer.graph.yaml")
    late = replace(next_commit(row, 2), epoch=row.epoch - 1, bound=bound, blobs=[plan])
    with pytest.raises(Fenced):
        await store.commit(late)
    assert (await store.session(row.session)).plan == row.plan
    sealed = replace(checkpoint_row(row, 2, row.head), kind="edit", plan=plan.hash)
    commit = next_commit(row, 2, checkpoint=sealed, bound=bound, blobs=[plan])
    for _ in range(2):
        await store.commit(commit)
        after = await store.session(row.session)
        assert (after.plan, after.graph_version, after.graph_file) == (plan.hash, "2.0.0", "newer.graph.yaml")
    plans = [c.plan for c in await store.checkpoints(after.spans(), limit=10)]
    assert plans == [row.plan, row.plan, row.plan, plan.hash]
    assert (await store.checkpoint(sealed.checkpoint)).plan == plan.hash
    opened = await store.takeover(row.session, ANN)
    assert (opened.row.plan, opened.checkpoint.plan) == (plan.hash, plan.hash)
    later = await run_on(store, replace(opened.row), 1)
    assert later.plan == plan.hash
    assert [e.row.plan for e in await store.sessions(SessionQuery())] == [plan.hash]
    assert (await store.blobs(row.family, [plan.hash]))[plan.hash] == b"newer"


async def a_family_is_forked_whole_or_not_at_all(world: World) -> None:
    store = await world.open()
    root = await run_on(store, (await started(store)).row, 2)
    head = await store.checkpoint(root.head or CheckpointId(""))
    caller = fork_row(root, 2, head, 2)
    child = replace(fork_row(root, 2, head, 3), caller=caller.session, caller_superstep=1, caller_path="call")
    gone = replace(fork_row(root, 2, head, 4), head=CheckpointId.derive("gone"))
    taken = replace(root, seed=b"other")
    for last, error in ((gone, NotFound), (taken, Conflict)):
        with pytest.raises(error):
            await store.fork([NewFork(caller, (run_input("f"),)), NewFork(child), NewFork(last)])
        assert await store.forks(root.session) == []
        with pytest.raises(NotFound):
            await store.session(caller.session)
    both = [NewFork(caller, (run_input("f"),)), NewFork(child, (run_input("g"),))]
    for _ in range(2):
        await store.fork(both)
        assert [r.session for r in await store.children(caller.session)] == [child.session]
        assert [len(await store.inputs(f.row.session)) for f in both] == [1, 1]
        assert (await store.session(child.session)).caller_path == "call"
    assert {e.row.session for e in await store.sessions(SessionQuery())} == {root.session, caller.session}


async def a_fork_carries_rows_of_an_open_superstep(world: World) -> None:
    store = await world.open()
    root = await run_on(store, (await started(store)).row, 2)
    rows = [
        effect_row(2), effect_row(2, 1, outcome=None, state=EffectState.INTENT), effect_row(2, -1, path="other"),
        effect_row(2, path="each[1]", attempt=1), effect_row(2, path="left"),
    ]  # fmt: skip
    await store.append(root.session, root.epoch, rows)
    head = await store.checkpoint(root.head or CheckpointId(""))
    kept = Carried(2, b"their seed", ((root.session, (("each[1]", 1, 0), ("node", 0, 0), ("other", 0, -1))),))
    await store.fork([NewFork(replace(fork_row(root, 2, head, 2), carried=kept))])
    await store.append(root.session, root.epoch, [replace(rows[1], outcome=b"1", state=EffectState.DONE)])
    opened = await store.takeover(session_row(2).session, ANN)
    assert opened.row.carried == kept
    assert opened.journal == (rows[3], rows[0], rows[2])
    mine = effect_row(2, 1, outcome=b'"mine"')
    await store.append(opened.row.session, 1, [mine])
    assert (await store.takeover(opened.row.session, ANN)).journal == (rows[3], rows[0], mine, rows[2])
    fork = await run_on(store, await store.session(opened.row.session), 2)
    later = await store.takeover(fork.session, ANN)
    assert (later.row.head_superstep, later.journal) == (4, ())
    own = await store.effects([Span(fork.session, 2, 3)])
    assert own == [rows[3], rows[0], mine, rows[2]]
    assert await store.effects([Span(fork.session, 3, 3)]) == []
    assert [e.superstep for e in await store.effects(fork.spans())][:2] == [0, 1]
    third = replace(fork_row(fork, 4, await store.checkpoint(fork.head or CheckpointId("")), 3), seed=b"3")
    await store.fork([NewFork(third)])
    assert await store.effects(third.spans(2, 3)) == own
    assert (await store.session(third.session)).carried is None


async def a_carried_row_that_is_gone_is_damage(world: World) -> None:
    store = await world.open()
    root = await run_on(store, (await started(store)).row, 1)
    head = await store.checkpoint(root.head or CheckpointId(""))
    kept = Carried(1, b"seed", ((root.session, (("node", 0, 0),)),))
    fork = replace(fork_row(root, 1, head, 2), carried=kept)
    await store.fork([NewFork(fork)])
    with pytest.raises(StoreCorrupt, match="effect 0 of attempt 0 of task 'node'"):
        await store.effects(fork.spans())
    with pytest.raises(StoreCorrupt, match="is missing"):
        await store.takeover(fork.session, ANN)


async def blobs_belong_to_a_family(world: World) -> None:
    store = await world.open()
    row, other = (await started(store)).row, (await started(store, session_row(2))).row
    datas = [encode("a" * 1000), encode(1), bytes(range(256)) * 4]
    blobs = [Blob(digest(d), d) for d in datas]
    await store.commit(next_commit(row, 0, blobs=blobs[:2]))
    await store.commit(next_commit(await store.session(row.session), 1, blobs=blobs))
    assert await store.blobs(row.family, [b.hash for b in blobs]) == {b.hash: b.data for b in blobs}
    assert await store.blobs(row.family, []) == {}
    with pytest.raises(StoreCorrupt, match="missing"):
        await store.blobs(other.family, [blobs[0].hash])


async def artifacts_belong_to_a_family(world: World) -> None:
    store = await world.open()
    row, other = (await started(store)).row, (await started(store, session_row(2))).row
    rows = sorted(
        (artifact_row(row, b"%d" % n, name=None if n else "../a") for n in range(3)), key=lambda a: a.artifact
    )
    await store.commit(next_commit(row, 0, artifacts=rows))
    again = replace(rows[0], superstep=1, name="b", media_type="text/plain")
    row = await store.session(row.session)
    await store.commit(next_commit(row, 1, artifacts=[again]))
    assert await store.artifacts(row.family) == rows, "the same bytes have one row, that of whoever came first"
    assert await store.artifact(row.family, rows[1].artifact) == rows[1]
    assert await store.artifacts(other.family) == []
    with pytest.raises(NotFound, match="no artifact"):
        await store.artifact(other.family, rows[0].artifact)


async def an_artifact_that_was_left_out_gives_way(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    left_out, put = artifact_row(row, kept=False), artifact_row(row, superstep=1)
    await store.commit(next_commit(row, 0, artifacts=[left_out]))
    assert await store.artifacts(row.family) == [left_out]
    for kept in (True, False):
        row = await store.session(row.session)
        await store.commit(next_commit(row, row.head_superstep, artifacts=[replace(put, kept=kept)]))
        assert await store.artifacts(row.family) == [put]


async def a_fenced_commit_leaves_no_artifact(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    with pytest.raises(Fenced):
        await store.commit(next_commit(replace(row, epoch=row.epoch - 1), 0, artifacts=[artifact_row(row)]))
    assert await store.artifacts(row.family) == []


# ---- listings --------------------------------------------------------------------------------------------------------


async def sessions_are_found_by_prefix(world: World) -> None:
    store = await world.open()
    rows = [session_row(n * 40_000_000) for n in range(1, 6)]
    for row in rows:
        await store.create(row, checkpoint_row(row, -1), (), ())
    newest = [r.session for r in reversed(rows)][:3]
    for prefix in ("", "s", "ses_", rows[0].session[:6]):
        assert await store.find(prefix) == newest
    assert await store.find(rows[1].session) == [rows[1].session]
    assert await store.find(rows[1].session[:-1]) == [rows[1].session]
    for prefix in ("ses_zzz", "ses_!", "run_", rows[0].session + "0", "%", "ses_u"):
        assert await store.find(prefix) == []


async def sessions_are_listed_newest_first(world: World) -> None:
    store = await world.open()
    a = session_row(1, name="Morning Paper", tags=("news", "daily"), updated_at=T0 + 30)
    b = session_row(2, graph="Other%", updated_at=T0 + 20)
    c = session_row(3, tags=("news",), updated_at=T0 + 10, status="waiting")
    child = session_row(4, caller=a.session, updated_at=T0 + 40)
    for row in (a, b, c, child):
        assert await store.create(row, checkpoint_row(row, -1), (), (run_input(),))

    async def listed(**filters: Any) -> list[SessionId]:
        return [entry.row.session for entry in await store.sessions(SessionQuery(**filters))]

    everything = [a.session, b.session, c.session]
    assert await listed() == everything
    assert await listed(children=True) == [child.session, *everything]
    assert await listed(limit=2) == everything[:2]
    assert await listed(before_us=T0 + 20) == [c.session]
    assert await listed(since_us=T0 + 20) == [a.session, b.session]
    assert await listed(status="waiting") == [c.session]
    assert await listed(graph="Other%") == [b.session]
    assert await listed(tag="news") == [a.session, c.session]
    assert await listed(tag="new") == []
    assert await listed(text="PAPER") == [a.session]
    assert await listed(text="other%") == [b.session]
    assert await listed(text="r_") == []
    assert await listed(text=b.session) == [b.session]
    opened = await store.takeover(c.session, ANN)
    await store.accept(c.session, run_input("m2"))
    await store.accept(c.session, run_input("m3", kind="cancel"))
    await store.commit(next_commit(opened.row, None, interrupts=[interrupt_row(c), interrupt_row(c, "two")]))
    entry = (await store.sessions(SessionQuery()))[0]
    assert (entry.row.session, entry.runs, entry.interrupts) == (c.session, 2, 2)
    assert entry.row == await store.session(c.session)


async def what_has_something_to_do_can_be_claimed(world: World) -> None:
    """Runs whose owner died and inputs that nobody took; not what a living worker holds, waits, or is done."""
    store = await world.open()
    rows = [session_row(n) for n in range(1, 8)]
    asked, running, waiting, done, child, poisoned, held = rows
    await store.create(asked, checkpoint_row(asked, -1), (), [run_input()])
    for row, status in ((running, "running"), (waiting, "waiting"), (done, "done"), (poisoned, "poisoned")):
        opened = await started(store, row, worker=BOB)
        await store.commit(next_commit(opened.row, 0, status=status))
    await started(store, replace(child, caller=running.session, caller_superstep=0, caller_path="n"), worker=BOB)
    opened = await started(store, held, worker=BOB)
    await store.commit(next_commit(opened.row, 0))
    assert await store.claimable() == [asked.session]
    await store.release(running.session, 1)
    assert set(await store.claimable()) == {asked.session, running.session}
    await world.die(store, BOB)
    store = await world.open()
    assert set(await store.claimable()) == {asked.session, running.session, held.session}
    assert len(await store.claimable(limit=1)) == 1
    for row in (waiting, done, poisoned, child):
        await store.accept(row.session, run_input("more"))
    assert set(await store.claimable()) == {r.session for r in (asked, running, held, waiting, done)}
    await store.takeover(running.session, ANN)
    assert running.session not in await store.claimable()


async def children_come_in_order(world: World) -> None:
    store = await world.open()
    hub = (await started(store)).row
    rows = [session_row(n, caller=hub.session, caller_superstep=0, caller_path="call") for n in (4, 2, 3)]
    for row in rows:
        await store.create(row, checkpoint_row(row, -1), (), ())
    assert [r.session for r in await store.children(hub.session)] == [session_row(n).session for n in (2, 3, 4)]
    assert await store.children(rows[0].session) == []


async def labels_can_be_set(world: World) -> None:
    store = await world.open()
    row = (await started(store, session_row(name="old", tags=("x",)))).row
    await store.label(row.session, "new", None)
    await store.label(row.session, None, ["a", "b"])
    got = await store.session(row.session)
    assert (got.name, got.tags, got.updated_at) == ("new", ("a", "b"), row.updated_at)


async def interrupts_of_all_sessions_are_listed(world: World) -> None:
    store = await world.open()
    asked = []
    for n in (2, 1):
        row = (await started(store, session_row(n))).row
        asked.append(interrupt_row(row, opened_at=T0 + n))
        await store.commit(next_commit(row, None, interrupts=asked[-1:]))
    assert await store.interrupts() == asked[::-1]
    await store.answer(asked[0].interrupt, b"1", None, ())
    assert await store.interrupts() == [asked[1]]
    assert [i.interrupt for i in await store.interrupts(status=None)] == [a.interrupt for a in asked[::-1]]
    assert [i.status for i in await store.interrupts(status="answered")] == ["answered"]


async def results_are_kept_until_they_expire(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    assert await store.cached(b"a" * 32) is None
    long = b"long " * 2000
    kept = [CachedResult(b"a" * 32, long), CachedResult(b"b" * 32, b"2", world.clock.now_us() + 1_000_000)]
    await store.commit(next_commit(row, None, cached=kept))
    other = await world.open()
    assert await other.cached(b"a" * 32) == long
    assert await other.cached(b"b" * 32) == b"2"
    world.clock.now += 1_000_000
    assert await store.cached(b"b" * 32) is None
    assert await store.cached(b"a" * 32) == long


async def closing_twice_is_allowed(world: World) -> None:
    store = await world.open()
    await started(store)
    await store.aclose()
    await store.aclose()


CASES: list[Case] = [
    found for found in list(globals().values())
    if inspect.iscoroutinefunction(found) and list(inspect.signature(found).parameters) == ["world"]
]  # fmt: skip

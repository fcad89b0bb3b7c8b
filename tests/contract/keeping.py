"""The contract of `ports.Store` for whole sessions: they are brought in, deleted and collected. See `store.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphagent.codec import digest, encode
from graphagent.errors import Conflict, NotFound, SessionBusy, StoreCorrupt
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.snapshot import (
    Blob,
    Carried,
    Delta,
    EffectState,
    InputRow,
    NewFork,
    Past,
    SessionCopy,
    SessionQuery,
    SessionRow,
    Span,
    Sweep,
    Writer,
)
from tests.contract.store import (
    ANN,
    BOB,
    T0,
    Case,
    World,
    artifact_row,
    batch,
    checkpoint_row,
    effect_row,
    fork_row,
    interrupt_row,
    next_commit,
    run_input,
    run_on,
    session_row,
    started,
)

BIG = Blob(digest(b"big"), b"big")


def copy_of(n: int = 1, supersteps: int = 3, **fields: Any) -> SessionCopy:
    """A session with some history, a question and two inputs, one of them not taken yet."""
    row = session_row(n, **fields)
    checkpoints = tuple(checkpoint_row(row, k) for k in range(-1, supersteps))
    events = tuple(replace(batch(k), first=2 * k) for k in range(supersteps))
    inputs = tuple(InputRow("run", f"m{i}", b"{}", None, i, T0 + i, 0 if i == 1 else None) for i in (1, 2))
    head = checkpoints[-1]
    row = replace(
        row, epoch=4, commit_n=supersteps, head=head.checkpoint, head_superstep=supersteps, head_digest=head.digest,
        event_n=2 * supersteps, input_n=2, taken_n=1, status="waiting",
    )  # fmt: skip
    written = effect_row(supersteps, effect_class="write", write_key=digest(b"key%d" % n)[:16], state=EffectState.DONE)
    left_out = artifact_row(row, b"!%d" % n, kept=False)
    return SessionCopy(
        row, checkpoints, tuple(Delta("log", k, encode([k])) for k in range(supersteps)),
        (*(effect_row(k) for k in range(supersteps)), written), events, inputs, (interrupt_row(row),),
        tuple(sorted((artifact_row(row, b"%d" % n), left_out), key=lambda a: a.artifact)),
    )  # fmt: skip


async def read(store: Store, session: SessionId) -> SessionCopy:
    row = await store.session(session)
    spans = [Span(session, -1, None)]
    return SessionCopy(
        row, tuple(await store.checkpoints(spans)), tuple(await store.deltas(spans, "log")),
        tuple(await store.effects(spans)), tuple(await store.events(spans)),
        tuple(await store.inputs(session, after=row.first_input)),
        tuple(await store.interrupts(session, status=None)),
        tuple(a for a in await store.artifacts(row.family) if a.session == session),
    )  # fmt: skip


async def a_copy_is_read_back_whole_and_runs_on(world: World) -> None:
    store = await world.open()
    writers = (Writer(2, SessionId.derive("before"), b"s" * 16, 7), Writer(3, SessionId.derive("then"), b"t" * 16))
    root = copy_of(1, past=Past(writers, 2, 1), floor_superstep=0)
    root = replace(root, inputs=(InputRow("run", "past:m", b"{}", None, 0, T0, 1), *root.inputs))
    child = copy_of(2, family=root.row.family, caller=root.row.session, caller_superstep=1, caller_path="call")
    await store.adopt([replace(root, row=replace(root.row, owner=BOB)), child], [BIG])
    assert await read(store, root.row.session) == root
    assert await read(store, child.row.session) == child
    assert await store.blobs(root.row.family, [BIG.hash]) == {BIG.hash: b"big"}
    assert [row.session for row in await store.family(root.row.family)] == [root.row.session, child.row.session]
    assert [e.runs for e in await store.sessions(SessionQuery(children=True))] == [2, 2]
    opened = await store.takeover(root.row.session, ANN)
    assert opened.row.epoch == 5
    assert [row.key[0] for row in opened.journal] == [3]
    assert [new.n for new in opened.inputs] == [2]
    assert len(opened.interrupts) == 1
    await store.commit(next_commit(opened.row, 3, events=batch(3)))
    assert (await store.session(root.row.session)).event_n == 8
    assert opened.row.writer_at(1) == writers[0]
    assert opened.row.writer_at(3) == Writer(4, root.row.session, root.row.seed)


async def a_copy_whose_ids_are_in_use_changes_nothing(world: World) -> None:
    store = await world.open()
    there = copy_of(1)
    await store.adopt([there], [])
    other, free = copy_of(2), copy_of(3)
    taken = [
        there,
        replace(other, checkpoints=(*other.checkpoints[:-1], there.checkpoints[0])),
        replace(other, interrupts=there.interrupts),
        replace(other, effects=there.effects),
    ]
    for copy in taken:
        row = replace(free.row, family=copy.row.family)
        with pytest.raises(Conflict, match="is there already"):
            await store.adopt([replace(free, row=row), copy], [BIG])
        with pytest.raises(NotFound):
            await store.session(free.row.session)
        assert await read(store, there.row.session) == there
        assert await store.blob_hashes(other.row.family) == []
    await store.adopt([free], [])
    assert await read(store, free.row.session) == free


async def a_deleted_session_leaves_nothing(world: World) -> None:
    store = await world.open()
    first, second = copy_of(1), copy_of(2)
    await store.adopt([first], [BIG])
    await store.adopt([second], [BIG])
    await store.delete([first.row.session])
    with pytest.raises(NotFound):
        await store.session(first.row.session)
    with pytest.raises(NotFound):
        await store.checkpoint(first.checkpoints[0].checkpoint)
    with pytest.raises(NotFound):
        await store.interrupt(first.interrupts[0].interrupt)
    assert await store.blob_hashes(first.row.family) == []
    assert await store.artifacts(first.row.family) == []
    with pytest.raises(StoreCorrupt):
        await store.blobs(first.row.family, [BIG.hash])
    assert await read(store, second.row.session) == second
    assert await store.blob_hashes(second.row.family) == [BIG.hash]
    await store.adopt([first], [BIG])  # nothing of it is in the way
    assert await read(store, first.row.session) == first


async def a_session_that_others_need_is_not_deleted(world: World) -> None:
    store = await world.open()
    row = await run_on(store, (await started(store)).row, 3)
    await store.release(row.session, row.epoch)
    at = (await store.checkpoints(row.spans()))[2]
    fork = fork_row(row, 2, at, 2)
    await store.fork([NewFork(fork)])
    child = session_row(3, family=row.family, caller=fork.session, caller_superstep=2, caller_path="call")
    await store.create(child, checkpoint_row(child, -1), (), ())
    for gone, why in ((row, "is a fork of"), (fork, "was called by"), (child, "was called by")):
        with pytest.raises(Conflict, match=why):
            await store.delete([gone.session])
        assert len(await store.family(row.family)) == 3
    await store.delete([child.session, fork.session])
    assert [r.session for r in await store.family(row.family)] == [row.session]
    with pytest.raises(NotFound):
        await store.delete([row.session, fork.session])
    assert len(await store.checkpoints(row.spans())) == 4


async def a_session_with_a_living_owner_is_not_deleted(world: World) -> None:
    store = await world.open()
    row = (await started(store)).row
    other = await world.open()
    with pytest.raises(SessionBusy, match="is owned by"):
        await other.delete([row.session])
    await world.die(store, ANN)
    await (await world.open()).delete([row.session])


async def swept(store: Store, row: SessionRow, **what: Any) -> bool:
    seen = tuple((r.session, r.commit_n) for r in await store.family(row.family))
    return await store.sweep(Sweep(row.family, **({"seen": seen} | what)))


async def a_sweep_takes_what_it_names(world: World) -> None:
    store = await world.open()
    row = await run_on(store, (await started(store)).row, 6)
    old = await store.checkpoints(row.spans())
    gone, stays = artifact_row(row, b"gone"), artifact_row(row, b"stays")
    artifacts = sorted((gone, stays), key=lambda a: a.artifact)
    await store.commit(next_commit(row, None, blobs=[BIG, Blob(digest(b"kept"), b"kept")], artifacts=artifacts))
    row = await store.session(row.session)
    below = Span(row.session, -1, 4)
    journal, events = (below,), (Span(row.session, -1, 1), Span(row.session, 2, 3))
    what: dict[str, Any] = {
        "floors": ((row.session, 4),), "journal": journal, "events": events, "blobs": (BIG.hash,),
        "checkpoints": tuple(c.checkpoint for c in old[1:3]), "deltas": (("log", Span(row.session, 0, 2)),),
        "artifacts": (gone.artifact,),
    }  # fmt: skip
    for _ in range(2):  # once more is harmless
        assert await swept(store, row, **what)
        assert (await store.session(row.session)).floor_superstep == 4
        assert [c.superstep for c in await store.checkpoints(row.spans())] == [-1, 2, 3, 4, 5]
        assert [b.superstep for b in await store.events(row.spans())] == [1, 3, 4, 5]
        assert [e.superstep for e in await store.effects(row.spans())] == [4, 5]
        assert [d.superstep for d in await store.deltas(row.spans(), "log")] == [2, 3, 4, 5]
        assert await store.blob_hashes(row.family) == [digest(b"kept")]
        assert await store.artifacts(row.family) == [stays]
        with pytest.raises(NotFound):
            await store.checkpoint(old[1].checkpoint)
    assert await swept(store, row, floors=((row.session, 2),))
    assert (await store.session(row.session)).floor_superstep == 4
    await store.release(row.session, row.epoch)
    await store.commit(next_commit((await store.takeover(row.session, BOB)).row, 6, events=batch(6)))


async def a_sweep_of_a_family_that_changed_does_nothing(world: World) -> None:
    store = await world.open()
    row = await run_on(store, (await started(store)).row, 3)
    seen = tuple((r.session, r.commit_n) for r in await store.family(row.family))
    at = (await store.checkpoints(row.spans()))[1]
    what = {"checkpoints": (at.checkpoint,), "floors": ((row.session, 3),), "seen": seen}
    row = await run_on(store, row, 1)
    assert not await swept(store, row, **what)
    what["seen"] = ((row.session, row.commit_n),)
    await store.fork([NewFork(fork_row(row, 1, at, 2))])
    assert not await swept(store, row, **what)
    assert await store.checkpoint(at.checkpoint) == at
    assert (await store.session(row.session)).floor_superstep == 0


async def a_fork_forgets_what_it_carried_once_that_is_below_its_floor(world: World) -> None:
    store = await world.open()
    row = await run_on(store, (await started(store)).row, 2)
    await store.append(row.session, row.epoch, [effect_row(2)])
    head = (await store.checkpoints(row.spans()))[-1]
    carried = Carried(2, row.seed, ((row.session, (("node", 0, 0),)),))
    fork = replace(fork_row(row, 2, head, 2), carried=carried)
    await store.fork([NewFork(fork, (run_input(),))])
    assert len(await store.effects(fork.spans(2))) == 1
    mine = (await store.takeover(fork.session, BOB)).row
    await store.commit(next_commit(mine, 2, events=batch(2)))
    assert await swept(store, row, journal=(Span(row.session, 2, 3),), floors=((fork.session, 3),))
    assert await store.effects(fork.spans(2)) == []


KEEPING: list[Case] = [
    a_copy_is_read_back_whole_and_runs_on, a_copy_whose_ids_are_in_use_changes_nothing,
    a_deleted_session_leaves_nothing, a_session_that_others_need_is_not_deleted,
    a_session_with_a_living_owner_is_not_deleted, a_sweep_takes_what_it_names,
    a_sweep_of_a_family_that_changed_does_nothing, a_fork_forgets_what_it_carried_once_that_is_below_its_floor,
]  # fmt: skip

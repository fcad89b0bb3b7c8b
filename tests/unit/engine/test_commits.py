"""The queue of commits: its order, its limits, and what happens where a store fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from graphagent.engine.commits import MOST_BYTES, MOST_COMMITS, MOST_S, RETRY_DELAYS_S, CommitQueue
from graphagent.errors import Fenced, StoreUnavailable
from graphagent.snapshot import Blob, Commit
from graphagent.stores.memory import MemoryStore
from tests.contract.store import ANN, next_commit, queued, session_row, started


class SlowStore(MemoryStore):
    """Takes its time, and fails as often as it is told: before it stores, or after it did."""

    def __init__(self, delay_s: float = 0.0) -> None:
        super().__init__()
        self.delay_s = delay_s
        self.groups: list[list[int]] = []
        self.errors: list[tuple[bool, Exception]] = []

    async def commit(self, *commits: Commit) -> None:
        self.groups.append([c.commit_n for c in commits])
        await trio.sleep(self.delay_s)
        before, error = self.errors.pop(0) if self.errors else (False, None)
        if before and error is not None:
            raise error
        await super().commit(*commits)
        if error is not None:
            raise error


def in_trio(test: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def commits_of(store: SlowStore, count: int) -> list[Commit]:
    return queued((await started(store)).row, count)


@in_trio
async def test_nothing_is_told_before_it_is_durable() -> None:
    store = SlowStore(0.01)
    commits, queue, told = await commits_of(store, 3), CommitQueue(store), []
    for commit in commits:
        await queue.put(commit, lambda n=commit.commit_n: told.append(n))  # type: ignore[misc]
    assert told == []
    assert not queue.empty
    await queue.flush()
    assert told == [0, 1, 2]
    assert store.groups == [[0, 1, 2]]
    assert queue.empty


@in_trio
async def test_commits_leave_while_the_run_goes_on() -> None:
    store = SlowStore(0.01)
    commits, queue = await commits_of(store, 4), CommitQueue(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.work)
        await queue.put(commits[0], lambda: None)
        await trio.sleep(0.005)  # the first is on its way
        for commit in commits[1:]:
            await queue.put(commit, lambda: None)
        await trio.sleep(1)
        assert store.groups == [[0], [1, 2, 3]]
        assert queue.empty
        nursery.cancel_scope.cancel()


@in_trio
async def test_the_session_waits_when_too_many_are_queued() -> None:
    store = SlowStore(1.0)
    commits, queue = await commits_of(store, MOST_COMMITS + 1), CommitQueue(store)
    began = trio.current_time()
    for commit in commits[: MOST_COMMITS - 1]:
        await queue.put(commit, lambda: None)
    assert trio.current_time() == began
    await queue.put(commits[MOST_COMMITS - 1], lambda: None)
    assert trio.current_time() == began + 1
    assert store.groups == [list(range(MOST_COMMITS))]


@in_trio
async def test_the_session_waits_for_bytes_and_for_what_is_late() -> None:
    store = SlowStore(1.0)
    row = (await started(store)).row
    queue, began = CommitQueue(store), trio.current_time()
    await queue.put(next_commit(row, 0, blobs=[Blob(b"h" * 32, b"x" * MOST_BYTES)]), lambda: None)
    assert trio.current_time() == began + 1
    other = SlowStore(1.0)
    commits, queue = await commits_of(other, 2), CommitQueue(other)
    await queue.put(commits[0], lambda: None)
    await trio.sleep(MOST_S * 2)
    before = trio.current_time()
    await queue.put(commits[1], lambda: None)
    assert trio.current_time() == before + 1


@in_trio
async def test_an_unknown_outcome_is_settled_by_the_same_group() -> None:
    """Whether or not it had landed, and also if more was queued meanwhile."""
    for landed in (False, True):
        store = SlowStore()
        commits, queue = await commits_of(store, 3), CommitQueue(store)
        store.errors = [(not landed, StoreUnavailable("lost"))] * 2
        for commit in commits[:2]:
            await queue.put(commit, lambda: None)
        with trio.move_on_after(RETRY_DELAYS_S[0] / 2):
            await queue.flush()
        await queue.put(commits[2], lambda: None)
        await queue.flush()
        assert store.groups == [[0, 1], [0, 1], [0, 1], [2]]
        assert (await store.session(session_row().session)).commit_n == 3


@in_trio
async def test_an_error_ends_the_queue() -> None:
    store = SlowStore()
    commits, queue, told = await commits_of(store, 3), CommitQueue(store), []
    await store.takeover(session_row().session, ANN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.work)
        await queue.put(commits[0], lambda: told.append(0))
        await trio.sleep(0.1)
        assert isinstance(queue.error, Fenced)
        with pytest.raises(Fenced):
            await queue.put(commits[1], lambda: told.append(1))
        with pytest.raises(Fenced):
            await queue.flush()
    assert told == []
    assert not queue.empty
    assert store.groups == [[0]]

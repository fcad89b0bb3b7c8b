"""How commits become durable: one by one, or behind the run in mode `pipelined`.

A queue of commits leaves in one order, one group at a time, each group in one transaction. So what a crash may cost is
always a suffix; and since nothing is shown as committed before it is durable, always one that nobody was told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import trio

from graphagent.errors import StoreUnavailable
from graphagent.faults import fault
from graphagent.frozen import dataclass
from graphagent.ports import Store
from graphagent.snapshot import Commit

RETRY_DELAYS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
MOST_COMMITS = 8
MOST_BYTES = 4 << 20
MOST_S = 0.05
"""What may wait in a queue, whichever comes first; then the session waits."""


async def send(store: Store, commits: Sequence[Commit]) -> None:
    """Commit; where the outcome is unknown, send the same commits again.

    Raises:
        StoreUnavailable: it was unknown every time.
    """
    for delay in (*RETRY_DELAYS_S, None):
        try:
            await store.commit(*commits)
            fault("commit.ack")
            return
        except StoreUnavailable:
            if delay is None:
                raise
            await trio.sleep(delay)


@dataclass(frozen=True, slots=True)
class _Queued:
    """`durable` is told when it is stored. `at` is when it was queued, in seconds of trio's clock."""

    commit: Commit
    durable: Callable[[], None]
    at: float
    size: int


class CommitQueue:
    """The write-behind of one session. `error` is why nothing of it becomes durable any more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: deque[_Queued] = deque()
        self._size = 0
        self._unknown = 0
        self._sending = trio.Lock()
        self._wake = trio.Event()
        self.error: Exception | None = None

    @property
    def empty(self) -> bool:
        """Whether everything that was queued is durable."""
        return not self._queue

    async def put(self, commit: Commit, durable: Callable[[], None]) -> None:
        """Queue a commit; waits while there are too many."""
        self._check()
        queued = _Queued(commit, durable, trio.current_time(), commit.size)
        self._queue.append(queued)
        self._size += queued.size
        self._wake.set()
        if self._full():
            await self.flush()

    async def flush(self) -> None:
        """Return when everything that was queued so far is durable. Raises what kept it from that."""
        self._check()
        last = self._queue[-1].commit.commit_n if self._queue else -1
        while self._queue and self._queue[0].commit.commit_n <= last:
            async with self._sending:
                self._check()
                await self._send()

    async def work(self) -> None:
        """Send what is queued while the run goes on; ends by cancellation, or at an error that the run will meet."""
        while self.error is None:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                await self.flush()
            except Exception as error:
                self.error = error

    async def _send(self) -> None:
        """Send a group. After an unknown outcome it is the same group again."""
        group = [q for q, _ in zip(self._queue, range(self._unknown or len(self._queue)), strict=False)]
        if not group:
            return
        self._unknown = len(group)
        try:
            await send(self._store, [q.commit for q in group])
        except Exception as error:
            self.error = error
            raise
        self._unknown = 0
        for queued in group:
            self._queue.popleft()
            self._size -= queued.size
        for queued in group:
            queued.durable()

    def _full(self) -> bool:
        late = trio.current_time() - self._queue[0].at > MOST_S
        return late or len(self._queue) >= MOST_COMMITS or self._size >= MOST_BYTES

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

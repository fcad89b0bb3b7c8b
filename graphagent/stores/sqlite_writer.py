"""The one connection that writes, and group commit.

A job is a plain function of a cursor. Jobs that are there together share one transaction and so one fsync; a
job that raises is rolled back alone. A COMMIT that fails leaves an unknown outcome: the connection is
closed, and on a new one every job runs again by itself. Jobs are written so that this is safe: one that had
landed sees so.

Jobs run in a writer thread, or, where COMMITs have lately taken less than `on_loop_s`, in the caller's own: the
hop to a thread and back costs more (about 0.1 ms) than such a disk's fsync. A slow disk, another process that
holds the file's lock, and a job of many bytes always go to the thread, so the loop isn't held up. The
connection is used by one thread at a time, under a lock.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import apsw
import trio

from graphagent.errors import StoreUnavailable
from graphagent.faults import fault
from graphagent.stores.sqlite_file import BUSY_MS, explained

T = TypeVar("T")

GROUP = 64
LINGER_S = 0.002
FAST_COMMITS = 4
"""So many fast COMMITs in a row show that the disk is fast."""
FOLD_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Work for the writing connection. `point` names its fault points; `heavy` jobs never run on the loop.

    `run` may run twice when the outcome of the first time is unknown; `again` tells.
    """

    run: Callable[[apsw.Cursor, bool], T]
    point: str = "write"
    heavy: bool = False


@dataclass(slots=True, eq=False)
class _Waiter:
    """A job and the task that waits for it."""

    job: Job[Any]
    token: trio.lowlevel.TrioToken
    task: trio.lowlevel.Task | None = None
    result: Any = None
    error: BaseException | None = None
    done: bool = False


_FOLD: Final = "fold"
"""Wakes the thread to fold the write-ahead log back."""


class Writer:
    """Runs jobs on the connection that `connect` opens. Usable from several trio runs at once."""

    def __init__(
        self, path: Path, connection: apsw.Connection, connect: Callable[[], apsw.Connection], on_loop_s: float
    ) -> None:
        self._path = path
        self._connect = connect
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiter | Literal["fold"] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._gathering: dict[trio.lowlevel.TrioToken, list[_Waiter]] = {}
        self._closed = False
        self._on_loop_s = on_loop_s
        self._fast = FAST_COMMITS if math.isinf(on_loop_s) else FAST_COMMITS - 1
        self._crowd = 1
        self._last_task = 0
        self._last_commit_s = 0.0
        self._pages = 0
        self._wrote = False
        self._fold_at = FOLD_PAGES
        self._waits = True
        self._file = os.stat(path)
        self._looked_at = time.monotonic()
        self._connection: apsw.Connection | None = None
        self._use(connection)

    # ---- in trio

    @trio.lowlevel.enable_ki_protection
    async def submit(self, job: Job[T]) -> T:
        """The result of the job, once it is durable. Cancellation waits behind it."""
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed")
        token = trio.lowlevel.current_trio_token()
        mine = _Waiter(job, token)
        group = self._gathering.get(token)
        if group is None:
            await self._lead(token, mine)
        else:
            group.append(mine)
        if not mine.done:
            mine.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    async def _lead(self, token: trio.lowlevel.TrioToken, first: _Waiter) -> None:
        """Gather what other tasks submit before the loop comes round, and run or queue it."""
        group = self._gathering[token] = [first]
        task = id(trio.lowlevel.current_task())
        # Who was also the last one to submit, and alone, is on the way by itself: nobody is waited for.
        more = self._crowd > 1 or task != self._last_task
        self._last_task = task
        while more:
            seen = len(group)
            await trio.lowlevel.cancel_shielded_checkpoint()
            # While it is busy, as long as every round brings more: those belong into the same fsync.
            more = self._crowd > 1 and len(group) > seen
        del self._gathering[token]
        if not self._run_here(group):
            self._start()
            for waiter in group:
                self._queue.put(waiter)

    def _run_here(self, group: list[_Waiter]) -> bool:
        """Run the group in this thread if that is quick and the connection is free."""
        if self._fast < FAST_COMMITS or not self._queue.empty() or any(w.job.heavy for w in group):
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            left = group
            while left and self._run(left[:GROUP], wait=False):
                left = left[GROUP:]
        finally:
            self._lock.release()
        for waiter in left:
            self._queue.put(waiter)
        if self._pages >= self._fold_at:
            self._queue.put(_FOLD)
        if not self._queue.empty():
            self._start()
        for waiter in group[: len(group) - len(left)]:
            if waiter.task is not None:
                trio.lowlevel.reschedule(waiter.task)
        return True

    async def aclose(self) -> None:
        """Finish what was submitted, end the thread, close the connection."""
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            while self._gathering:
                await trio.lowlevel.checkpoint()
            if self._thread is not None:
                self._queue.put(None)
                await trio.to_thread.run_sync(self._thread.join)
            await trio.to_thread.run_sync(self._close)

    # ---- in the thread

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"writer of {self._path.name}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        more = True
        while more:
            batch, more = self._take()
            with self._lock:
                if batch:
                    self._run(batch, wait=True)
            _deliver(batch)
            with self._lock:
                self._fold()

    def _take(self) -> tuple[list[_Waiter], bool]:
        """The next batch, which is empty if the log is to be folded; False if it is the last one."""
        first = self._queue.get()
        if first is None or first == _FOLD:
            return [], first is not None
        batch = [first]
        # When it is busy, wait a little for those who are about to submit, but not longer than a commit takes.
        linger = min(LINGER_S, self._last_commit_s) if self._crowd > 1 else 0.0
        end = time.monotonic() + linger
        while len(batch) < GROUP:
            left = end - time.monotonic() if len(batch) < self._crowd else 0.0
            try:
                waiter = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if waiter is None:
                return batch, False
            if waiter != _FOLD:
                batch.append(waiter)
        return batch, True

    # ---- under the lock

    def _use(self, connection: apsw.Connection) -> None:
        connection.set_wal_hook(self._committed)
        self._connection = connection
        self._cursor = connection.cursor()
        self._waits = True

    def _reopen(self) -> apsw.Connection:
        """A new connection after a failure.

        What the failed one wrote may be read though it isn't on the disk, and fsync doesn't report an error twice. So
        all of it is folded into the main file, whose own sync says whether this disk can be trusted again.
        """
        connection = self._connect()
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        except BaseException:
            with suppress(apsw.Error):
                connection.close(True)
            raise
        self._use(connection)
        return connection

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        self._wrote = True
        return apsw.SQLITE_OK

    def _run(self, batch: list[_Waiter], *, wait: bool) -> bool:
        """Run the jobs in one transaction. False if another process holds the lock and `wait` is off."""
        try:
            self._check_file()
            connection = self._connection or self._reopen()
            if wait != self._waits:
                connection.set_busy_timeout(BUSY_MS if wait else 0)
                self._waits = wait
            self._cursor.execute("begin immediate")
        except apsw.BusyError as error:
            if not wait:
                return False
            _fail(batch, explained(error, self._path))
            return True
        except Exception as error:
            _fail(batch, explained(error, self._path))
            self._drop()
            return True
        self._crowd = len(batch)
        try:
            for waiter in batch:
                self._run_one(waiter, alone=len(batch) == 1)
            self._commit(batch)
        except Exception as error:
            self._recover(batch, error)
        return True

    def _run_one(self, waiter: _Waiter, *, alone: bool, again: bool = False) -> None:
        """Run one job in the open transaction; what it raises is its own, unless it ended the transaction."""
        execute = self._cursor.execute
        if not alone:
            execute("savepoint job")
        try:
            fault(f"{waiter.job.point}.before")
            waiter.result = waiter.job.run(self._cursor, again)
        except Exception as error:
            if isinstance(error, (apsw.FullError, apsw.IOError)) or not self._cursor.connection.in_transaction:
                raise
            waiter.error = explained(error, self._path)
            execute("rollback" if alone else "rollback to job")
            if alone:
                return
        if not alone:
            execute("release job")

    def _commit(self, batch: list[_Waiter]) -> None:
        for waiter in batch:
            if waiter.error is None:
                fault(f"{waiter.job.point}.sent")
        if self._cursor.connection.in_transaction:
            start = time.perf_counter()
            self._wrote = False
            self._cursor.execute("commit")
            if self._wrote:
                self._last_commit_s = took = time.perf_counter() - start
                self._fast = self._fast + 1 if took < self._on_loop_s else 0
        for waiter in batch:
            if waiter.error is None:
                fault(f"{waiter.job.point}.after")
        for waiter in batch:
            waiter.done = True

    def _recover(self, batch: list[_Waiter], error: Exception) -> None:
        """Rule 3: what happened is unknown. Open anew, and run each job again by itself; what had landed shows."""
        self._drop()
        try:
            self._reopen()
        except Exception as second:
            return _fail(batch, explained(second, self._path))
        for waiter in batch:
            waiter.result = waiter.error = None
            try:
                self._cursor.execute("begin immediate")
                self._run_one(waiter, alone=True, again=True)
                if self._cursor.connection.in_transaction:
                    self._cursor.execute("commit")
                waiter.done = True
            except Exception as second:
                _fail([waiter], explained(second, self._path))
                self._drop()
                return _fail([w for w in batch if not w.done], explained(error, self._path))
        return None

    def _check_file(self) -> None:
        """Once a second: commits to a file without a name would be lost."""
        now = time.monotonic()
        if now - self._looked_at < 1:
            return
        self._looked_at = now
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (self._file.st_dev, self._file.st_ino):
            self._looked_at = 0.0
            raise StoreUnavailable(f"{self._path} was deleted or replaced", hint="stop the program, look for the file")

    def _fold(self) -> None:
        """Fold the write-ahead log back when it has grown; a reader may hinder it, then later."""
        if self._pages < self._fold_at or self._connection is None:
            return
        try:
            _, folded = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._fold_at = FOLD_PAGES if folded == self._pages else self._pages + FOLD_PAGES
        except apsw.Error:
            self._fold_at = self._pages + FOLD_PAGES  # what was committed stands in the log; try again later

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):  # closing folds the log back; what is in it is safe without that
                connection.close(True)

    def _close(self) -> None:
        with self._lock:
            self._drop()


def _fail(batch: list[_Waiter], error: Exception) -> None:
    for waiter in batch:
        # One of its own for each: raised in several tasks, one object would collect all their tracebacks.
        waiter.error = waiter.error or copy(error)
        waiter.done = True


def _deliver(batch: list[_Waiter]) -> None:
    by_run: dict[trio.lowlevel.TrioToken, list[_Waiter]] = {}
    for waiter in batch:
        by_run.setdefault(waiter.token, []).append(waiter)
    for token, waiters in by_run.items():
        try:
            token.run_sync_soon(_wake, waiters)
        except trio.RunFinishedError:
            continue  # nobody waits any more


def _wake(waiters: list[_Waiter]) -> None:
    for waiter in waiters:
        if waiter.task is not None:
            trio.lowlevel.reschedule(waiter.task)

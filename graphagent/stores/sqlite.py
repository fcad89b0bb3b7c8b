"""Sessions in one SQLite file.

Writes are jobs of `sqlite_jobs` on the one writing connection. Reads use connections of their own, as many as
read at once. Short reads run on the loop: they take 20 to 50 microseconds, and a worker thread costs 100; where
one meets a locked file it moves to a thread. Reads that may bring many rows always run in a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import apsw
import trio

from graphagent.codec import digest
from graphagent.errors import NotFound, StoreUnavailable
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId, WorkerId
from graphagent.ports import Clock, StoreState
from graphagent.snapshot import (
    ArtifactRow,
    Blob,
    CheckpointRow,
    Commit,
    Delta,
    EffectRow,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    NewFork,
    NewInput,
    Opened,
    SessionCopy,
    SessionEntry,
    SessionQuery,
    SessionRow,
    Span,
    Sweep,
)
from graphagent.stores import sqlite_file, sqlite_jobs, sqlite_keeping
from graphagent.stores.packing import unpack
from graphagent.stores.queries import queries
from graphagent.stores.rows import (
    Damage,
    Row,
    artifact_row,
    blob_data,
    checkpoint_row,
    delta_row,
    effect_rows,
    events_row,
    input_row,
    interrupt_row,
    raw,
    session_entry,
    session_row,
)
from graphagent.stores.rules import carries, fold, id_bounds, with_inputs
from graphagent.stores.sqlite_writer import Job, Writer
from graphagent.stores.wall import WallClock
from graphagent.stores.worker_locks import WorkerLocks

T = TypeVar("T")
SQL = queries("sqlite")
HEAVY_BYTES = 256 * 1024
"""A commit of more bytes is packed and stored in the writer's thread, however fast the disk is."""
FEW_ROWS = 8
"""So many checkpoints or batches of events are read on the loop: the way to a thread and back takes longer."""
_END = 1 << 62


class SqliteStore:
    """A `ports.Store` in a file. Made by `open`, ended by `aclose`."""

    def __init__(self, path: Path, writer: Writer, locks: WorkerLocks, connect: Callable[[], apsw.Connection],
                 clock: Clock) -> None:  # fmt: skip
        self.name = str(path)
        self._path = path
        self._writer = writer
        self._locks = locks
        self._connect = connect
        self._clock = clock
        self._readers: deque[apsw.Connection] = deque()
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        clock: Clock | None = None,
        synchronous: Literal["full", "normal"] = "full",
        created_by: str = "graphagent",
        vfs: str | None = None,
        on_loop_s: float = 0.0005,
    ) -> Self:
        """Open the file, created if it is missing.

        Args:
            path: The file; others of the same name and a suffix stand beside it.
            clock: Says when inputs are accepted and questions answered.
            synchronous: `normal` may lose an acknowledged suffix in a power cut, never leaves a hole, never corrupts.
            created_by: Program and version, recorded in a new file.
            vfs: Name of a registered VFS of apsw.
            on_loop_s: Commits run on the loop while the disk takes less than this for one, else in a thread.

        Raises:
            StoreUnavailable: it can't be created, opened or written, or is locked.
            StoreCorrupt: it is damaged, or isn't a store.
            SchemaTooNew: a newer release has written it.
        """
        file = Path(path).absolute()
        connect = partial(sqlite_file.connect, file, vfs=vfs, synchronous=synchronous)
        locks = WorkerLocks(file)
        writer = await trio.to_thread.run_sync(_open, file, connect, locks, created_by, on_loop_s)
        return cls(file, writer, locks, partial(connect, reader=True), clock or WallClock())

    @staticmethod
    async def inspect(path: Path | str) -> StoreState:
        """Versions and quick integrity of a file, which isn't changed. See `sqlite_file.inspect`."""
        return await trio.to_thread.run_sync(sqlite_file.inspect, Path(path).absolute())

    async def aclose(self) -> None:
        """Finish what was submitted; then close the file and give up its workers' locks."""
        if self._closed:
            return
        self._closed = True
        await self._writer.aclose()
        while self._readers:
            self._readers.pop().close(True)
        self._locks.release()

    async def woken(self) -> None:
        await trio.sleep_forever()

    async def serve(self) -> None:
        self._locks.serve()

    # ---- writes

    async def create(
        self, row: SessionRow, genesis: CheckpointRow, blobs: Sequence[Blob], inputs: Sequence[NewInput]
    ) -> bool:
        full = with_inputs(row, genesis, inputs)
        now = self._clock.now_us()
        return await self._write(sqlite_jobs.create, full, genesis, blobs, inputs, now, point="create")

    async def fork(self, forks: Sequence[NewFork], blobs: Sequence[Blob] = ()) -> None:
        full = [NewFork(with_inputs(f.row, None, f.inputs), f.inputs) for f in forks]
        await self._write(sqlite_jobs.fork, full, blobs, self._clock.now_us(), point="fork")

    async def takeover(self, session: SessionId, worker: WorkerId, new: NewInput | None = None) -> Opened:
        now = self._clock.now_us()
        return await self._write(sqlite_jobs.take_over, session, worker, new, now, self._locks, point="takeover")

    async def release(self, session: SessionId, epoch: int) -> None:
        await self._write(sqlite_jobs.release, session, epoch, point="release")

    async def commit(self, *commits: Commit) -> None:
        heavy = sum(commit.size for commit in commits) > HEAVY_BYTES
        await self._write(sqlite_jobs.commit, commits, point="commit", heavy=heavy)

    async def append(self, session: SessionId, epoch: int, rows: Sequence[EffectRow]) -> None:
        heavy = sum(len(e.outcome or b"") for e in rows) > HEAVY_BYTES
        await self._write(sqlite_jobs.append, session, epoch, tuple(rows), point="append", heavy=heavy)

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        return await self._write(sqlite_jobs.accept, session, new, self._clock.now_us(), point="input")

    async def answer(
        self, interrupt: InterruptId, answer: bytes, by: str | None, inputs: Sequence[tuple[SessionId, NewInput]]
    ) -> InterruptRow:
        now = self._clock.now_us()
        return await self._write(sqlite_jobs.answer, interrupt, answer, by, tuple(inputs), now, point="answer")

    async def label(self, session: SessionId, name: str | None, tags: Sequence[str] | None) -> None:
        await self._write(sqlite_jobs.label, session, name, tags)

    async def adopt(self, copies: Sequence[SessionCopy], blobs: Sequence[Blob]) -> None:
        await self._write(sqlite_keeping.adopt, copies, blobs, point="import", heavy=True)

    async def delete(self, sessions: Sequence[SessionId]) -> None:
        await self._write(
            sqlite_keeping.delete, tuple(dict.fromkeys(sessions)), self._locks, point="delete", heavy=True
        )

    async def sweep(self, sweep: Sweep) -> bool:
        return await self._write(sqlite_keeping.sweep, sweep, point="collect", heavy=True)

    async def _write(self, run: Callable[..., T], *args: Any, point: str = "write", heavy: bool = False) -> T:
        return await self._writer.submit(Job(partial(run, *args), point, heavy))

    # ---- reads

    async def session(self, session: SessionId) -> SessionRow:
        return await self._read(lambda db: session_row(_found(db, "session", session, f"no session {session}")))

    async def find(self, prefix: str) -> list[SessionId]:
        bounds = id_bounds(prefix)
        if bounds is None:
            return []
        return await self._read(lambda db: [SessionId.of(sid) for (sid,) in db.execute(SQL["find"], bounds)])

    async def sessions(self, query: SessionQuery) -> list[SessionEntry]:
        text = None if query.text is None else fold(query.text)
        low, high = id_bounds(text if text else "-") or (b"", b"")
        values = (low, high, text or None, query.status, query.graph, query.tag, query.since_us, query.before_us,
                  int(query.children), query.limit)  # fmt: skip
        return await self._read_long(lambda db: [session_entry(r) for r in db.execute(SQL["list_sessions"], values)])

    async def workers(self) -> int:
        return 1  # one process serves a file

    async def claimable(self, *, limit: int = 50) -> list[SessionId]:
        def read(db: apsw.Connection) -> list[SessionId]:
            dead: dict[bytes | None, bool] = {None: True}
            found = []
            for sid, owner in db.execute(SQL["to_do"]):
                if owner not in dead:
                    dead[owner] = self._locks.living(WorkerId.of(owner)) is None
                if dead[owner]:
                    found.append(SessionId.of(sid))
                    if len(found) == limit:
                        break
            return found

        return await self._read_long(read)

    async def children(self, session: SessionId) -> list[SessionRow]:
        return await self._read_long(lambda db: [session_row(r) for r in db.execute(SQL["children"], (raw(session),))])

    async def family(self, family: SessionId) -> list[SessionRow]:
        return await self._read_long(lambda db: [session_row(r) for r in db.execute(SQL["family"], (raw(family),))])

    async def blob_hashes(self, family: SessionId) -> list[bytes]:
        return await self._read_long(lambda db: [hash for (hash,) in db.execute(SQL["blob_hashes"], (raw(family),))])

    async def artifact(self, family: SessionId, artifact: ArtifactId) -> ArtifactRow:
        def read(db: apsw.Connection) -> ArtifactRow:
            row = next(db.execute(SQL["artifact"], (raw(family), raw(artifact))), None)
            if row is None:
                raise NotFound(f"no artifact {artifact}")
            return artifact_row(row)

        return await self._read(read)

    async def artifacts(self, family: SessionId) -> list[ArtifactRow]:
        return await self._read_long(lambda db: [artifact_row(r) for r in db.execute(SQL["artifacts"], (raw(family),))])

    async def forks(self, session: SessionId) -> list[SessionRow]:
        return await self._read_long(lambda db: [session_row(r) for r in db.execute(SQL["forks"], (raw(session),))])

    async def checkpoint(self, checkpoint: CheckpointId) -> CheckpointRow:
        missing = f"no checkpoint {checkpoint}"
        return await self._read(lambda db: checkpoint_row(_found(db, "checkpoint", checkpoint, missing)))

    async def checkpoints(
        self, spans: Sequence[Span], *, limit: int = 100, newest: bool = False
    ) -> list[CheckpointRow]:
        name = "newest_checkpoints" if newest else "checkpoints"

        def read(db: apsw.Connection) -> list[CheckpointRow]:
            out: list[CheckpointRow] = []
            for span in reversed(spans) if newest else spans:
                found = [checkpoint_row(r) for r in db.execute(SQL[name], (*_bounds(span), limit - len(out)))]
                numbers = sorted(c.superstep for c in found)
                _check_order(span.session, numbers, "checkpoint after superstep", partial(_floor, db, span.session))
                out += found
            return out[::-1] if newest else out

        return await (self._read(read) if limit <= FEW_ROWS else self._read_long(read))

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        def read(db: apsw.Connection) -> dict[bytes, bytes]:
            out = {}
            for key in hashes:
                row = next(db.execute(SQL["blob"], (raw(family), key)), None)
                if row is None:
                    raise Damage(f"blob {key.hex()} of family {family} is missing")
                out[key] = blob_data(key, row)
            return out

        return await (self._read(read) if len(hashes) <= 1 else self._read_long(read))

    async def cached(self, key: bytes) -> bytes | None:
        def read(db: apsw.Connection) -> bytes | None:
            for hash, codec, packed in db.execute(SQL["cached"], (key, self._clock.now_us())):
                data = unpack(codec, packed)
                return data if digest(data) == hash else None  # a damaged one is no result
            return None

        return await self._read(read)

    async def deltas(self, spans: Sequence[Span], channel: str) -> list[Delta]:
        def read(db: apsw.Connection) -> list[Delta]:
            rows = ((s, r) for s in spans for r in db.execute(SQL["deltas"], (*_bounds(s), channel)))
            return [delta_row(span.session, r) for span, r in rows]

        return await self._read_long(read)

    async def events(self, spans: Sequence[Span], *, limit: int | None = None) -> list[EventBatch]:
        few = limit is not None and limit <= FEW_ROWS
        read = self._read if few or _supersteps(spans) <= FEW_ROWS else self._read_long
        return await read(lambda db: _read_events(db, spans, _END if limit is None else limit))

    async def effects(self, spans: Sequence[Span]) -> list[EffectRow]:
        def read(db: apsw.Connection) -> list[EffectRow]:
            return [row for span in spans for row in _read_effects(db, span)]

        return await self._read_long(read)

    async def inputs(self, session: SessionId, *, after: int = 0) -> list[InputRow]:
        def read(db: apsw.Connection) -> list[InputRow]:
            found = [input_row(r) for r in db.execute(SQL["inputs"], (raw(session), after))]
            _check_order(session, [after, *(i.n for i in found)], "input")
            return found

        return await self._read_long(read)

    async def interrupt(self, interrupt: InterruptId) -> InterruptRow:
        missing = f"no interrupt {interrupt}"
        return await self._read(lambda db: interrupt_row(_found(db, "interrupt", interrupt, missing)))

    async def interrupts(
        self, session: SessionId | None = None, *, status: InterruptStatus | None = "open"
    ) -> list[InterruptRow]:
        name: str = "session_interrupts"
        values: tuple[Any, ...] = (status,)
        if session is not None:
            values = (raw(session), status)
        elif status == "open":
            name, values = "open_interrupts", ()
        else:
            name = "all_interrupts"
        read = self._read_long if session is None else self._read  # one session asks a few questions at most
        return await read(lambda db: [interrupt_row(r) for r in db.execute(SQL[name], values)])

    async def _read(self, read: Callable[[apsw.Connection], T]) -> T:
        """A short read, here."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            return self._with_reader(read, busy_ms=0)
        except apsw.BusyError:
            return await self._read_long(read)
        except (apsw.Error, OSError, UnicodeDecodeError, Damage) as error:
            raise sqlite_file.explained(error, self._path) from error

    async def _read_long(self, read: Callable[[apsw.Connection], T]) -> T:
        """A read that may take a while, in a thread."""
        try:
            return await trio.to_thread.run_sync(partial(self._with_reader, read, busy_ms=sqlite_file.BUSY_MS))
        except (apsw.Error, OSError, UnicodeDecodeError, Damage) as error:
            raise sqlite_file.explained(error, self._path) from error

    def _with_reader(self, read: Callable[[apsw.Connection], T], *, busy_ms: int) -> T:
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed")
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            connection.set_busy_timeout(busy_ms)
            return read(connection)
        finally:
            self._give_back(connection)

    def _give_back(self, connection: apsw.Connection) -> None:
        if self._closed:
            connection.close(True)
        else:
            self._readers.append(connection)


def _open(
    path: Path, connect: Callable[[], apsw.Connection], locks: WorkerLocks, created_by: str, on_loop_s: float
) -> Writer:
    sqlite_file.create_file(path)
    try:
        connection = connect()
        try:
            sqlite_file.prepare(connection, path, created_by)
            locks.sweep()
            return Writer(path, connection, connect, on_loop_s)
        except BaseException:
            connection.close(True)
            raise
    except (apsw.Error, OSError, UnicodeDecodeError) as error:
        raise sqlite_file.explained(error, path) from error


def _supersteps(spans: Sequence[Span]) -> int:
    """How many supersteps they cover at most."""
    return sum([_END if span.hi is None else max(span.hi - span.lo, 0) for span in spans])


def _bounds(span: Span) -> tuple[bytes, int, int]:
    return raw(span.session), span.lo, _END if span.hi is None else span.hi


def _found(db: apsw.Connection, name: str, id: Any, missing: str) -> Row:
    row: Row | None = next(db.execute(SQL[name], (raw(id),)), None)
    if row is None:
        raise NotFound(missing)
    return row


def _floor(db: apsw.Connection, session: SessionId) -> int:
    """The superstep from which on all rows of a session are there."""
    return next((int(floor) for (floor,) in db.execute(SQL["floor"], (raw(session),))), 0)


def _check_order(session: SessionId, numbers: Sequence[int], what: str, floor: Callable[[], int] = lambda: 0) -> None:
    """A damaged index may hide a row: there must be no gap, but where a collection has made it, below the floor."""
    for low, high in pairwise(numbers):
        if high != low + 1 and high >= floor():
            raise Damage(f"{what} {low + 1} of session {session} is missing")


def _read_effects(db: apsw.Connection, span: Span) -> list[EffectRow]:
    rows = effect_rows(db.execute(SQL["effects"], _bounds(span)))
    found = next(db.execute(SQL["session"], (raw(span.session),)), None)
    carried = None if found is None else carries(session_row(found))
    if carried is None or not _bounds(span)[1] <= carried.superstep < _bounds(span)[2]:
        return rows
    k = carried.superstep
    own = [row for row in rows if row.superstep == k]
    # An origin holds what is below a fork, so a carried superstep is the first one of its span.
    return [*sqlite_jobs.carried_along(own, carried, db), *rows[len(own) :]]


def _read_events(db: apsw.Connection, spans: Iterable[Span], limit: int) -> list[EventBatch]:
    out: list[EventBatch] = []
    for span in spans:
        following = None
        for r in db.execute(SQL["events"], (*_bounds(span), limit - len(out))):
            batch = events_row(span.session, r)
            if following not in (None, batch.first) and batch.superstep >= _floor(db, span.session):
                raise Damage(f"events {following} to {batch.first - 1} of session {span.session} are missing")
            following = batch.first + batch.count
            out.append(batch)
    return out

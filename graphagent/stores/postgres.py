"""Sessions in a Postgres database.

Every write is one statement, gated by the authority row in the same statement. What it does when the outcome is
unknown is the same for all: the same again, until the server answers. Each statement is written so that this is safe,
and while the server is away the caller waits; only its wait can be cancelled, a write that was sent can't.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self, TypeVar

import trio

from graphagent.codec import digest
from graphagent.concurrency import aio, in_thread
from graphagent.errors import Conflict, Fenced, NotFound, SessionBusy, StoreCorrupt, StoreReplaced
from graphagent.faults import fault
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
from graphagent.stores import postgres_keeping
from graphagent.stores.packing import unpack
from graphagent.stores.postgres_driver import Away, Connection, asyncpg, explained, sqlstate
from graphagent.stores.postgres_links import Target
from graphagent.stores.postgres_opening import opened
from graphagent.stores.postgres_rows import (
    checkpoint_row,
    commit_values,
    effects_values,
    events_row,
    input_row,
    input_values,
    inputs_values,
    interrupt_row,
    session_entry,
    session_row,
    session_values,
)
from graphagent.stores.postgres_schema import inspect, prepare
from graphagent.stores.postgres_server import Server
from graphagent.stores.postgres_statements import fetch, fetch_row, fetch_value
from graphagent.stores.postgres_url import shown
from graphagent.stores.rows import (
    Damage,
    Row,
    artifact_row,
    blob_data,
    delta_row,
    effect_rows,
    interrupt_values,
    raw,
)
from graphagent.stores.rules import carries, fold, id_bounds, settle, with_carried, with_inputs
from graphagent.stores.wall import WallClock

T = TypeVar("T")
_END = 1 << 62
_HEAVY_BYTES = 256 * 1024
"""What a commit of more bytes holds is packed in a thread, so that the loop isn't held up."""
_BUSY_PAUSES_S = (0.02, 0.05, 0.1, 0.2)
"""The server needs a moment to notice that an owner's process has died."""


class PostgresStore:
    """A `ports.Store` in a database. Made by `open`, ended by `aclose`. It needs an asyncio loop below trio.

    A store is used from as many loops as there are; each has connections of its own.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        self.name = target.name
        self._server = Server(target)
        self._clock = clock

    @classmethod
    async def open(
        cls, url: str, *, clock: Clock | None = None, created_by: str = "graphagent", deadline_s: float = 10.0,
        connections: int = 8, wait_s: float = 30.0,
    ) -> Self:  # fmt: skip
        """Open the store in a database; its tables are made if they aren't there.

        Args:
            url: `postgresql://user@host:port/database`; what it leaves out comes from the variables of libpq.
            clock: Says when inputs are accepted and questions answered.
            created_by: Program and version, recorded in a new store.
            deadline_s: How long one statement may take before its outcome counts as unknown.
            connections: So many are used for reads at once; commits have two of their own.
            wait_s: How long a read waits for one of them, whoever came first being first.

        Raises:
            MissingExtra: asyncpg isn't installed.
            StoreUnavailable: the server can't be reached, refuses this user, or is too old.
            StoreCorrupt: the schema belongs to another program, or was changed.
            SchemaTooNew: a newer release has written it.
        """
        target = Target(url, shown(url), deadline_s, connections, wait_s)
        await aio(_prepare, target, created_by)
        return cls(target, clock or WallClock())

    @staticmethod
    async def inspect(url: str, *, deadline_s: float = 10.0) -> StoreState:
        """Versions of the store in a database, which isn't changed. Raises what `open` does."""
        target = Target(url, shown(url), deadline_s)

        async def look() -> StoreState:
            async def state(connection: Connection) -> StoreState:
                return await inspect(connection, target.name)

            return await _connected(target, state)

        return await aio(look)

    async def aclose(self) -> None:
        """Give up the workers' leases and close all connections of this loop."""
        await self._server.aclose()

    async def serve(self) -> None:
        """There may be many."""

    async def woken(self) -> None:
        await self._server.woken()

    # ---- writes

    async def create(
        self, row: SessionRow, genesis: CheckpointRow, blobs: Sequence[Blob], inputs: Sequence[NewInput]
    ) -> bool:
        full = with_inputs(row, genesis, inputs)
        values = session_values(full, genesis, blobs, inputs, self._clock.now_us())

        async def run(db: Connection, again: bool) -> bool:
            if await fetch_value(db, "insert_session", **values):
                return True
            there = await fetch_row(db, "session", sid=raw(row.session))
            return again and there is not None and session_row(there).seed == row.seed

        return await self._write("create", run)

    async def fork(self, forks: Sequence[NewFork], blobs: Sequence[Blob] = ()) -> None:
        now = self._clock.now_us()
        values = []
        for row, inputs in ((f.row, f.inputs) for f in forks):
            if row.head is None:
                raise NotFound(f"session {row.session} has no checkpoint to begin at")
            values.append(session_values(with_inputs(row, None, inputs), None, blobs, inputs, now))

        async def store(db: Connection, row: SessionRow, given: Mapping[str, Any]) -> None:
            if await fetch_value(db, "insert_session", **given):
                return
            there = await fetch_row(db, "session", sid=raw(row.session))
            if there is None or session_row(there).head != row.head or session_row(there).seed != row.seed:
                raise Conflict(f"session {row.session} is there already")

        async def run(db: Connection, again: bool) -> None:
            if len(forks) == 1:  # one statement is one transaction
                await store(db, forks[0].row, values[0])
                return
            async with db.transaction():
                for fork, given in zip(forks, values, strict=True):
                    await store(db, fork.row, given)
                    fault("fork.row")

        heads = ", ".join(f"{f.row.head} of session {f.row.origin}" for f in forks)
        await self._write("fork", run, gone=f"checkpoint {heads} is gone")

    async def takeover(self, session: SessionId, worker: WorkerId, new: NewInput | None = None) -> Opened:
        values = {"sid": raw(session), "worker": raw(worker), **input_values(session, new, self._clock.now_us())}

        async def run(db: Connection, again: bool) -> Opened:
            found = await fetch_row(db, "take_over", **values, again=again)
            try:
                return await opened(db, session, found)
            except (Damage, StoreCorrupt):  # nobody owns what can't be run
                await fetch(db, "release", sid=raw(session), epoch=session_row(found[0]).epoch)
                raise

        await self._server.hold(worker, session)
        for pause in (*_BUSY_PAUSES_S, None):
            try:
                return await self._write("takeover", run, session, gone=f"no session {session}")
            except SessionBusy:
                if pause is None:
                    raise
                await trio.sleep(pause)
        raise AssertionError

    async def release(self, session: SessionId, epoch: int) -> None:
        async def run(db: Connection, again: bool) -> None:
            await fetch(db, "release", sid=raw(session), epoch=epoch)

        self._server.hurry(session)  # nobody waits for it: without it, the lease ends
        await self._write("release", run, session)

    async def commit(self, *commits: Commit) -> None:
        first = commits[0]
        for n, commit in enumerate(commits, first.commit_n):
            if (commit.session, commit.epoch, commit.commit_n) != (first.session, first.epoch, n):
                raise Fenced(f"session {first.session}: commit {commit.commit_n} isn't the next one, {n} is")
        size = sum(commit.size for commit in commits)
        if size > _HEAVY_BYTES:
            with trio.CancelScope(shield=True):
                name, values = await in_thread(commit_values, commits)
        else:
            name, values = commit_values(commits)

        async def run(db: Connection, again: bool) -> None:
            if not await fetch_value(db, name, **values):
                self._settle(commits, await fetch_row(db, "session", sid=raw(first.session)))

        effects = [e for c in commits for e in c.effects]
        await self._write("commit", run, first.session, effects=effects, size=size)

    def _settle(self, commits: Sequence[Commit], found: Row | None) -> None:
        """Commits that changed nothing: they had landed, or they are refused."""
        first, last = commits[0], commits[-1]
        if found is None:
            raise Fenced(f"session {first.session} is no longer owned here")
        row = session_row(found)
        if row.epoch < first.epoch or (row.epoch == first.epoch and row.commit_n < first.commit_n):
            raise StoreReplaced(
                f"{self.name} holds an older copy of session {first.session} than before",
                hint="stop the program, look which server that is",
            )
        if row.epoch != first.epoch:
            raise Fenced(f"session {first.session} is no longer owned here")
        if row.commit_token != last.token or row.commit_n != last.commit_n + 1:
            raise Fenced(f"session {first.session}: commit {first.commit_n} isn't the next one, {row.commit_n} is")

    async def append(self, session: SessionId, epoch: int, rows: Sequence[EffectRow]) -> None:
        effects = tuple(rows)
        values = {"sid": raw(session), "epoch": epoch, **effects_values(session, effects)}

        async def run(db: Connection, again: bool) -> None:
            if not await fetch_value(db, "append", **values):
                raise Fenced(f"session {session} is no longer owned here")

        size = sum(len(e.outcome or b"") for e in effects)
        await self._write("append", run, session, effects=effects, size=size)

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        values = {"sid": raw(session), **input_values(session, new, self._clock.now_us())}

        async def run(db: Connection, again: bool) -> InputRow:
            return input_row(await fetch_row(db, "accept", **values))

        return await self._write("input", run, session, gone=f"no session {session}")

    async def answer(
        self, interrupt: InterruptId, answer: bytes, by: str | None, inputs: Sequence[tuple[SessionId, NewInput]]
    ) -> InterruptRow:
        now = self._clock.now_us()
        follow = inputs_values(inputs, now)

        async def run(db: Connection, again: bool) -> InterruptRow:
            while True:
                row = interrupt_row(_found(await fetch_row(db, "interrupt", iid=raw(interrupt)), interrupt))
                settled = settle(row, answer, by, now)
                if settled is row:
                    return row
                iid, *_, codec, _, _, _, stored, _, _, check, _ = interrupt_values(settled)
                seen = interrupt_values(row)[-2]
                given = {"codec": codec, "answer": stored, "by": by, "at": now, "seal": check, "read_seal": seen}
                if await fetch_value(db, "answer", iid=iid, **given, **follow):
                    return settled

        return await self._write("answer", run, gone=f"no session that {interrupt} would wake")

    async def label(self, session: SessionId, name: str | None, tags: Sequence[str] | None) -> None:
        async def run(db: Connection, again: bool) -> None:
            listed = None if tags is None else json.dumps(list(tags))
            _found(await fetch_row(db, "label", sid=raw(session), name=name, tags=listed), session)

        await self._write("write", run)

    async def adopt(self, copies: Sequence[SessionCopy], blobs: Sequence[Blob]) -> None:
        async def run(db: Connection, again: bool) -> None:
            await postgres_keeping.adopt(db, copies, blobs, again)

        size = sum(len(b.data) for b in blobs) + sum(len(e.body) for copy in copies for e in copy.events)
        await self._write("import", run, size=size)

    async def delete(self, sessions: Sequence[SessionId]) -> None:
        async def run(db: Connection, again: bool) -> None:
            await postgres_keeping.delete(db, tuple(dict.fromkeys(sessions)), again)

        await self._write("delete", run)

    async def sweep(self, sweep: Sweep) -> bool:
        async def run(db: Connection, again: bool) -> bool:
            return await postgres_keeping.sweep(db, sweep)

        return await self._write("collect", run)

    async def _write(
        self, point: str, run: Callable[[Connection, bool], Awaitable[T]], session: SessionId | None = None, *,
        gone: str = "no such thing", effects: Sequence[EffectRow] = (), size: int = 0,
    ) -> T:  # fmt: skip
        """Run a write until its outcome is known. `run` learns whether it may have landed before."""

        async def guarded(db: Connection, again: bool) -> T:
            fault(f"{point}.before")
            try:
                result = await run(db, again)
            except asyncpg.PostgresError as error:
                refused = _refusal(error, session, gone, effects)
                if refused is None:
                    raise
                raise refused from error
            fault(f"{point}.after")
            return result

        return await self._server.write(guarded, session, size)

    # ---- reads

    async def _rows(self, unpacked: Callable[[Row], T], name: str, **values: Any) -> list[T]:
        async def read(db: Connection) -> list[T]:
            return [unpacked(r) for r in await fetch(db, name, **values)]

        return await self._server.read(read)

    async def session(self, session: SessionId) -> SessionRow:
        return _found(next(iter(await self._rows(session_row, "session", sid=raw(session))), None), session)

    async def find(self, prefix: str) -> list[SessionId]:
        bounds = id_bounds(prefix)
        if bounds is None:
            return []
        return await self._rows(lambda r: SessionId.of(r[0]), "find", low=bounds[0], high=bounds[1])

    async def sessions(self, query: SessionQuery) -> list[SessionEntry]:
        text = None if query.text is None else fold(query.text)
        low, high = id_bounds(text if text else "-") or (b"", b"")
        return await self._rows(
            session_entry, "list_sessions", low=low, high=high, text=text or None, status=query.status,
            graph=query.graph, tag=query.tag, since=query.since_us, before=query.before_us, children=query.children,
            limit=query.limit,
        )  # fmt: skip

    async def workers(self) -> int:
        (living,) = await self._rows(lambda r: int(r[0]), "living_workers")
        return max(living, 1)

    async def claimable(self, *, limit: int = 50) -> list[SessionId]:
        return await self._rows(lambda r: SessionId.of(r[0]), "claimable", limit=limit)

    async def children(self, session: SessionId) -> list[SessionRow]:
        return await self._rows(session_row, "children", sid=raw(session))

    async def family(self, family: SessionId) -> list[SessionRow]:
        return await self._rows(session_row, "family", family=raw(family))

    async def blob_hashes(self, family: SessionId) -> list[bytes]:
        return await self._rows(lambda r: bytes(r[0]), "blob_hashes", family=raw(family))

    async def artifact(self, family: SessionId, artifact: ArtifactId) -> ArtifactRow:
        found = await self._rows(artifact_row, "artifact", family=raw(family), aid=raw(artifact))
        return _found(next(iter(found), None), artifact)

    async def artifacts(self, family: SessionId) -> list[ArtifactRow]:
        return await self._rows(artifact_row, "artifacts", family=raw(family))

    async def forks(self, session: SessionId) -> list[SessionRow]:
        return await self._rows(session_row, "forks", sid=raw(session))

    async def checkpoint(self, checkpoint: CheckpointId) -> CheckpointRow:
        found = await self._rows(checkpoint_row, "checkpoint", ckp=raw(checkpoint))
        return _found(next(iter(found), None), checkpoint)

    async def checkpoints(
        self, spans: Sequence[Span], *, limit: int = 100, newest: bool = False
    ) -> list[CheckpointRow]:
        name = "newest_checkpoints" if newest else "checkpoints"
        out: list[CheckpointRow] = []
        for span in reversed(spans) if newest else spans:
            found = await self._rows(checkpoint_row, name, **_bounds(span), limit=limit - len(out))
            numbers = sorted(c.superstep for c in found)
            floor = await self._floor(span.session, numbers)
            self._check_order(span.session, [n for n in numbers if n >= floor - 1], "checkpoint after superstep")
            out += found
        return out[::-1] if newest else out

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        async def read(db: Connection) -> dict[bytes, bytes]:
            rows = await fetch(db, "blobs", family=raw(family), hashes=list(hashes))
            found = {r[0]: blob_data(r[0], r[1:]) for r in rows}
            for key in hashes:
                if key not in found:
                    raise Damage(f"blob {key.hex()} of family {family} is missing")
            return found

        return await self._server.read(read) if hashes else {}

    async def cached(self, key: bytes) -> bytes | None:
        for hash, codec, packed in await self._rows(tuple, "cached", key=key, now=self._clock.now_us()):
            data = unpack(codec, packed)
            return data if digest(data) == hash else None  # a damaged one is no result
        return None

    async def deltas(self, spans: Sequence[Span], channel: str) -> list[Delta]:
        out: list[Delta] = []
        for span in spans:
            session = span.session
            out += await self._rows(lambda r, s=session: delta_row(s, r), "deltas", **_bounds(span), channel=channel)  # type: ignore[misc]
        return out

    async def events(self, spans: Sequence[Span], *, limit: int | None = None) -> list[EventBatch]:
        out: list[EventBatch] = []
        for span in spans:
            left = _END if limit is None else limit - len(out)
            session = span.session
            found = await self._rows(lambda r, s=session: events_row(s, r), "events", **_bounds(span), limit=left)  # type: ignore[misc]
            for before, batch in pairwise(found):
                if before.first + before.count != batch.first and batch.superstep >= await self._floor(session):
                    missing = f"events {before.first + before.count} to {batch.first - 1}"
                    raise self._damage(f"{missing} of session {span.session} are missing")
            out += found
        return out

    async def effects(self, spans: Sequence[Span]) -> list[EffectRow]:
        out: list[EffectRow] = []
        for span in spans:
            bounds = _bounds(span)
            rows = await self._effects(**bounds)
            found = await self._rows(session_row, "session", sid=bounds["sid"])
            carried = carries(found[0]) if found else None
            if carried is None or not bounds["lo"] <= carried.superstep < bounds["hi"]:
                out += rows
                continue
            k = carried.superstep
            own = [row for row in rows if row.superstep == k]
            there = {s: await self._effects(sid=raw(s), lo=k, hi=k + 1) for s, _ in carried.sources}
            # An origin holds what is below a fork, so a carried superstep is the first one of its span.
            out += [*with_carried(own, carried, there), *rows[len(own) :]]
        return out

    async def _effects(self, **bounds: Any) -> list[EffectRow]:
        async def read(db: Connection) -> list[EffectRow]:
            return effect_rows(await fetch(db, "effects", **bounds))

        return await self._server.read(read)

    async def inputs(self, session: SessionId, *, after: int = 0) -> list[InputRow]:
        found = await self._rows(input_row, "inputs", sid=raw(session), after=after)
        self._check_order(session, [after, *(i.n for i in found)], "input")
        return found

    async def interrupt(self, interrupt: InterruptId) -> InterruptRow:
        found = await self._rows(interrupt_row, "interrupt", iid=raw(interrupt))
        return _found(next(iter(found), None), interrupt)

    async def interrupts(
        self, session: SessionId | None = None, *, status: InterruptStatus | None = "open"
    ) -> list[InterruptRow]:
        if session is not None:
            return await self._rows(interrupt_row, "session_interrupts", sid=raw(session), status=status)
        if status == "open":
            return await self._rows(interrupt_row, "open_interrupts")
        return await self._rows(interrupt_row, "all_interrupts", status=status)

    async def _floor(self, session: SessionId, numbers: Sequence[int] | None = None) -> int:
        """The superstep from which on all rows of a session are there; 0 where these numbers have no gap anyway."""
        if numbers is not None and len(numbers) in (0, numbers[-1] - numbers[0] + 1 if numbers else 0):
            return 0
        return next(iter(await self._rows(lambda r: int(r[0]), "floor", sid=raw(session))), 0)

    def _check_order(self, session: SessionId, numbers: Sequence[int], what: str) -> None:
        """A damaged index may hide a row: there must be no gap."""
        for low, high in pairwise(numbers):
            if high != low + 1:
                raise self._damage(f"{what} {low + 1} of session {session} is missing")

    def _damage(self, what: str) -> BaseException:
        return explained(Damage(what), self.name)


async def _prepare(target: Target, created_by: str) -> None:
    await _connected(target, lambda connection: prepare(connection, target.name, created_by))


async def _connected(target: Target, work: Callable[[Connection], Awaitable[T]]) -> T:
    """What is done on a connection of its own."""
    try:
        connection = await target.open()
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=2)
    except Exception as error:
        found = explained(error, target.name)
        raise (found.given_up if isinstance(found, Away) else found) from error


def _bounds(span: Span) -> dict[str, Any]:
    return {"sid": raw(span.session), "lo": span.lo, "hi": _END if span.hi is None else span.hi}


def _found(row: T | None, id: str) -> T:
    if row is None:
        what = {"ses": "session", "ckp": "checkpoint", "itr": "interrupt", "art": "artifact"}[id[:3]]
        raise NotFound(f"no {what} {id}")
    return row


def _refusal(
    error: BaseException, session: SessionId | None, gone: str, effects: Sequence[EffectRow]
) -> Exception | None:
    """What the functions of the schema refuse, and the one constraint that a caller can run into."""
    state, detail = sqlstate(error), str(getattr(error, "detail", "") or "")
    if state in ("GA404", "GA410"):
        return NotFound(gone)
    if state == "GA409":
        return Conflict(f"message {detail!r} was sent before with another content")
    if state == "GA423":
        return SessionBusy(f"session {session} is owned by {detail}", hint="wait for it, or stop that process")
    if state == "23505" and getattr(error, "constraint_name", None) == "effects_write_key":
        owner = next((e.path for e in effects if e.write_key and e.write_key.hex() in detail), "?")
        return Conflict(f"the write of task {owner!r} has a key that another row has")
    return None

"""Sessions in this process only: same semantics, no file, no thread. Its methods never yield to the loop."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import trio

from graphagent.errors import Conflict, Fenced, NotFound, SessionBusy, StoreCorrupt
from graphagent.frozen import replace
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId, WorkerId
from graphagent.ports import Clock
from graphagent.snapshot import (
    ArtifactRow,
    Blob,
    CachedResult,
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
from graphagent.stores.rules import (
    carries,
    check_deletion,
    fold,
    id_bounds,
    settle,
    supersedes,
    with_carried,
    with_inputs,
)
from graphagent.stores.wall import WallClock

T = TypeVar("T")
_Journal = dict[tuple[int, str, int, int], EffectRow]


class _Session:
    """One session. What a commit changes stands in slots of its own: a frozen row is built only to be read."""

    __slots__ = (
        "attempts", "base", "checkpoints", "commit_n", "deltas", "epoch", "event_n", "events", "head", "head_digest",
        "head_superstep", "input_n", "inputs", "journal", "messages", "owner", "reason", "run_n", "status", "taken_n",
        "token", "updated_at",
    )  # fmt: skip

    def __init__(self, row: SessionRow) -> None:
        self.base = row
        self.status, self.reason = row.status, row.reason
        self.epoch, self.owner, self.attempts = row.epoch, row.owner, row.attempts
        self.commit_n, self.token = row.commit_n, row.commit_token
        self.head, self.head_superstep, self.head_digest = row.head, row.head_superstep, row.head_digest
        self.event_n, self.input_n, self.taken_n = row.event_n, row.input_n, row.taken_n
        self.updated_at = row.updated_at
        self.run_n = 0
        self.checkpoints: list[CheckpointRow] = []
        self.events: list[tuple[int, EventBatch]] = []
        self.deltas: dict[str, list[Delta]] = {}
        self.journal: dict[int, _Journal] = {}
        self.inputs: list[InputRow] = []
        self.messages: dict[str, InputRow] = {}

    def row(self) -> SessionRow:
        return replace(
            self.base, status=self.status, reason=self.reason, epoch=self.epoch, owner=self.owner,
            attempts=self.attempts, commit_n=self.commit_n, commit_token=self.token, head=self.head,
            head_superstep=self.head_superstep, head_digest=self.head_digest, event_n=self.event_n,
            input_n=self.input_n, taken_n=self.taken_n, updated_at=self.updated_at,
        )  # fmt: skip

    def add_input(self, new: NewInput, n: int, at: int) -> InputRow:
        row = InputRow(new.kind, new.message_id, new.body, new.principal, n, at)
        self.inputs.append(row)
        self.messages[new.message_id] = row
        self.run_n += new.kind == "run"
        return row


class MemoryStore:
    """A `ports.Store` that ends with its process."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.name = "memory"
        self._clock: Clock = clock or WallClock()
        self._sessions: dict[SessionId, _Session] = {}
        self._checkpoints: dict[CheckpointId, CheckpointRow] = {}
        self._blobs: dict[SessionId, dict[bytes, bytes]] = {}
        self._artifacts: dict[SessionId, dict[ArtifactId, ArtifactRow]] = {}
        self._interrupts: dict[InterruptId, InterruptRow] = {}
        self._write_keys: dict[bytes, tuple[SessionId, tuple[int, str, int, int]]] = {}
        self._dead: set[WorkerId] = set()
        self._cache: dict[bytes, CachedResult] = {}

    def worker_died(self, worker: WorkerId) -> None:
        """Let others take over what this worker owns, as if its process had died."""
        self._dead.add(worker)

    async def woken(self) -> None:
        """There is no other process."""
        await trio.sleep_forever()

    async def serve(self) -> None:
        """Others can't reach it anyway."""

    async def aclose(self) -> None:
        """Nothing to let go of: what is stored can still be read."""

    # ---- writes

    async def create(
        self, row: SessionRow, genesis: CheckpointRow, blobs: Sequence[Blob], inputs: Sequence[NewInput]
    ) -> bool:
        if row.session in self._sessions:
            return False
        session = self._add(row, genesis, inputs)
        family = self._blobs.setdefault(row.family, {})
        for blob in blobs:
            family.setdefault(blob.hash, blob.data)
        session.checkpoints.append(genesis)
        self._checkpoints[genesis.checkpoint] = genesis
        return True

    async def fork(self, forks: Sequence[NewFork], blobs: Sequence[Blob] = ()) -> None:
        for row in (f.row for f in forks):
            if row.head not in self._checkpoints:
                raise NotFound(f"checkpoint {row.head} of session {row.origin} is gone")
            there = self._sessions.get(row.session)
            if there is not None and (there.head != row.head or there.base.seed != row.seed):
                raise Conflict(f"session {row.session} is there already")
        for fork in forks:
            if fork.row.session not in self._sessions:
                self._add(fork.row, None, fork.inputs)
            family = self._blobs.setdefault(fork.row.family, {})
            for blob in blobs:
                family.setdefault(blob.hash, blob.data)

    def _add(self, row: SessionRow, genesis: CheckpointRow | None, inputs: Sequence[NewInput]) -> _Session:
        session = self._sessions[row.session] = _Session(with_inputs(row, genesis, inputs))
        now = self._clock.now_us()
        for n, new in enumerate(inputs, row.input_n + 1):
            session.add_input(new, n, now)
        return session

    async def takeover(self, session: SessionId, worker: WorkerId, new: NewInput | None = None) -> Opened:
        s = self._session(session)
        if s.owner is not None and s.owner != worker and s.owner not in self._dead:
            raise SessionBusy(f"session {session} is owned by worker {s.owner}")
        if new is not None:
            self._accept(s, new, self._clock.now_us())
        self._dead.discard(worker)
        s.epoch, s.owner, s.attempts = s.epoch + 1, worker, s.attempts + 1
        assert s.head is not None
        return Opened(
            row=s.row(),
            checkpoint=self._checkpoints[s.head],
            journal=tuple(self._journal(s, s.head_superstep)),
            inputs=tuple(i for i in s.inputs if i.n > s.taken_n),
            interrupts=tuple(await self.interrupts(session)),
        )

    async def release(self, session: SessionId, epoch: int) -> None:
        s = self._sessions.get(session)
        if s is not None and s.epoch == epoch:
            s.owner, s.attempts = None, max(s.attempts - 1, 0)

    async def commit(self, *commits: Commit) -> None:
        first = commits[0]
        s = self._sessions.get(first.session)
        if s is None or s.epoch != first.epoch:
            raise Fenced(f"session {first.session} is no longer owned here")
        if s.commit_n != first.commit_n:
            if s.token == commits[-1].token:
                return
            raise Fenced(f"session {first.session}: commit {first.commit_n} isn't the next one, {s.commit_n} is")
        for n, commit in enumerate(commits, first.commit_n):
            if (commit.epoch, commit.commit_n) != (s.epoch, n):
                raise Fenced(f"session {first.session}: commit {commit.commit_n} isn't the next one, {n} is")
        for commit in commits:
            self._store(s, commit)

    def _store(self, s: _Session, commit: Commit) -> None:
        if commit.effects:
            self._upsert(s, commit.effects)
        if commit.blobs:
            family = self._blobs.setdefault(s.base.family, {})
            for blob in commit.blobs:
                family.setdefault(blob.hash, blob.data)
        self._add_artifacts(s.base.family, commit.artifacts)
        for delta in commit.deltas:
            s.deltas.setdefault(delta.channel, []).append(delta)
        if commit.interrupts or commit.closed:
            self._ask(commit)
        for result in commit.cached:
            self._cache[result.key] = result
        if commit.taken_n > s.taken_n:
            self._take(s, commit.taken_n, commit.head_superstep)
        checkpoint, events = commit.checkpoint, commit.events
        if checkpoint is not None:
            s.checkpoints.append(checkpoint)
            self._checkpoints[checkpoint.checkpoint] = checkpoint
            s.head, s.head_digest, s.attempts = checkpoint.checkpoint, checkpoint.digest, 0
        if events is not None:
            s.events.append((s.event_n, events))
            s.event_n += events.count
        s.commit_n += 1
        s.token, s.status, s.reason = commit.token, commit.status, commit.reason
        s.head_superstep, s.updated_at = commit.head_superstep, commit.at
        if commit.bound is not None:
            bound = commit.bound
            s.base = replace(s.base, plan=bound.plan, graph_version=bound.version, graph_file=bound.file)
        if commit.release:
            s.owner, s.attempts = None, max(s.attempts - 1, 0)

    def _add_artifacts(self, family: SessionId, rows: Sequence[ArtifactRow]) -> None:
        for row in rows:
            there = self._artifacts.setdefault(family, {})
            if row.artifact not in there or (row.kept and not there[row.artifact].kept):
                there[row.artifact] = row

    def _ask(self, commit: Commit) -> None:
        for row in commit.interrupts:
            there = self._interrupts.get(row.interrupt)
            if there is None or there.status == "open":
                self._interrupts[row.interrupt] = row
        for interrupt, status in commit.closed:
            there = self._interrupts.get(interrupt)
            if there is not None and there.status == "open":
                self._interrupts[interrupt] = replace(there, status=status)

    def _take(self, s: _Session, taken_n: int, superstep: int) -> None:
        for i, row in enumerate(s.inputs):
            if s.taken_n < row.n <= taken_n:
                s.inputs[i] = s.messages[row.message_id] = replace(row, taken_by=superstep)
        s.taken_n = taken_n

    async def append(self, session: SessionId, epoch: int, rows: Sequence[EffectRow]) -> None:
        s = self._sessions.get(session)
        if s is None or s.epoch != epoch:
            raise Fenced(f"session {session} is no longer owned here")
        self._upsert(s, rows)

    def _upsert(self, s: _Session, rows: Sequence[EffectRow]) -> None:
        for row in rows:
            if row.write_key is not None:
                mine = (s.base.session, row.key)
                if self._write_keys.get(row.write_key, mine) != mine:
                    raise Conflict(f"the write of task {row.path!r} has a key that another row has")
        for row in rows:
            journal = s.journal.setdefault(row.superstep, {})
            there = journal.get(row.key)
            if there is None or supersedes(row, there):
                journal[row.key] = row
                if row.write_key is not None:
                    self._write_keys[row.write_key] = (s.base.session, row.key)

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        return self._accept(self._session(session), new, self._clock.now_us())

    def _accept(self, s: _Session, new: NewInput, now: int) -> InputRow:
        there = s.messages.get(new.message_id)
        if there is not None:
            if (there.kind, there.body) != (new.kind, new.body):
                raise Conflict(f"message {new.message_id!r} was sent before with another content")
            return there
        s.input_n += 1
        return s.add_input(new, s.input_n, now)

    async def answer(
        self, interrupt: InterruptId, answer: bytes, by: str | None, inputs: Sequence[tuple[SessionId, NewInput]]
    ) -> InterruptRow:
        now = self._clock.now_us()
        row = await self.interrupt(interrupt)
        settled = settle(row, answer, by, now)
        if settled is row:
            return row
        for session, new in inputs:  # all of them, or nothing
            there = self._session(session).messages.get(new.message_id)
            if there is not None and (there.kind, there.body) != (new.kind, new.body):
                raise Conflict(f"message {new.message_id!r} was sent before with another content")
        for session, new in inputs:
            self._accept(self._sessions[session], new, now)
        self._interrupts[interrupt] = settled
        return settled

    async def label(self, session: SessionId, name: str | None, tags: Sequence[str] | None) -> None:
        s = self._session(session)
        s.base = replace(
            s.base, name=s.base.name if name is None else name, tags=s.base.tags if tags is None else tuple(tags)
        )

    async def adopt(self, copies: Sequence[SessionCopy], blobs: Sequence[Blob]) -> None:
        self._check_free(copies)
        family = self._blobs.setdefault(copies[0].row.family, {})
        for blob in blobs:
            family.setdefault(blob.hash, blob.data)
        for copy in copies:
            s = self._sessions[copy.row.session] = _Session(replace(copy.row, owner=None))
            s.checkpoints = list(copy.checkpoints)
            self._checkpoints |= {c.checkpoint: c for c in copy.checkpoints}
            s.events = [(batch.first, batch) for batch in copy.events]
            for delta in copy.deltas:
                s.deltas.setdefault(delta.channel, []).append(delta)
            self._upsert(s, copy.effects)
            s.inputs = list(copy.inputs)
            s.messages = {row.message_id: row for row in copy.inputs}
            s.run_n = sum(row.kind == "run" for row in copy.inputs if row.n > 0)
            self._interrupts |= {row.interrupt: row for row in copy.interrupts}
            self._add_artifacts(copy.row.family, copy.artifacts)

    def _check_free(self, copies: Sequence[SessionCopy]) -> None:
        """Raise Conflict if an id of a copy is in use."""
        for copy in copies:
            session = copy.row.session
            if session in self._sessions:
                raise Conflict(f"session {session} is there already")
            if any(c.checkpoint in self._checkpoints for c in copy.checkpoints) or any(
                e.write_key in self._write_keys for e in copy.effects if e.write_key is not None
            ):
                raise Conflict(f"a checkpoint or write key of session {session} is there already")
            for row in copy.interrupts:
                if row.interrupt in self._interrupts:
                    raise Conflict(f"interrupt {row.interrupt} of session {session} is there already")

    async def delete(self, sessions: Sequence[SessionId]) -> None:
        gone = {session: self._session(session) for session in sessions}
        for session, s in gone.items():
            if s.owner is not None and s.owner not in self._dead:
                raise SessionBusy(f"session {session} is owned by worker {s.owner}", hint="stop that process first")
        families = {s.base.family for s in gone.values()}
        check_deletion(gone.keys(), self._rows(lambda row: row.family in families))
        for session, s in gone.items():
            del self._sessions[session]
            for checkpoint in s.checkpoints:
                del self._checkpoints[checkpoint.checkpoint]
        self._interrupts = {i: row for i, row in self._interrupts.items() if row.session not in gone}
        self._write_keys = {k: mine for k, mine in self._write_keys.items() if mine[0] not in gone}
        for family in families - {s.base.family for s in self._sessions.values()}:
            self._blobs.pop(family, None)
            self._artifacts.pop(family, None)

    async def sweep(self, sweep: Sweep) -> bool:
        there = {(s.base.session, s.commit_n) for s in self._sessions.values() if s.base.family == sweep.family}
        if there != set(sweep.seen):
            return False
        for session, floor in sweep.floors:
            s = self._sessions[session]
            s.base = replace(s.base, floor_superstep=max(s.base.floor_superstep, floor))
        for span, s in self._spans(sweep.journal):
            for superstep in [k for k in s.journal if _inside(k, span)]:
                for effect in s.journal.pop(superstep).values():
                    self._write_keys.pop(effect.write_key or b"", None)
        for span, s in self._spans(sweep.events):
            s.events = [pair for pair in s.events if not _inside(pair[1].superstep, span)]
        for checkpoint in sweep.checkpoints:
            self._checkpoints.pop(checkpoint, None)
        for session, _ in sweep.seen:
            s = self._sessions[session]
            s.checkpoints = [c for c in s.checkpoints if c.checkpoint in self._checkpoints]
        for channel, span in sweep.deltas:
            s = self._sessions[span.session]
            s.deltas[channel] = [d for d in s.deltas.get(channel, []) if not _inside(d.superstep, span)]
        for hash in sweep.blobs:
            self._blobs.get(sweep.family, {}).pop(hash, None)
        for artifact in sweep.artifacts:
            self._artifacts.get(sweep.family, {}).pop(artifact, None)
        return True

    # ---- reads

    async def cached(self, key: bytes) -> bytes | None:
        found = self._cache.get(key)
        if found is None or (found.expires_at is not None and found.expires_at <= self._clock.now_us()):
            return None
        return found.data

    async def session(self, session: SessionId) -> SessionRow:
        return self._session(session).row()

    async def find(self, prefix: str) -> list[SessionId]:
        if id_bounds(prefix) is None:
            return []
        return sorted((s for s in self._sessions if s.startswith(prefix)), reverse=True)[:3]

    async def sessions(self, query: SessionQuery) -> list[SessionEntry]:
        found = [s for s in self._sessions.values() if _matches(s, query)]
        found.sort(key=lambda s: (s.updated_at, s.base.session), reverse=True)
        return [
            SessionEntry(s.row(), runs=s.run_n, interrupts=len(await self.interrupts(s.base.session)))
            for s in found[: query.limit]
        ]

    async def workers(self) -> int:
        return 1  # it is in this process

    async def claimable(self, *, limit: int = 50) -> list[SessionId]:
        found = [
            s for s in self._sessions.values()
            if s.base.caller is None and (s.status == "running" or s.input_n > s.taken_n)
            and s.status not in ("poisoned", "corrupt") and (s.owner is None or s.owner in self._dead)
        ]  # fmt: skip
        return [s.base.session for s in sorted(found, key=lambda s: (s.updated_at, s.base.session))[:limit]]

    async def children(self, session: SessionId) -> list[SessionRow]:
        return self._rows(lambda row: row.caller == session)

    async def family(self, family: SessionId) -> list[SessionRow]:
        return self._rows(lambda row: row.family == family)

    async def blob_hashes(self, family: SessionId) -> list[bytes]:
        return sorted(self._blobs.get(family, {}))

    async def artifact(self, family: SessionId, artifact: ArtifactId) -> ArtifactRow:
        found = self._artifacts.get(family, {}).get(artifact)
        if found is None:
            raise NotFound(f"no artifact {artifact}")
        return found

    async def artifacts(self, family: SessionId) -> list[ArtifactRow]:
        found = self._artifacts.get(family, {})
        return [found[id] for id in sorted(found)]

    async def forks(self, session: SessionId) -> list[SessionRow]:
        return self._rows(lambda row: row.origin == session)

    def _rows(self, wanted: Callable[[SessionRow], bool]) -> list[SessionRow]:
        rows = [s.row() for s in self._sessions.values() if wanted(s.base)]
        return sorted(rows, key=lambda row: (row.created_at, row.session))

    async def checkpoint(self, checkpoint: CheckpointId) -> CheckpointRow:
        if checkpoint not in self._checkpoints:
            raise NotFound(f"no checkpoint {checkpoint}")
        return self._checkpoints[checkpoint]

    async def checkpoints(
        self, spans: Sequence[Span], *, limit: int = 100, newest: bool = False
    ) -> list[CheckpointRow]:
        out: list[CheckpointRow] = []
        for span, s in self._spans(spans):
            out += _within(s.checkpoints, span, lambda row: row.superstep)
        return (out[-limit:] if limit else []) if newest else out[:limit]

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        there = self._blobs.get(family, {})
        for key in hashes:
            if key not in there:
                raise StoreCorrupt(f"{self.name}: blob {key.hex()} of family {family} is missing")
        return {key: there[key] for key in hashes}

    async def deltas(self, spans: Sequence[Span], channel: str) -> list[Delta]:
        out: list[Delta] = []
        for span, s in self._spans(spans):
            out += _within(s.deltas.get(channel, []), span, lambda row: row.superstep)
        return out

    async def events(self, spans: Sequence[Span], *, limit: int | None = None) -> list[EventBatch]:
        out: list[EventBatch] = []
        for span, s in self._spans(spans):
            rows = _within(s.events, span, lambda pair: pair[1].superstep)
            out += [replace(batch, first=first) for first, batch in rows[: None if limit is None else limit - len(out)]]
        return out

    async def effects(self, spans: Sequence[Span]) -> list[EffectRow]:
        out: list[EffectRow] = []
        for span, s in self._spans(spans):
            carried = carries(s.base)
            for superstep in sorted(s.journal.keys() | ({carried.superstep} if carried else set())):
                if superstep >= span.lo and (span.hi is None or superstep < span.hi):
                    out += self._journal(s, superstep)
        return out

    def _journal(self, s: _Session, superstep: int) -> list[EffectRow]:
        own, carried = s.journal.get(superstep, {}), carries(s.base)
        if carried is None or carried.superstep != superstep:
            return [own[key] for key in sorted(own)]
        found = {source: self._sessions[source].journal.get(superstep, {}).values() for source, _ in carried.sources}
        return with_carried(list(own.values()), carried, found)

    async def inputs(self, session: SessionId, *, after: int = 0) -> list[InputRow]:
        s = self._sessions.get(session)
        return [] if s is None else [row for row in s.inputs if row.n > after]

    async def interrupt(self, interrupt: InterruptId) -> InterruptRow:
        if interrupt not in self._interrupts:
            raise NotFound(f"no interrupt {interrupt}")
        return self._interrupts[interrupt]

    async def interrupts(
        self, session: SessionId | None = None, *, status: InterruptStatus | None = "open"
    ) -> list[InterruptRow]:
        rows = [
            row for row in self._interrupts.values()
            if session in (None, row.session) and status in (None, row.status)
        ]  # fmt: skip
        return sorted(rows, key=lambda row: (row.opened_at, row.interrupt))

    def _session(self, session: SessionId) -> _Session:
        if session not in self._sessions:
            raise NotFound(f"no session {session}")
        return self._sessions[session]

    def _spans(self, spans: Sequence[Span]) -> list[tuple[Span, _Session]]:
        return [(span, self._sessions[span.session]) for span in spans if span.session in self._sessions]


def _inside(superstep: int, span: Span) -> bool:
    return superstep >= span.lo and (span.hi is None or superstep < span.hi)


def _within(rows: list[T], span: Span, superstep: Callable[[T], Any]) -> list[T]:
    """The rows of a span, of rows in order of superstep."""
    low = bisect_left(rows, span.lo, key=superstep)
    high = len(rows) if span.hi is None else bisect_left(rows, span.hi, key=superstep)
    return rows[low:high]


def _matches(s: _Session, query: SessionQuery) -> bool:
    row = s.base
    if query.text:
        text = fold(query.text)
        labels = (fold(row.name or ""), fold(row.graph))
        if not row.session.startswith(text) and not any(text in label for label in labels):
            return False
    return (
        query.status in (None, s.status)
        and query.graph in (None, row.graph)
        and (query.tag is None or query.tag in row.tags)
        and (query.since_us is None or s.updated_at >= query.since_us)
        and (query.before_us is None or s.updated_at < query.before_us)
        and (query.children or row.caller is None)
    )

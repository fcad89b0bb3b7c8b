"""A store with the hot tables before it, in which messages stand by reference.

Whoever uses it writes and reads whole rows. On the way down large bodies of messages are taken out of what a commit, a
new session or an import stores, and become blobs of the family; on the way up they come from the table or, all that are
missing at once, from the store. What can't bring blobs along is stored whole: inputs that are accepted later, answers,
and journal rows that are appended ahead of their barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from graphagent.codec import digest
from graphagent.errors import Conflict, StoreCorrupt
from graphagent.frozen import replace
from graphagent.ids import CheckpointId, SessionId, WorkerId
from graphagent.ports import Store
from graphagent.session.tables import Tables
from graphagent.session.taking import FIELDS, Conversation, Taking, holds_bodies
from graphagent.snapshot import (
    Blob,
    CheckpointRow,
    Commit,
    Delta,
    EffectRow,
    EventBatch,
    InputRow,
    NewFork,
    NewInput,
    Opened,
    SessionCopy,
    Span,
)
from graphagent.stores.bodies import MARK, family_of, hashes_in, put_back

R = TypeVar("R", CheckpointRow, Delta, EffectRow, EventBatch, InputRow)
FAMILIES = 10_000


class TabledStore:
    """See the module. What isn't here goes straight to the store."""

    def __init__(self, store: Store, tables: Tables) -> None:
        self.store, self.tables = store, tables
        self.name = store.name
        self._families: dict[SessionId, SessionId] = {}
        self._heads: dict[SessionId, Sequence[Conversation]] = {}
        """What the heads of sessions that are open here hold of messages, as far as they were stored since then."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    # ---- writes

    async def create(
        self, row: Any, genesis: CheckpointRow, blobs: Sequence[Blob], inputs: Sequence[NewInput]
    ) -> bool:  # fmt: skip
        taken = Taking(row.family)
        self._know(row.session, row.family)
        short = [taken.row(new, "body") for new in inputs]
        created = await self.store.create(row, genesis, taken.blobs(blobs), short)
        self._keep(taken)
        return created

    async def fork(self, forks: Sequence[NewFork], blobs: Sequence[Blob] = ()) -> None:
        taken = Taking(forks[0].row.family)
        short = [replace(f, inputs=tuple(taken.row(new, "body") for new in f.inputs)) for f in forks]
        await self.store.fork(short, taken.blobs(blobs))
        self._keep(taken)

    async def adopt(self, copies: Sequence[SessionCopy], blobs: Sequence[Blob]) -> None:
        taken = Taking(copies[0].row.family)
        short = [
            replace(
                copy,
                checkpoints=taken.rows(copy.checkpoints),
                deltas=taken.rows(copy.deltas),
                effects=taken.rows(copy.effects),
                events=taken.rows(copy.events),
                inputs=taken.rows(copy.inputs),
            )
            for copy in copies
        ]
        await self.store.adopt(short, taken.blobs(blobs))

    async def commit(self, *commits: Commit) -> None:
        session = commits[0].session
        if holds_bodies(commits[0]) if len(commits) == 1 else any(holds_bodies(commit) for commit in commits):
            taken = Taking(await self._family(session), self._heads.pop(session, ()))
            await self.store.commit(*[taken.commit(commit) for commit in commits])
            self._keep(taken)
            self._heads[session] = taken.head
        else:
            await self.store.commit(*commits)
        if commits[-1].release:
            self._heads.pop(session, None)
        for commit in commits:
            for result in commit.cached:
                self.tables.keep_result(result)

    async def release(self, session: SessionId, epoch: int) -> None:
        self._heads.pop(session, None)
        await self.store.release(session, epoch)

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        try:
            return await self._whole(await self.store.accept(session, new))
        except Conflict:
            there = await self._same(session, new)
            if there is None:
                raise
            return there

    async def _same(self, session: SessionId, new: NewInput) -> InputRow | None:
        """An input that came with the session, by reference, so that the store couldn't see that it is this one."""
        for row in await self.inputs(session):
            if row.message_id == new.message_id:
                return row if (row.kind, row.body) == (new.kind, new.body) else None
        return None

    # ---- reads

    async def takeover(self, session: SessionId, worker: WorkerId, new: NewInput | None = None) -> Opened:
        self._heads.pop(session, None)
        try:
            opened = await self.store.takeover(session, worker, new)
        except Conflict:
            if new is None or await self._same(session, new) is None:
                raise
            opened = await self.store.takeover(session, worker)
        self._know(session, opened.row.family)
        rows: list[Any] = [opened.checkpoint, *opened.journal, *opened.inputs]
        whole = await self._all(rows)
        if whole is rows:
            return opened
        journal = 1 + len(opened.journal)
        return replace(opened, checkpoint=whole[0], journal=tuple(whole[1:journal]), inputs=tuple(whole[journal:]))

    async def checkpoint(self, checkpoint: CheckpointId) -> CheckpointRow:
        return await self._whole(await self.store.checkpoint(checkpoint))

    async def checkpoints(
        self, spans: Sequence[Span], *, limit: int = 100, newest: bool = False
    ) -> list[CheckpointRow]:
        return await self._all(await self.store.checkpoints(spans, limit=limit, newest=newest))

    async def deltas(self, spans: Sequence[Span], channel: str) -> list[Delta]:
        return await self._all(await self.store.deltas(spans, channel))

    async def events(self, spans: Sequence[Span], *, limit: int | None = None) -> list[EventBatch]:
        return await self._all(await self.store.events(spans, limit=limit))

    async def effects(self, spans: Sequence[Span]) -> list[EffectRow]:
        return await self._all(await self.store.effects(spans))

    async def inputs(self, session: SessionId, *, after: int = 0) -> list[InputRow]:
        return await self._all(await self.store.inputs(session, after=after))

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        found = await self.store.blobs(family, hashes)
        short = {name: data for name, data in found.items() if data.startswith(MARK)}
        if short:
            bodies = await self._bodies(family, short.values())
            for name, data in short.items():
                found[name] = put_back(data, bodies)
                if digest(found[name]) != name:
                    raise StoreCorrupt(f"{self.name}: blob {name.hex()} of family {family} is damaged")
        return found

    async def cached(self, key: bytes) -> bytes | None:
        known = self.tables.cache.get(key, lambda result: result.whole)
        return known.data if known is not None else await self.store.cached(key)

    # ---- bodies

    async def _whole(self, row: R) -> R:
        return (await self._all([row]))[0]

    async def _all(self, rows: list[R]) -> list[R]:
        """These rows with the bodies put back, which are fetched together; the same list where none is missing."""
        datas = [data for row in rows if (data := getattr(row, FIELDS[type(row)])) and data.startswith(MARK)]
        family = family_of(datas)
        if family is None:
            return rows
        bodies = await self._bodies(family, datas)

        def whole(row: R) -> R:
            name = FIELDS[type(row)]
            data = getattr(row, name)
            if not data or not data.startswith(MARK):
                return row
            changed: Any = {name: put_back(data, bodies)}
            return replace(row, **changed)

        return [whole(row) for row in rows]

    async def _bodies(self, family: SessionId, datas: Any) -> dict[bytes, bytes]:
        """The bodies that these rows refer to: from the table, and the others in one read."""
        table = self.tables.messages
        wanted = list(dict.fromkeys(name for data in datas for name in hashes_in(data)))
        there: dict[bytes, bytes] = {}
        for name in wanted:
            body = table.get((family, name), _named(name))
            if body is not None:
                there[name] = body
        missing = [name for name in wanted if name not in there]
        if missing:
            with table.rebuilding(len(missing)):
                found = await self.store.blobs(family, missing)
            for name, body in found.items():
                table.put((family, name), body, len(body))
            there |= found
        return there

    def _keep(self, taken: Taking) -> None:
        for name, body in taken.bodies.items():
            self.tables.messages.put((taken.family, name), body, len(body))

    # ---- families

    def _know(self, session: SessionId, family: SessionId) -> None:
        self._families[session] = family
        if len(self._families) > FAMILIES:
            del self._families[next(iter(self._families))]

    async def _family(self, session: SessionId) -> SessionId:
        if session not in self._families:
            self._know(session, (await self.store.session(session)).family)
        return self._families[session]


def _named(name: bytes) -> Callable[[bytes], bool]:
    return lambda body: digest(body) == name


def with_tables(store: Store, tables: Tables) -> Store:
    """The store with these tables before it."""
    return cast(Store, TabledStore(store, tables))


def as_stored(store: Store) -> Store:
    """The same store without tables: it gives rows as they are stored, with references to messages."""
    return store.store if isinstance(store, TabledStore) else store

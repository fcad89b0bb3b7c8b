"""Verifying a whole store: every row, every blob, every digest of every session. No code of a graph runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache

from graphagent.errors import GraphAgentError, NotFound, StoreCorrupt, StoreError
from graphagent.graph.compile import load_plan
from graphagent.graph.plan import GraphPlan
from graphagent.ids import CheckpointId, SessionId
from graphagent.ports import Artifacts, Store, Stored
from graphagent.session.checking import Checker, Problem
from graphagent.session.gathering import ALL, own_rows
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import CheckpointRow, SessionQuery, SessionRow, Span

BATCH = 100


@dataclass(slots=True)
class Verified:
    """How much was read, and what is damaged."""

    sessions: int = 0
    checkpoints: int = 0
    blobs: int = 0
    artifacts: int = 0
    problems: list[Problem] = field(default_factory=list)


async def verify_store(store: Store, artifacts: Artifacts | None = None) -> Verified:
    """Read everything and check it, and the content of all artifacts if it is given where that is.

    Sessions may run meanwhile: what is newer than their rows is left out.
    """
    found = Verified()
    try:
        entries = await store.sessions(SessionQuery(children=True, limit=ALL))
    except StoreCorrupt as error:
        found.problems.append(Problem(None, f"the sessions can't be listed: {error.message}"))
        return found
    families: dict[SessionId, list[SessionRow]] = {}
    for entry in entries:
        families.setdefault(entry.row.family, []).append(entry.row)
    for family, rows in sorted(families.items()):
        await _verify_family(store, family, sorted(rows, key=lambda row: row.session), found)
        await _verify_artifacts(store, artifacts, family, found)
    return found


async def _verify_artifacts(store: Store, artifacts: Artifacts | None, family: SessionId, found: Verified) -> None:
    try:
        rows = await store.artifacts(family)
    except StoreCorrupt as error:
        found.problems.append(Problem(family, error.message))
        return
    found.artifacts += len(rows)
    for row in rows if artifacts is not None else ():
        try:
            if row.kept and artifacts is not None:
                await artifacts.verify(family, Stored(row.hash, row.size))
        except StoreError as error:
            found.problems.append(
                Problem(row.session, f"artifact {row.artifact}: {error.message}", None, row.superstep)
            )


async def _verify_family(store: Store, family: SessionId, rows: list[SessionRow], found: Verified) -> None:
    blobs: dict[bytes, bytes] = {}
    try:
        async for part in _read_blobs(store, family, found):
            blobs |= part
    except StoreCorrupt as error:
        found.problems.append(Problem(family, f"its blobs can't be listed: {error.message}"))

    @cache
    def graph(hash: bytes) -> GraphPlan:
        try:
            return load_plan(blobs[hash]).graph
        except GraphAgentError as error:
            raise ValueError(f"the plan can't be read: {error}") from error

    checker = Checker(blobs, graph)
    for row in rows:
        await _verify_session(store, row, checker, found)


async def _read_blobs(store: Store, family: SessionId, found: Verified) -> AsyncIterator[dict[bytes, bytes]]:
    """The blobs that are whole; the others are noted."""
    hashes = await store.blob_hashes(family)
    found.blobs += len(hashes)
    for at in range(0, len(hashes), BATCH):
        some = hashes[at : at + BATCH]
        try:
            yield await store.blobs(family, some)
        except StoreCorrupt:
            for hash in some:
                try:
                    yield await store.blobs(family, [hash])
                except StoreCorrupt as error:
                    found.problems.append(Problem(family, error.message))


async def _verify_session(store: Store, row: SessionRow, checker: Checker, found: Verified) -> None:
    found.sessions += 1
    try:
        row = await store.session(row.session)
        before: CheckpointRow | None = None
        first = -1
        if row.lineage:
            first = row.lineage[-1].superstep
            before = await checkpoint_at(store, row, first)
        copy = await own_rows(store, row, [Span(row.session, first, None)])
    except NotFound:
        if await _is_there(store, row.session):
            found.problems.append(
                Problem(row.session, "the checkpoint of its origin from which it was forked is missing")
            )
        return  # else it was deleted meanwhile
    except StoreCorrupt as error:
        checkpoint = None if error.checkpoint is None else CheckpointId(error.checkpoint)
        found.problems.append(Problem(row.session, error.message, checkpoint))
        return
    found.checkpoints += len(copy.checkpoints)
    if not copy.checkpoints and (before is None or before.checkpoint != row.head):
        found.problems.append(Problem(row.session, f"its head, checkpoint {row.head}, is missing", row.head))
    for problem in checker.problems(copy, before):
        found.problems.append(problem)


async def _is_there(store: Store, session: SessionId) -> bool:
    try:
        await store.session(session)
    except NotFound:
        return False
    return True

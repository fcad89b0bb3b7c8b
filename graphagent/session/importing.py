"""Importing a session: everything is checked first, then stored in one transaction. Nothing of it runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import trio

from graphagent.engine.artifacts import label
from graphagent.errors import ArchiveInvalid, Conflict, GraphAgentError, NotFound
from graphagent.graph.compile import load_plan
from graphagent.graph.plan import Plan
from graphagent.graph.shipped import SHIPPED
from graphagent.ids import SessionId
from graphagent.session.archive import Archive, read_archive
from graphagent.session.checking import Checker, is_canonical
from graphagent.session.loading import load_snapshot
from graphagent.session.new_ids import with_new_ids
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import SessionCopy, SessionRow
from graphagent.stores.memory import MemoryStore

if TYPE_CHECKING:
    from graphagent.session.host import Host

MAX_BYTES = 4 << 30
"""A larger file isn't read."""


async def import_session(host: Host, file: Path, *, new_ids: bool = False) -> SessionRow:
    """Store the session of a file, with all that it called, and give its row.

    Args:
        new_ids: Give every session, checkpoint and question another id, so that it can stand beside the original.

    Raises:
        ArchiveInvalid: the file isn't an exported session as it was written.
        Conflict: an id is in use.
        NotFound: there is no such file.
    """
    archive = read_archive(await trio.to_thread.run_sync(read_file, file), str(file))
    await check_archive(archive, str(file))
    if new_ids:
        archive = with_new_ids(archive, SessionId.timed(host.clock.now_us(), os.urandom(10)))
    plans = {blob.hash: blob.data for blob in archive.blobs}
    copies = [_at_home(copy, load_plan(plans[copy.row.plan]), host.settings.root) for copy in archive.sessions]
    for hash, content in sorted(archive.contents.items()):  # complete before the rows that name it
        stored = await host.artifacts.put(archive.root, content, len(content))
        assert stored.hash == hash
    try:
        await host.store.adopt(copies, archive.blobs)
    except Conflict as error:
        hint = error.hint or f"graphagent import {file} --new-ids"
        raise Conflict(f"{file} can't be imported: {error.message}", hint=hint) from error
    return await host.store.session(archive.root)


def read_file(file: Path) -> bytes:
    """The bytes of a regular file."""
    try:
        if not file.is_file():
            raise NotFound(f"there is no file {file}")
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size > MAX_BYTES:
                raise ArchiveInvalid(f"{file} has {size:,} bytes; this release reads up to {MAX_BYTES:,}")
            return opened.read(size)
    except OSError as error:
        raise NotFound(f"{file} can't be read: {error.strerror}") from error


async def check_archive(archive: Archive, name: str) -> None:
    """Check all rows and digests of an archive.

    Raises:
        ArchiveInvalid: something doesn't fit.
    """
    what = _shape(archive)
    blobs = {blob.hash: blob.data for blob in archive.blobs}
    if what is None and not all(is_canonical(data) for data in blobs.values()):
        what = "a value isn't in its canonical form"
    if what is not None:
        raise ArchiveInvalid(f"{name} is no export that graphagent wrote: {what}")

    @cache
    def plan(hash: bytes) -> Plan:
        return _plan(blobs[hash])

    checker = Checker(blobs, lambda hash: plan(hash).graph)
    for copy in archive.sessions:
        for problem in checker.problems(copy):
            where = "" if problem.superstep is None else f", superstep {problem.superstep}"
            message = f"{name} is damaged: session {problem.session}{where}: {problem.what}"
            raise ArchiveInvalid(message, hint="export the session again")
    try:
        await _load_heads(archive, plan)
    except (GraphAgentError, KeyError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ArchiveInvalid(f"{name}: a session in it can't be opened: {error}") from error


def _plan(document: bytes) -> Plan:
    """A plan as foreign bytes have it; whatever is wrong with it is a ValueError."""
    try:
        return load_plan(document)
    except (GraphAgentError, KeyError, TypeError, LookupError, AttributeError, AssertionError, RecursionError) as error:
        raise ValueError(f"the plan can't be read: {error}") from error


async def _load_heads(archive: Archive, plan: Callable[[bytes], Plan]) -> None:
    """Load every head with the plan that it goes on with, and what a collection left below the floors."""
    store = MemoryStore()
    await store.adopt(archive.sessions, archive.blobs)
    for copy in archive.sessions:
        row = copy.row
        kept = {c.snapshot for c in copy.checkpoints if c.superstep < row.floor_superstep}
        for snapshot in sorted({row.head_superstep} | kept):
            checkpoint = await checkpoint_at(store, row, snapshot)
            graph = plan(row.plan if snapshot == row.head_superstep else checkpoint.plan).graph
            await load_snapshot(store, row, graph, checkpoint)


def _shape(archive: Archive) -> str | None:
    """What is wrong with the numbers and ids of an archive."""
    copies = {copy.row.session: copy for copy in archive.sessions}
    if len(copies) != len(archive.sessions) or archive.root not in copies:
        return "its sessions aren't those that it names"
    below = {archive.root}
    for _ in copies:
        below |= {s for s, copy in copies.items() if copy.row.caller in below}
    if below != copies.keys() or copies[archive.root].row.caller is not None:
        return "its sessions don't call each other"
    ids = [c.checkpoint for copy in archive.sessions for c in copy.checkpoints]
    asked = [i.interrupt for copy in archive.sessions for i in copy.interrupts]
    keys = [e.write_key for copy in archive.sessions for e in copy.effects if e.write_key is not None]
    kept = [a.artifact for copy in archive.sessions for a in copy.artifacts]
    if _repeated(ids) or _repeated(asked) or _repeated(keys) or _repeated(kept):
        return "an id or write key is in it twice"
    return next((what for copy in archive.sessions if (what := _rows(copy)) is not None), None)


def _repeated(values: Iterable[Hashable]) -> bool:
    return any(n > 1 for n in Counter(values).values())


def _rows(copy: SessionCopy) -> str | None:
    """What is wrong with the numbers in a session's rows."""
    row, head = copy.row, copy.row.head_superstep
    steps = [c.superstep for c in copy.checkpoints]
    numbers = [new.n for new in copy.inputs]
    if not steps or steps[-1] != head - 1 or not 0 <= row.floor_superstep <= head:
        return "a session has no head"
    if steps[0] != -1 and row.floor_superstep <= steps[0]:
        return "a session has no beginning"
    if any((c.kind == "genesis") != (c.superstep == -1) for c in copy.checkpoints):
        return "a session begins in two places"
    if min(row.epoch, row.commit_n, row.event_n, row.input_n, row.taken_n) < 0 or row.taken_n > row.input_n:
        return "a counter is out of its range"
    if numbers != list(range(row.first_input + 1, row.input_n + 1)):
        return "inputs are missing"
    if any((new.taken_by is None) != (new.n > row.taken_n) for new in copy.inputs):
        return "inputs are taken out of order"
    if any(not 0 <= e.superstep <= head for e in copy.effects):
        return "a call belongs to no superstep"
    if any(i.session != row.session for i in copy.interrupts):
        return "a question belongs to another session"
    if any(a.session != row.session or not 0 <= a.superstep <= head for a in copy.artifacts):
        return "an artifact belongs to no superstep of its session"
    if any(label(a.name or "") != (a.name or "") or label(a.media_type) != a.media_type for a in copy.artifacts):
        return "an artifact has a name that none can have"
    keyed: list[list[Hashable]] = [
        [e.key for e in copy.effects], [(b.superstep, b.first) for b in copy.events],
        [(d.channel, d.superstep) for d in copy.deltas], [i.message_id for i in copy.inputs],
    ]  # fmt: skip
    return "a row is in it twice" if any(map(_repeated, keyed)) else None


def _at_home(copy: SessionCopy, plan: Plan, root: Path) -> SessionCopy:
    """The session in this project: its graph's file is the one in the same place here, if that is inside.

    Modules of a graph are looked for beside its file; a file from elsewhere may not say where.
    """
    name = copy.row.graph_file
    file = None
    if name is not None and _stays_inside(PurePosixPath(name)):
        folder = PurePosixPath(name).parent
        if all(_stays_inside(folder / inner) for inner in plan.folders if inner != SHIPPED):
            file = str(root / name)
    return replace(copy, row=replace(copy.row, graph_file=file))


def _stays_inside(path: PurePosixPath) -> bool:
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0 or path.is_absolute():
            return False
    return True

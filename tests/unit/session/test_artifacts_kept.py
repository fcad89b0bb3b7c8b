"""How long artifacts are kept, and how they move: collection, export and import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.artifacts.memory import MemoryArtifacts
from graphagent.codec import digest
from graphagent.errors import ArchiveInvalid, NodeError, StoreCorrupt
from graphagent.ids import ArtifactId, SessionId
from graphagent.ports import Stored
from graphagent.session import operations as ops
from graphagent.session.archive import read_archive
from graphagent.session.exporting import archive_bytes, export_session, export_to
from graphagent.session.host import Host
from graphagent.session.importing import import_session
from graphagent.session.retention import collect
from graphagent.session.retention_rules import DAY_US, Retention
from graphagent.session.verifying import verify_store
from graphagent.snapshot import ArtifactRow, EffectRow, EffectState
from graphagent.stores.memory import MemoryStore
from tests.acceptance.scenarios.world import World

NEVER = 1 << 62
FUNCTIONS = """
    async def draw(n, context):
        text = f"{context.session} {n} " + "~" * 500
        drawn = await context.save_artifact(f"../{n}.txt", text, "text/plain")
        return {"drawn": drawn, "note": "see " + drawn["id"] if n < 0 else "nothing to see"}
"""
GRAPH = """
    inputs: { first: int }
    outputs: { drawn: Artifact }
    limits: { supersteps: 20 }
    channels:
      n: { type: int, reducer: sum, scope: session }
      drawn: { type: Artifact, scope: session }
      notes: { type: "list[str]", reducer: append, scope: session }
    start: draw
    nodes:
      draw:
        kind: code
        python: fns:draw
        with: { n: "${ n + inputs.first }" }
        returns: { drawn: Artifact, note: str }
        writes: { drawn: "${ out.drawn }", n: 1, notes: "${ [out.note] }" }
        next: [{ when: n % 3 != 0, to: draw }, { to: end }]
"""
Case = Callable[[World], Awaitable[None]]


def played(tmp_path: Path, case: Case, kind: str = "sqlite") -> None:
    async def main() -> None:
        world = World(tmp_path / "world", None if kind == "memory" else "sessions.db")
        world.functions(FUNCTIONS)
        await world.begin()
        try:
            await case(world)
            assert (await verify_store(world.store, world.artifacts)).problems == []
        finally:
            await world.store.aclose()

    concurrency.run_sync(main)


async def drawn(world: World, session: SessionId) -> list[ArtifactRow]:
    """The artifacts of a session, as they were put."""
    family = (await world.row(session)).family
    rows = [row for row in await world.store.artifacts(family) if row.session == session]
    return sorted(rows, key=lambda row: row.superstep)


async def with_a_fork(world: World, first: int) -> tuple[SessionId, SessionId]:
    """A session that drew three pictures, and a fork of it that drew the last two anew; the fork is past its time."""
    session = (await world.start(GRAPH, {"first": first})).row.session
    fork = (await ops.fork(world.host, session, 2)).row.session
    assert (await world.resume(fork)).row.status == "done"
    assert [len(await drawn(world, s)) for s in (session, fork)] == [3, 2]
    world.clock.skipped += 31 * DAY_US
    await world.run_again(session, {"first": first})
    return session, fork


async def gc(world: World, **more: Any) -> tuple[int, int]:
    found = await collect(world.store, world.clock, Retention(keep_every=1000), artifacts=world.artifacts, **more)
    return found.artifacts, found.strays


def test_what_nobody_names_goes_and_its_content_a_day_later(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        session, fork = await with_a_fork(world, 0)
        second, third = await drawn(world, fork)
        assert await gc(world, dry_run=True) == (1, 0)
        assert await gc(world) == (1, 0)
        assert await drawn(world, fork) == [third], "the head's value names it"
        assert len(await drawn(world, session)) == 6
        family = (await world.row(session)).family
        assert await world.artifacts.read(family, Stored(second.hash, second.size), 0, 4) == b"ses_"
        assert await gc(world) == (0, 0)
        world.clock.skipped += 2 * DAY_US
        assert await gc(world, dry_run=True) == (0, 1)
        assert await gc(world) == (0, 1)
        with pytest.raises(StoreCorrupt):
            await world.artifacts.read(family, Stored(second.hash, second.size), 0, 4)

    played(tmp_path, case, "memory")  # a folder's times are the machine's


def test_a_text_that_names_an_artifact_keeps_it(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        _, fork = await with_a_fork(world, -9)
        assert await gc(world) == (0, 0)
        assert len(await drawn(world, fork)) == 2

    played(tmp_path, case)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_family_goes_with_its_artifacts(tmp_path: Path, kind: str) -> None:
    async def case(world: World) -> None:
        session = (await world.start(GRAPH, {"first": 0})).row.session
        world.clock.skipped += 31 * DAY_US
        assert await gc(world) == (0, 3)
        assert await world.store.artifacts(session) == []
        assert await world.artifacts.families() == []

    played(tmp_path, case, kind)


def test_what_an_open_superstep_put_stays(tmp_path: Path) -> None:
    """Content has no row before its superstep is committed. What the journal names stays."""

    async def case(world: World) -> None:
        done = await world.start(GRAPH, {"first": 0})
        row = done.row
        named, lost = b"the journal names it", b"nobody does"
        for data in (named, lost):
            await world.artifacts.put(row.session, data, NEVER)
        opened = await world.store.takeover(row.session, world.host.worker)
        artifact = ArtifactId.of(digest(named)[:16])
        effect = EffectRow(
            row.head_superstep, "draw", 0, 0, "tool", "t", "read", EffectState.DONE, outcome=f'"{artifact}"'.encode()
        )
        await world.store.append(row.session, opened.row.epoch, [effect])
        await world.store.release(row.session, opened.row.epoch)
        world.clock.skipped += 2 * DAY_US
        assert await gc(world) == (0, 1)
        assert digest(named) in await world.artifacts.kept(row.session)
        assert digest(lost) not in await world.artifacts.kept(row.session)

    played(tmp_path, case)


# ---- export and import -----------------------------------------------------------------------------------------------


async def moved(world: World, session: SessionId, folder: Path, **more: Any) -> tuple[Host, Path]:
    """Another host, in which nothing is yet, and the file."""
    file = folder / "x.gasession"
    done = await export_to(world.host, await world.row(session), file, **more)
    assert (done.size, done.digest) == (file.stat().st_size, digest(file.read_bytes()))
    there = Host(world.settings, MemoryStore(), world.clock, world.host.models, MemoryArtifacts())
    return there, file


@pytest.mark.parametrize("new_ids", [False, True])
def test_a_session_takes_its_artifacts_along(tmp_path: Path, new_ids: bool) -> None:
    async def case(world: World) -> None:
        session, fork = await with_a_fork(world, 0)
        there, file = await moved(world, fork, tmp_path)
        row = await import_session(there, file, new_ids=new_ids)
        rows = await there.store.artifacts(row.family)
        own = await drawn(world, fork)
        inherited = [a for a in await drawn(world, session) if a.superstep <= 2]
        assert {a.artifact for a in rows} >= {a.artifact for a in (*own, *inherited[:1])}
        assert {a.session for a in rows} == {row.session}
        assert (await verify_store(there.store, there.artifacts)).problems == []
        assert (await ops.replay(there, row.session)).identical
        assert await there.artifacts.read(row.family, Stored(own[0].hash, own[0].size), 0, 4) == b"ses_"
        if not new_ids:
            again = tmp_path / "again.gasession"
            await export_to(there, await there.store.session(fork), again)
            assert again.read_bytes() == file.read_bytes()

    played(tmp_path, case)


def test_artifacts_can_be_left_out(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        session = (await world.start(GRAPH, {"first": 0})).row.session
        there, file = await moved(world, session, tmp_path, artifacts=False)
        assert b"~~~~" not in file.read_bytes()
        row = await import_session(there, file)
        rows = await there.store.artifacts(row.family)
        assert [a.kept for a in rows] == [False] * 3
        assert await there.artifacts.families() == []
        assert (await verify_store(there.store, there.artifacts)).problems == []
        with pytest.raises(NodeError, match="left out") as caught:
            await there.shelf(row).read(rows[0], 0, 9)
        assert caught.value.cause == "artifact_left_out"
        assert (await ops.replay(there, session)).identical, "the code puts, and never reads"
        whole, more = await moved(world, session, tmp_path)
        await import_session(whole, more)
        assert [a.kept for a in await whole.store.artifacts(session)] == [True] * 3

    played(tmp_path, case)


def test_damaged_content_is_not_exported(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        session = (await world.start(GRAPH, {"first": 0})).row.session
        (first, *_) = await drawn(world, session)
        data = await world.artifacts.read(session, Stored(first.hash, first.size), 0, NEVER)
        await world.artifacts.remove(session, first.hash, NEVER)
        with pytest.raises(StoreCorrupt) as caught:
            await moved(world, session, tmp_path)
        assert "--no-artifacts" in str(caught.value.hint)
        assert [p.name for p in tmp_path.iterdir()] == ["world"], "no half of a file is left"
        await moved(world, session, tmp_path, artifacts=False)
        await world.artifacts.put(session, data, NEVER)

    played(tmp_path, case)


def test_a_file_whose_content_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        session = (await world.start(GRAPH, {"first": 0})).row.session
        archive = await export_session(world.host, await world.row(session))
        contents = [
            await world.artifacts.read(session, Stored(hash, row.size), 0, NEVER)
            for hash, row in sorted(archive.artifacts.items())
        ]
        good = archive_bytes(archive, contents)
        assert len(read_archive(good, "good").contents) == 3
        (copy,) = archive.sessions
        renamed = replace(copy.artifacts[0], artifact=ArtifactId.of(b"x" * 16))
        other = replace(archive, sessions=(replace(copy, artifacts=(renamed, *copy.artifacts[1:])),))
        longer = replace(copy.artifacts[0], size=copy.artifacts[0].size + 1)
        long = replace(archive, sessions=(replace(copy, artifacts=(longer, *copy.artifacts[1:])),))
        for bad in (
            archive_bytes(archive), archive_bytes(archive, contents[:2]), archive_bytes(archive, [*contents, b"more"]),
            archive_bytes(archive, [*contents[:2], contents[2][:-1]]), archive_bytes(other, contents),
            archive_bytes(long, contents),
        ):  # fmt: skip
            with pytest.raises(ArchiveInvalid, match="no export that graphagent wrote"):
                read_archive(bad, "bad")

    played(tmp_path, case)


def test_rows_of_artifacts_that_no_export_has_are_refused(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        session = (await world.start(GRAPH, {"first": 0})).row.session
        archive = await export_session(world.host, await world.row(session), artifacts=False)
        (copy,) = archive.sessions
        first, *others = copy.artifacts
        for wrong, why in (
            ((replace(first, name="a\0b"), *others), "a name that none can have"),
            ((replace(first, name="x" * 256), *others), "a name that none can have"),
            ((replace(first, superstep=99), *others), "belongs to no superstep"),
            ((replace(first, session=SessionId.derive("other")), *others), "belongs to no superstep"),
            ((first, first), "is in it twice"),
        ):
            file = tmp_path / "x.gasession"
            file.write_bytes(archive_bytes(replace(archive, sessions=(replace(copy, artifacts=wrong),))))
            there = Host(world.settings, MemoryStore(), world.clock, world.host.models)
            with pytest.raises(ArchiveInvalid, match=why):
                await import_session(there, file)

    played(tmp_path, case)

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from graphagent import concurrency
from graphagent.ids import SessionId
from graphagent.ports import Store
from graphagent.session import migrating
from graphagent.session import operations as ops
from graphagent.session.exporting import archive_bytes, export_session
from graphagent.session.forking import fork as ops_fork
from graphagent.session.graph_file import read_graph_file
from graphagent.session.host import Host
from graphagent.session.importing import import_session
from graphagent.session.verifying import verify_store
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.corpus.sessions import PROJECT, SESSIONS, answer, host_on

pytestmark = pytest.mark.slow

NAMES = list(SESSIONS)


async def exported(host: Host, session: SessionId) -> bytes:
    return archive_bytes(await export_session(host, await host.store.session(session)))


async def replayed(host: Host, session: SessionId) -> list[bytes]:
    """The digests of a session that replays as it was recorded, its children too."""
    report = await ops.replay(host, session)
    assert report.identical, report.first_difference
    row = await host.store.session(session)
    assert len(report.supersteps) == row.head_superstep
    found = [s.recorded for s in report.supersteps]
    for child in await host.store.children(session):
        found += await replayed(host, child.session)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_session_is_the_same_after_its_import(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        there = host_on(MemoryStore())
        session = await SESSIONS[name](there)
        file = tmp_path / "x.gasession"
        file.write_bytes(await exported(there, session))
        for store in (MemoryStore(), await SqliteStore.open(tmp_path / "s.db")):
            here = host_on(store)
            row = await import_session(here, file)
            assert row.session == session
            assert row.owner is None
            assert await exported(here, session) == file.read_bytes()
            assert await replayed(here, session) == await replayed(there, session)
            await store.aclose()

    concurrency.run_sync(main)


async def moved(
    there: Host, session: SessionId, folder: Path, store: Store, *, new_ids: bool = False
) -> tuple[Host, SessionId]:
    file = folder / "moved.gasession"
    file.write_bytes(await exported(there, session))
    here = host_on(store)
    return here, (await import_session(here, file, new_ids=new_ids)).session


@pytest.mark.parametrize("name", NAMES)
def test_with_new_ids_it_stands_beside_the_original(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s.db")
        here = host_on(store)
        session = await SESSIONS[name](here)
        before = await exported(here, session)
        _, twin = await moved(here, session, tmp_path, store, new_ids=True)
        assert twin != session
        assert await exported(here, session) == before
        assert await replayed(here, twin) == await replayed(here, session)
        old, new = await store.session(session), await store.session(twin)
        assert (new.status, new.head_digest, new.head_superstep) == (old.status, old.head_digest, old.head_superstep)
        assert new.family == twin
        again = host_on(MemoryStore())
        (tmp_path / "twin").write_bytes(await exported(here, twin))
        await import_session(again, tmp_path / "twin")
        assert await replayed(again, twin) == await replayed(here, session)
        await store.aclose()

    concurrency.run_sync(main)


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.parametrize("name", ["waits", "dives", "asks_aside"])
def test_what_waits_goes_on_where_it_was(name: str, new_ids: bool, tmp_path: Path) -> None:
    async def main() -> None:
        there = host_on(MemoryStore())
        session = await SESSIONS[name](there)
        here, mine = await moved(there, session, tmp_path, MemoryStore(), new_ids=new_ids)
        assert [q.kind for q in await ops.open_interrupts(here, mine)] != []
        for host, one in ((there, session), (here, mine)):
            await answer(host, one)
            assert (await host.store.session(one)).status == "done"
        want, got = await there.store.session(session), await here.store.session(mine)
        assert got.head_superstep == want.head_superstep
        assert (await ops.drive(here, mine)).outputs == (await ops.drive(there, session)).outputs
        await replayed(here, mine)

    concurrency.run_sync(main)


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_forked_at_every_snapshot_and_exported_again(name: str, new_ids: bool, tmp_path: Path) -> None:
    async def main() -> None:
        there = host_on(MemoryStore())
        session = await SESSIONS[name](there)
        here, mine = await moved(there, session, tmp_path, MemoryStore(), new_ids=new_ids)
        head = (await here.store.session(mine)).head_superstep
        for at in range(0, head + 1, 2):
            fork = (await ops.fork(here, mine, at)).row.session
            await ops.resume(here, fork)
            digests = await replayed(here, fork)
            third, _ = await moved(here, fork, tmp_path, MemoryStore())
            assert await replayed(third, fork) == digests

    concurrency.run_sync(main)


async def bound_to_another_plan(host: Host) -> SessionId:
    """A session that waits, and goes on with a newer version of its graph in which a channel is gone."""
    session = await SESSIONS["waits"](host)
    text = (PROJECT / "ledger.graph.yaml").read_text(encoding="utf-8")
    newer = text.replace("Close it?", "Close it now?").replace("  n: {", "  more: { type: int, default: 7 }\n  n: {")
    plan = read_graph_file(PROJECT / "ledger.graph.yaml", PROJECT, newer.encode()).compiled()
    await migrating.migrate(host, session, plan)
    return session


async def forked_family(host: Host) -> SessionId:
    """The root of a family that was forked inside of a child."""
    session = await SESSIONS["dived"](host)
    child = (await host.store.children(session))[-1]
    made = await ops_fork(host, child.session, 1)
    await ops.resume(host, made.root)
    return made.root


async def forked_before_a_call(host: Host) -> SessionId:
    """A fork that goes on right before a call, and carries what came before it."""
    session = await SESSIONS["asked_aside"](host)
    journal = await host.store.effects((await host.store.session(session)).spans())
    at = next(e.superstep for e in journal if e.path == "right")
    fork = (await ops_fork(host, session, at, before="right:1")).row.session
    await ops.resume(host, fork)
    return fork


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.parametrize("make", [bound_to_another_plan, forked_family, forked_before_a_call])
def test_migrated_sessions_and_forks_of_all_kinds(
    make: Callable[[Host], Awaitable[SessionId]], new_ids: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        there = host_on(MemoryStore())
        session = await make(there)
        store = await SqliteStore.open(tmp_path / "s.db")
        here, mine = await moved(there, session, tmp_path, store, new_ids=new_ids)
        assert await replayed(here, mine) == await replayed(there, session)
        old, new = await there.store.session(session), await here.store.session(mine)
        assert (new.plan, new.status, new.head_digest) == (old.plan, old.status, old.head_digest)
        for host, one in ((there, session), (here, mine)):
            if await ops.open_interrupts(host, one):
                await answer(host, one)
        assert (await here.store.session(mine)).status == (await there.store.session(session)).status == "done"
        await replayed(here, mine)
        for host in (here, there):
            assert (await verify_store(host.store)).problems == []
        await store.aclose()

    concurrency.run_sync(main)

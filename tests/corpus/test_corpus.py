"""H9: sessions that earlier releases recorded are imported, shown, replayed, run on and forked by this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphagent import concurrency
from graphagent.session import operations as ops
from graphagent.session.documents import history_document, show_document
from graphagent.session.exporting import archive_bytes, export_session
from graphagent.session.importing import import_session
from graphagent.session.verifying import verify_store
from graphagent.stores.memory import MemoryStore
from graphagent.stores.sqlite import SqliteStore
from tests.acceptance.shop import ROOT
from tests.corpus.record import record
from tests.corpus.sessions import FOLDER, PROJECT, SESSIONS, answer, host_on

FILES = sorted(FOLDER.glob("*.gasession"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_session_replays_and_goes_on(file: Path, tmp_path: Path) -> None:
    async def main() -> None:
        host = host_on(await SqliteStore.open(tmp_path / "s.db"))
        row = await import_session(host, file)
        assert archive_bytes(await export_session(host, row)) == file.read_bytes()
        sessions = [row, *await host.store.children(row.session)]
        for one in sessions:
            report = await ops.replay(host, one.session)
            assert report.identical, report.first_difference
            assert len(report.supersteps) == one.head_superstep > 0
        history = (await history_document(host, row, values=True)).data()
        assert len(history["supersteps"]) == row.head_superstep
        for snapshot in range(row.head_superstep + 1):
            assert (await show_document(host, row, snapshot)).snapshot == snapshot
        if row.status == "waiting":
            await answer(host, row.session)
            assert (await host.store.session(row.session)).status == "done"
        fork = (await ops.fork(host, row.session, row.head_superstep - 1)).row.session
        await ops.resume(host, fork)
        assert (await ops.replay(host, fork)).identical
        assert (await verify_store(host.store)).problems == []
        await host.aclose()

    concurrency.run_sync(main)


def test_it_replays_with_the_world_blocked(tmp_path: Path) -> None:
    async def main() -> None:
        host = host_on(await SqliteStore.open(tmp_path / "s.db"), root=PROJECT)
        for file in FILES:
            await import_session(host, file)
        await host.aclose()

    concurrency.run_sync(main)
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.acceptance.offline", str(tmp_path / "s.db")]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    replays = json.loads(done.stdout)
    assert len(replays) > len(FILES), "children replay too"
    assert all(r["identical"] for r in replays)
    assert {r["effects"]["external"] for r in replays} == {0}


def test_every_session_is_recorded() -> None:
    assert {file.stem for file in FILES} >= SESSIONS.keys()


def test_recording_gives_what_was_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        old, new = MemoryStore(), MemoryStore()
        before = await import_session(host_on(old), FOLDER / "runs_again.gasession")
        after = await import_session(host_on(new), await record("runs_again", tmp_path))
        assert after.head_digest == before.head_digest, "one seed, one digest"

    concurrency.run_sync(main)

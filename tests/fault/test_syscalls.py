"""Any one system call of the store fails, or is the last: what was acknowledged is there, and nothing in part.

Where a call fails, the store says so in an error that tells what it means, or settles it by itself; the same step
again succeeds.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
import trio

from graphagent.errors import NotFound
from graphagent.snapshot import EffectState, SessionRow
from graphagent.stores.sqlite import SqliteStore
from tests.contract.store import BOB, next_commit
from tests.fault.harness import ROOT
from tests.fault.syscalls import SESSION, SUPERSTEPS, blob

FAULTS = [
    ("pwrite64", "error=EIO"), ("pwrite64", "error=ENOSPC"), ("pwrite64", "signal=KILL"),
    ("fdatasync", "error=EIO"), ("fdatasync", "signal=KILL"), ("fsync", "error=EIO"), ("fsync", "signal=KILL"),
    ("ftruncate", "error=EIO"), ("ftruncate", "error=ENOSPC"), ("ftruncate", "signal=KILL"),
    ("openat", "error=EIO"), ("openat", "signal=KILL"), ("unlink", "error=EIO"), ("unlink", "signal=KILL"),
    ("rename", "error=EIO"),
]  # fmt: skip
FIRST = {"pwrite64": (2, 30, 90), "fdatasync": (3, 12), "openat": (2, 6)}
"""Which calls fail in the fast run; of the others the first one."""
NEVER = {"rename", "fsync"}
"""What a store doesn't call on this system; the tests notice if it does."""


class Traced:
    """The warm process of `syscalls.py`, whose forks strace follows."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.fault.syscalls"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.line() == "ready"

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def work(self, folder: Path, call: str, fault: str, when: int) -> tuple[int, bool]:
        """Work in a folder, with one fault. Returns the exit code, and whether the fault was met."""
        assert self._process.stdin is not None
        folder.mkdir()
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        paths = [folder, *(folder / f"sessions.db{end}" for end in ("", "-wal", "-journal", "-shm"))]
        command = [
            "strace", "-f", "-p", self.line(), "-o", str(folder / "trace"), "-e", f"trace={call}",
            "-e", f"inject={call}:{fault}:when={when}", *(part for path in paths for part in ("-P", str(path))),
        ]  # fmt: skip
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            (folder / "go").touch()
            code = json.loads(self.line())["code"]
            tracer.communicate(timeout=10)
        trace = (folder / "trace").read_text()
        return code, "INJECTED" in trace or "killed by SIGKILL" in trace


@pytest.fixture(scope="module")
def traced() -> Iterator[Traced]:
    if shutil.which("strace") is None:
        pytest.skip("strace: it isn't installed, so no system call of a store was made to fail")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace: tracing is forbidden here, so no system call of a store was made to fail")
    process = Traced()
    yield process
    process.close()


def acknowledged(folder: Path) -> list[str]:
    return (folder / "acks").read_text().splitlines() if (folder / "acks").exists() else []


async def check(folder: Path) -> None:
    """All that was acknowledged is there, at most one step more, and the session goes on."""
    acks = acknowledged(folder)
    file = folder / "sessions.db"
    store = await SqliteStore.open(file)
    try:
        row: SessionRow = (await store.takeover(SESSION.session, BOB)).row
    except NotFound:
        assert "create" not in acks
        return
    else:
        head = row.head_superstep
        done = sum(ack.startswith("commit") for ack in acks)
        assert done <= head <= done + 1
        supersteps = [c.superstep for c in await store.checkpoints(row.spans(), limit=100)]
        assert supersteps == list(range(-1, head))
        effects = await store.effects(row.spans())
        assert [e.superstep for e in effects][:head] == list(range(head))
        assert all(e.state is EffectState.DONE for e in effects[:head])
        intents = sum(ack.startswith("intent") for ack in acks)
        assert intents <= len(effects) <= intents + 1
        assert [d.superstep for d in await store.deltas(row.spans(), "log")] == list(range(head))
        assert [b.first for b in await store.events(row.spans())] == [2 * k for k in range(head)]
        hashes = [blob(k).hash for k in range(head)]
        assert set(await store.blobs(row.family, hashes)) == set(hashes)
        inputs = await store.inputs(SESSION.session)
        known = sum(ack.startswith("input") for ack in acks)
        assert known <= len(inputs) <= known + 1
        await store.commit(next_commit(row, head))
    finally:
        await store.aclose()
        db = apsw.Connection(str(file))
        assert list(db.execute("pragma integrity_check")) == [("ok",)]
        db.close()


def meet(traced: Traced, folder: Path, call: str, fault: str, when: int) -> bool:
    """Work with one fault, and check what must hold. Returns whether it was met."""
    code, met = traced.work(folder, call, fault, when)
    said = (folder / "errors").read_text() if (folder / "errors").exists() else ""
    if fault == "signal=KILL" and met:
        assert code == -signal.SIGKILL
    else:
        assert code == 0, said
        assert len(acknowledged(folder)) == 3 + 3 * SUPERSTEPS
        kinds = set(re.findall(r"^(\w+):", said, re.MULTILINE))
        assert kinds <= {"StoreUnavailable", "StoreFull"}, said
        assert str(folder / "sessions.db") in said or not said
    trio.run(check, folder)
    return met


@pytest.mark.parametrize(("call", "fault"), FAULTS, ids=lambda part: part)
def test_a_call_fails(traced: Traced, tmp_path: Path, call: str, fault: str) -> None:
    met = [meet(traced, tmp_path / str(n), call, fault, n) for n in FIRST.get(call, (1,))]
    assert all(met) == (call not in NEVER)


@pytest.mark.long
@pytest.mark.parametrize(("call", "fault"), FAULTS, ids=lambda part: part)
def test_every_call_fails(traced: Traced, tmp_path: Path, call: str, fault: str) -> None:
    when = 1
    while meet(traced, tmp_path / str(when), call, fault, when):
        shutil.rmtree(tmp_path / str(when))
        when += 1
    assert (when > 1) == (call not in NEVER)

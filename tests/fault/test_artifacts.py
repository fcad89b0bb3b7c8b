"""Artifacts where processes die, the disk is full, and names are hostile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.artifacts.local import LocalArtifacts
from graphagent.codec import digest, encode
from graphagent.engine.artifacts import Shelf
from graphagent.errors import StoreCorrupt
from graphagent.ids import SessionId
from graphagent.ports import Stored
from graphagent.session.settings import beside
from graphagent.snapshot import SessionRow
from graphagent.stores.sqlite import SqliteStore
from tests.acceptance.shop import Shop, document
from tests.contract.store import next_commit, started
from tests.fault.harness import ROOT

FAMILY = SessionId.derive("family")
NEVER = 1 << 62
PUT = """
import sys, trio
from pathlib import Path
from graphagent.artifacts.local import LocalArtifacts
from graphagent.ids import SessionId

async def main():
    kept = LocalArtifacts(Path(sys.argv[1]))
    await kept.put(SessionId.derive("family"), b"a" * int(sys.argv[2]), 1 << 62)

trio.run(main)
"""


def put(root: Path, size: int, fault: str = "") -> int:
    """The exit code of a process that puts so many bytes."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GRAPHAGENT_FAULT": fault}
    command = [sys.executable, "-c", PUT, str(root), str(size)]
    return subprocess.run(command, env=env, capture_output=True, timeout=60, check=False).returncode


def test_an_upload_that_was_killed_is_swept(tmp_path: Path) -> None:
    """Nothing of it is content; what is left is removed by the next process that puts something."""
    stored = Stored(digest(b"a" * 3_000_000), 3_000_000)
    assert put(tmp_path, stored.size, "artifact.write:1:kill") == -9
    (left,) = (tmp_path / "uploads").iterdir()
    assert left.stat().st_size == stored.size

    async def look() -> None:
        kept = LocalArtifacts(tmp_path)
        assert await kept.families() == []
        with pytest.raises(StoreCorrupt, match="missing"):
            await kept.read(FAMILY, stored, 0, 1)

    trio.run(look)
    assert put(tmp_path, 5) == 0
    assert list((tmp_path / "uploads").iterdir()) == []


def test_content_that_was_renamed_is_whole(tmp_path: Path) -> None:
    stored = Stored(digest(b"a" * 1000), 1000)
    assert put(tmp_path, 1000, "artifact.rename:1:kill") == -9
    trio.run(LocalArtifacts(tmp_path).verify, FAMILY, stored)
    assert list((tmp_path / "uploads").iterdir()) == []


# ---- a full disk -----------------------------------------------------------------------------------------------------

GRAPH = """
    inputs: { mib: int }
    outputs: { told: str }
    channels: { told: { type: str, default: "" } }
    start: draw
    nodes:
      draw:
        kind: code
        python: shop_floor:draw
        with: { mib: "${ inputs.mib }" }
        writes: { told: "${ out.id }" }
        on_error: [{ when: "default(error.cause, '') == 'disk_full'", to: told, writes: { told: "${ error.kind }" } }]
        next: end
      told: { kind: set, writes: { told: "${ told + ': no room' }" }, next: end }
"""
FLOOR = """
def draw(mib, context):
    note("draw")
    return context.save_artifact("drawing", (b"~" * 1024 * 1024 for _ in range(mib)), "image/png")
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """What runs a command where `tmp_path/disk` is a disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("tmpfs: there is no unshare, so no small disk was filled")
    mount = f'mount -t tmpfs -o size=3m tmpfs "{disk}" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("tmpfs: mounting is forbidden here, so no small disk was filled")
    return command


def test_a_full_disk_is_an_error_as_data(tmp_path: Path, small_disk: list[str]) -> None:
    """The node fails with a cause that the graph routes; nothing of the upload is left, and a smaller one succeeds."""
    shop = Shop(tmp_path / "shop", GRAPH, FLOOR)
    disk = tmp_path / "disk" / "artifacts"
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")}
    env |= {"PYTHONPATH": str(ROOT), "GRAPHAGENT_ARTIFACTS": str(disk)}
    run = f'"{sys.executable}" -m graphagent run {shop.graph.name} --json -i mib='
    count = f'find "{disk}" -type f -size +0 | wc -l'
    script = f"{run}9 && {count} >files && {run}1 && {count} >>files"
    done = subprocess.run(
        [*small_disk, "sh", "-c", script], cwd=shop.folder, env=env, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    full, fits = (document(line, "") for line in done.stdout.splitlines())
    assert full["outputs"] == {"told": "unavailable: no room"}
    assert fits["outputs"]["told"].startswith("art_")
    assert (shop.folder / "files").read_text().split() == ["0", "1"]


def test_too_long_a_file_is_an_error_as_data(tmp_path: Path) -> None:
    """The same where the system forbids the size; no rights are needed for this."""
    shop = Shop(tmp_path / "shop", GRAPH, FLOOR)
    limited = ["sh", "-c", 'ulimit -f 8192; exec "$@"', "sh", sys.executable, "-m", "graphagent"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHAGENT_")} | {"PYTHONPATH": str(ROOT)}
    command = [*limited, "run", shop.graph.name, "-i", "mib=9", "--json"]
    done = subprocess.run(command, cwd=shop.folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert document(done.stdout, done.stderr)["outputs"] == {"told": "unavailable: no room"}, done.stderr
    assert [p for p in beside(shop.store).rglob("*") if p.is_file()] == []


# ---- hostile names ---------------------------------------------------------------------------------------------------

HOSTILE = [
    "../../../etc/passwd", "/etc/passwd", "..", ".", "", "\0", "a\0b", "\ud800", "C:\\con", "a/b", "~root", "-rf", "%2e%2e/",
    "$(touch x)", "\r\n\r\n<script>", "x" * 100_000, "\u202egnp.exe", "art_00000000000000000000000000",
]  # fmt: skip


@pytest.fixture(scope="module")
def store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names") / "s.db"


async def keep(file: Path, name: str, media_type: str, data: bytes) -> None:
    """Put something under a name and commit its row; what is read back is a label, and no path."""
    store = await SqliteStore.open(file)
    try:
        found = await store.find("ses_")
        row: SessionRow = (await started(store)).row if not found else await store.session(found[0])
        shelf = Shelf(LocalArtifacts(beside(file)), store, row.session, row.family, NEVER)
        artifact = await shelf.put(data, media_type, name, row.head_superstep)
        encode([artifact.name, artifact.media_type])
        await store.commit(next_commit(row, row.head_superstep, artifacts=[artifact]))
        assert await shelf.row(artifact.artifact) == artifact
        assert await shelf.read(artifact, 0, NEVER) == data
        assert artifact.name is not None
        assert len(artifact.name) <= 255
    finally:
        await store.aclose()
    files = {p.relative_to(beside(file)).as_posix() for p in beside(file).rglob("*") if not p.is_dir()} - {"lock"}
    assert f"{row.family}/{digest(data).hex()[:2]}/{digest(data).hex()}" in files
    assert all(len(p) == len(row.family) + 68 and p.startswith(row.family) for p in files)
    assert {p.name for p in file.parent.iterdir()} <= {
        f"s.db{end}" for end in ("", "-wal", "-shm", ".artifacts", ".locks")
    }


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_labels(store_file: Path, name: str) -> None:
    trio.run(keep, store_file, name, name, repr(name).encode())


@settings(max_examples=40, deadline=None)
@given(name=st.text(st.characters(codec=None)), media_type=st.text())
def test_any_name_is_a_label(store_file: Path, name: str, media_type: str) -> None:
    trio.run(keep, store_file, name, media_type, repr((name, media_type)).encode())

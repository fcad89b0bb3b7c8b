"""A store that can't be there: every way ends in a typed error that says what to do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from graphagent import concurrency
from graphagent.errors import StoreCorrupt, StoreError, StoreUnavailable
from graphagent.stores.sqlite import SqliteStore
from tests.acceptance.shop import Shop

NOBODY = 65534
GRAPH = """
    outputs: { x: int }
    channels: { x: { type: int, default: 1 } }
    start: only
    nodes: { only: { kind: set, writes: { x: 2 }, next: end } }
"""


async def use(path: Path) -> None:
    store = await SqliteStore.open(path)
    try:
        await store.find("ses_")
    finally:
        await store.aclose()


def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        concurrency.run_sync(use, path)
    assert caught.value.hint, "what to do?"
    assert str(path) in caught.value.message
    return caught.value


def a_folder(path: Path) -> None:
    path.mkdir()


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file")


def a_text(path: Path) -> None:
    path.write_text("This was never a database. " * 100)


def half_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(20))


def a_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "gone" / "far")


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (a_folder, StoreUnavailable), (below_a_file, StoreUnavailable), (a_dangling_link, StoreUnavailable),
        (a_text, StoreCorrupt), (half_a_header, StoreCorrupt),
    ],
)  # fmt: skip
def test_no_store(tmp_path: Path, made: Callable[[Path], None], kind: type[StoreError]) -> None:
    path = tmp_path / "in" / "sessions.db"
    path.parent.mkdir()
    made(path)
    assert isinstance(refused(path), kind)


def test_a_database_of_another_program(tmp_path: Path) -> None:
    import apsw

    path = tmp_path / "other.db"
    db = apsw.Connection(str(path))
    db.execute("create table bills (n)")
    db.close()
    before = path.read_bytes()
    assert isinstance(refused(path), StoreCorrupt)
    assert path.read_bytes() == before, "it was somebody's"


# ---- rights ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="graphagent-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    rmtree(folder)


@pytest.fixture
def powerless() -> Iterator[None]:
    """Root may write anywhere, so it becomes somebody else for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    yield
    if was == 0:
        os.seteuid(0)


def owned(path: Path, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)


@pytest.fixture
def sealed_folder(open_folder: Path) -> Path:
    folder = open_folder / "sealed"
    folder.mkdir()
    owned(folder, 0o555)
    return folder / "sessions.db"


@pytest.fixture
def sealed_file(open_folder: Path) -> Path:
    folder = open_folder / "open"
    folder.mkdir()
    path = folder / "sessions.db"
    concurrency.run_sync(use, path)
    owned(path, 0o444)
    owned(folder, 0o755)
    return path


def test_a_folder_without_write_permission(sealed_folder: Path, powerless: None) -> None:
    assert isinstance(refused(sealed_folder), StoreUnavailable)


def test_a_file_without_write_permission(sealed_file: Path, powerless: None) -> None:
    assert isinstance(refused(sealed_file), StoreUnavailable)


# ---- on the command line -------------------------------------------------------------------------------------------


def test_the_command_line_says_it_in_two_lines(tmp_path: Path) -> None:
    shop = Shop(tmp_path, GRAPH, "")
    (tmp_path / "store.db").mkdir()
    code, run = shop.run("--store", "store.db")
    assert code == 7
    assert "store.db" in run["told"]
    assert "hint:" in run["told"]
    assert "Traceback" not in run["told"]

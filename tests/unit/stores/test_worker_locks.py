from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphagent.errors import SessionBusy
from graphagent.stores.worker_locks import WorkerLocks
from tests.contract.store import ANN, BOB


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_lives_as_long_as_its_holder(tmp_path: Path) -> None:
    mine, other = WorkerLocks(tmp_path / "s.db"), WorkerLocks(tmp_path / "s.db")
    mine.hold(ANN)
    mine.hold(ANN)
    assert names(tmp_path) == [f"s.db.worker-{ANN}"]
    assert mine.path(ANN).stat().st_mode & 0o777 == 0o600
    assert other.living(ANN) == mine.living(ANN) == str(os.getpid())
    assert other.living(BOB) is None
    mine.release()
    assert names(tmp_path) == []
    assert other.living(ANN) is None


def test_files_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    mine = WorkerLocks(tmp_path / "s.db")
    mine.hold(ANN)
    mine.path(BOB).write_text("12345\n")
    (tmp_path / "s.db.worker").write_text("another file")
    WorkerLocks(tmp_path / "s.db").sweep()
    assert names(tmp_path) == ["s.db.worker", f"s.db.worker-{ANN}"]
    mine.release()


def test_the_dead_are_found_when_asked_for(tmp_path: Path) -> None:
    locks = WorkerLocks(tmp_path / "s.db")
    locks.path(BOB).write_text("12345\n")
    assert locks.living(BOB) is None
    assert names(tmp_path) == []


def test_one_worker_lives_in_one_place(tmp_path: Path) -> None:
    mine, other = WorkerLocks(tmp_path / "s.db"), WorkerLocks(tmp_path / "s.db")
    mine.hold(ANN)
    with pytest.raises(SessionBusy, match="alive elsewhere"):
        other.hold(ANN)
    mine.release()
    other.hold(ANN)
    other.release()


def test_a_lock_whose_file_was_removed_does_not_remove_its_successor(tmp_path: Path) -> None:
    mine, other = WorkerLocks(tmp_path / "s.db"), WorkerLocks(tmp_path / "s.db")
    mine.hold(ANN)
    mine.path(ANN).unlink()
    other.hold(ANN)
    mine.release()
    assert other.path(ANN).exists()
    other.release()

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphagent.errors import Conflict
from graphagent.session.replacing import replace_file


def only(folder: Path, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_content_is_replaced_and_the_mode_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    replace_file(file, b"new\r\n", b"old")
    assert file.read_bytes() == b"new\r\n"
    assert file.stat().st_mode & 0o7777 == 0o640
    only(tmp_path, "a.yaml")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "a.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"old")
    link.symlink_to(file)
    replace_file(link, b"new", b"old")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_goes_wrong_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, call: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else Conflict):
            replace_file(file, b"new", b"old")
    assert file.read_bytes() == b"old"
    only(tmp_path, "a.yaml")


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(Conflict, match="read-only"):
        replace_file(file, b"new", b"old")
    assert file.read_bytes() == b"old"


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="can't write"):
        replace_file(tmp_path / "none.yaml", b"new", b"old")
    only(tmp_path)


def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"theirs")
    with pytest.raises(Conflict, match="changed by somebody else in the meantime"):
        replace_file(file, b"new", b"old")
    assert file.read_bytes() == b"theirs"

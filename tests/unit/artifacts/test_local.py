from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from graphagent.artifacts.local import LocalArtifacts
from graphagent.codec import digest
from graphagent.errors import StoreCorrupt, StoreUnavailable
from graphagent.ids import SessionId
from graphagent.ports import Stored

FAMILY = SessionId.derive("family")
DATA = b"content" * 1000
NAME = digest(DATA).hex()
STORED = Stored(digest(DATA), len(DATA))
NEVER = 1 << 62


def put(root: Path, data: bytes = DATA) -> Stored:
    return trio.run(LocalArtifacts(root).put, FAMILY, data, NEVER)


def read(root: Path) -> bytes:
    return trio.run(LocalArtifacts(root).read, FAMILY, STORED, 0, NEVER)


def file_of(root: Path) -> Path:
    return root / FAMILY / NAME[:2] / NAME


def test_the_path_is_the_hash_and_nobody_else_reads_it(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    assert put(root) == STORED
    assert file_of(root).read_bytes() == DATA
    assert sorted(p.name for p in root.iterdir()) == sorted([FAMILY, "lock", "uploads"])
    assert list((root / "uploads").iterdir()) == []
    for path in (root, root / FAMILY, file_of(root).parent, file_of(root)):
        assert path.stat().st_mode & 0o077 == 0


def flipped(file: Path) -> None:
    file.write_bytes(b"X" + DATA[1:])


def cut(file: Path) -> None:
    file.write_bytes(DATA[:-1])


def gone(file: Path) -> None:
    file.unlink()


def a_link(file: Path) -> None:
    real = file.with_name("real")
    file.rename(real)
    file.symlink_to(real)


def a_link_above(file: Path) -> None:
    real = file.parent.with_name("real")
    file.parent.rename(real)
    file.parent.symlink_to(real)


def a_family_link(file: Path) -> None:
    family = file.parent.parent
    real = family.with_name("real")
    family.rename(real)
    family.symlink_to(real)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "damage", [flipped, cut, gone, a_link, a_link_above, a_family_link, a_folder, a_pipe], ids=lambda d: d.__name__
)
def test_what_is_not_the_content_is_not_read(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    put(tmp_path)
    damage(file_of(tmp_path))
    with pytest.raises(StoreCorrupt) as caught:
        read(tmp_path)
    assert NAME in caught.value.message
    assert caught.value.hint


def test_content_that_is_put_again_is_whole_again(tmp_path: Path) -> None:
    for damage in (flipped, cut, gone, a_link):
        put(tmp_path)
        damage(file_of(tmp_path))
        assert put(tmp_path) == STORED
        assert read(tmp_path) == DATA
        file_of(tmp_path).unlink()


def test_nothing_is_written_behind_a_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path
    outside.mkdir()
    for i, name in enumerate((FAMILY, "uploads", "lock", f"{FAMILY}/{NAME[:2]}")):
        root = tmp_path / f"root{i}"
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside)
        with pytest.raises(StoreUnavailable):
            put(root)
        link.unlink()
    assert list(outside.iterdir()) == []
    root.rename(tmp_path / "real")
    root.symlink_to(tmp_path / "real")  # the root itself may be one: whoever runs the program says where it is
    assert put(root) == STORED


def test_a_read_file_that_changes_is_read_whole_again(tmp_path: Path) -> None:
    async def main() -> None:
        kept = LocalArtifacts(tmp_path)
        await kept.put(FAMILY, DATA, NEVER)
        assert await kept.read(FAMILY, STORED, 0, 7) == b"content"
        flipped(file_of(tmp_path))
        with pytest.raises(StoreCorrupt, match="damaged"):
            await kept.read(FAMILY, STORED, 7, 7)

    trio.run(main)


def test_an_upload_that_goes_on_is_not_swept(tmp_path: Path) -> None:
    async def main() -> None:
        kept, other = LocalArtifacts(tmp_path), LocalArtifacts(tmp_path)

        async def content() -> object:
            yield DATA
            assert len(list((tmp_path / "uploads").iterdir())) == 1
            assert await other.sweep() == 0
            assert len(list((tmp_path / "uploads").iterdir())) == 1

        assert await kept.put(FAMILY, content(), NEVER) == STORED  # type: ignore[arg-type]

    trio.run(main)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    put(tmp_path)
    for name in ("README", "ses_short", f"{FAMILY}/notes", f"{FAMILY}/{NAME[:2]}/notes"):
        (tmp_path / name).write_text("mine")

    async def main() -> None:
        kept = LocalArtifacts(tmp_path)
        assert await kept.families() == [FAMILY]
        assert list(await kept.kept(FAMILY)) == [STORED.hash]
        assert await kept.remove(FAMILY, STORED.hash, NEVER)

    trio.run(main)
    assert (tmp_path / FAMILY / NAME[:2] / "notes").read_text() == "mine"


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a file")
    with pytest.raises(StoreUnavailable) as caught:
        put(file)
    assert caught.value.hint
    assert file.read_text() == "a file"

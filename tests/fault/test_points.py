"""SIGKILL at every named point, then resume: the same digests, no journaled effect twice, no write twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphagent.faults import KEEPING, POINTS
from tests.fault.harness import ROOT, Driver, calls, survive

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver() as process:
        yield process


@pytest.fixture(scope="module")
def golden(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An undisturbed voyage."""
    folder = tmp_path_factory.mktemp("golden")
    report = driver.order(folder, "sail")
    assert report is not None
    return {**report, "calls": calls(folder)}


def test_every_point_is_passed(golden: dict[str, Any]) -> None:
    assert [p for p in POINTS if not golden["hits"].get(p)] == []
    assert set(golden["hits"]) <= {*POINTS, *KEEPING}


def test_every_point_of_the_source_is_listed() -> None:
    text = "".join(file.read_text() for file in (ROOT / "graphagent").rglob("*.py"))
    written = set(re.findall(r'\bfault\("([a-z.]+)"\)', text)) - {"commit.before"}  # the docstring's example
    stored = set(re.findall(r'\bpoint="([a-z]+)"', text))
    known = {*POINTS, *KEEPING}
    assert written <= known
    assert stored == {p.removesuffix(".sent") for p in known if p.endswith(".sent")}


def test_two_undisturbed_voyages_agree(driver: Driver, golden: dict[str, Any], tmp_path: Path) -> None:
    report = driver.order(tmp_path, "sail")
    assert report is not None
    assert report["digests"] == golden["digests"]
    assert set(calls(tmp_path).values()) == {1}


@pytest.mark.parametrize("hit", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("point", POINTS)
def test_kill(driver: Driver, golden: dict[str, Any], tmp_path: Path, point: str, hit: int) -> None:
    went = survive(driver, tmp_path, f"{point}:{hit}:kill", golden)
    assert (went == "passed") == (hit > golden["hits"][point])


@pytest.fixture
def behind(driver: Driver) -> Iterator[Driver]:
    """The driver, whose commits become durable behind the run."""
    driver.durability = "pipelined"
    yield driver
    driver.durability = "strict"


@pytest.mark.parametrize("hit", [*(pytest.param(hit, marks=pytest.mark.long) for hit in (1, 2)), 3])
@pytest.mark.parametrize(
    "point", [p for p in POINTS if p.startswith(("commit", "append", "intent", "effect", "child"))]
)
def test_kill_with_commits_in_the_queue(
    behind: Driver, golden: dict[str, Any], tmp_path: Path, point: str, hit: int
) -> None:
    """What a crash takes from the queue runs again; what has an outcome doesn't, and no write does."""
    survive(behind, tmp_path, f"{point}:{hit}:kill", golden)


def test_commits_leave_together(behind: Driver, golden: dict[str, Any], tmp_path: Path) -> None:
    report = behind.order(tmp_path, "sail")
    assert report is not None
    assert report["digests"] == golden["digests"]
    assert report["hits"]["commit.sent"] < golden["hits"]["commit.sent"]


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_kill_at_every_hit(driver: Driver, golden: dict[str, Any], tmp_path: Path, point: str) -> None:
    for hit in range(3, golden["hits"][point] + 1):
        folder = tmp_path / str(hit)
        folder.mkdir()
        survive(driver, folder, f"{point}:{hit}:kill", golden)


@pytest.mark.long
@pytest.mark.parametrize("second", ["takeover.after", "commit.sent", "commit.after", "effect.after", "append.after"])
@pytest.mark.parametrize("point", POINTS)
def test_kill_again_while_resuming(
    driver: Driver, golden: dict[str, Any], tmp_path: Path, point: str, second: str
) -> None:
    if driver.order(tmp_path, "sail", f"{point}:1:kill") is None:
        survive(driver, tmp_path, f"{second}:1:kill", golden)

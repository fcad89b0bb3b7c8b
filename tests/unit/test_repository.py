"""The checkout itself: the lock works on any machine and no trace of one is in it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from graphagent.llm.local.install import pinned

ROOT = Path(__file__).parents[2]
LOCKS = ("base", "local", "test")
TRACES = re.compile(
    r"(?<![\w/.])/(?:opt|root|work|home/\w+|Users/\w+)/|file://|--(?:extra-)?index-url|--find-links|--trusted-host"
    r"|pypi\.(?:org|python)|files\.pythonhosted|[\w-]+\.(?:internal|local|lan|corp)(?:/|:\d)",
)


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock(name), flags=re.MULTILINE))


def committed_files() -> list[Path]:
    """What git tracks or would add; in an export without git, every file that isn't built."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    hidden = re.compile(r"(^|/)(\.(?!ci/)\w+|__pycache__|build|dist)/")
    return [p for p in ROOT.rglob("*") if p.is_file() and not hidden.search(p.relative_to(ROOT).as_posix())]


def test_no_file_names_a_machine_or_an_index() -> None:
    found = []
    for path in committed_files():
        if path == Path(__file__) or path.suffix in {".png", ".gz", ".db", ".woff2"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in TRACES.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "caught"),
    [("/opt/wheels/x", True), ("--find-links y", True), ("file:///z", True), ("#!/usr/bin/env bash", False)],
)
def test_the_search_for_traces_works(text: str, caught: bool) -> None:
    assert bool(TRACES.search(text)) is caught


@pytest.mark.parametrize("name", [*LOCKS, "weights"])
def test_a_lock_holds_pins_and_hashes_only(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if not line.startswith("#")]
    assert "://" not in "".join(lines)
    entries = " ".join(line.removesuffix("\\").strip() for line in lines)
    for entry in re.split(r" (?=[\w.-]+==)", entries):
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+", entry), entry


def test_the_locks_agree_and_contain_each_other() -> None:
    assert pins("base").items() <= pins("local").items() <= pins("test").items()


def test_the_locks_hold_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def names(lines: list[str]) -> set[str]:
        found = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in lines}
        return found - {"graphagent"}

    assert names(project["dependencies"]) <= pins("base").keys()
    assert names(extras["local"]) <= pins("local").keys()
    assert names(extras["test"]) <= pins("test").keys()


def test_the_base_install_stays_small() -> None:
    assert len(pins("base")) <= 35


def test_the_weights_are_those_of_the_package() -> None:
    assert lock("weights").splitlines()[-1] == pinned().requirement


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)[0].split()
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    internal = {"lint", "install-local", "install-test"}
    assert {line.split()[0] for line in shown.splitlines()} == set(phony) - internal

"""Voyages in processes that may be killed: the warm driver, and what must hold after each death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Self

WRITES = ("pay", "keep")
ROOT = Path(__file__).parents[2]


class Driver:
    """The warm process of `driver.py`; each order runs in a fork of it."""

    durability = "strict"
    """Of the sessions that are started."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.fault.driver"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def order(self, folder: Path, task: str, fault: str = "none:0:kill", **more: Any) -> dict[str, Any] | None:
        """The report of a task; None if the armed fault, or the end of its time `after_s`, killed it."""
        assert self._process.stdin is not None
        report = folder / "report.json"
        report.unlink(missing_ok=True)
        order = {"folder": str(folder), "task": task, "fault": fault, "durability": self.durability, **more}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._line())["code"]
        if code == -signal.SIGKILL or ("after_s" in more and code == -signal.SIGALRM):
            return None
        assert code == 0, f"{task} with {fault} ended with {code}"
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def calls(folder: Path) -> Counter[str]:
    """How often each effect was really called."""
    file = folder / "calls.log"
    return Counter(file.read_text().split("\n")[:-1]) if file.exists() else Counter()


def survive(driver: Driver, folder: Path, fault: str, golden: dict[str, Any]) -> str:
    """Kill a voyage at a point, resume it, and check what must hold. Returns how it went: `passed killed doubt`."""
    first = driver.order(folder, "sail", fault)
    if first is not None:
        assert first.get("doubt") or first["digests"] == golden["digests"]
        return "passed"
    before = calls(folder)
    known = driver.order(folder, "journal")
    assert known is not None
    assert len(known["done"]) == len(set(known["done"])), "two rows for one call"
    assert set(known["done"]) <= set(before), "an outcome without a call"
    resumed = driver.order(folder, "sail")
    assert resumed is not None
    after = calls(folder)
    assert all(after[call] == before[call] for call in known["done"]), f"a journaled effect was repeated: {after}"
    assert all(after[call] <= 1 for call in WRITES), f"a write was repeated: {after}"
    in_flight = set(before) - set(known["done"])
    assert all(after[call] - before[call] <= 1 for call in in_flight), f"called too often: {after}"
    if known["open_writes"]:
        again = driver.order(folder, "sail")
        assert resumed.get("doubt"), f"{known['open_writes']} may have happened, and the voyage went on"
        assert again is not None
        assert again.get("doubt")
        assert calls(folder) == after, "something was called while a write is in doubt"
        resumed, after = settled(driver, folder), calls(folder)
        assert all(after[call] == 1 for call in WRITES), f"a settled write was made otherwise than once: {after}"
    # The second run's number counts inputs, an answer more; a child's question is a superstep more of its callers.
    compared = {(): ["main", "child", "fork"], ("pay",): ["child", "fork"], ("keep",): ["child"]}
    for name in compared[tuple(known["open_writes"])]:
        assert resumed["digests"][name] == golden["digests"][name], "another state than without the crash"
    if "keep" not in known["open_writes"]:
        assert resumed["heads"] == golden["heads"]
    assert resumed["outputs"] == golden["outputs"]
    assert resumed["artifacts"] == golden["artifacts"]
    assert set(after) == set(golden["calls"])
    return "doubt" if known["open_writes"] else "killed"


def settled(driver: Driver, folder: Path) -> dict[str, Any]:
    """Answer the question about each write as it is asked, and sail to the end."""
    for _ in WRITES:
        answered = driver.order(folder, "settle")
        assert answered is not None
        assert answered["decided"]
        resumed = driver.order(folder, "sail")
        assert resumed is not None
        if not resumed.get("doubt"):
            return resumed
    raise AssertionError("more writes are in doubt than there are")

"""Fault points are silent until they are armed, and then count from 1."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from graphagent import faults


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    faults.arm("")


def test_nothing_is_armed() -> None:
    faults.arm("")
    faults.fault("commit.before")
    assert faults.hits() == {}


def test_the_named_hit_acts() -> None:
    faults.arm("commit.before:2:raise,commit.sent:1:sleep")
    faults.fault("commit.before")
    start = time.perf_counter()
    faults.fault("commit.sent")
    assert time.perf_counter() - start > 0.04
    with pytest.raises(faults.FaultInjected, match=r"commit\.before"):
        faults.fault("commit.before")
    faults.fault("commit.before")
    assert faults.hits() == {"commit.before": 3, "commit.sent": 1}


def test_arming_counts_anew() -> None:
    faults.arm("task.done:1:raise")
    with pytest.raises(faults.FaultInjected):
        faults.fault("task.done")
    faults.arm("task.done:2:raise")
    faults.fault("task.done")
    with pytest.raises(faults.FaultInjected):
        faults.fault("task.done")

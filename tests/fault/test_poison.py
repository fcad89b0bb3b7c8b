"""A session in which processes die is stopped after a few of them, and harms no other one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.acceptance.shop import Shop

GRAPH = """
    inputs: { deadly: bool }
    outputs: { log: "list[str]" }
    channels: { log: { type: "list[str]", reducer: append } }
    start: first
    nodes:
      first: { kind: code, python: "shop_floor:first", writes: { log: "${ [out] }" }, next: fall }
      fall: { kind: code, python: "shop_floor:fall", with: { deadly: "${ inputs.deadly }" }, writes: { log: "${ [out] }" }, next: end }
"""
FLOOR = """
    import os, signal

    def first():
        return note("first")

    def fall(deadly):
        note("fall")
        if deadly and not (HERE / "mended").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return "fell softly"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, GRAPH, FLOOR)


KILLED = -signal.SIGKILL


def test_a_session_that_kills_its_process_is_poisoned(shop: Shop) -> None:
    assert shop.run("-i", "deadly=true")[0] == KILLED
    for _ in range(5):
        assert shop.do("resume", "@last")[0] == KILLED
    assert shop.calls() == {"first": 1, "fall": 6}
    for _ in range(2):  # and stays so
        code, said = shop.do("resume", "@last")
        assert (code, said["error"]["kind"]) == (7, "session_poisoned")
        assert "died again and again in superstep 2 (fall)" in said["error"]["message"]
        assert "--force" in said["error"]["hint"]
    assert shop.calls()["fall"] == 6
    assert [(row.status, row.reason) for row in shop.rows()] == [("poisoned", "crashed")]
    code, other = shop.run("-i", "deadly=false")
    assert (code, other["outputs"]) == (0, {"log": ["first", "fell softly"]})
    poisoned = shop.rows()[-1].session
    assert shop.do("resume", poisoned, "--force")[0] == KILLED
    assert shop.do("resume", poisoned)[0] == 7
    (shop.folder / "mended").touch()
    code, mended = shop.do("resume", poisoned, "--force")
    assert (code, mended["outputs"]) == (0, {"log": ["first", "fell softly"]})
    assert shop.calls()["first"] == 2


def test_a_poisoned_session_is_forked_and_cancelled(shop: Shop) -> None:
    assert shop.run("-i", "deadly=true")[0] == KILLED
    while shop.do("resume", "@last")[0] == KILLED:
        pass
    (shop.folder / "mended").touch()
    code, fork = shop.do("fork", "@last", "--at", "-1", "--run")
    assert (code, fork["run"]["status"]) == (0, "done")
    origin = fork["origin"]["session"]
    shop.do("sessions", "cancel", origin)
    assert {row.session: row.status for row in shop.rows()}[origin] == "cancelled"

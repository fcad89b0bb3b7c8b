"""Every guarantee names tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.fault.harness import ROOT
from tests.fault.test_matrix import there

PAGE = (ROOT / "docs" / "explanation" / "guarantees.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (G\d+) [^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_guarantee_is_there() -> None:
    assert list(SECTIONS) == [f"G{n}" for n in range(1, 17)]


@pytest.mark.parametrize("guarantee", SECTIONS)
def test_a_guarantee_names_tests(guarantee: str) -> None:
    text, _, tests = SECTIONS[guarantee].partition("\nTests: ")
    named = re.findall(r"`([\w./]+::\w+)`", tests)
    assert len(text) > 60
    assert named
    assert [test for test in named if not there(test)] == []

from __future__ import annotations

import re

import pytest

from tests.fault.harness import ROOT
from tests.fault.matrix import MATRIX

ROWS = 72


def there(test: str) -> bool:
    """Whether a test of this name is in this file below `tests/`."""
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE) is not None


def test_every_row_is_there() -> None:
    assert sorted(MATRIX) == list(range(1, ROWS + 1))


@pytest.mark.parametrize("row", MATRIX)
def test_a_row_names_tests_or_a_reason(row: int) -> None:
    named = MATRIX[row]
    assert named
    assert isinstance(named, str) or [test for test in named if not there(test)] == []


def test_a_test_that_is_gone_is_noticed() -> None:
    assert not there("fault/test_points.py::test_gone")
    assert not there("fault/gone.py::test_kill")

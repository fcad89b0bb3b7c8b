from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import skip_line

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPING = """
import pytest

@pytest.mark.skip(reason="browser: no Chromium")
def test_page(): pass

def test_types():
    pytest.skip("tsc: no Node")

@pytest.mark.xfail
def test_expected(): assert False
"""


def test_the_skip_line() -> None:
    assert skip_line([]) == "skipped: none"
    reasons = ["Skipped: tsc: no Node", "browser: no Chromium", "browser: no Chromium", "later"]
    assert skip_line(reasons) == "skipped: 2 browser (no Chromium), 1 tests (later), 1 tsc (no Node)"


def test_the_last_line_names_what_was_skipped_and_a_required_skip_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(SKIPPING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "REQUIRE": "tsc,unknown", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.rstrip().split("\n")
    assert done.returncode == 1
    assert lines[-1] == "skipped: 1 browser (no Chromium)"
    assert "required, but Skipped: tsc: no Node" in lines
    assert any(line.startswith("1 failed, 1 skipped, 1 xfailed") for line in lines)

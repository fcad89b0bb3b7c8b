"""How long something takes, and how much memory, where a test says that it must be little."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 0.05
"""Within this an attack has to be refused."""
_ROOT: Final = Path(__file__).parents[2]


def best_of(call: Callable[[], Any], runs: int = 15, enough: float = LIMIT_S) -> float:
    """Seconds of processor time of the fastest run: others on the machine make a call slower, never faster."""
    best = float("inf")
    for _ in range(runs):
        began = time.thread_time()
        call()
        best = min(best, time.thread_time() - began)
        if best < enough:
            break
    return best


def refused_in_time(call: Callable[[], Any], limit: float = LIMIT_S) -> None:
    """Fails unless the call takes less than 50 ms, or the seconds that are given."""
    assert best_of(call, enough=limit) < limit


def peak_mib(code: str) -> float:
    """Peak memory in MiB of a process that runs this code, over that of one which only imports the package's parts."""
    return _peak(code) - _peak("")


@cache
def _peak(code: str) -> float:
    text = (
        "from graphagent.errors import NodeError\nfrom graphagent.graph.expressions import parse\n"
        "from graphagent.graph.plan import Template\nfrom graphagent.graph.source import parse_yaml\n"
        "from graphagent.graph.template_syntax import parse_template\nfrom graphagent.prompts.render import render\n"
        f"from tests.memory import peak_kib\n{code}\nprint(peak_kib() / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=_ROOT, capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(done.stdout)

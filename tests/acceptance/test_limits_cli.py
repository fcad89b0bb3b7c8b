"""Limits through the command line: exit 6, and the printed next step goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.acceptance.shop import Shop

LOOP = """
    outputs: { n: int }
    models: { m: scripted/echo }
    channels: { n: { type: int, reducer: sum } }
    limits: { supersteps: 90 }
    start: talk
    nodes:
      talk: { kind: llm, model: m, prompt: "Say something.", writes: { n: 1 }, next: [{ when: "n < 8", to: talk }, { to: end }] }
"""
ASK = """
    outputs: { said: str }
    channels: { said: { type: str, default: "" } }
    start: ask
    nodes:
      ask: { kind: human, mode: choose, prompt: "Which?", options: [x, y], writes: { said: "${ out.choice }" }, next: end }
"""


@pytest.mark.parametrize(
    ("flag", "value", "cause"), [("--max-supersteps", "5", "supersteps"), ("--max-tokens", "9", "tokens")]
)
def test_a_limit_and_the_flag_that_raises_it(tmp_path: Path, flag: str, value: str, cause: str) -> None:
    shop = Shop(tmp_path, LOOP, "")
    code, run = shop.run(flag, value)
    assert (code, run["status"], run["reason"], run["error"]["cause"]) == (6, "failed", "limit", cause)
    code, refused = shop.do("resume", "@last")
    assert (code, flag in refused["error"]["hint"]) == (7, True)
    for _ in range(6):
        assert run["next"][0].startswith(f"graphagent resume {run['session']} {flag} ")
        code, run = shop.do(*run["next"][0].split()[1:])
        if code == 0:
            break
        assert (code, run["error"]["cause"]) == (6, cause)
    assert run["outputs"] == {"n": 8}
    assert shop.do("replay", "@last")[0] == 0


def test_the_time_of_a_run_that_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ASK, "")
    code, run = shop.run("--timeout", "1s")
    assert (code, run["status"]) == (4, "waiting")
    time.sleep(1.1)
    code, run = shop.do("answer", "@last", "--choose", "x")
    assert (code, run["reason"], run["error"]["cause"]) == (6, "limit", "wall")
    assert shop.do("resume", "@last", "--timeout", "1s")[0] == 7
    code, run = shop.do(*run["next"][0].split()[1:])
    assert (code, run["outputs"]) == (0, {"said": "x"})
    assert shop.do("run", shop.graph.name, "--timeout", "soon")[0] == 2

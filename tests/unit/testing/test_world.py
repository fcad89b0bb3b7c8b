from __future__ import annotations

from pathlib import Path

import pytest
import trio

from graphagent import Graph, Project, trio_node
from graphagent.testing import Faults, SimulationFailed, simulate

GRAPH = """
apiVersion: graphagent/v1
kind: Graph
metadata: { name: small }
outputs: { n: int }
channels: { n: { type: int, default: 0 } }
start: count
nodes:
  count: { kind: code, python: "MODULE:NAME", writes: { n: "${ out }" }, next: NEXT }
  ask: { kind: human, mode: approve, prompt: "Go on?", next: end }
"""
TIMES = [0]


@trio_node
async def honest() -> int:
    await trio.sleep(1)
    return 7


@trio_node
async def forgetful() -> int:
    """Keeps something in its process."""
    TIMES[0] += 1
    return TIMES[0]


@trio_node
async def endless() -> int:
    await trio.sleep_forever()
    raise AssertionError


def graph(name: str, following: str = "end") -> Graph:
    project = Project(Path(__file__).parent, store="memory:", allow_modules=[__name__])
    text = GRAPH.replace("MODULE", __name__).replace("NAME", name).replace("NEXT", following)
    if following == "end":
        text = text[: text.index("  ask:")]
    return Graph.from_yaml(text, project=project)


def test_a_run_survives_what_a_seed_brings() -> None:
    met = sum(simulate(graph("honest"), seed=s, allow_modules=(__name__,)).met.total() for s in range(10))
    assert met > 5


def test_state_outside_of_channels_is_found() -> None:
    with pytest.raises(SimulationFailed, match=r"(?s)ended as done .*--seed 3"):
        simulate(graph("forgetful"), seed=3, allow_modules=(__name__,))


def test_a_run_that_hangs_is_found() -> None:
    with pytest.raises(SimulationFailed, match=r"(?s)didn't end in 100 simulated seconds.*--seed 3"):
        simulate(graph("endless"), seed=3, allow_modules=(__name__,), limit_s=100)


def test_a_question_that_nobody_answers_stays_open() -> None:
    found = simulate(graph("honest", "ask"), seed=1, allow_modules=(__name__,))
    assert (found.status, found.outputs) == ("waiting", None)
    answered = simulate(graph("honest", "ask"), seed=1, allow_modules=(__name__,), answer=lambda _: True)
    assert (answered.status, answered.outputs) == ("done", {"n": 7})


def test_chances_are_checked() -> None:
    with pytest.raises(ValueError, match="crash is 2"):
        Faults(crash=2)

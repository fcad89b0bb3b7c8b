"""Nothing depends on the hot tables, nor on where the bodies of messages are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphagent import concurrency
from graphagent.stores import bodies
from tests.acceptance.scenarios import test_agents, test_cache, test_forks, test_history, test_models, test_subgraphs
from tests.acceptance.scenarios.world import Scenario, World, play

MODULES = (test_agents, test_cache, test_forks, test_history, test_models, test_subgraphs)
CASES = [
    pytest.param(case, id=f"{module.__name__.rpartition('.')[2]}-{name}")
    for module in MODULES
    for name, test in vars(module).items()
    if (case := getattr(test, "case", None)) is not None
]


@pytest.mark.parametrize("case", CASES)
def test_emptied_tables_and_smallest_bodies_change_no_digest(
    case: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(name: str, **more: Any) -> list[list[bytes]]:
        return concurrency.run_sync(play, case, World(tmp_path / name, f"{name}.db", **more))

    calm = digests("calm")
    monkeypatch.setattr(bodies, "LEAST_BYTES", 1)
    monkeypatch.setattr(bodies, "LEAST_REPEATED", 1)
    assert digests("forgetful", forgetful=True) == calm
    assert digests("remembering") == calm

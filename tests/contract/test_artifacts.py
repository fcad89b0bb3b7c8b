"""The contract of `ports.Artifacts`, in memory and in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from graphagent.artifacts.local import LocalArtifacts
from graphagent.artifacts.memory import MemoryArtifacts
from graphagent.ports import Artifacts
from tests.contract.artifacts import CASES, Case


@pytest.mark.parametrize("kind", ["memory", "local"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_artifacts(case: Case, kind: str, tmp_path: Path) -> None:
    kept: Artifacts = MemoryArtifacts() if kind == "memory" else LocalArtifacts(tmp_path / "not" / "there" / "yet")
    trio.run(case, kept)

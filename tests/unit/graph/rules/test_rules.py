"""Every check: its page, and its golden pairs of a bad graph and the exact text that an author sees."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from graphagent.graph.diagnostics import render
from graphagent.graph.project import ProjectFolder
from graphagent.graph.rules import ELSEWHERE, RULES
from graphagent.graph.validate import check_text, validate_text

GOLDEN = Path(__file__).parents[3] / "golden"
PROJECT = ProjectFolder(GOLDEN / "project")
BAD = sorted((GOLDEN / "diagnostics").glob("*.graph.yaml"))
VALID = sorted((GOLDEN / "valid").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name.removesuffix(".graph.yaml"))
def test_findings_are_exactly_the_golden_text(path: Path) -> None:
    checked = check_text(path.read_bytes(), path.name, PROJECT)
    spec, found = checked.spec, checked.diagnostics
    shown = render(found, checked.texts) + "\n"
    assert shown == path.with_name(path.name.replace(".graph.yaml", ".txt")).read_text(encoding="utf-8")
    assert path.name[:5] in {item.code for item in found}
    assert (spec is None) == any(item.severity == "error" for item in found)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name.removesuffix(".graph.yaml"))
def test_a_valid_graph_has_no_findings(path: Path) -> None:
    spec, found, document = validate_text(path.read_bytes(), path.name)
    assert render(found, {path.name: document.source.text}) == ""
    assert spec is not None


def test_every_check_has_a_golden_pair() -> None:
    assert set(RULES) - ELSEWHERE == {path.name[:5] for path in BAD}
    assert {path.stem for path in (GOLDEN / "diagnostics").glob("*.txt")} == {
        path.name.removesuffix(".graph.yaml") for path in BAD
    }


@pytest.mark.parametrize("code", RULES)
def test_every_check_has_a_page(code: str) -> None:
    module = import_module(RULES[code])
    assert code == module.CODE
    assert module.TITLE
    assert module.__doc__ is not None
    assert re.search(r"\A\S.*\n\nWhat: .*\nWhy: .*\nExample: .*\nInstead: .*", module.__doc__, re.DOTALL)

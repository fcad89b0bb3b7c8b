"""Generated pages are those of the code, and every link between pages leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from graphagent.graph.expression_names import ARITIES
from graphagent.graph.keys import KINDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tool", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_ready_made_graph_is_found_by_its_pattern(tool: ModuleType) -> None:
    listed = {name for _, names, _ in tool.PATTERNS for name in names}
    files = {file.name.partition(".")[0].replace("_", "-") for file in (ROOT / "graphs").glob("*.graph.yaml")}
    assert listed == files - {"summarize"}, "but that of the demo"


def test_generated_pages_are_up_to_date(tool: ModuleType) -> None:
    given = tool.pages()
    there = {name: (tool.DOCS / name) for name in given}
    wrong = [n for n, file in there.items() if not file.is_file() or file.read_text(encoding="utf-8") != given[n]]
    assert wrong == [], "run: make docs"


def test_no_generated_page_is_left_over(tool: ModuleType) -> None:
    given = set(tool.pages())
    for folder in ("reference/diagnostics", "pictures/graphs"):
        there = {path.relative_to(tool.DOCS).as_posix() for path in (tool.DOCS / folder).iterdir()}
        assert there <= given


def test_every_kind_and_function_has_its_line(tool: ModuleType) -> None:
    assert set(tool.KIND_LINES) == set(KINDS)
    assert set(tool.FUNCTION_LINES) == set(ARITIES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r"<img [^>]*src=\"([^\"]+)\"", text)
    assert set(re.findall(r"\]\[(\w+)\]", text)) <= set(re.findall(r"^\[(\w+)\]: \S+$", text, re.MULTILINE))
    for target in found:
        if "://" not in target:
            assert (page.parent / target).exists(), target

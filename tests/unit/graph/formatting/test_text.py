"""What must hold for every text: the same meaning, the same comments in the same places, one style."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphagent.graph.formatting.reading import read_tree
from graphagent.graph.formatting.text import format_text
from graphagent.graph.source import parse_yaml
from graphagent.graph.validate import validate_text
from tests.unit.graph.formatting.untidy import Untidy

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "fmt"
ENDINGS = (".graph.yaml", ".library.yaml")
GRAPHS = sorted((ROOT / "tests" / "golden" / "valid").glob("*.graph.yaml"))


@st.composite
def untidy_texts(draw: Any, literals: bool = True) -> str:
    return Untidy(draw, literals).file()[0]


def formatted(text: str) -> str:
    found = format_text(text.encode(), "t.graph.yaml")
    assert found.text is not None, found.diagnostics
    return found.text


def shown(text: str) -> str:
    document = parse_yaml(text, "t")
    assert document.diagnostics == []
    return json.dumps(document.data())


def comments(text: str) -> Counter[str]:
    return Counter(read_tree(text.replace("\r\n", "\n")).comments())


@settings(max_examples=100, deadline=None)
@given(untidy_texts())
def test_meaning_and_comments_stay_and_twice_is_once(text: str) -> None:
    assume(not parse_yaml(text, "t").diagnostics)
    once = formatted(text)
    assert shown(once) == shown(text)
    assert comments(once) == comments(text)
    assert formatted(once) == once
    assert ("\r\n" in once) == ("\r\n" in text)


@settings(max_examples=100, deadline=None)
@given(untidy_texts())
def test_comments_stay_where_they_belong(text: str) -> None:
    assume(not parse_yaml(text, "t").diagnostics)
    lines = formatted(text).split("\n")
    for number, line in enumerate(lines):
        for where, name in re.findall(r"# (above|beside) (n\d+_)", line):
            below = next((one for one in lines[number:] if one.strip() and not one.lstrip().startswith("#")), "")
            before = re.findall(r"(?<!above )(?<!beside )\bn\d+_", "\n".join(lines[: number + 1]))
            near = [below, line, *before[-1:]] if where == "beside" else [below]
            assert any(re.search(rf"\b{name}", one.partition("# ")[0]) for one in near) or _is_inside(text, name)


def _is_inside(text: str, name: str) -> bool:
    """Whether the name stands for an item that has no text of its own: a list or mapping in a list."""
    return re.search(rf"(?<!above )(?<!beside ){name}", text) is None


@settings(max_examples=100, deadline=None)
@given(untidy_texts(literals=False))  # whose text is the author's
def test_the_result_is_tidy(text: str) -> None:
    assume(not parse_yaml(text, "t").diagnostics)
    once = formatted(text).replace("\r\n", "\n")
    assert once.endswith("\n")
    assert not re.search(r"\n\n\n|^\n|\n\n$", once)
    assert not re.search(r"[ \t]$", once, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.in.yaml")), ids=lambda path: path.name)
def test_golden_pairs(path: Path) -> None:
    expected = path.with_name(path.name.replace(".in.", ".out."))
    assert formatted(path.read_bytes().decode()) == expected.read_bytes().decode()
    assert formatted(expected.read_bytes().decode()) == expected.read_bytes().decode()


@pytest.mark.parametrize("text", ["a: [\n", "a: 1\na: 2\n", "a: !x 1\n", "a: *b\n", "\x00"])
def test_what_cant_be_read_is_left_alone_with_its_findings(text: str) -> None:
    found = format_text(text.encode(), "t")
    assert found.text is None
    assert found.diagnostics


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("\n\n", ""),
        ("# only\n\n\n\n# comments", "# only\n\n# comments\n"),
        ("just text", "just text\n"),
        ("--- | # c\n text\n", "---\n|  # c\n  text\n"),
        ("- a\n-   - b\n    - c\n", "- a\n- - b\n  - c\n"),
        ("\ufeffa:   1\n", "a: 1\n"),
        ("a: 1\r\nb:  2\r\n", "a: 1\r\nb: 2\r\n"),
        ("a: 1 # x\r# y\rb:  2\r", "a: 1  # x\n# y\nb: 2\n"),
        ("a: [ ]\nb: {   }\n", "a: []\nb: {}\n"),
        ("a: { b, c: }\n", "a: { b, c }\n"),
        ("? a\n: 1\n? b\n", "a: 1\nb:\n"),
        ("a: &x { b: 1 }\n*x : 2\n".replace("*x ", "c"), "a: &x { b: 1 }\nc: 2\n"),
        ("a: &x b\n*x : 2\n", "a: &x b\n*x : 2\n"),
        ("a: |+\n text\n\n\nb: 1\n", "a: |+\n  text\n\n\nb: 1\n"),
        ("a: |\n text", "a: |-\n  text\n"),
        ("a: [\n # nothing\n]\n", "# nothing\na: []\n"),
        ("# a\u2028# b\nx: 1\n", "# a\n# b\nx: 1\n"),
        ("x: 12 # a\x85# b\u2029y: [ # c\u2028# d\n1]\n", "x: 12  # a\n# b\ny:  # c\n  # d\n  - 1\n"),
        ("a: &x # b\u2028# c\n  1\n", "# b\na: &x 1  # c\n"),
        ("a:\n- b\n# of c\nc: 1\n", "a:\n  - b\n# of c\nc: 1\n"),
        ("a:\n    - b\n    # end of a\nc: 1\n", "a:\n  - b\n  # end of a\nc: 1\n"),
    ],
)
def test_small_files(before: str, after: str) -> None:
    assert formatted(before) == after
    assert formatted(after) == after


DEEP = 60


@pytest.mark.parametrize("between", [",", ",\n"])
def test_what_would_be_too_big_in_block_style_stays_in_brackets(between: str) -> None:
    text = f"a:  1\nx: {'[' * DEEP}{between.join(['1'] * 20_000)}{']' * DEEP}\n"
    once = formatted(text)
    assert once == f"a: 1\nx: {'[' * DEEP}{', '.join(['1'] * 20_000)}{']' * DEEP}\n"
    assert formatted(once) == once


def test_aliases_that_would_blow_up_in_block_style() -> None:
    deep = "[" * 40 + ", ".join(["1"] * 700) + "]" * 40
    text = f"a: &a {deep}\nb: [{', '.join(['*a'] * 9)}]\nc:  1\n"
    assert shown(formatted(text)) == shown(text)


def test_what_is_too_big_in_every_style_says_so() -> None:
    text = "x: " + "[" * DEEP + ", # c\n".join(["1"] * 20_000) + "]" * DEEP + "\n"
    found = format_text(text.encode(), "t")
    assert found.text is None
    assert [(d.code, d.span.line) for d in found.diagnostics] == [("GA007", 1)]
    assert re.search("once formatted: the file has [0-9,]+ bytes, 1,048,576 are allowed", found.diagnostics[0].message)


def test_expressions_that_would_make_a_file_too_big_stay() -> None:
    graph = (
        "apiVersion: graphagent/v1\nkind: Graph\nstart: a\nnodes:\n  a: { kind: set, writes: { x: '${ \"a\" }' } }\n"
    )
    text = graph + "#" * ((1 << 20) - len(graph) - 1) + "\n"
    assert formatted(text) == text
    assert """x: "${ 'a' }" """ in formatted(graph)


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.name)
def test_a_plan_knows_nothing_of_the_style(path: Path) -> None:
    spec, *_ = validate_text(path.read_text(encoding="utf-8"), path.name)
    again, *_ = validate_text(formatted(path.read_text(encoding="utf-8")), path.name)
    assert spec is not None
    assert again == spec


def test_the_examples_and_ready_made_graphs_are_formatted() -> None:
    folders = ("examples", "graphs", "graphagent/cli/templates")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.yaml") if file.name.endswith(ENDINGS)]
    texts = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}
    assert len(texts) > 20
    assert [name for name, text in texts.items() if formatted(text) != text] == []


def test_the_graph_of_the_readme_is_formatted() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (graph,) = re.findall(r"```yaml\n(.*?\napiVersion.*?)```", readme, re.DOTALL)
    assert formatted(graph) == graph

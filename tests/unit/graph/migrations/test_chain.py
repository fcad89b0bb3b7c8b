from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from graphagent.graph.formatting.reading import read_tree
from graphagent.graph.formatting.tree import Tree
from graphagent.graph.migrations import STEPS as OURS
from graphagent.graph.migrations.chain import Step, known_versions, migrate_text
from graphagent.graph.migrations.edits import edit_entries
from graphagent.graph.spec import API_VERSION
from graphagent.graph.validate import validate_text
from graphagent.graph.versions import OLDER, is_newer, version_help
from tests.unit.graph.migrations.steps import STEPS

GOLDEN = Path(__file__).parents[3] / "golden" / "migrate"
PAIRS = sorted(GOLDEN.glob("*.in.yaml"))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.name)
def test_golden_pairs(path: Path) -> None:
    done = migrate_text(path.read_bytes(), path.name, API_VERSION, STEPS)
    expected = path.with_name(path.name.replace(".in.", ".out.")).read_text(encoding="utf-8")
    assert done.text == expected
    assert [what for _, what in done.decisions] == ["`priority` is gone: order the nodes, or remove it"]
    line = done.decisions[0][0]
    assert expected.split("\n")[line - 1].strip().startswith("# graphagent: decide `priority`")
    spec, found, _ = validate_text(expected, path.name)
    assert spec is not None, found
    assert list(spec.graph.nodes) == ["b", "a"]
    before, after = (Counter(read_tree(text).comments()) for text in (done.before, expected))
    assert before - after == Counter()


def test_a_step_changes_no_tree() -> None:
    tree = read_tree(PAIRS[0].read_text(encoding="utf-8"))
    again = read_tree(PAIRS[0].read_text(encoding="utf-8"))
    for step in STEPS:
        step.change(tree)
    assert tree == again


def test_line_ends_stay() -> None:
    content = PAIRS[0].read_bytes().replace(b"\n", b"\r\n")
    done = migrate_text(content, "t", API_VERSION, STEPS)
    assert done.text is not None
    assert done.text.count("\n") == done.text.count("\r\n") > 20


@pytest.mark.parametrize("text", ["apiVersion:   graphagent/v1 \r\n\r\n\r\na:  1", "\ufeffapiVersion: graphagent/v1\n"])
def test_what_has_the_version_stays_to_the_byte(text: str) -> None:
    done = migrate_text(text.encode(), "t", API_VERSION, OURS)
    assert done.text == text
    assert done.version == API_VERSION


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a: 1\n", "GA001", "`apiVersion` is missing"),
        ("", "GA001", "`apiVersion` is missing"),
        ("- a\n", "GA001", "`apiVersion` is missing"),
        ("apiVersion: [1]\n", "GA001", "`apiVersion` must be text"),
        ("apiVersion: 1\n", "GA001", "`apiVersion` must be text"),
        ("apiVersion: graphagent/v2\n", "GA001", "unknown `apiVersion`: `graphagent/v2`"),
        ("apiVersion: other/v1\n", "GA001", "unknown `apiVersion`: `other/v1`"),
        ("a: [\n", "GA002", "YAML"),
    ],
)
def test_a_version_is_never_guessed(text: str, code: str, message: str) -> None:
    for steps in (OURS, STEPS):
        done = migrate_text(text.encode(), "t", API_VERSION, steps)
        assert done.text is None
        assert [found.code for found in done.diagnostics] == [code]
        assert message in done.diagnostics[0].message


def test_a_migration_only_goes_forward() -> None:
    done = migrate_text(b"apiVersion: graphagent/v1\n", "t", "graphagent/v0", STEPS)
    assert done.text is None
    assert done.diagnostics[0].message == "there is no way from `graphagent/v1` to `graphagent/v0`"


def test_a_step_that_loses_a_comment_is_caught() -> None:
    with pytest.raises(AssertionError, match="lost comments"):
        migrate_text(b"apiVersion: x/v0\n# end\na: 1 # b\n", "t", API_VERSION, (Step("x/v0", API_VERSION, drop_first),))


def drop_first(tree: Tree) -> Tree:
    """A step that forgets what stands above and beside an entry."""
    return edit_entries(tree, ("a",), lambda entry: replace(entry, before=(), beside=()))


def test_versions() -> None:
    assert known_versions(STEPS) == ["graphagent/v0", "graphagent/v1"]
    assert known_versions(OURS) == [API_VERSION]
    assert {step.source for step in OURS} == set(OLDER)
    assert [is_newer(v) for v in ("graphagent/v1", "graphagent/v2", "graphagent/v10", "v2", "graphagent/v02", "x")] == [
        False, True, True, False, False, False,
    ]  # fmt: skip
    assert "upgrade graphagent" in version_help("graphagent/v2")
    assert "graphagent migrate" in version_help("graphagent/v0", ["graphagent/v0"])
    assert version_help("nonsense") == "this release reads `graphagent/v1`"

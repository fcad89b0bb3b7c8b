from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import jsonschema
import pytest

from graphagent import registry
from graphagent.cli.main import main
from graphagent.graph.keys import Key
from graphagent.session.schemas import written_graph_schema
from tests.unit.cli.screen import err, out, terminal


def test_it_prints_the_schema_of_graphs() -> None:
    screen = terminal()
    assert main(["schema"], screen) == 0
    assert json.loads(out(screen))["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_kinds_that_are_added_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not in the files of the repository."""
    monkeypatch.setitem(registry.NODES, "draw", f"{__name__}:Draw")
    screen = terminal()
    assert main(["schema"], screen) == 0
    printed = json.loads(out(screen))
    check = jsonschema.Draft7Validator(printed)
    node = {"kind": "draw", "count": 2, "of": "${ x }", "mode": "slow", "next": "end"}
    document = {"apiVersion": "graphagent/v1", "kind": "Graph", "metadata": {"name": "t"}, "start": "a"}
    assert check.is_valid({**document, "nodes": {"a": node}})
    for wrong in ({"count": "two"}, {"mode": "fast"}, {"coumt": 2}, {"kind": "drow"}):
        assert not check.is_valid({**document, "nodes": {"a": {**node, **wrong}}}), wrong
    assert not check.is_valid({**document, "nodes": {"a": {"kind": "draw", "next": "end"}}})
    assert "draw" not in json.dumps(written_graph_schema()["definitions"]["node"])


class Draw:
    """A kind as the schema sees it."""

    KEYS: ClassVar[dict[str, Key]] = {
        "of": Key("value", required=True), "count": Key("integer"), "mode": Key("choice", ("slow",)),
    }  # fmt: skip


def test_of_a_document_and_of_events() -> None:
    screen = terminal()
    assert main(["schema", "document", "run"], screen) == 0
    assert json.loads(out(screen))["title"] == "graphagent/run@1"
    screen = terminal()
    assert main(["schema", "event"], screen) == 0
    assert "RunStarted" in json.loads(out(screen))["definitions"]


def test_it_writes_a_file_and_installs_for_editors(tmp_path: Path) -> None:
    screen = terminal()
    assert main(["schema", "-o", str(tmp_path / "a" / "x.json")], screen) == 0
    assert json.loads((tmp_path / "a" / "x.json").read_text(encoding="utf-8"))["definitions"]
    assert main(["schema", "--install", "--project", str(tmp_path)], screen) == 0
    assert (tmp_path / ".graphagent" / "graph.v1.json").is_file()


@pytest.mark.parametrize(
    "words", [["schema", "grap"], ["schema", "document"], ["schema", "document", "rn"], ["schema", "graph", "x"]]
)
def test_what_it_does_not_know(words: list[str]) -> None:
    screen = terminal()
    assert main(words, screen) == 2
    assert err(screen)

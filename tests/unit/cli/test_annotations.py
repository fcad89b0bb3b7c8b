from __future__ import annotations

import json
from typing import Any

from graphagent.cli.annotations import github, sarif
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span, Suppression

SPAN = Span("a b/g,1.graph.yaml", 3, 7, 3, 11)
ERROR = Diagnostic(
    "GA203", "error", "50% of\nthis", SPAN, "$.nodes.a", "here",
    (Note("declared", Span("g.yaml", 1, 1, 1, 3)), Note("x")),
    "did you mean `b`?", Fix("replace by `b`", (Edit(SPAN, "b"),)),
)  # fmt: skip
WIDE = Diagnostic("GA404", "warning", "dead", Span("/abs/g.yaml", 3, 7, 5, 2), "$")
HELD = Suppression("GA406", "they exclude each other", Span("g.yaml", 8, 1, 8, 20), 9, (
    Diagnostic("GA406", "error", "both", Span("g.yaml", 9, 1, 9, 2)),
))  # fmt: skip


def test_workflow_commands() -> None:
    assert github([ERROR, WIDE], [HELD]) == (
        "::error file=a b/g%2C1.graph.yaml,line=3,col=7,endLine=3,endColumn=11,title=GA203"
        "::50%25 of%0Athis (did you mean `b`?)\n"
        "::warning file=/abs/g.yaml,line=3,endLine=5,title=GA404::dead\n"
        "::notice file=g.yaml,line=8,col=1,endLine=8,endColumn=20,title=allow"
        "::GA406 is silenced here: they exclude each other\n"
    )


def test_sarif_has_what_its_schema_requires() -> None:
    log: dict[str, Any] = json.loads(json.dumps(sarif([ERROR, WIDE], [HELD])))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "graphagent"
    assert [rule["id"] for rule in driver["rules"]] == ["GA203", "GA404", "GA406"]
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"].startswith(rule["fullDescription"]["text"])
    assert run["columnKind"] == "unicodeCodePoints"
    assert all(i["executionSuccessful"] is True for i in run["invocations"])
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert all(region[key] >= 1 for key in ("startLine", "startColumn", "endLine", "endColumn"))
    first, second, held = run["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": "a%20b/g%2C1.graph.yaml", "uriBaseId": "PROJECT",
    }  # fmt: skip
    assert second["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:" + "///abs/g.yaml"}
    (fix,) = first["fixes"]
    (change,) = fix["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 3, "startColumn": 7, "endLine": 3, "endColumn": 11},
            "insertedContent": {"text": "b"},
        }
    ]
    assert [r["message"]["text"] for r in first["relatedLocations"]] == ["declared"]
    assert held["suppressions"] == [{"kind": "inSource", "justification": "they exclude each other"}]

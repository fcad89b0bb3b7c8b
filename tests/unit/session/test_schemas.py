"""The schemas in the repository are those of the code, and the documents have the fields of the page."""

from __future__ import annotations

import json

import pytest

from graphagent.session.schemas import FOLDER, document_schema, main, schema_texts

PAGE = {
    "run": "schema session run graph status reason outputs error interrupts waiting head supersteps usage effects "
    "started_at ended_at wall_ms origin next agents",
    "history": "schema session name graph status reason origin head floor supersteps open next",
    "show": "schema session graph status reason snapshot kind checkpoint digest channels tokens waiting tasks changes "
    "interrupts error usage effects artifacts open",
    "channel": "schema name type reducer scope version changed writers size value value_ref",
    "fork": "schema session created origin graph edits head family preview run as_node",
    "replay": "schema session mode from to floor identical supersteps effects first_difference wall_ms",
    "diff": "schema a b common same first_difference pairs changes outputs_same delta graph_patch",
    "validate": "schema ok files diagnostics counts",
    "sessions": "schema sessions next",
    "inbox": "schema interrupts next",
    "answer": "schema interrupt accepted",
    "error": "schema error diagnostics",
}
PARTS = {
    "Usage": "model_calls tool_calls input_tokens output_tokens cached_input_tokens cache_write_tokens "
    "reasoning_tokens estimated cost_usd",
    "GraphRef": "name version hash file",
    "Head": "checkpoint snapshot digest",
    "Origin": "session checkpoint snapshot",
    "Span": "file line column end_line end_column",
    "Error": "id kind cause class message hint retryable source node superstep task attempt span",
    "Interrupt": "id session run node task superstep status kind prompt options answer_schema payload assignee "
    "opened_at expires_at answer answered_by answered_at evidence",
    "ValueRef": "digest size preview",
    "Change": "channel reducer version previous_version writers op before after added patch",
    "Task": "node task step kind status attempts started_at wall_ms causes reads effects usage child error turns",
    "Superstep": "superstep kind snapshot checkpoint parent digest session run started_at committed_at wall_ms tasks "
    "changes tokens opened forks usage events",
    "Preview": "kept_supersteps due reachable spent_after estimate side_effects diagnostics",
    "Diagnostic": "code severity message file span path label notes help frame fix",
    "SessionEntry": "session name graph status reason tags origin parent runs supersteps head interrupts usage "
    "created_at updated_at error",
    "FirstDifference": "session superstep node path attempt ordinal kind expected actual diff digest fingerprint hint",
}


def test_the_files_are_up_to_date() -> None:
    there = {file.relative_to(FOLDER).as_posix(): file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.json")}
    assert there == schema_texts(), "run: python -m graphagent.session.schemas --write"


def test_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "up to date" in capsys.readouterr().out


@pytest.mark.parametrize("name", PAGE)
def test_fields_and_their_order(name: str) -> None:
    schema = document_schema(name)
    assert list(schema["properties"]) == PAGE[name].split()
    assert schema["properties"]["schema"] == {"const": f"graphagent/{name}@1"}
    for part, found in schema["definitions"].items():
        if part in PARTS:
            assert list(found["properties"]) == PARTS[part].split()
    assert "unset" not in json.dumps(schema).lower().replace("unset channel", "")


def test_only_optional_fields_may_be_missing() -> None:
    schema = document_schema("history")
    change = schema["definitions"]["Change"]
    assert set(change["properties"]) - set(change["required"]) == {"before", "after", "added", "patch"}
    assert schema["definitions"]["Value"]["oneOf"] == [{"required": ["value"]}, {"required": ["value_ref"]}]
    assert schema["definitions"]["Usage"]["properties"]["cost_usd"] == {"type": ["number", "null"]}

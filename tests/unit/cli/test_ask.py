from __future__ import annotations

import io
import sys

import pytest

from graphagent.cli.answer import answer_given
from graphagent.cli.ask import ask, type_name, value_of
from graphagent.errors import InputInvalid
from tests.unit.cli.screen import err, terminal


@pytest.mark.parametrize(
    ("word", "schema", "value"),
    [
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "integer"}, 5),
        ("yes", {"type": "boolean"}, True),
        ("false", {"type": "boolean"}, False),
        ("a", {"enum": ["a", "b"]}, "a"),
        ('["x"]', {"type": "array"}, ["x"]),
        ("word", {"type": ["string", "null"]}, "word"),
        ("null", {"type": ["string", "null"]}, None),
    ],
)
def test_what_is_typed_is_read_by_the_schema(word: str, schema: dict[str, object], value: object) -> None:
    assert value_of(word, schema) == value


def test_what_doesnt_fit_is_asked_again() -> None:
    with pytest.raises(InputInvalid, match="integer is wanted"):
        value_of("five", {"type": "integer"})


def test_a_schema_in_a_word() -> None:
    assert type_name({"enum": ["a", 1]}) == "a / 1"
    assert type_name({"type": ["string", "null"]}) == "string or null"
    assert type_name({}) == "any"


def test_the_result_of_a_tool_that_runs_out_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("five\n5\n"))
    schema = {"properties": {"value": {"type": "integer"}}}
    interrupt = {
        "kind": "tool", "node": "locate", "prompt": "Where?", "payload": {"tool": "locate", "args": {"precise": True}},
        "answer_schema": schema,
    }  # fmt: skip
    screen = terminal(tty=True)
    assert ask(screen, interrupt) == {"value": 5}
    assert 'locate {"precise": true}' in err(screen)
    assert "integer is wanted" in err(screen)


def test_a_question_of_a_server_is_answered_field_by_field_or_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"properties": {"size": {"type": "integer"}, "note": {"type": "string"}}, "required": ["size"]}
    interrupt = {
        "kind": "elicitation", "node": "order", "prompt": "Which size?", "payload": {"tool": "shop.order"},
        "answer_schema": {"properties": {"value": schema}}, "options": ["accept", "decline", "cancel"],
    }  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO("what\nanswer\nlarge\n5\n\n"))
    screen = terminal(tty=True)
    assert ask(screen, interrupt) == {"action": "accept", "value": {"size": 5}}
    assert "asked by shop.order" in err(screen)
    assert "type answer, decline, cancel or later" in err(screen)
    monkeypatch.setattr(sys, "stdin", io.StringIO("decline\n"))
    assert ask(terminal(tty=True), interrupt) == {"action": "decline"}
    none = {"approve": None, "reject": None, "choose": None, "edit": None}
    assert answer_given(terminal(), interrupt, None, {**none, "choose": "cancel"}) == {"action": "cancel"}
    assert answer_given(terminal(), interrupt, None, {**none, "reject": True}) == {"action": "decline"}
    with pytest.raises(InputInvalid, match="--approve doesn't answer a question of kind elicitation"):
        answer_given(terminal(), interrupt, None, {**none, "approve": True})

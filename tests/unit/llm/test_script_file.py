from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphagent.errors import InputInvalid, NotFound
from graphagent.llm import script_file
from graphagent.llm.script_file import load_script, parse_script
from graphagent.messages import ReasoningDelta
from tests.unit.llm.calls import answer, ask, failure


def documented() -> str:
    text = script_file.__doc__ or ""
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))


def test_the_documented_script_is_one(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(documented(), encoding="utf-8")
    script = load_script(path)
    model = script.model("main")
    assert answer(model, ask("tell about bees")).text == "Bees are insects."
    assert answer(model, ask("part 12")).text == "3"
    assert answer(model).text == "Hello."
    assert answer(model).text == '{"bullets": ["a", "b"]}'
    error = failure(model)
    assert (error.kind, error.message, error.retry_after_s) == ("rate_limit", "slow down", 1)
    assert answer(model).done.finish == "tool_calls"
    thought = answer(model)
    assert [(p.text, p.block) for p in thought.parts if isinstance(p, ReasoningDelta)] == [
        ("First this.", 0), ("Then that.", 1)
    ]  # fmt: skip
    assert (thought.text, thought.done.usage.reasoning_tokens) == ("Done.", 6)
    assert answer(script.model("critic")).text == '"accept"'


def test_a_list_is_a_script_for_every_model() -> None:
    script = parse_script(["a", "b"])
    assert [answer(script.model("x")).text, answer(script.model("y", "z")).text] == ["a", "b"]


def test_the_first_name_with_turns_of_its_own_counts() -> None:
    script = parse_script({"models": {"main": ["from main"]}, "turns": ["shared"]})
    assert answer(script.model("guide", "main")).text == "from main"
    assert answer(script.model("guide")).text == "shared"
    assert script.model("main") is script.model("main")


def test_json_is_a_script_too(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"value": None}, {"error": "auth"}]), encoding="utf-8")
    model = load_script(path).model("m")
    assert answer(model).text == "null"
    assert failure(model).kind == "auth"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (None, "$"),
        ("text", "$"),
        ({}, "$"),
        ({"turn": []}, "$"),
        ({"turns": "x"}, "$.turns"),
        ({"models": []}, "$.models"),
        ({"models": {"a": "x"}}, "$.models.a"),
        ([3], "$[0]"),
        (["a", {}], "$[1]"),
        ([{"bullets": []}], "$[0]"),
        ([{"text": 3}], "$[0].text"),
        ([{"text": "a", "value": 3}], "$[0]"),
        ([{"text": "a", "repeat": True}], "$[0]"),
        ([{"text": "a", "delay_s": "1"}], "$[0].delay_s"),
        ([{"text": "a", "pace_s": -1}], "$[0].pace_s"),
        ([{"text": "a", "delay_s": float("nan")}], "$[0].delay_s"),
        ([{"text": "a", "match": 3}], "$[0].match"),
        ([{"text": "a", "match": {"regex": "("}}], "$[0].match"),
        ([{"error": {"kind": "nope"}}], "$[0].error.kind"),
        ([{"error": {"knid": "auth"}}], "$[0].error"),
        ([{"error": 3}], "$[0].error"),
        ([{"tool_calls": [{}]}], "$[0].tool_calls"),
        ([{"tool_calls": []}], "$[0]"),
        ([{3: 4}], "$[0]"),
    ],
)
def test_what_is_no_script_is_refused_with_its_place(data: Any, path: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_script(data)
    assert caught.value.path == path


def test_a_structured_answer_in_the_wrong_place_gets_a_hint() -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_script([{"bullets": []}])
    assert caught.value.hint == "a structured answer stands under `value`"


def test_files_that_cant_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"can't read the script .*none\.yaml"):
        load_script(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    for text in ("a: [", "!!python/object:x {}", "\x00"):
        bad.write_text(text, encoding="utf-8")
        with pytest.raises(InputInvalid, match="is not YAML"):
            load_script(bad)
    bad.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(NotFound):
        load_script(bad)

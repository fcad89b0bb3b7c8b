from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.llm.capabilities import read_capabilities
from graphagent.llm.catalogue import open_model
from graphagent.llm.scripted import AnyTurn, ScriptedModel, Turn
from graphagent.llm.structured import parse
from graphagent.llm.typed import TypedAnswers
from graphagent.messages import ToolCallDelta
from graphagent.testing import ModelServer, Reply
from tests.unit.llm.calls import ANSWER, answer, ask, failure

FIND = {
    "name": "find",
    "description": "Find",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}


def typed(*turns: AnyTurn, tools: bool) -> tuple[TypedAnswers, ScriptedModel]:
    inner = ScriptedModel(turns)
    inner.info = replace(inner.info, json_schema=False, tools=tools)
    return TypedAnswers(inner), inner


def calls(name: str, arguments: Any) -> Turn:
    return Turn(tool_calls=({"name": name, "arguments": arguments},))


def test_the_answer_is_a_forced_tool_call() -> None:
    model, inner = typed(calls("answer", {"bullets": ["a"], "mood": "bad"}), tools=True)
    answered = answer(model, ask("judge", output=ANSWER))
    assert parse(answered.text, ANSWER) == {"bullets": ["a"], "mood": "bad"}
    assert not [p for p in answered.parts if isinstance(p, ToolCallDelta)]
    assert answered.done.finish == "stop"
    (sent,) = inner.requests
    assert (sent.output, sent.tool_choice, [t["name"] for t in sent.tools]) == (None, "answer", ["answer"])


def test_beside_tools_the_model_chooses() -> None:
    for turn, text, names in (
        (calls("find", {"q": "x"}), "", ["find"]),
        (calls("answer", {"value": 3}), '{"value": 3}', []),
    ):
        model, inner = typed(turn, tools=True)
        answered = answer(model, ask("judge", output={"type": "integer"}, tools=(FIND,)))
        assert answered.text == text
        assert [p.name for p in answered.parts if isinstance(p, ToolCallDelta)] == names
        assert answered.done.finish == ("tool_calls" if names else "stop")
        assert inner.requests[0].tool_choice == "required"
    model, inner = typed(calls("answer", {"value": 3}), tools=True)
    answer(model, ask("judge", output={"type": "integer"}, tools=(FIND,), tool_choice="none"))
    assert [t["name"] for t in inner.requests[0].tools] == ["answer"]


def test_a_model_without_tools_is_shown_the_schema() -> None:
    model, inner = typed('Sure:\n```json\n{"bullets": [], "mood": "good"}\n```', tools=False)
    assert parse(answer(model, ask("judge", output=ANSWER)).text, ANSWER) == {"bullets": [], "mood": "good"}
    (sent,) = inner.requests
    assert sent.output is None
    assert "has to fit this JSON Schema" in sent.messages[0]["content"]
    assert '"bullets"' in sent.messages[0]["content"]
    assert sent.messages[1:] == ask("judge").messages


def test_without_a_schema_nothing_changes() -> None:
    for tools in (True, False):
        model, inner = typed(calls("answer", {}), tools=tools)
        request = ask("hi", tools=(FIND,))
        assert [p.name for p in answer(model, request).parts if isinstance(p, ToolCallDelta)] == ["answer"]
        assert inner.requests == [request]


def test_a_tool_with_the_name_of_the_answer() -> None:
    model, _ = typed(tools=True)
    assert failure(model, ask(output=ANSWER, tools=({**FIND, "name": "answer"},))).kind == "invalid_input"


@pytest.mark.parametrize("tools", [True, False])
def test_the_catalogue_takes_the_first_step_that_a_model_can(tools: bool) -> None:
    said = read_capabilities({"json_schema": False, "tools": tools}, "$")
    value = {"bullets": ["a"], "mood": "good"}
    reply = Reply(tool_calls=[{"name": "answer", "arguments": value}]) if tools else Reply(json.dumps(value))
    with ModelServer([reply]) as server:
        model = open_model("vllm/m", base_url=server.base_url, environ={}, capabilities=said)
        assert parse(answer(model, ask(output=ANSWER)).text, ANSWER) == value
        assert "response_format" not in server.received[0].body
        assert ("tools" in server.received[0].body) == tools


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.recursive(PLAIN, lambda value: st.lists(value, max_size=3))


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=3))
def test_any_value_comes_through_a_call(value: dict[str, Any]) -> None:
    model, _ = typed(calls("answer", value), tools=True)
    assert json.loads(answer(model, ask(output={"type": "object"})).text) == value

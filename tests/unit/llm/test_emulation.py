from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.errors import ModelError
from graphagent.llm.emulation import EmulatedTools, Mode
from graphagent.llm.scripted import AnyTurn, ScriptedModel, Turn
from graphagent.messages import ModelRequest, ReasoningDelta, ToolCallDelta, Usage
from tests.unit.llm.calls import ANSWER, Answered, answer, ask, failure


def tool(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": f"Do {name}", "parameters": parameters}


SEARCH, WEATHER, NOW = (
    tool("search", query={"type": "string"}),
    tool("weather", city={"type": "string"}, unit={"enum": ["c", "f"]}),
    tool("now"),
)
TOOLS = (SEARCH, WEATHER, NOW)
CALLED = (
    {"role": "user", "content": "find bees"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "a", "name": "search", "arguments": '{"query": "bees"}'}],
    },
    {"role": "tool", "tool_call_id": "a", "name": "search", "content": "a hive has one queen"},
)


def emulated(*turns: AnyTurn, mode: Mode = "two_step") -> tuple[EmulatedTools, ScriptedModel]:
    inner = ScriptedModel(turns)
    return EmulatedTools(inner, mode), inner


def calls(answered: Answered) -> list[tuple[str | None, str]]:
    return [(p.name, p.arguments) for p in answered.parts if isinstance(p, ToolCallDelta)]


def call_of(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def test_reasoning_of_both_steps_is_passed_on() -> None:
    """The blocks of the second question follow those of the first."""
    turns = [
        Turn(value={"name": "search"}, reasoning=("Which?", "That.")),
        Turn(value=call_of("search", query="bees"), reasoning="Bees."),
    ]
    answered = answer(emulated(*turns)[0], ask("find bees", tools=TOOLS))
    thoughts = [(p.text, p.block) for p in answered.parts if isinstance(p, ReasoningDelta)]
    assert thoughts == [("Which?", 0), ("That.", 1), ("Bees.", 2)]
    assert calls(answered) == [("search", '{"query": "bees"}')]


def test_a_call_in_two_steps() -> None:
    model, inner = emulated({"name": "search"}, call_of("search", query="bees"))
    answered = answer(model, ask("find bees", tools=TOOLS))
    assert calls(answered) == [("search", '{"query": "bees"}')]
    assert answered.text == ""
    assert answered.done.finish == "tool_calls"
    first, second = inner.requests
    assert first.output is not None
    assert second.output is not None
    assert first.output["properties"]["name"]["enum"] == ["reply", "search", "weather", "now"]
    assert second.output["properties"]["name"] == {"const": "search"}
    assert second.output["properties"]["arguments"]["properties"]["query"]["maxLength"] == 200
    assert not first.tools
    assert model.info.tools


def test_a_call_in_one_step() -> None:
    model, inner = emulated({"call": call_of("weather", city="Rome", unit="c")}, mode="one_step")
    answered = answer(model, ask("how warm is Rome", tools=TOOLS))
    assert calls(answered) == [("weather", '{"city": "Rome", "unit": "c"}')]
    (sent,) = inner.requests
    assert sent.output is not None
    branches = sent.output["properties"]["call"]["anyOf"]
    assert [b["properties"]["name"]["const"] for b in branches] == ["reply", "search", "weather", "now"]
    assert all(m["content"].startswith('{"call": ') for m in sent.messages if m["role"] == "assistant")


@pytest.mark.parametrize(
    ("mode", "turns"),
    [
        ("two_step", [{"name": "reply"}, call_of("reply", text="Hello you.")]),
        ("one_step", [{"call": call_of("reply", text="Hello you.")}]),
    ],
)
def test_an_answer(mode: Mode, turns: list[AnyTurn]) -> None:
    model, _ = emulated(*turns, mode=mode)
    answered = answer(model, ask("hello", tools=TOOLS))
    assert answered.text == "Hello you."
    assert not calls(answered)
    assert answered.done.finish == "stop"


def test_a_tool_without_parameters_needs_one_call() -> None:
    model, inner = emulated({"name": "now"})
    assert calls(answer(model, ask("what time is it", tools=TOOLS))) == [("now", "{}")]
    assert len(inner.requests) == 1


@pytest.mark.parametrize(
    ("choice", "turns", "wanted"),
    [
        ("none", [call_of("reply", text="no")], []),
        ("weather", [call_of("weather", city="Rome", unit="f")], [("weather", '{"city": "Rome", "unit": "f"}')]),
        ("required", [{"name": "search"}, call_of("search", query="x")], [("search", '{"query": "x"}')]),
    ],
)
def test_the_choice_is_kept_to(choice: str, turns: list[AnyTurn], wanted: list[tuple[str, str]]) -> None:
    model, inner = emulated(*turns)
    assert calls(answer(model, ask("hi", tools=TOOLS, tool_choice=choice))) == wanted
    assert inner.requests[0].output is not None
    offered = json.dumps(inner.requests[0].output)
    assert ("reply" in offered) == (choice == "none")


def test_a_choice_that_is_no_tool() -> None:
    error = failure(emulated()[0], ask("hi", tools=TOOLS, tool_choice="fly"))
    assert error.kind == "invalid_input"
    assert error.message == "`tool_choice` names 'fly', and there is no such tool"


def test_a_tool_named_like_the_answer_is_refused() -> None:
    error = failure(emulated()[0], ask("hi", tools=(tool("reply"),)))
    assert error.kind == "invalid_input"
    assert "no tool can have that name" in error.message


def test_calls_and_results_become_plain_turns_and_the_last_example_is_an_answer() -> None:
    model, inner = emulated({"name": "reply"}, call_of("reply", text="One queen."))
    messages = ({"role": "system", "content": "Be short."}, *CALLED)
    assert answer(model, ModelRequest(messages, tools=TOOLS)).text == "One queen."
    sent = [(m["role"], m["content"]) for m in inner.requests[0].messages]
    assert sent[0][1].startswith("Be short.\n\nYou answer with one JSON object")
    assert "- weather(city: string, unit: c|f): Do weather" in sent[0][1]
    assert sent[-3:] == [
        ("user", "find bees"),
        ("assistant", '{"name": "search", "arguments": {"query": "bees"}}'),
        ("user", "Result of search: a hive has one queen"),
    ]
    assert json.loads(sent[-4][1])["name"] == "reply"
    roles = [role for role, _ in sent[1:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_the_same_call_again_becomes_an_answer() -> None:
    again = [{"name": "search"}, call_of("search", query="bees")]
    model, inner = emulated(*again, call_of("reply", text="One queen."))
    answered = answer(model, ModelRequest(CALLED, tools=TOOLS))
    assert answered.text == "One queen."
    assert not calls(answered)
    assert len(inner.requests) == 3
    other, _ = emulated({"name": "search"}, call_of("search", query="ants"))
    assert calls(answer(other, ModelRequest(CALLED, tools=TOOLS))) == [("search", '{"query": "ants"}')]
    asked_anew, _ = emulated(*again)
    later = (*CALLED, {"role": "assistant", "content": "One."}, {"role": "user", "content": "find bees again"})
    assert calls(answer(asked_anew, ModelRequest(later, tools=TOOLS))) == [("search", '{"query": "bees"}')]


def test_each_call_has_an_id_of_its_own() -> None:
    model, _ = emulated({"name": "search"}, call_of("search", query="ants"))
    (part,) = [p for p in answer(model, ModelRequest(CALLED, tools=TOOLS)).parts if isinstance(p, ToolCallDelta)]
    assert part.id == "call_1"


def test_a_typed_answer_beside_tools() -> None:
    model, inner = emulated({"name": "reply"}, call_of("reply", bullets=["a"], mood="good"))
    answered = answer(model, ask("hi", tools=TOOLS, output=ANSWER))
    assert json.loads(answered.text) == {"bullets": ["a"], "mood": "good"}
    assert inner.requests[1].output is not None
    assert inner.requests[1].output["properties"]["arguments"]["required"] == ["bullets", "mood"]


def test_a_typed_answer_that_is_no_object_is_wrapped() -> None:
    model, _ = emulated({"name": "reply"}, call_of("reply", value=3))
    assert json.loads(answer(model, ask("hi", tools=TOOLS, output={"type": "integer"})).text) == {"value": 3}


def test_requests_without_tools_pass_untouched() -> None:
    model, inner = emulated("hello")
    request = ask("hi")
    assert answer(model, request).text == "hello"
    assert inner.requests == [request]


def test_without_tools_a_past_with_calls_is_still_plain() -> None:
    model, inner = emulated(Turn(value={"bullets": [], "mood": "good"}))
    answer(model, ModelRequest(CALLED, output=ANSWER))
    assert [m["role"] for m in inner.requests[0].messages] == ["user", "assistant", "user"]
    model, inner = emulated(call_of("reply", text="One queen."))
    assert answer(model, ModelRequest(CALLED)).text == "One queen."


def test_usage_is_that_of_all_steps() -> None:
    model, inner = emulated({"name": "search"}, call_of("search", query="bees"))
    spent = answer(model, ask("find bees", tools=TOOLS)).done.usage
    single = [
        answer(ScriptedModel([v]), r).done.usage
        for v, r in zip([{"name": "search"}, call_of("search", query="bees")], inner.requests, strict=True)
    ]
    assert spent == sum(single, Usage())


@pytest.mark.parametrize("text", ["I would search for bees.", '{"name": "fly", "argum', "[1, 2]", '{"name": "fly"}'])
def test_a_server_that_does_not_constrain_still_says_something(text: str) -> None:
    model, _ = emulated(text)
    assert answer(model, ask("find bees", tools=TOOLS)).text == text


def test_arguments_that_are_no_json_are_kept_as_they_are() -> None:
    model, _ = emulated({"name": "search"}, '{"name": "search", "arguments": {"query": "be')
    assert calls(answer(model, ask("find bees", tools=TOOLS))) == [
        ("search", '{"name": "search", "arguments": {"query": "be')
    ]


def test_a_failure_of_the_second_step_is_the_failure() -> None:
    model, _ = emulated({"name": "search"}, ModelError("slow down", kind="rate_limit", retry_after_s=2))
    error = failure(model, ask("find bees", tools=TOOLS))
    assert (error.kind, error.retry_after_s) == ("rate_limit", 2)


def test_definitions_of_tools_do_not_meet() -> None:
    def with_place(name: str, kind: str) -> dict[str, Any]:
        found = tool(name, place={"$ref": "#/$defs/Place"}, examples={"type": "string"})
        found["parameters"]["$defs"] = {"Place": {"type": kind}}
        return found

    model, inner = emulated({"call": call_of("a", place="Rome")}, mode="one_step")
    answer(model, ask("hi", tools=(with_place("a", "string"), with_place("b", "integer"))))
    schema = inner.requests[0].output
    assert schema is not None
    assert {name: part["type"] for name, part in schema["$defs"].items()} == {"a.Place": "string", "b.Place": "integer"}
    branches = schema["properties"]["call"]["anyOf"][1:]
    refs = [b["properties"]["arguments"]["properties"]["place"]["$ref"] for b in branches]
    assert refs == ["#/$defs/a.Place", "#/$defs/b.Place"]
    assert "examples" in branches[0]["properties"]["arguments"]["properties"]


def test_a_long_result_is_cut_in_its_middle() -> None:
    model, inner = emulated({"name": "reply"}, call_of("reply", text="ok"))
    long = {**CALLED[2], "content": "start " + "x" * 50_000 + " end"}
    answer(model, ModelRequest((*CALLED[:2], long), tools=TOOLS))
    last = inner.requests[0].messages[-1]["content"]
    assert len(last) < 9_000
    assert "start" in last
    assert last.endswith(" end")


ROLES = st.lists(
    st.one_of(
        st.builds(lambda text: {"role": "user", "content": text}, st.text(max_size=8)),
        st.builds(lambda text: {"role": "system", "content": text}, st.text(max_size=8)),
        st.builds(lambda text: {"role": "assistant", "content": text}, st.text(max_size=8)),
        st.builds(
            lambda ids: {
                "role": "assistant", "tool_calls": [{"id": i, "name": "search", "arguments": "{}"} for i in ids],
            },
            st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
        ),
        st.builds(lambda i: {"role": "tool", "tool_call_id": i, "content": "r"}, st.sampled_from("abc")),
    ),
    max_size=8,
)  # fmt: skip


@given(ROLES)
def test_every_conversation_becomes_plain_and_alternates(messages: list[dict[str, Any]]) -> None:
    model, inner = emulated({"name": "now"})
    answer(model, ModelRequest(tuple(messages), tools=TOOLS))
    sent = inner.requests[0].messages
    assert all(m.keys() == {"role", "content"} and isinstance(m["content"], str) for m in sent)
    roles = [m["role"] for m in sent]
    assert all(a != b for a, b in pairwise(roles))

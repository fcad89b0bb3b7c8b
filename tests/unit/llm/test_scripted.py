from __future__ import annotations

import json
import re

import pytest
import trio
import trio.testing

from graphagent.errors import ModelError
from graphagent.llm.scripted import EchoModel, ScriptedModel, Turn
from graphagent.llm.structured import parse
from graphagent.messages import ToolCallDelta, Usage
from tests.unit.llm.calls import ANSWER, Answered, answer, ask, call, failure


def test_turns_answer_in_order() -> None:
    model = ScriptedModel(["one", Turn(text="two"), {"text": "three"}])
    assert [answer(model).text for _ in range(3)] == ["one", "two", '{"text": "three"}']
    assert model.unused == []
    assert len(model.requests) == 3


def test_an_answer_streams_in_pieces_with_a_usage_that_is_always_equal() -> None:
    answered = answer(ScriptedModel(["Bees make honey, and wax."]), ask("x" * 9))
    assert len(answered.parts) == 4
    assert answered.done.usage == Usage(input_tokens=3, output_tokens=7, cost_micro=0, estimated=True)
    assert answered.done.finish == "stop"


def test_a_match_goes_before_the_order() -> None:
    model = ScriptedModel(
        [
            "first",
            Turn(text="wasp", match="wasps"),
            Turn(text="number", match=re.compile("part [0-9]+"), repeat=True),
            Turn(text="long", match=lambda request: len(request.messages[0]["content"]) > 100),
        ]
    )
    prompts = ["part 1", "on wasps", "other", "part 22", "x" * 101]
    assert [answer(model, ask(p)).text for p in prompts] == ["number", "wasp", "first", "number", "long"]
    assert "no turn left" in str(failure(model, ask("on wasps again")))


def test_equal_matches_are_used_one_after_the_other() -> None:
    model = ScriptedModel([Turn(value="revise", match="critic"), Turn(value="accept", match="critic")])
    assert [answer(model, ask("critic")).text for _ in range(2)] == ['"revise"', '"accept"']


def test_a_match_is_found_in_every_message() -> None:
    model = ScriptedModel([Turn(text="yes", match="inside")])
    request = ask()
    request = type(request)(
        ({"role": "system", "content": [{"type": "text", "text": "it is inside"}]}, *request.messages)
    )
    assert answer(model, request).text == "yes"


def test_an_exhausted_script_says_what_to_do() -> None:
    error = failure(ScriptedModel([], "critic"), ask("What about bees?"))
    assert error.kind == "invalid_input"
    assert error.message == "scripted/critic has no turn left for call 1: 'What about bees?'"
    assert "repeat: true" in str(error.hint)


def test_an_error_is_raised_anew_each_time() -> None:
    wanted = ModelError("slow down", kind="rate_limit", retry_after_s=2.0, hint="h", cause="c")
    model = ScriptedModel([wanted, Turn(error=wanted, match="hi", repeat=True)])
    first, second = failure(model), failure(model)
    assert first is not second
    assert first is not wanted
    for error in (first, second):
        assert (error.kind, error.cause, error.retry_after_s, error.hint) == ("rate_limit", "c", 2.0, "h")


def test_a_structured_answer_has_the_form_that_the_schema_wants() -> None:
    assert parse(answer(ScriptedModel([{"bullets": [], "mood": "bad"}]), ask(output=ANSWER)).text, ANSWER) == {
        "bullets": [],
        "mood": "bad",
    }
    text = answer(ScriptedModel([Turn(value=[1])]), ask(output={"type": "array"})).text
    assert json.loads(text) == {"value": [1]}
    assert answer(ScriptedModel([Turn(value=None)])).text == "null"


def test_delays_follow_the_clock() -> None:
    async def main() -> float:
        await call(ScriptedModel([Turn(text="x" * 36, delay_s=5, pace_s=2)]), ask())
        return trio.current_time()

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == pytest.approx(9.0)


def test_tool_calls() -> None:
    answered = answer(
        ScriptedModel([Turn(text="Let me see.", tool_calls=({"name": "find", "arguments": {"q": "é"}},))])
    )
    assert answered.parts[-2] == ToolCallDelta(0, "call_1_0", "find", '{"q": "é"}')
    assert answered.done.finish == "tool_calls"


def test_calls_at_the_same_time_get_the_answers_of_their_prompts() -> None:
    model = ScriptedModel([Turn(text=f"answer {i}", match=f"part {i}.") for i in range(9)])
    found: dict[int, str] = {}

    async def one(i: int) -> None:
        found[i] = (await call(model, ask(f"part {i}."))).text

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for i in range(9):
                nursery.start_soon(one, i)

    trio.run(main)
    assert found == {i: f"answer {i}" for i in range(9)}


@pytest.mark.parametrize(
    "fields",
    [{}, {"text": "a", "value": 1}, {"value": 1, "tool_calls": ({"name": "f"},)}, {"text": "a", "repeat": True}],
)
def test_a_turn_that_makes_no_sense(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a turn"):
        Turn(**fields)  # type: ignore[arg-type]


def echoed(prompt: str, **fields: object) -> Answered:
    return answer(EchoModel(), ask(prompt, **fields))  # type: ignore[arg-type]


def test_echo_answers_from_the_request() -> None:
    assert echoed("What\n is  this?").text == "echo: What is this?"
    assert echoed("Bees", output=ANSWER) == echoed("Bees", output=ANSWER)
    assert parse(echoed("Bees", output=ANSWER).text, ANSWER) == {"bullets": ["Bees"], "mood": "good"}
    assert parse(echoed("", output={"type": "string"}).text, {"type": "string"}) == "echo"

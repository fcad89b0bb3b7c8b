"""What a hook may return, and how everything else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.codec import freeze
from graphagent.errors import CodecError
from graphagent.hooks import Allow, Block, HookStage, Replace
from graphagent.nodes.hooks import verdict_data

CALL = {"id": "c1", "name": "look", "arguments": "{}"}
GIVEN: list[dict[str, Any]] = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "4711", "tool_call_id": "c1", "name": "look"},
]
ANSWER = {"role": "assistant", "content": "hi"}


def test_verdicts_as_data() -> None:
    assert verdict_data("before", Allow(), GIVEN) == {"verdict": "allow"}
    assert verdict_data("after", Block("no"), ANSWER) == {"verdict": "block", "reason": "no"}
    changed = {**ANSWER, "tool_calls": [CALL]}
    found = verdict_data("after", Replace(changed, "why"), ANSWER)
    assert found == {"verdict": "replace", "reason": "why", "value": changed}


def test_messages_that_stay_are_told_by_their_number() -> None:
    """A conversation that grows turn by turn isn't journaled as a whole at each."""
    mask = {**GIVEN[3], "content": "****"}
    found = verdict_data("before", Replace((*GIVEN[1:3], mask)), GIVEN)
    assert found == {"verdict": "replace", "reason": None, "value": [1, 2, mask]}


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize("garbage", [None, True, "allow", {"verdict": "allow"}, Allow, ANSWER, [Allow()], 3.5])
def test_only_a_verdict_is_one(stage: HookStage, garbage: Any) -> None:
    with pytest.raises(ValueError, match="not Allow, Replace or Block"):
        verdict_data(stage, garbage, GIVEN)


@pytest.mark.parametrize("reason", [None, "", "  ", 3])
def test_a_block_says_why(reason: Any) -> None:
    with pytest.raises(ValueError, match="a reason"):
        verdict_data("before", Block(reason), GIVEN)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "a list of messages"), ([], "a list of messages"), ("hi", "a list of messages"), (ANSWER, "a list of"),
        (["hi"], r"\[0\] is no mapping"), ([ANSWER, {"content": "x"}], r"\[1\].role is None"),
        ([{"role": "bot", "content": "x"}], r"\[0\].role is 'bot'"), ([{**ANSWER, "content": None}], r"\[0\].content"),
        ([{**ANSWER, "text": "x"}], "no key 'text'"), ([{"role": "tool", "content": "x"}], "tool_call_id"),
        ([{**ANSWER, "tool_calls": [{"name": "look"}]}], "tool_calls"),
        ([{**ANSWER, "tool_calls": [{**CALL, "arguments": {}}]}], "tool_calls"),
        ([{**ANSWER, "tool_calls": [CALL, CALL]}], "tool_calls"), ([{**ANSWER, "tool_calls": "look"}], "tool_calls"),
    ],
)  # fmt: skip
def test_messages_that_cannot_be_sent(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        verdict_data("before", Replace(value), GIVEN)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no mapping"), ("hi", "no mapping"), ([ANSWER], "no mapping"), ({"role": "assistant"}, "content"),
        ({**ANSWER, "role": "user"}, "'assistant'"), ({**ANSWER, "content": [{"text": "x"}]}, "text as its content"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        verdict_data("after", Replace(value), ANSWER)


@pytest.mark.parametrize("content", [float("nan"), {1, 2}, b"x", "\ud800"])
def test_what_is_no_plain_data(content: Any) -> None:
    with pytest.raises((CodecError, ValueError)):
        verdict_data("before", Replace([{"role": "user", "content": [content]}]), freeze(GIVEN))

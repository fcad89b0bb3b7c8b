"""The window of a long conversation: what is shown, what is summarised, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.errors import NodeError
from graphagent.nodes.memory import INTRO, Memory, extract, tokens

BUDGET = 2_000


class Summaries:
    """A summarising model that says which messages it was shown."""

    def __init__(self, *, fails: bool = False) -> None:
        self.prompts: list[str] = []
        self.fails = fails

    async def __call__(self, prompt: str) -> str:
        if self.fails:
            raise NodeError("away", kind="unavailable")
        self.prompts.append(prompt)
        return f"summary {len(self.prompts)}"


def turn(number: int, size: int) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "name": "look", "arguments": "{}"}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "name": "look", "content": f"<{number}>" + "x" * size},
    ]


async def grown(sizes: list[int], summaries: Summaries) -> list[tuple[list[Any], list[Any]]]:
    """A conversation that grows turn by turn: all of it, and what was shown, at each."""
    asked = {"role": "user", "content": "find them all"}
    memory = Memory(BUDGET, asked, summaries)
    messages: list[Any] = [asked]
    out = []
    for number, size in enumerate(sizes):
        messages += turn(number, size)
        out.append((list(messages), list(await memory.pack(messages))))
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=40))
def test_what_holds_for_every_conversation(sizes: list[int]) -> None:
    summaries = Summaries()
    history = trio.run(grown, sizes, summaries)
    for messages, shown in history:
        assert tokens(shown) <= BUDGET
        assert any(m["content"] == "find them all" for m in shown), "the prompt stays"
        assert shown[-1] == messages[-1], "the newest message stays"
        calls = [c["id"] for m in shown for c in m.get("tool_calls", ())]
        assert calls == [m["tool_call_id"] for m in shown if m["role"] == "tool"], "no result without its call"
        gone = [m for m in messages if m not in shown]
        covered = "".join(summaries.prompts)
        assert all(m["content"][:5] in covered for m in gone if m["role"] == "tool"), "all else is in a summary"
    assert history == trio.run(grown, sizes, Summaries()), "equal conversations are packed in the same way"


def test_a_summary_is_not_made_every_turn() -> None:
    summaries = Summaries()
    trio.run(grown, [400] * 60, summaries)
    assert 5 < len(summaries.prompts) < 30
    assert "summary 1" in summaries.prompts[1], "the next summary goes on with the one before"


def test_a_failed_summary_changes_nothing_until_it_has_to() -> None:
    summaries = Summaries(fails=True)
    history = trio.run(grown, [400] * 30, summaries)
    assert all(tokens(shown) <= BUDGET for _, shown in history)
    assert not any(str(m["content"]).startswith(INTRO) for m in history[10][1]), "more than half, less than all"
    last = next(m["content"] for m in history[-1][1] if str(m["content"]).startswith(INTRO))
    assert "tool look" in last, "the beginnings of the messages themselves"


def test_one_message_that_is_too_long() -> None:
    with pytest.raises(NodeError) as caught:
        trio.run(grown, [100, 20_000], Summaries())
    assert caught.value.kind == "context_overflow"
    with pytest.raises(NodeError) as caught:
        Memory(900, None, Summaries())
    assert caught.value.kind == "context_overflow"


def test_an_extract_keeps_the_newest() -> None:
    assert extract(["user: one", "", "user: two\nmore"], 5) == "user: one\nuser: two"
    assert extract(["user: " + "a" * 500, "user: two"], 3) == "user: two"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=6, max_size=20), st.none() | st.integers(1, 10_000))
def test_what_is_packed_again_is_shorter(sizes: list[int], counted: int | None) -> None:
    """By nearly a third, whatever the provider says of it, with the prompt and the newest message in it still."""

    async def again() -> None:
        asked = {"role": "user", "content": "find them all"}
        memory, messages = Memory(BUDGET, asked, Summaries()), [asked]
        for number, size in enumerate(sizes):
            messages += turn(number, size)
        shown = await memory.pack(messages)
        sent = tokens(shown)
        try:
            shorter = await memory.pack_again(messages, sent, counted)
        except NodeError:
            assert tokens([asked, *messages[-2:]]) > 0.5 * min(sent, BUDGET / 3), "the newest message alone is too long"
            return
        assert tokens(shorter) <= 0.7 * sent
        assert (shorter[-1], asked in shorter) == (messages[-1], True)
        assert tokens(await memory.pack(messages)) * memory.factor <= BUDGET, "what comes later keeps to it too"

    trio.run(again)


@pytest.mark.parametrize(
    ("counted", "factor"), [(None, 1.15), (1_500, 1.5), (500, 0.5), (1, 0.5), (90_000, 3.0), (1_000, 1.0)]
)
def test_an_estimate_is_corrected(counted: int | None, factor: float) -> None:
    async def corrected() -> float:
        memory = Memory(BUDGET, None, Summaries())
        messages = [m for number in range(4) for m in turn(number, 400)]
        await memory.pack_again(messages, 1_000, counted)
        return memory.factor

    assert trio.run(corrected) == pytest.approx(factor)

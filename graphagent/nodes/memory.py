"""What of a long conversation a model is shown: the newest messages, and a summary of those before them.

The conversation itself stays whole. A summary is a model call of the task, so a replay reads it from the journal.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from graphagent.codec import digest
from graphagent.errors import CallBlocked, NodeError
from graphagent.nodes.history import CHARACTERS_PER_TOKEN, characters, groups
from graphagent.ports import Contexts

HIGH: Final = 0.5
"""Behind so much of the budget the oldest messages are summarised."""
LOW: Final = 0.35
"""Until the rest takes so much of it: a summary isn't made every turn."""
SUMMARY_TOKENS: Final = 2_000
LEAST_TOKENS: Final = 1_000
MESSAGE_TOKENS: Final = 4
"""What a message costs beside its text."""
AGAIN: Final = 0.7
"""So much of the budget is used where a provider said that it was too long."""
GUESSED: Final = 1.15
"""By so much an estimate was too low, where a provider didn't say by how much."""
FACTORS: Final = (0.5, 3.0)
"""Between these an estimate is corrected."""
ASK: Final = (
    "Summarise this conversation for whoever goes on with it. Keep facts, names, numbers, decisions and open points; "
    "leave out what is settled. Write at most {words} words.\n\n{text}"
)
INTRO: Final = "What happened before, in short:\n"
Message = Mapping[str, Any]
Summarise = Callable[[str], Awaitable[str]]
"""Gives the answer of a model to a prompt. Raises NodeError."""


def tokens(messages: Sequence[Message]) -> int:
    """Model tokens of messages, estimated by their characters."""
    return sum(MESSAGE_TOKENS + -(-characters(m) // CHARACTERS_PER_TOKEN) for m in messages)


def size(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> int:
    """Model tokens of a request, estimated in the same way."""
    return tokens(messages) + sum(-(-len(json.dumps(t, ensure_ascii=False)) // CHARACTERS_PER_TOKEN) for t in tools)


class Measured:
    """How long the messages of a conversation are, in model tokens, each measured once as long as it is remembered.

    Args:
        contexts: Where it is remembered from task to task, and under which session and node.
    """

    def __init__(self, contexts: Contexts | None = None, key: tuple[str, str] = ("", "")) -> None:
        self.contexts, self.key = contexts, key
        self.messages: Sequence[Message] = ()
        self.ends: list[int] = [0]
        """By number of messages from the first on, what they take together."""

    def take(self, messages: Sequence[Message]) -> None:
        """Measure these messages, which begin as those before did."""
        if not self.messages and self.contexts is not None:
            known = self.contexts.get(self.key, lambda known: _fits(known, messages))
            self.ends = [0] if known is None else list(known[1])
        for message in messages[len(self.ends) - 1 :]:
            self.ends.append(self.ends[-1] + tokens([message]))
        self.messages = list(messages)

    def size(self, start: int) -> int:
        """What the messages from the one of this number on take."""
        return self.ends[-1] - self.ends[start]

    def keep(self) -> None:
        """Remember it for the next task."""
        if self.contexts is not None:
            ends = tuple(self.ends)
            size = CHARACTERS_PER_TOKEN * ends[-1] + 64 * len(ends)
            self.contexts.put(self.key, (self.messages, ends, _check(ends)), size)


def _check(ends: tuple[int, ...]) -> bytes:
    return digest(repr(ends).encode())


def _fits(known: Any, messages: Sequence[Message]) -> bool:
    """Whether a measure is whole, and that of how these messages begin."""
    before, ends, check = known
    return len(before) <= len(messages) and list(messages[: len(before)]) == before and (
        len(ends) == len(before) + 1 and _check(ends) == check
    )  # fmt: skip


class Memory:
    """The conversation of one task as its model sees it.

    Args:
        budget: Model tokens that the messages may take, without the system text.
        pinned: The message that stays whatever happens: the prompt.
        measured: What is remembered of how long the messages are.
    """

    def __init__(
        self, budget: int, pinned: Message | None, summarise: Summarise, measured: Measured | None = None
    ) -> None:
        if budget < LEAST_TOKENS:
            raise NodeError(
                f"{budget:,} model tokens are left for the conversation, {LEAST_TOKENS:,} are needed",
                kind="context_overflow", retryable=False, hint="raise `history.max_tokens`, or give it fewer tools",
            )  # fmt: skip
        self.budget, self.pinned, self.summarise = budget, pinned, summarise
        self.measured = measured or Measured()
        self.summary = ""
        self.covered = 0
        """How many groups from the first on are in the summary."""
        self.mechanical = False
        """Whether the newest summary was made without a model."""
        self.factor = 1.0
        """What a model token of the estimate is to the provider."""

    async def pack(self, messages: Sequence[Message]) -> list[Message]:
        """What the model is shown of a conversation that goes on; it only ever grows at its end.

        Raises:
            NodeError: kind `context_overflow`: what has to be shown is too long.
        """
        return await self._pack(messages, self.budget / self.factor)

    async def pack_again(self, messages: Sequence[Message], sent: int, counted: int | None) -> list[Message]:
        """The same, shorter, after a provider has refused what was packed before as too long.

        Args:
            sent: The whole request that was refused, in model tokens as they are estimated here.
            counted: The same as the provider counted it, if it said so.

        Raises:
            NodeError: kind `context_overflow`: it can't be made shorter.
        """
        wrong = GUESSED if counted is None else counted / (max(sent, 1) * self.factor)
        self.factor = min(max(self.factor * wrong, FACTORS[0]), FACTORS[1])
        # The budget may be more than the model has: then the size that was too much says so.
        refused = tokens(self._packed(groups(messages)))
        return await self._pack(messages, AGAIN * min(self.budget / self.factor, refused))

    async def _pack(self, messages: Sequence[Message], room: float) -> list[Message]:
        found = groups(messages)
        self.measured.take(messages)
        self.measured.keep()
        starts = list(accumulate(map(len, found), initial=0))
        if self.measured.size(starts[self.covered]) > HIGH * room:
            await self._evict(found, starts, room)
        packed = self._packed(found)
        if tokens(packed) > room:
            raise NodeError(
                f"the newest messages take {tokens(packed):,} model tokens, {round(room):,} are there",
                kind="context_overflow", retryable=False, hint="let tools return less, or raise `history.max_tokens`",
            )  # fmt: skip
        return packed

    def _packed(self, found: Sequence[Sequence[Message]]) -> list[Message]:
        kept = [m for group in found[self.covered :] for m in group]
        out: list[Message] = []
        if self.summary:
            out.append({"role": "user", "content": INTRO + self.summary})
        if self.pinned is not None and all(m is not self.pinned for m in kept):
            out.append(self.pinned)
        return out + kept

    async def _evict(self, found: Sequence[Sequence[Message]], starts: Sequence[int], room: float) -> None:
        """Summarise the oldest groups until the rest is small; the newest one always stays. `starts` says where each
        begins."""
        end = self.covered
        while end < len(found) - 1 and self.measured.size(starts[end]) > LOW * room:
            end += 1
        gone = [m for group in found[self.covered : end] for m in group if m is not self.pinned]
        if not gone:
            return
        limit = min(round(0.06 * room), SUMMARY_TOKENS)  # a fifth of the summaries' share, which is 0.3
        text = "\n".join(([INTRO + self.summary] if self.summary else []) + [line(m) for m in gone])
        try:
            made = (await self.summarise(ASK.format(words=limit // 2, text=within(text, room)))).strip()
            self.mechanical = False
        except CallBlocked:
            raise
        except NodeError:
            if tokens(self._packed(found)) <= room:
                return  # nothing changes, and the next turn tries again
            made = ""
        if not made:
            made, self.mechanical = extract([self.summary, *(line(m) for m in gone)], limit), True
        self.summary, self.covered = made[: limit * CHARACTERS_PER_TOKEN * 2], end


def within(text: str, room: float) -> str:
    """At most what fits beside its summary into so many model tokens."""
    most = round(0.7 * room) * CHARACTERS_PER_TOKEN
    return text if len(text) <= most else f"{text[: most // 2]}\n[...]\n{text[-most // 2 :]}"


def line(message: Message) -> str:
    """A message in a line, as it stands in a conversation that is summarised."""
    content = message.get("content") or ""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    names = [call["name"] for call in message.get("tool_calls") or ()]
    called = f" [calls {', '.join(names)}]" if names else ""
    who = f"{message['role']} {message['name']}" if message.get("name") else message["role"]
    return f"{who}: {text}{called}"


def extract(lines: Sequence[str], limit: int) -> str:
    """The beginning of each line, the newest ones first to be kept: a summary when no model gives one."""
    out: list[str] = []
    room = limit * CHARACTERS_PER_TOKEN
    for text in reversed([text for text in lines if text]):
        first = text.splitlines()[0][:160]
        room -= len(first) + 1
        if room < 0:
            break
        out.insert(0, first)
    return "\n".join(out)

"""The window of a conversation that a model is shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from graphagent.errors import NodeError
from graphagent.graph.spec import History

M = TypeVar("M", bound=Mapping[str, Any])
CHARACTERS_PER_TOKEN = 4
_SHOWN = ("role", "content", "name", "tool_calls", "tool_call_id")


def shown_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as a model is sent it: without ids and remarks."""
    return {k: message[k] for k in _SHOWN if message.get(k)} | {"content": message.get("content", "")}


def window(
    past: Sequence[dict[str, Any]], history: History, after: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The newest messages that fit `last` and `max_tokens` (estimated by characters), and those that come after them.

    A call and its results are inside or outside together. `max_tokens` counts `after` too, as far as it can.

    Raises:
        NodeError: kind `context_overflow`, if something is outside and `overflow` is `error`.
    """
    room = None if history.max_tokens is None else history.max_tokens * CHARACTERS_PER_TOKEN
    kept: list[dict[str, Any]] = []
    if room is not None:
        newest = _fitting(groups(after), room)
        room -= sum(map(characters, newest))
        dropped = len(newest) < len(after)
        # The prompt stays, and with nothing left for the past that is where the window begins.
        after = [after[0], *newest] if dropped and newest and after[0] not in newest else newest or list(after[-1:])
        room = 0 if dropped else room
    for group in reversed(groups(past)):
        if history.last is not None and len(kept) + len(group) > history.last:
            break
        if room is not None:
            room -= sum(map(characters, group))
            if room < 0:
                break
        kept = [*group, *kept]
    if len(kept) < len(past) and history.overflow == "error":
        message = f"{len(past) - len(kept)} messages of {history.channel!r} don't fit into the window"
        raise NodeError(message, kind="context_overflow", hint="raise `last` or `max_tokens`, or use `overflow: drop`")
    return [*kept, *after]


def _fitting(found: Sequence[list[dict[str, Any]]], room: int) -> list[dict[str, Any]]:
    """The newest groups that fit; the newest one always does."""
    out: list[dict[str, Any]] = []
    for group in reversed(found):
        room -= sum(map(characters, group))
        if room < 0 and out:
            break
        out = [*group, *out]
    return out


def groups(messages: Sequence[M]) -> list[list[M]]:
    """Messages that belong together: one alone, or one with calls and the results of these."""
    out: list[list[M]] = []
    for message in messages:
        if message["role"] == "tool" and out and out[-1][0].get("tool_calls"):
            out[-1].append(message)
        else:
            out.append([message])
    return out


def characters(message: Mapping[str, Any]) -> int:
    """The size of a message, of which four characters are about one model token."""
    content = message.get("content") or ""
    count = len(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    calls = message.get("tool_calls")
    return count + (len(json.dumps(calls, ensure_ascii=False)) if calls else 0)

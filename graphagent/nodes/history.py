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


def window(messages: Sequence[Mapping[str, Any]], history: History) -> list[dict[str, Any]]:
    """The newest messages that fit `last` and `max_tokens` (estimated by characters).

    A call and its results are inside or outside together.

    Raises:
        NodeError: kind `context_overflow`, if something is outside and `overflow` is `error`.
    """
    shown = [{k: m[k] for k in _SHOWN if m.get(k)} | {"content": m.get("content", "")} for m in messages]
    room = None if history.max_tokens is None else history.max_tokens * CHARACTERS_PER_TOKEN
    kept: list[dict[str, Any]] = []
    for group in reversed(groups(shown)):
        if history.last is not None and len(kept) + len(group) > history.last:
            break
        if room is not None:
            room -= sum(map(characters, group))
            if room < 0:
                break
        kept = [*group, *kept]
    if len(kept) < len(shown) and history.overflow == "error":
        message = f"{len(shown) - len(kept)} messages of {history.channel!r} don't fit into the window"
        raise NodeError(message, kind="context_overflow", hint="raise `last` or `max_tokens`, or use `overflow: drop`")
    return kept


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

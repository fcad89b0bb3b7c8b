"""The window of a conversation that a model is shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.errors import NodeError
from graphagent.graph.spec import History

CHARACTERS_PER_TOKEN = 4


def window(messages: Sequence[dict[str, Any]], history: History) -> list[dict[str, Any]]:
    """The newest messages that fit `last` and `max_tokens` (estimated by characters).

    Raises:
        NodeError: kind `context_overflow`, if something is outside and `overflow` is `error`.
    """
    shown = [{k: m[k] for k in ("role", "content", "name") if m.get(k) is not None} for m in messages]
    kept = shown[-history.last :] if history.last is not None else list(shown)
    if history.max_tokens is not None:
        room = history.max_tokens * CHARACTERS_PER_TOKEN
        count = 0
        for message in reversed(kept):
            room -= len(str(message.get("content", "")))
            if room < 0:
                break
            count += 1
        kept = kept[len(kept) - count :]
    if len(kept) < len(shown) and history.overflow == "error":
        message = f"{len(shown) - len(kept)} messages of {history.channel!r} don't fit into the window"
        raise NodeError(message, kind="context_overflow", hint="raise `last` or `max_tokens`, or use `overflow: drop`")
    return kept

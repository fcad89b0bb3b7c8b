"""The few words that a box says of its node besides name and kind."""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.spec import (
    AgentBody,
    Body,
    CodeBody,
    EmitBody,
    GraphBody,
    HumanBody,
    LLMBody,
    MapBody,
    ToolBody,
    WaitBody,
)

_LONGEST = 120
"""Characters of a command: it may hold a whole program."""


def about(body: Body, model: str | None) -> str:
    """What tells a node from others of its kind. `model` is the name of the one that it calls."""
    match body:
        case LLMBody():
            return ", ".join(filter(None, [model, _count(len(body.tools), "tool")]))
        case AgentBody():
            counts = _count(len(body.tools), "tool"), _count(len(body.delegates), "delegate")
            return ", ".join(filter(None, [model, *counts]))
        case ToolBody():
            return body.tool or f"one of {_count(len(body.tools), 'tool')}"
        case CodeBody():
            return body.python or _command(body)
        case HumanBody():
            return body.mode
        case EmitBody():
            return body.event
        case WaitBody():
            return _awaited(body)
        case MapBody():
            return f"over {body.over}"
        case GraphBody():
            return f"{body.graph}, at most {body.max_depth} deep" if body.max_depth is not None else body.graph
    return ""


def flags(body: Body) -> Iterator[str]:
    """What else sets a node apart."""
    if isinstance(body, CodeBody) and body.run:
        image = body.sandbox.image if body.sandbox is not None else None
        yield f"sandbox {image}" if image else "sandbox"


def _command(body: CodeBody) -> str:
    words = " ".join(str(word) for word in body.run)
    return f"run {words}" if len(words) <= _LONGEST else f"run {words[: _LONGEST - 1]}…"


def _awaited(body: WaitBody) -> str:
    if body.event:
        return "event " + " or ".join(body.event)
    if body.duration is not None:
        return body.duration.text
    return f"until {body.until}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""

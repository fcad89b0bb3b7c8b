"""What a person is asked where a server asks in the middle of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphagent.elicitation import ACTIONS, CAUSE, Elicitation
from graphagent.errors import NodeError

QUESTIONS: Final = 20
"""So many may one call ask."""


def question(tool: str, asked: Elicitation) -> dict[str, Any]:
    """The interrupt: the value that the server's schema wants, or a no."""
    fields = {"action": {"enum": list(ACTIONS)}, "value": dict(asked.schema), "note": {"type": ["string", "null"]}}
    return {
        "kind": CAUSE, "prompt": asked.message, "options": list(ACTIONS), "payload": {"tool": tool}, "assignee": None,
        "answer_schema": {"type": "object", "properties": fields, "required": ["action"],
                          "additionalProperties": False},
    }  # fmt: skip


def given(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the server gets of an answer."""
    return {key: answer[key] for key in ("action", "value") if key in answer}


def too_many(tool: str) -> NodeError:
    """The failure of a call that asks without end."""
    message = f"{tool} asked {QUESTIONS} questions in one call, and it isn't over"
    return NodeError(message, kind="tool_failed", cause="too_many_questions", retryable=False)

"""Asking a person before a tool is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from graphagent.errors import NodeError
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import ApprovalPlan
from graphagent.graph.types import TypeMismatch
from graphagent.ports import Task, ToolInfo

DECISIONS: Final = ("approve", "edit", "reject", "respond")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one call. `args` are those to run; `said` is a reason, or the result itself."""

    kind: Literal["approve", "edit", "reject", "respond"]
    args: dict[str, Any]
    said: Any = None


def rule_for(
    rules: Sequence[ApprovalPlan], tool: str, env: Mapping[str, Any], args: Mapping[str, Any]
) -> ApprovalPlan | None:
    """The first rule that wants a person to be asked. One that can't be evaluated does."""
    for rule in rules:
        if rule.tool != tool:
            continue
        try:
            if rule.when is None or rule.when.evaluate({**env, "args": dict(args)}):
                return rule
        except (EvaluationError, TypeMismatch):
            return rule
    return None


async def decided(task: Task, node: str, info: ToolInfo, args: dict[str, Any], rule: ApprovalPlan) -> Decision:
    """What a person says to this call; the task ends here until somebody has.

    Raises:
        NodeError: `approval_denied`, and the rule doesn't tell the model.
    """
    answer = await task.ask(question(node, info, args))
    kind = answer["decision"]
    if kind == "reject" and not rule.tell:
        reason = f": {answer['reason']}" if answer.get("reason") else ""
        message = f"the call of {info.name} was rejected by {answer.get('by', 'somebody')}{reason}"
        raise NodeError(message, kind="approval_denied", retryable=False)
    if kind == "edit":
        return Decision("edit", dict(answer["args"]))
    return Decision(kind, args, answer.get("content") if kind == "respond" else answer.get("reason"))


def question(node: str, info: ToolInfo, args: Mapping[str, Any]) -> dict[str, Any]:
    """What a person is asked."""
    fields: dict[str, Any] = {
        "decision": {"enum": list(DECISIONS)},
        "args": dict(info.parameters),
        "reason": {"type": ["string", "null"]},
        "content": {},
        "note": {"type": ["string", "null"]},
    }
    return {
        "kind": "tool_approval", "prompt": f"{node} wants to call {info.name}", "options": list(DECISIONS),
        "payload": {"tool": info.name, "args": dict(args), "effects": info.effects}, "assignee": None,
        "answer_schema": {"type": "object", "properties": fields, "required": ["decision"],
                          "additionalProperties": False},
    }  # fmt: skip

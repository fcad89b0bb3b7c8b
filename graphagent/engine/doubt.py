"""Writes whose outcome is unknown: what the graph or a person is told, and how an answer settles them.

A write was begun and has no outcome: its process died, or its time was over. It isn't called again unless somebody
says so, or its peer refuses repeats by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphagent.codec import decode
from graphagent.engine.environment import with_scope
from graphagent.engine.failures import view
from graphagent.errors import InDoubt
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import REDACTED, Check, GraphPlan, NodePlan
from graphagent.graph.types import TypeMismatch, json_schema
from graphagent.ids import InterruptId, SessionId
from graphagent.snapshot import EffectRow, EffectState

DECISIONS: Final = ("done", "retry", "fail")


def doubt_id(session: SessionId, row: EffectRow) -> InterruptId:
    """The id of the question about a write: another one for each time that it was begun."""
    return InterruptId.derive(session, *row.key, "in_doubt", row.tries)


def asked_for(row: EffectRow, node: NodePlan, graph: GraphPlan) -> Any:
    """What the call of a row was asked to do; redacted where the node is given what a secret channel holds."""
    secret = {channel.name for channel in graph.channels if channel.secret}
    if any(read.root in secret for _, value in node.arguments for read in value.reads):
        return REDACTED
    return None if row.request is None else decode(row.request)


def unknown(row: EffectRow, key: bytes, request: Any) -> InDoubt:
    """What is raised for a write without an outcome, and what a row holds whose answer was `fail`."""
    return InDoubt(
        f"the write {row.name!r} was begun, and its outcome is unknown; "
        "it is not repeated, and it may still happen later",
        hint="find out whether it happened; an `on_error` route for 'in_doubt' can do that, or a person decides",
        details={
            "name": row.name, "key": key.hex(), "started_at": row.started_at, "tries": row.tries, "request": request,
        },
    )  # fmt: skip


def unsettled(row: EffectRow) -> bool:
    """Whether nobody knows if this write of an earlier attempt happened: `fail` says only that the attempt failed."""
    if row.outcome is None:
        return True
    return row.state is EffectState.FAILED and bool(decode(row.outcome)["kind"] == "in_doubt")


def takes_doubt(node: NodePlan, env: Mapping[str, Any], error: Mapping[str, Any]) -> bool:
    """Whether a route of `on_error` takes this error, judged by the state that the task read."""
    scope = with_scope(env, {"error": view(error)})
    try:
        return any(route.when is None or route.when.evaluate(scope) for route in node.on_error)
    except (EvaluationError, TypeMismatch):
        return True  # the barrier says what is wrong with the guard


def doubt_question(node: NodePlan, error: InDoubt) -> dict[str, Any]:
    """What a person is asked about a write of this node."""
    value: Any = json_schema(node.returns) if node.returns is not None and returned(node) is not None else {}
    fields = {"decision": {"enum": list(DECISIONS)}, "value": value, "note": {"type": ["string", "null"]}}
    prompt = (
        f"The write {error.details['name']!r} was begun, and nobody knows whether it happened; it may still happen "
        "later. Answer `done` with the value that it returned, `retry` to call it again under the same key, or `fail`."
    )
    return {
        "kind": "in_doubt", "prompt": prompt, "options": list(DECISIONS), "payload": error.details, "assignee": None,
        "answer_schema": {"type": "object", "properties": fields, "required": ["decision"],
                          "additionalProperties": False},
    }  # fmt: skip


def returned(node: NodePlan) -> Check | None:
    """The check of what the write of this node returns; None if it may return anything, as calls inside a body may."""
    return node.check_returns if node.kind == "code" and node.effects == "write" else None

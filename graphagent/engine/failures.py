"""Errors as data: the record that graphs, events and documents see, and the form that the journal holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from graphagent.errors import RETRYABLE_KINDS, NodeError
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import NodePlan
from graphagent.graph.types import TypeMismatch
from graphagent.ports import TaskServices

_CLASSES = {
    "invalid_input": "model-correctable", "invalid_output": "model-correctable", "tool_failed": "model-correctable",
    "code_failed": "model-correctable", "sandbox_failed": "model-correctable", "child_failed": "model-correctable",
    "expression": "bug", "write_conflict": "bug", "divergence": "bug",
} | dict.fromkeys(RETRYABLE_KINDS, "retryable")  # fmt: skip
MESSAGE_LIMIT = 500


def record(
    kind: str,
    message: str,
    *,
    node: str | None,
    attempt: int,
    cause: str | None = None,
    hint: str | None = None,
    source: str = "engine",
    retryable: bool | None = None,
    details: Any = None,
    trace: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The error record. A graph reads `kind cause message node attempt retryable hint` of it.

    Args:
        trace: Frames of the author's own code: `{file, line, function, text}`.
    """
    fingerprint = hashlib.sha256(f"{kind}\0{cause}\0{source}\0{node}".encode()).hexdigest()[:16]
    out: dict[str, Any] = {
        "kind": kind,
        "cause": cause,
        "class": _CLASSES.get(kind, "terminal"),
        "message": message[:MESSAGE_LIMIT],
        "hint": hint,
        "retryable": kind in RETRYABLE_KINDS if retryable is None else retryable,
        "source": source,
        "node": node,
        "attempt": attempt,
        "fingerprint": fingerprint,
    }
    if details is not None:
        out["details"] = details
    if trace:
        out["trace"] = trace
    return out


VIEW = ("kind", "cause", "message", "node", "attempt", "retryable", "hint")


def view(error: Mapping[str, Any]) -> dict[str, Any]:
    """What a graph reads of an error record as `error`."""
    return {**{key: error.get(key) for key in VIEW}, "node": error.get("node") or ""}


def node_error(node: NodePlan, error: NodeError, attempt: int) -> dict[str, Any]:
    """The record of an error that a node or an adapter raised on purpose."""
    source = "model" if type(error).__name__ == "ModelError" else "engine"
    return record(
        error.kind, error.message, node=node.name, attempt=attempt, cause=error.cause, hint=error.hint, source=source,
        retryable=error.retryable, details=error.details,
    )  # fmt: skip


def evaluation_error(node: NodePlan, error: EvaluationError | TypeMismatch, attempt: int) -> dict[str, Any]:
    """The record of an expression that failed, or of a value that doesn't fit where it was to go."""
    if isinstance(error, TypeMismatch):
        return record("invalid_output", str(error), node=node.name, attempt=attempt, source="graph")
    return record("expression", str(error), node=node.name, attempt=attempt, hint=error.hint, source="graph")


def redact_error(error: NodeError, services: TaskServices) -> None:
    """Take secrets out of what a failure says: a peer may repeat in its error what it was sent."""
    error.message, error.hint = services.redact(error.message), services.redact(error.hint)
    error.cause, error.details = services.redact(error.cause), services.redact(error.details)
    error.trace = services.redact(error.trace)
    error.args = (error.message,)


def dump_error(error: NodeError) -> dict[str, Any]:
    """A failure as it stands in the journal."""
    return {
        "kind": error.kind, "cause": error.cause, "message": error.message, "hint": error.hint,
        "retryable": error.retryable, "details": error.details, "trace": error.trace, "exhausted": error.exhausted,
        "type": type(error).__name__,
    }  # fmt: skip


def load_error(data: Mapping[str, Any]) -> NodeError:
    """The failure that the journal holds."""
    error = NodeError(
        data["message"], kind=data["kind"], cause=data["cause"], retryable=data["retryable"], hint=data["hint"],
        details=data["details"],
    )  # fmt: skip
    error.trace, error.exhausted = data["trace"], data["exhausted"]
    return error

"""What is told of the calls of tools, the same for a node's one call and for those of an agent's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from graphagent.codec import digest, encode, freeze, show_digest
from graphagent.errors import InDoubt, NodeError
from graphagent.graph.plan import REDACTED, GraphPlan, NodePlan
from graphagent.graph.secrecy import touches_secret
from graphagent.ports import Task, ToolInfo

Status = Literal["ok", "error", "denied", "timeout", "deferred", "in_doubt", "cancelled"]
ARGUMENTS_INLINE: Final = 64 * 1024
"""Canonical bytes of arguments, or of a text, up to which an event holds them themselves."""
RESULT_INLINE: Final = 4 * 1024
"""The same of a result. The journal holds it already, and an event is stored twice until its superstep is sealed."""
PREVIEW: Final = 200


@dataclass(frozen=True, slots=True)
class CallName:
    """Which call it is: `id` as its model says, or `of` from which one is derived."""

    tool: str
    id: str = ""
    of: tuple[str | int, ...] | None = None

    def data(self) -> dict[str, Any]:
        """The fields that all events of a call have in common."""
        marks = {} if self.of is None else {"call_of": list(self.of)}
        return {"call_id": self.id, "tool": self.tool, **marks}


class Start:
    """Tells once that a call is made: as soon as its arguments are known to be valid."""

    def __init__(self, events: ToolEvents, task: Task, call: CallName, info: ToolInfo, args: Any) -> None:
        self.tell = partial(events.started, task, call, info, args)
        self.told = False

    def __call__(self) -> None:
        """The call is made now, or its outcome says that it was."""
        if not self.told:
            self.told = True
            self.tell()

    def failed(self, error: NodeError) -> None:
        """It failed: unless nothing was called because of its name or its arguments, it was made."""
        if not refused(error):
            self()


class ToolEvents:
    """Tells of the calls of one node. Where the node touches a secret channel, values are left out."""

    def __init__(self, node: NodePlan, graph: GraphPlan) -> None:
        self.hidden = touches_secret(node, graph)

    def started(self, task: Task, call: CallName, info: ToolInfo, args: Any, approval: str | None = None) -> None:
        """The arguments are valid and approved, and the call is made now."""
        told = dict.fromkeys(args, REDACTED) if self.hidden and isinstance(args, Mapping) else args
        told = task.services.redact(freeze(dict(told) if isinstance(told, Mapping) else told))
        ref = reference(told, ARGUMENTS_INLINE)
        large = "value_ref" in ref
        data = {
            **call.data(), "source": info.source, "args": None if large else told, "args_ref": ref if large else None,
            "effects": info.effects, "approval": approval,
        }  # fmt: skip
        task.emit("ToolCallStarted", data)

    def handed(self, task: Task, handoff: Mapping[str, Any]) -> None:
        """What a delegate is given. Of a node that touches a secret channel it names no values."""
        task.emit("x.agent.handoff", task.services.redact(freeze(dict(handoff))))

    def ended(
        self, task: Task, call: CallName, status: Status, *, result: Any = None, error: Mapping[str, Any] | None = None,
        ran: Sequence[str | int] | None = None, child: bool = False,
    ) -> None:  # fmt: skip
        """How a call ended, or that it wasn't made.

        Args:
            ran: The effect that the call was; None if none was made.
            child: It called a child session.
        """
        view = None if error is None else {**error, "message": REDACTED} if self.hidden else dict(error)
        gave = status == "ok"
        data: dict[str, Any] = {
            **call.data(), "status": status, "error": task.services.redact(view),
            "result_ref": reference(self._shown(task, result), RESULT_INLINE) if gave else None,
            "artifacts": list(task.artifacts),
        }  # fmt: skip
        if ran is not None:
            data["call"] = list(ran)
        if child:
            data["child"] = [task.born, task.path, task.attempt]
        task.emit("ToolCallCompleted", data)

    def failed(
        self, task: Task, call: CallName, error: NodeError, *, ran: Sequence[str | int] | None = None,
        child: bool = False,
    ) -> Status:  # fmt: skip
        """How a call failed."""
        status = status_of(error)
        self.ended(task, call, status, error=error_view(error), ran=ran, child=child)
        return status

    def _shown(self, task: Task, value: Any) -> Any:
        return REDACTED if self.hidden else task.services.redact(freeze(value))


def status_of(error: NodeError) -> Status:
    """What a failure is for the call that it ends."""
    if isinstance(error, InDoubt) or error.kind == "in_doubt":
        return "in_doubt"
    if error.kind == "approval_denied":
        return "denied"
    return "timeout" if error.kind == "timeout" else "error"


def refused(error: NodeError) -> bool:
    """Whether a call was never made: there is no such tool, or it doesn't take the arguments. What a server says of
    arguments is no such failure: it was called."""
    if error.kind != "invalid_input":
        return False
    named = isinstance(error.details, Mapping) and "field" in error.details
    return error.cause == "unknown_tool" or (error.cause == "bad_arguments" and named)


def error_view(error: NodeError) -> dict[str, Any]:
    """A failure as events and results tell it."""
    return {"kind": error.kind, "cause": error.cause, "message": error.message[:500], "hint": error.hint}


def reference(value: Any, limit: int) -> dict[str, Any]:
    """`{value}`, or of one with more than `limit` canonical bytes `{value_ref: {digest, size, preview}}`."""
    data = encode(value)
    if len(data) <= limit:
        return {"value": value}
    preview = data[: PREVIEW * 4].decode(errors="ignore")[:PREVIEW]
    return {"value_ref": {"digest": show_digest(digest(data)), "size": len(data), "preview": preview}}

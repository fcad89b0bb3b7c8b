"""The one stream of events: 17 core kinds, and namespaced extensions `x.<area>.<name>`.

A *provisional* event has `seq` None: it is shown live, may vanish, and comes again with its number and an equal
`event_id` when its superstep is committed. Committed events of a session are dense, ordered by (node order in
the plan, map item, emission) within a superstep, and never change. `time` is the superstep's recorded start
plus a recorded offset, so it is equal in a replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from graphagent import frozen
from graphagent.ids import EventId, RunId, SessionId, StepId


@dataclass(frozen=True, slots=True)
class Payload:
    """Base of the typed payloads. The name of the class is the kind of the event."""

    kind: ClassVar[str]

    def data(self) -> dict[str, Any]:
        """The payload as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Payload:
        """The payload of plain data; keys that this release doesn't know are dropped."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in data.items() if k in known})


@dataclass(frozen=True, slots=True)
class RunStarted(Payload):
    """First event of a run."""

    plan_hash: str
    graph: str
    inputs_ref: Any
    limits: Mapping[str, Any]
    parent_session: str | None = None
    parent_run: str | None = None
    origin: Mapping[str, Any] | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RunContent(Payload):
    """A streamed piece of a model's text; always provisional, never stored."""

    message_id: str
    index: int
    delta: str
    content_type: str = "text"


@dataclass(frozen=True, slots=True)
class RunContentCompleted(Payload):
    """A model's stream has ended; told before output hooks run.

    `message_id` is that of its `RunContent` pieces and the `step` of the call; `content_hash` is the SHA-256 of its
    whole text. `cost` is in dollars, None if a price is unknown. The `x.model.completed` behind it has `duration_ms`
    and `ttft_ms`, the time to the first token, both from the start of the call's first try."""

    message_id: str
    content_hash: str
    finish_reason: str
    usage: Mapping[str, Any]
    cost: float | None


@dataclass(frozen=True, slots=True)
class RunCompleted(Payload):
    """Terminal: success. `checkpoint` is None until the commit that carries the event is sealed."""

    outputs_ref: Any
    usage: Mapping[str, Any]
    cost: float | None
    supersteps: int
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class RunError(Payload):
    """Terminal: failure. `checkpoint` is the last good one."""

    error: Mapping[str, Any]
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class RunCancelled(Payload):
    """Terminal: the cancellation took effect."""

    reason: str | None
    by: str | None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class RunPaused(Payload):
    """Terminal for this segment: nothing is due, something waits."""

    interrupts: list[Mapping[str, Any]]
    timers: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RunContinued(Payload):
    """First event of a further segment. `reason`: answer, event, timer, resume or recovered."""

    reason: str
    answers: list[str]


@dataclass(frozen=True, slots=True)
class PreHookStarted(Payload):
    """Before a hook is asked about a model call. `hook` is its function, `target_ref` the hash of the messages that are
    about to be sent."""

    hook: str
    target_ref: str


@dataclass(frozen=True, slots=True)
class PreHookCompleted(Payload):
    """What the hook said. `verdict`: allow, replace or block, which is also that of a hook that failed; `reason` says
    why, `result_ref` is the hash of what takes the messages' place. `step` is the effect that holds it."""

    hook: str
    verdict: str
    reason: str | None
    result_ref: str | None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class PostHookStarted(Payload):
    """Before a hook is asked about a model's message, whose hash is `target_ref`."""

    hook: str
    target_ref: str


@dataclass(frozen=True, slots=True)
class PostHookCompleted(Payload):
    """What the hook said of the message, as in `PreHookCompleted`."""

    hook: str
    verdict: str
    reason: str | None
    result_ref: str | None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallStarted(Payload):
    """Arguments are valid and approved; before execution.

    A call that was denied, has invalid arguments or names no tool has none, also where only a server knows that.
    What it shows of its progress, `x.tool.progress` with `fraction` and `note`, has its `call_id` and is never stored.
    `args` are inline up to 64 KiB; above that they are None, and `args_ref` is `{value_ref: {digest, size, preview}}`.
    `approval`: approve or edit where a person was asked. `source`: python, mcp, openapi, graph, client or std."""

    call_id: str
    tool: str
    source: str
    args: Mapping[str, Any] | None
    effects: str
    approval: str | None
    args_ref: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolCallCompleted(Payload):
    """Once per call, also for calls that never ran: those have no `ToolCallStarted`. Calls of an attempt that
    failed and was tried again stand under its own `attempt`.

    `status`: ok, error, denied, timeout, deferred (its caller or its child session has it; another pair with this
    `call_id` follows), in_doubt or cancelled (its attempt was abandoned).

    `result_ref` is `{value}` for a result up to 4 KiB, `{value_ref: {digest, size, preview}}` for a larger one, None
    where the call gave none. `artifacts` are those that the task has put so far. `step` is the id of the effect that
    the call was, `duration_ms` the recorded time of that; None where nothing outside was called. `child_session` is the
    session of a delegate or of a graph as a tool."""

    call_id: str
    tool: str
    status: str
    error: Mapping[str, Any] | None
    artifacts: list[str]
    step: str | None = None
    result_ref: Mapping[str, Any] | None = None
    duration_ms: int | None = None
    child_session: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningStarted(Payload):
    """The first reasoning piece of a model call.

    Pieces are shown as `x.model.reasoning_delta`, always provisional."""

    message_id: str


@dataclass(frozen=True, slots=True)
class ReasoningStep(Payload):
    """One finished reasoning block. `text_ref` is `{value}`, or `{value_ref: {digest, size, preview}}` over 64 KiB."""

    message_id: str
    index: int
    text_ref: Any
    summary: str | None


@dataclass(frozen=True, slots=True)
class ReasoningCompleted(Payload):
    """Before the first text, or at the end of the stream.

    `model_tokens` is None in the provisional form, which comes before the model has counted; where it doesn't count,
    they are estimated from the text."""

    message_id: str
    steps: int
    model_tokens: int | None


CORE: dict[str, type[Payload]] = {
    cls.__name__: cls
    for cls in (
        RunStarted, RunContent, RunContentCompleted, RunCompleted, RunError, RunCancelled, RunPaused, RunContinued,
        PreHookStarted, PreHookCompleted, PostHookStarted, PostHookCompleted, ToolCallStarted, ToolCallCompleted,
        ReasoningStarted, ReasoningStep, ReasoningCompleted,
    )
}  # fmt: skip
"""The 17 core kinds in the order of the reference."""
RESERVED: frozenset[str] = frozenset()
"""Core kinds whose names and fields are settled, and which this release doesn't send yet."""
for _name, _cls in CORE.items():
    _cls.kind = _name

TERMINAL = frozenset({"RunCompleted", "RunError", "RunCancelled", "RunPaused"})
"""Kinds that end a segment of a run."""


@frozen.dataclass(frozen=True, slots=True)
class Event:
    """One event. `superstep, step, node, task, attempt` are None for events of the run as a whole.

    `task` is the path (`write`, `each[2]`); `step` names one effect. `data` is the payload as plain data;
    `payload` gives it typed for the core kinds. `time` is in microseconds, UTC.
    """

    seq: int | None
    event_id: EventId
    session: SessionId
    run: RunId | None
    superstep: int | None
    step: StepId | None
    node: str | None
    task: str | None
    attempt: int | None
    time: int
    kind: str
    data: Mapping[str, Any]

    @property
    def payload(self) -> Payload | Mapping[str, Any]:
        """The typed payload of a core event, the data of an extension."""
        cls = CORE.get(self.kind)
        return cls.from_data(self.data) if cls else self.data

    @property
    def provisional(self) -> bool:
        """Whether it may still vanish."""
        return self.seq is None

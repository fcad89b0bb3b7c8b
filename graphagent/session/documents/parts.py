"""The parts that several documents share, field for field as the page has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from graphagent.ids import ArtifactId, CheckpointId, InterruptId, RunId, SessionId, StepId
from graphagent.session.documents.part import Part
from graphagent.snapshot import UNSET, EffectClass, InterruptStatus, Status, Unset

Digest = Annotated[str, "sha256:[0-9a-f]{64}"]
Time = Annotated[str, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"]
"""RFC 3339 in UTC with milliseconds. Durations are integer milliseconds."""
Kind = Literal["superstep", "input", "timer", "edit"]
TaskStatus = Literal["queued", "running", "done", "replayed", "skipped", "failed", "waiting", "cancelled"]
InterruptKind = Literal["approve", "choose", "form", "edit", "tool_approval", "tool", "elicitation", "in_doubt"]
Op = Literal["set", "append", "patch"]

__all__ = [
    "AnswerCause", "Artifact", "Change", "ChannelState", "Digest", "Effect", "Effects", "Error", "GraphRef", "Head",
    "Interrupt", "Kind", "Op", "Origin", "PatchOp", "RouteCause", "Span", "StartCause", "Status", "Superstep", "Task",
    "TaskEffects", "TaskStatus", "Time", "TimerCause", "Token", "UpdateCause", "Usage", "Value", "ValueRef",
    "WaitingToken",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage(Part):
    """What model calls used. `cost_usd` is null if a price is unknown."""

    model_calls: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated: bool
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class GraphRef(Part):
    """A graph. `hash` is that of its plan, `file` is relative to the project where it is inside."""

    name: str
    version: str | None
    hash: Digest
    file: str | None


@dataclass(frozen=True, slots=True)
class Head(Part):
    """The newest checkpoint of a session."""

    checkpoint: CheckpointId
    snapshot: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Origin(Part):
    """Where a fork begins."""

    session: SessionId
    checkpoint: CheckpointId
    snapshot: int


@dataclass(frozen=True, slots=True)
class Span(Part):
    """A piece of a file. Lines and columns start at 1 and count code points; ends are exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Error(Part):
    """An error as a user sees it."""

    id: str
    kind: str
    cause: str | None
    class_: str
    message: str
    hint: str | None
    retryable: bool
    source: str
    node: str | None
    superstep: int | None
    task: str | None
    attempt: int | None
    span: Span | None


@dataclass(frozen=True, slots=True)
class Evidence(Part):
    """How a call ended that was given up: it came too late to count. One of `value` and `error` says how."""

    value: Any
    error: str | None
    at: Time


@dataclass(frozen=True, slots=True)
class Interrupt(Part):
    """A question to a person. `evidence` is what came in since about a write in doubt."""

    id: InterruptId
    session: SessionId
    run: RunId
    node: str
    task: str
    superstep: int
    status: InterruptStatus
    kind: InterruptKind
    prompt: str
    options: list[str] | None
    answer_schema: dict[str, Any]
    payload: Any
    assignee: str | None
    opened_at: Time
    expires_at: Time | None
    answer: Any
    answered_by: str | None
    answered_at: Time | None
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class ValueRef(Part):
    """Stands for a value that is too large to be shown. `size` counts the bytes of its canonical form."""

    digest: Digest
    size: int
    preview: str


@dataclass(frozen=True, slots=True)
class Value(Part):
    """A value, or what stands for it."""

    value: Any | Unset = UNSET
    value_ref: ValueRef | Unset = UNSET


@dataclass(frozen=True, slots=True)
class PatchOp(Part):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Any | Unset = UNSET


@dataclass(frozen=True, slots=True)
class Change(Part):
    """A channel that a superstep wrote. `set` has `before` and `after`, `append` has `added`, `patch` has `patch`,
    and none of them is there unless values were asked for."""

    channel: str
    reducer: str
    version: int
    previous_version: int | None
    writers: list[str]
    op: Op
    before: Value | Unset = UNSET
    after: Value | Unset = UNSET
    added: list[Any] | Unset = UNSET
    patch: list[PatchOp] | Unset = UNSET


@dataclass(frozen=True, slots=True)
class StartCause(Part):
    """The run began here."""

    type: Literal["start"] = field(default="start", init=False)


@dataclass(frozen=True, slots=True)
class RouteCause(Part):
    """A route of this node led here."""

    type: Literal["route"] = field(default="route", init=False)
    from_: str


@dataclass(frozen=True, slots=True)
class UpdateCause(Part):
    """A channel that the node listens to was written."""

    type: Literal["update"] = field(default="update", init=False)
    channel: str
    version: int


@dataclass(frozen=True, slots=True)
class AnswerCause(Part):
    """A question was answered."""

    type: Literal["answer"] = field(default="answer", init=False)
    interrupt: InterruptId


@dataclass(frozen=True, slots=True)
class TimerCause(Part):
    """Its time had come."""

    type: Literal["timer"] = field(default="timer", init=False)


@dataclass(frozen=True, slots=True)
class EventCause(Part):
    """An event was posted."""

    type: Literal["event"] = field(default="event", init=False)
    event: str


Cause = StartCause | RouteCause | UpdateCause | AnswerCause | TimerCause | EventCause


@dataclass(frozen=True, slots=True)
class TaskEffects(Part):
    """How many calls a task made."""

    recorded: int
    replayed: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class Effects(Part):
    """How many calls a run made, and how many of them the journal answered."""

    recorded: int
    replayed: int


@dataclass(frozen=True, slots=True)
class TurnCall(Part):
    """One call of a tool that an agent's model made. `status` is as in `ToolCallCompleted`, `wall_ms` is `duration_ms`
    there."""

    call_id: str
    tool: str
    status: str
    wall_ms: int | None
    child: SessionId | None


@dataclass(frozen=True, slots=True)
class Turn(Part):
    """One turn of an agent, counted from 0: what its model was asked, and the calls that it wanted. `wall_ms` is the
    model's time."""

    turn: int
    model: str | None
    input_tokens: int
    output_tokens: int
    wall_ms: int | None
    calls: list[TurnCall]


@dataclass(frozen=True, slots=True)
class AgentTurns(Part):
    """What one agent's task did."""

    superstep: int
    task: str
    turns: list[Turn]


@dataclass(frozen=True, slots=True)
class Task(Part):
    """One node's execution in a superstep, or one map item's (`each[2]`). `reads` has the versions of channels, `turns`
    what an agent did, in an open superstep as far as it was when that parked."""

    node: str
    task: str
    step: StepId
    kind: str
    status: TaskStatus
    attempts: int
    started_at: Time | None
    wall_ms: int | None
    causes: list[Cause]
    reads: dict[str, int]
    effects: TaskEffects
    usage: Usage
    child: SessionId | None
    error: Error | None
    turns: list[Turn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Token(Part):
    """A node's right to run, and the nodes whose routes gave it."""

    node: str
    from_: list[str]


@dataclass(frozen=True, slots=True)
class WaitingToken(Part):
    """A node that waits: for an answer to `interrupt`, a child session, one of `events`, or a time; or that a
    breakpoint stopped. `due_at` is when its timer is due, or when it has waited as long as it may."""

    session: SessionId
    node: str
    reason: Literal["interrupt", "child", "event", "timer", "before", "after"]
    interrupt: InterruptId | None
    events: list[str]
    due_at: Time | None


EffectStatus = Literal["intent", "in_doubt", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Effect(Part):
    """A call in the journal: `--before TASK:ORDINAL` of the superstep names it. A child's is that of its session.

    `request` and `outcome` are null where nothing is kept or nothing has come; what a secret channel could be told from
    stands as `***`. A failed call has an `error` instead of an outcome.
    """

    superstep: int
    task: str
    attempt: int
    ordinal: int
    kind: str
    name: str
    class_: EffectClass
    state: EffectStatus
    tries: int
    started_at: Time
    wall_ms: int | None
    usage: Usage
    request: Value | None
    outcome: Value | None
    error: dict[str, Any] | None
    child: SessionId | None


@dataclass(frozen=True, slots=True)
class Artifact(Part):
    """Content that a superstep put. `name` is a label; `here` is false where the content was left out of an import."""

    id: ArtifactId
    session: SessionId
    superstep: int
    name: str | None
    media_type: str
    size: int
    digest: Digest
    here: bool


@dataclass(frozen=True, slots=True)
class Superstep(Part):
    """One superstep. `snapshot` is what it left, `session` the one that wrote it: an ancestor's for a fork's prefix.

    `wall_ms` is how long its tasks took. `events` are there if they were asked for, as `--jsonl` prints them.
    """

    superstep: int
    kind: Kind
    snapshot: int
    checkpoint: CheckpointId
    parent: CheckpointId
    digest: Digest
    session: SessionId
    run: RunId | None
    started_at: Time
    committed_at: Time
    wall_ms: int
    tasks: list[Task]
    changes: list[Change]
    tokens: list[Token]
    opened: list[InterruptId]
    forks: list[SessionId]
    usage: Usage
    events: list[dict[str, Any]] | Unset = UNSET


@dataclass(frozen=True, slots=True)
class ChannelState(Part):
    """A channel at a snapshot. `changed`: the superstep that made the snapshot wrote it; `writers`: who wrote last."""

    name: str
    type: str
    reducer: str
    scope: str
    version: int | None
    changed: bool
    writers: list[str]
    size: int
    value: Any | Unset = UNSET
    value_ref: ValueRef | Unset = UNSET

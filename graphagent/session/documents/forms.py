"""The documents: what every command prints with `--json`, what HTTP answers, and what Python hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.ids import CheckpointId, InterruptId, RunId, SessionId
from graphagent.session.documents.diff_forms import DiffDocument
from graphagent.session.documents.part import Document, Part
from graphagent.session.documents.parts import (
    AgentTurns,
    Artifact,
    Change,
    ChannelState,
    Digest,
    Effect,
    Effects,
    Error,
    GraphRef,
    Head,
    Interrupt,
    Kind,
    Origin,
    Span,
    Superstep,
    Task,
    Time,
    Token,
    Usage,
    Value,
    ValueRef,
    WaitingToken,
)
from graphagent.session.documents.prompt_forms import PromptsDocument
from graphagent.session.documents.tool_forms import ToolsDocument
from graphagent.snapshot import UNSET, EffectClass, Status, Unset


@dataclass(frozen=True, slots=True)
class RunDocument(Document):
    """How a run stands. `supersteps` counts those that it has committed; `waiting` has what its tokens wait for,
    children's included; `next` holds commands to copy; `agents` has the turns of its agents."""

    schema: Literal["graphagent/run@1"] = field(default="graphagent/run@1", init=False)
    session: SessionId
    run: RunId | None
    graph: GraphRef
    status: Status
    reason: str | None
    outputs: dict[str, Any] | None
    error: Error | None
    interrupts: list[Interrupt]
    waiting: list[WaitingToken]
    head: Head
    supersteps: int
    usage: Usage
    effects: Effects
    started_at: Time
    ended_at: Time | None
    wall_ms: int
    origin: Origin | None
    next: list[str]
    agents: list[AgentTurns] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenSuperstep(Part):
    """A superstep that has begun and can't be committed yet."""

    superstep: int
    tasks: list[Task]


@dataclass(frozen=True, slots=True)
class HistoryDocument(Document):
    """The supersteps of a session, oldest first. `next` is the `since` of the next page, `floor` the first superstep
    that can be replayed."""

    table = "tables_text:history_text"

    schema: Literal["graphagent/history@1"] = field(default="graphagent/history@1", init=False)
    session: SessionId
    name: str | None
    graph: GraphRef
    status: Status
    reason: str | None
    origin: Origin | None
    head: Head
    floor: int
    supersteps: list[Superstep]
    open: OpenSuperstep | None
    next: str | None


@dataclass(frozen=True, slots=True)
class ShowDocument(Document):
    """The state at a snapshot. `tasks` and `changes` are of the superstep that made it, `usage` is its run's so far.

    `effects`, if they were asked for, are the calls of that superstep; at the head also those of the open one.
    `artifacts`, if they were asked for, are those that the session had put by then. `open`, at the head, is the
    superstep that has begun and isn't committed.
    """

    table = "tables_text:show_text"

    schema: Literal["graphagent/show@1"] = field(default="graphagent/show@1", init=False)
    session: SessionId
    graph: GraphRef
    status: Status
    reason: str | None
    snapshot: int
    kind: Kind | Literal["genesis"]
    checkpoint: CheckpointId
    digest: Digest
    channels: list[ChannelState]
    tokens: list[Token]
    waiting: list[WaitingToken]
    tasks: list[Task]
    changes: list[Change]
    interrupts: list[Interrupt]
    error: Error | None
    usage: Usage
    effects: list[Effect] | Unset = UNSET
    artifacts: list[Artifact] | Unset = UNSET
    open: OpenSuperstep | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The channels' values by name; of a value that is too large, the reference."""
        return {c.name: c.value if c.value is not UNSET else c.value_ref for c in self.channels}


@dataclass(frozen=True, slots=True)
class ChannelDocument(Document):
    """One channel at a snapshot."""

    schema: Literal["graphagent/channel@1"] = field(default="graphagent/channel@1", init=False)
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


@dataclass(frozen=True, slots=True)
class Reachable(Part):
    """A node that a fork will run, or may run."""

    node: str
    certainty: Literal["certain", "possible"]


@dataclass(frozen=True, slots=True)
class SideEffect(Part):
    """A call that the origin made after the snapshot."""

    node: str
    name: str
    class_: EffectClass
    times_in_origin: int


@dataclass(frozen=True, slots=True)
class Note(Part):
    """A place that helps to understand a finding."""

    message: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Edit(Part):
    """Replaces the piece `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix(Part):
    """A change that would heal a finding."""

    title: str
    edits: list[Edit]


@dataclass(frozen=True, slots=True)
class Diagnostic(Part):
    """One finding about a graph. `path` is where in the document: `$.nodes.write.next[0]`."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    file: str
    span: Span
    path: str
    label: str | None
    notes: list[Note]
    help: str | None
    frame: str
    fix: Fix | None


@dataclass(frozen=True, slots=True)
class Preview(Part):
    """What a fork keeps, what it will run again, and what its origin spent there."""

    kept_supersteps: int
    due: list[str]
    reachable: list[Reachable]
    spent_after: Usage
    estimate: Usage | None
    side_effects: list[SideEffect]
    diagnostics: list[Diagnostic]


@dataclass(frozen=True, slots=True)
class EditedChannel(Part):
    """A channel that a fork sets."""

    channel: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class FamilyFork(Part):
    """An ancestor that was forked together with its child."""

    session: SessionId
    origin: Origin


@dataclass(frozen=True, slots=True)
class ForkDocument(Document):
    """A fork, or with `created` false what it would be. `as_node` counts as the writer of its edits."""

    schema: Literal["graphagent/fork@1"] = field(default="graphagent/fork@1", init=False)
    session: SessionId | None
    created: bool
    origin: Origin
    graph: GraphRef
    edits: list[EditedChannel]
    head: Head | None
    family: list[FamilyFork]
    preview: Preview
    run: RunDocument | None
    as_node: str | None


@dataclass(frozen=True, slots=True)
class ReplayedSuperstep(Part):
    """A row of the digest table. `replayed` is null where nothing was computed."""

    superstep: int
    recorded: Digest
    replayed: Digest | None
    identical: bool
    tasks: int
    effects: int


@dataclass(frozen=True, slots=True)
class ReplayEffects(Part):
    """Calls that the journal answered, and calls to the outside, of which there are none."""

    replayed: int
    external: int


@dataclass(frozen=True, slots=True)
class JsonDifference(Part):
    """One place where two values differ."""

    json_path: str
    expected: Any
    actual: Any


@dataclass(frozen=True, slots=True)
class DigestPair(Part):
    """The digest in the record, and the one that was computed."""

    expected: Digest
    actual: Digest | None


@dataclass(frozen=True, slots=True)
class Fingerprints(Part):
    """Hashes of the author's code, then and now."""

    recorded: Digest
    now: Digest


DifferenceKind = Literal[
    "missing", "extra", "wrong_kind", "wrong_name", "request_changed", "writes_changed", "route_changed",
    "code_changed", "damaged",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FirstDifference(Part):
    """Where a replay stopped being its record."""

    session: SessionId
    superstep: int
    node: str
    path: str
    attempt: int
    ordinal: int | None
    kind: DifferenceKind
    expected: Any
    actual: Any
    diff: list[JsonDifference]
    digest: DigestPair
    fingerprint: Fingerprints | None
    hint: str


@dataclass(frozen=True, slots=True)
class ReplayDocument(Document):
    """What a replay found."""

    table = "tables_text:replay_text"

    schema: Literal["graphagent/replay@1"] = field(default="graphagent/replay@1", init=False)
    session: SessionId
    mode: Literal["verify", "view"]
    from_: int
    to: int
    floor: int
    identical: bool
    supersteps: list[ReplayedSuperstep]
    effects: ReplayEffects
    first_difference: FirstDifference | None
    wall_ms: int


@dataclass(frozen=True, slots=True)
class ValidatedFile(Part):
    """A file that was checked."""

    file: str
    ok: bool
    graph: str | None
    hash: Digest | None
    nodes: int
    channels: int


@dataclass(frozen=True, slots=True)
class Counts(Part):
    """How many findings there are."""

    error: int
    warning: int


@dataclass(frozen=True, slots=True)
class ValidateDocument(Document):
    """All findings about some files."""

    schema: Literal["graphagent/validate@1"] = field(default="graphagent/validate@1", init=False)
    ok: bool
    files: list[ValidatedFile]
    diagnostics: list[Diagnostic]
    counts: Counts


@dataclass(frozen=True, slots=True)
class SessionEntry(Part):
    """A session in a listing. `parent` is the caller of a child session; `usage` is that of the newest run."""

    session: SessionId
    name: str | None
    graph: GraphRef
    status: Status
    reason: str | None
    tags: list[str]
    origin: Origin | None
    parent: SessionId | None
    runs: int
    supersteps: int
    head: Head
    interrupts: int
    usage: Usage
    created_at: Time
    updated_at: Time
    error: Error | None


@dataclass(frozen=True, slots=True)
class SessionsDocument(Document):
    """Sessions, newest first. `next` is the cursor of the next page."""

    table = "tables_text:sessions_text"

    schema: Literal["graphagent/sessions@1"] = field(default="graphagent/sessions@1", init=False)
    sessions: list[SessionEntry]
    next: str | None


@dataclass(frozen=True, slots=True)
class InboxEntry(Interrupt):
    """A question of any session of the store."""

    graph: GraphRef
    session_name: str | None


@dataclass(frozen=True, slots=True)
class InboxDocument(Document):
    """Questions to people, oldest first. `next` is the cursor of the next page."""

    table = "tables_text:inbox_text"

    schema: Literal["graphagent/inbox@1"] = field(default="graphagent/inbox@1", init=False)
    interrupts: list[InboxEntry]
    next: str | None


@dataclass(frozen=True, slots=True)
class AnswerDocument(Document):
    """The receipt of an answer."""

    schema: Literal["graphagent/answer@1"] = field(default="graphagent/answer@1", init=False)
    interrupt: Interrupt
    accepted: Literal[True] = field(default=True, init=False)


@dataclass(frozen=True, slots=True)
class SentDocument(Document):
    """The receipt of an event."""

    schema: Literal["graphagent/sent@1"] = field(default="graphagent/sent@1", init=False)
    session: SessionId
    event: str
    accepted_at: Time
    accepted: Literal[True] = field(default=True, init=False)


@dataclass(frozen=True, slots=True)
class ExportDocument(Document):
    """A session that was written to a file. `sessions` counts those that it called too; `secret_channels` are the
    channels marked as secret whose values the file holds, `artifacts` counts those whose content it holds. With
    rules in `redacted` something was taken out of it, so it can't be imported."""

    schema: Literal["graphagent/export@1"] = field(default="graphagent/export@1", init=False)
    session: SessionId
    file: str
    bytes: int
    digest: Digest
    sessions: int
    secret_channels: list[str]
    artifacts: int
    redacted: list[str]


@dataclass(frozen=True, slots=True)
class ImportDocument(Document):
    """A session that was read from a file; `sessions` are those that it called too."""

    schema: Literal["graphagent/import@1"] = field(default="graphagent/import@1", init=False)
    session: SessionId
    file: str
    status: Status
    head: Head
    sessions: list[SessionId]


@dataclass(frozen=True, slots=True)
class LabelsDocument(Document):
    """The name and the tags of a session."""

    schema: Literal["graphagent/labels@1"] = field(default="graphagent/labels@1", init=False)
    session: SessionId
    name: str | None
    tags: list[str]


@dataclass(frozen=True, slots=True)
class DeletedDocument(Document):
    """The sessions that were deleted, those that they called included."""

    schema: Literal["graphagent/deleted@1"] = field(default="graphagent/deleted@1", init=False)
    sessions: list[SessionId]


@dataclass(frozen=True, slots=True)
class Damaged(Part):
    """Something in a store that is damaged. `checkpoint` is the first one that it touches, if it is one."""

    session: SessionId | None
    superstep: int | None
    checkpoint: CheckpointId | None
    message: str


@dataclass(frozen=True, slots=True)
class StoreDocument(Document):
    """Versions and state of a store. `pending` are migrations that it lacks, `applied` those that were made now."""

    schema: Literal["graphagent/store@1"] = field(default="graphagent/store@1", init=False)
    store: str
    ok: bool
    schema_version: int
    newest_version: int
    min_reader: int
    store_id: str
    created_by: str
    pending: list[str]
    applied: list[str]
    problems: list[Damaged]


@dataclass(frozen=True, slots=True)
class VerifyDocument(Document):
    """What was read of a store, and what of it is damaged."""

    schema: Literal["graphagent/verify@1"] = field(default="graphagent/verify@1", init=False)
    store: str
    ok: bool
    sessions: int
    checkpoints: int
    blobs: int
    artifacts: int
    problems: list[Damaged]


@dataclass(frozen=True, slots=True)
class CollectDocument(Document):
    """What a collection removed, or with `dry_run` would remove. `skipped` families changed while it worked.

    `artifacts` counts rows, `strays` content that has none; content goes a day after its row."""

    schema: Literal["graphagent/collect@1"] = field(default="graphagent/collect@1", init=False)
    store: str
    dry_run: bool
    sessions: list[SessionId]
    trimmed: list[SessionId]
    checkpoints: int
    blobs: int
    artifacts: int
    strays: int
    skipped: list[SessionId]


@dataclass(frozen=True, slots=True)
class ErrorDocument(Document):
    """Why nothing was started."""

    schema: Literal["graphagent/error@1"] = field(default="graphagent/error@1", init=False)
    error: Error
    diagnostics: list[Diagnostic]


DOCUMENTS: dict[str, type[Document]] = {
    "run": RunDocument,
    "history": HistoryDocument,
    "show": ShowDocument,
    "channel": ChannelDocument,
    "fork": ForkDocument,
    "replay": ReplayDocument,
    "diff": DiffDocument,
    "validate": ValidateDocument,
    "sessions": SessionsDocument,
    "inbox": InboxDocument,
    "answer": AnswerDocument,
    "sent": SentDocument,
    "export": ExportDocument,
    "import": ImportDocument,
    "labels": LabelsDocument,
    "deleted": DeletedDocument,
    "store": StoreDocument,
    "verify": VerifyDocument,
    "collect": CollectDocument,
    "tools": ToolsDocument,
    "prompts": PromptsDocument,
    "error": ErrorDocument,
}
"""By the name in `schema`."""

__all__ = [
    "DOCUMENTS",
    "AnswerDocument",
    "ChannelDocument",
    "CollectDocument",
    "Counts",
    "Damaged",
    "DeletedDocument",
    "Diagnostic",
    "DiffDocument",
    "DigestPair",
    "Edit",
    "EditedChannel",
    "ErrorDocument",
    "ExportDocument",
    "FamilyFork",
    "Fingerprints",
    "FirstDifference",
    "Fix",
    "ForkDocument",
    "HistoryDocument",
    "ImportDocument",
    "InboxDocument",
    "InboxEntry",
    "InterruptId",
    "JsonDifference",
    "LabelsDocument",
    "Note",
    "OpenSuperstep",
    "Preview",
    "PromptsDocument",
    "Reachable",
    "ReplayDocument",
    "ReplayEffects",
    "ReplayedSuperstep",
    "RunDocument",
    "SessionEntry",
    "SessionsDocument",
    "ShowDocument",
    "SideEffect",
    "StoreDocument",
    "ToolsDocument",
    "ValidateDocument",
    "ValidatedFile",
    "VerifyDocument",
]  # fmt: skip

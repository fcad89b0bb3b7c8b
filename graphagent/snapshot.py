"""Frozen value types of a session: what a store keeps and what the engine passes around.

Numbering: superstep k reads snapshot k and commits snapshot k+1; the genesis is snapshot 0 and its checkpoint
row carries superstep -1. The open superstep has the number of the head snapshot. Times are integer
microseconds (UTC), hashes are 32 bytes, values are canonical plain data (`codec`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum, IntEnum
from typing import Any, Final, Literal

from graphagent.frozen import dataclass
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId, WorkerId


class Unset(Enum):
    """The one value that is no value."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET

Status = Literal["idle", "running", "waiting", "done", "failed", "cancelled", "poisoned", "corrupt"]
SuperstepKind = Literal["genesis", "superstep", "input", "timer", "edit"]
Mode = Literal["strict", "pipelined", "memory"]
EffectClass = Literal["pure", "read", "write"]


class EffectState(IntEnum):
    """An upsert never lowers a state."""

    INTENT = 1
    IN_DOUBT = 2
    DONE = 3
    FAILED = 4


TASK_ORDINAL: Final = -1
"""The ordinal of a task row: what the finished task left behind, or its error."""


@dataclass(frozen=True, slots=True)
class LineageEntry:
    """A fork reads supersteps below `superstep`, and events below `events`, from `session`."""

    session: SessionId
    superstep: int
    events: int


@dataclass(frozen=True, slots=True)
class Span:
    """Supersteps lo <= k < hi that are stored under `session`; hi is None for an open end."""

    session: SessionId
    lo: int
    hi: int | None


RowKey = tuple[str, int, int]
"""Path, attempt and ordinal of a journal row within its superstep."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a fork at an open superstep takes along: rows of that superstep in the journals of the sessions that
    `sources` names. Each has an outcome, so none of them changes any more. `seed` is the one they were made with."""

    superstep: int
    seed: bytes
    sources: tuple[tuple[SessionId, tuple[RowKey, ...]], ...]

    @property
    def keys(self) -> frozenset[RowKey]:
        """All rows, whichever session holds them."""
        return frozenset(key for _, keys in self.sources for key in keys)


@dataclass(frozen=True, slots=True)
class Writer:
    """Supersteps below `until` that no earlier writer of a list made: they were run as `session`, with `seed`.

    Its inputs had numbers that are higher by `shift` than those under which they are stored.
    """

    until: int
    session: SessionId
    seed: bytes
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What an imported session was before: its rows stand under its own id, whoever wrote them.

    `writers` are in order of `until`. A fork was made at the snapshot `forked_at`; its origin may be elsewhere. The
    `inputs` that ancestors of a fork had taken are stored with the numbers up to 0.
    """

    writers: tuple[Writer, ...] = ()
    forked_at: int | None = None
    inputs: int = 0


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The authority row: what it says is the head, is the head. Every write is gated by it.

    `head_superstep` is the number of the head snapshot, which is that of the open superstep. `lineage` goes from
    the oldest ancestor to the origin. `name`, `tags`, `graph_version` and `graph_file` are labels only. From
    `floor_superstep` on all of the session's own rows are there; below it only some checkpoints are.
    """

    session: SessionId
    family: SessionId
    plan: bytes
    graph: str
    seed: bytes
    mode: Mode = "strict"
    status: Status = "idle"
    reason: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    origin: SessionId | None = None
    origin_checkpoint: CheckpointId | None = None
    lineage: tuple[LineageEntry, ...] = ()
    caller: SessionId | None = None
    caller_superstep: int | None = None
    caller_path: str | None = None
    epoch: int = 0
    owner: WorkerId | None = None
    attempts: int = 0
    commit_n: int = 0
    commit_token: bytes | None = None
    head: CheckpointId | None = None
    head_superstep: int = 0
    head_digest: bytes = b""
    event_n: int = 0
    input_n: int = 0
    taken_n: int = 0
    created_at: int = 0
    updated_at: int = 0
    graph_version: str | None = None
    graph_file: str | None = None
    carried: Carried | None = None
    past: Past | None = None
    floor_superstep: int = 0

    @property
    def forked_at(self) -> int | None:
        """The snapshot at which a fork begins; None for a session that isn't one."""
        if self.lineage:
            return self.lineage[-1].superstep
        return None if self.past is None else self.past.forked_at

    def timed_from(self, run_started_at: int) -> int:
        """From when the time of a run counts: its start, or in a fork that took it over the fork's own."""
        return max(run_started_at, self.created_at)

    def seed_at(self, superstep: int) -> bytes:
        """The seed of a superstep of this session: its own, or in a carried one that of the carried rows."""
        return self.writer_at(superstep).seed

    def writer_at(self, superstep: int) -> Writer:
        """As which session a superstep stored here was run: as this one, but for what was imported."""
        for writer in self.past.writers if self.past is not None else ():
            if superstep < writer.until:
                return writer
        carried = self.carried
        seed = carried.seed if carried is not None and carried.superstep == superstep else self.seed
        return Writer(superstep + 1, self.session, seed)

    @property
    def first_input(self) -> int:
        """The number before that of the first input stored here."""
        return 0 if self.past is None else -self.past.inputs

    def spans(self, lo: int = -1, hi: int | None = None) -> list[Span]:
        """Where the rows of supersteps lo <= k < hi are, oldest first. An origin holds those before the fork."""
        spans, start = [], -1
        for entry in self.lineage:
            spans.append(Span(entry.session, start, entry.superstep))
            start = entry.superstep
        spans.append(Span(self.session, start, None))
        out = []
        for span in spans:
            low = max(lo, span.lo)
            high = span.hi if hi is None else hi if span.hi is None else min(hi, span.hi)
            if high is None or low < high:
                out.append(Span(span.session, low, high))
        return out


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A sealed snapshot: it holds the state after `superstep`, which is snapshot `superstep + 1`."""

    checkpoint: CheckpointId
    superstep: int
    kind: SuperstepKind
    parent: CheckpointId | None
    plan: bytes
    manifest: bytes
    digest: bytes
    opened_at: int
    committed_at: int

    @property
    def snapshot(self) -> int:
        return self.superstep + 1


@dataclass(frozen=True, slots=True)
class Blob:
    """Canonical bytes under their SHA-256. One copy per family."""

    hash: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Delta:
    """What one superstep added to an append channel: canonical bytes of a list of items."""

    channel: str
    superstep: int
    items: bytes


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one superstep or park commit. `first` is set by the store; the first event has number 0."""

    superstep: int
    count: int
    body: bytes
    at: int
    first: int = -1


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One row of the journal, named by (superstep, path, attempt, ordinal) in its session.

    `outcome` is canonical bytes: a result, or an error record where `state` is FAILED. `cost` is canonical
    bytes of what it used, as `Spent`, and of the artifacts that it put, if it put any. A row of kind `task` with
    ordinal -1 is what the finished task left behind.
    """

    superstep: int
    path: str
    attempt: int
    ordinal: int
    kind: str
    name: str
    effect_class: EffectClass
    state: EffectState
    request_hash: bytes = b""
    request: bytes | None = None
    outcome: bytes | None = None
    write_key: bytes | None = None
    attempt_token: bytes | None = None
    tries: int = 1
    cost: bytes | None = None
    fingerprint: bytes | None = None
    started_at: int = 0
    ended_at: int | None = None

    @property
    def key(self) -> tuple[int, str, int, int]:
        return (self.superstep, self.path, self.attempt, self.ordinal)


@dataclass(frozen=True, slots=True)
class NewInput:
    """Something from outside for a session: kinds `run answer child resume cancel edit timer event`."""

    kind: str
    message_id: str
    body: bytes
    principal: str | None = None


@dataclass(frozen=True, slots=True)
class InputRow(NewInput):
    """An accepted input. `n` counts from 1 in its session."""

    n: int = 0
    accepted_at: int = 0
    taken_by: int | None = None


@dataclass(frozen=True, slots=True)
class NewFork:
    """A row whose head is a checkpoint of another session, and its first inputs: edits, and new attempts."""

    row: SessionRow
    inputs: tuple[NewInput, ...] = ()


InterruptStatus = Literal["open", "answered", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class InterruptRow:
    """A question that is durable before anybody sees it.

    `question` is canonical bytes of `{kind, prompt, options, answer_schema, payload, assignee}`.
    """

    interrupt: InterruptId
    session: SessionId
    superstep: int
    path: str
    node: str
    kind: str
    question: bytes
    status: InterruptStatus = "open"
    opened_at: int = 0
    expires_at: int | None = None
    answer: bytes | None = None
    answered_by: str | None = None
    answered_at: int | None = None


@dataclass(frozen=True, slots=True)
class CachedResult:
    """What a node with `cache` left behind, for whoever asks with the same key. `expires_at` None is never."""

    key: bytes
    data: bytes
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """Bytes that a family keeps outside of the store, under their SHA-256. The id derives from the hash.

    Attributes:
        session: Whose task put them first, and in which superstep.
        name: A label; it never makes a path. None if nobody gave one.
        kept: False where they were left out of the file that the session was imported from.
    """

    artifact: ArtifactId
    session: SessionId
    superstep: int
    name: str | None
    media_type: str
    size: int
    hash: bytes
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """The plan to which a superstep binds its session from then on; `version` and `file` are labels."""

    plan: bytes
    version: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything of one superstep (with `checkpoint`), or of a park (without). All of it is stored, or nothing.

    It is a compare-and-swap on (session, epoch, commit_n); `token` names it, so that a commit whose
    acknowledgement was lost can be sent again without harm. With `release` the owner lets go in the same transaction;
    with `bound` the authority row names another plan from then on, whose blob comes with it. Without `takes` it is
    known that `taken_n` hasn't grown.
    """

    session: SessionId
    epoch: int
    commit_n: int
    token: bytes
    status: Status
    reason: str | None
    head_superstep: int
    checkpoint: CheckpointRow | None = None
    events: EventBatch | None = None
    effects: Sequence[EffectRow] = ()
    deltas: Sequence[Delta] = ()
    blobs: Sequence[Blob] = ()
    interrupts: Sequence[InterruptRow] = ()
    closed: Sequence[tuple[InterruptId, InterruptStatus]] = ()
    taken_n: int = 0
    at: int = 0
    release: bool = False
    cached: Sequence[CachedResult] = ()
    bound: Binding | None = None
    artifacts: Sequence[ArtifactRow] = ()
    takes: bool = True

    @property
    def size(self) -> int:
        """Roughly how many bytes are written."""
        size = len(self.events.body) if self.events else 0
        for blob in self.blobs:
            size += len(blob.data)
        for delta in self.deltas:
            size += len(delta.items)
        for effect in self.effects:
            size += len(effect.outcome or b"")
        return size


@dataclass(frozen=True, slots=True)
class Opened:
    """What a takeover reads in one go: enough to run on without another read but for blobs."""

    row: SessionRow
    checkpoint: CheckpointRow
    journal: tuple[EffectRow, ...]
    inputs: tuple[InputRow, ...]
    interrupts: tuple[InterruptRow, ...]


@dataclass(frozen=True, slots=True)
class SessionCopy:
    """All rows of one session, each kind in the order of its key."""

    row: SessionRow
    checkpoints: tuple[CheckpointRow, ...] = ()
    deltas: tuple[Delta, ...] = ()
    effects: tuple[EffectRow, ...] = ()
    events: tuple[EventBatch, ...] = ()
    inputs: tuple[InputRow, ...] = ()
    interrupts: tuple[InterruptRow, ...] = ()
    artifacts: tuple[ArtifactRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """One batch of what a collection removes from a family.

    It is done only if the family still has exactly the sessions `seen`, each with that number of commits: then no
    commit and no fork has come to count on anything in it.

    Attributes:
        seen: Session and `commit_n` of every session of the family.
        floors: What `floor_superstep` is raised to; it is never lowered.
        journal: Spans whose effects go.
        events: Spans whose events go.
        deltas: Channels, and spans in which what was added to them goes.
    """

    family: SessionId
    seen: tuple[tuple[SessionId, int], ...]
    floors: tuple[tuple[SessionId, int], ...] = ()
    journal: tuple[Span, ...] = ()
    events: tuple[Span, ...] = ()
    checkpoints: tuple[CheckpointId, ...] = ()
    deltas: tuple[tuple[str, Span], ...] = ()
    blobs: tuple[bytes, ...] = ()
    artifacts: tuple[ArtifactId, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Which sessions to list, newest first. `text` is searched in id, name and graph."""

    text: str | None = None
    status: str | None = None
    graph: str | None = None
    tag: str | None = None
    since_us: int | None = None
    children: bool = False
    limit: int = 50
    before_us: int | None = None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A row of a listing."""

    row: SessionRow
    runs: int
    interrupts: int


# ---- control state ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """One fork's branch: the fork node (-3 is `start`), the superstep in which it forked, and the branch.

    Where tokens of several branches merged, the one that is left stands for all of them.
    """

    fork: int
    superstep: int
    branches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A node's right to run. `sources` are the nodes whose routes placed it, empty for `start`.

    `error` is the record of an `on_error` or `on_limit` route. `answer` is set when a waiting token is woken.
    `failure` is the record with which its node fails without running, since its join can't be satisfied any more.
    `placed` is the superstep that placed it; a parked token keeps it.
    """

    node: int
    placed: int
    groups: tuple[Group, ...] = ()
    sources: tuple[int, ...] = ()
    error: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None


WaitReason = Literal["interrupt", "child", "event", "timer", "before", "after"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked token: it waits for an answer (`interrupt`), for a child session, for an event or for a time, or a
    breakpoint stopped it before its node or after the one that sent it.

    `superstep`, `attempt` and `ordinal` derive the id of what it waits for. `expires_us` is how long it may wait,
    `due_us` how long a timer runs, `until_us` when one is due. All in microseconds.
    """

    token: Token
    reason: WaitReason
    superstep: int
    attempt: int = 0
    ordinal: int = 0
    expires_us: int | None = None
    due_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class PendingJoin:
    """A join that has arrivals of one group (fork, superstep) and waits for the rest.

    `need` is how many branches it waits for, None for all that live. When it ran, or failed, it is `over`, and takes
    later arrivals in without running again.
    """

    node: int
    fork: int
    superstep: int
    branches: tuple[int, ...]
    groups: tuple[Group, ...]
    sources: tuple[int, ...]
    error: Mapping[str, Any] | None = None
    need: int | None = None
    over: bool = False


Spent = tuple[int, int, int, int, int, int, int, int, int]
NOTHING_SPENT: Final[Spent] = (0, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Control:
    """Everything besides channel values that decides what happens next.

    `run` is the number of the input that started the current run, 0 for none. `visits` counts by node.
    `spent` is what this run has used, children included: (model calls, input tokens, output tokens, cached input
    tokens, cache write tokens, reasoning tokens, micro-dollars, whether a cost is unknown, whether estimated).
    `steps` counts the supersteps of this run. `queue` holds numbers and bodies of runs to come. `bounds` are limits
    that whoever started or resumed the run gave: `supersteps`, `cost_micro`. `events` are those posted in this run
    that no token has taken yet: number of the input, name, data.
    """

    run: int = 0
    inputs: Any = None
    due: tuple[Token, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    joins: tuple[PendingJoin, ...] = ()
    visits: tuple[int, ...] = ()
    last_run: Mapping[int, int] = field(default_factory=dict)
    steps: int = 0
    spent: Spent = NOTHING_SPENT
    limited: bool = False
    queue: tuple[tuple[int, Any], ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    events: tuple[tuple[int, str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state that superstep `superstep` reads. Tuples are indexed by channel; unset is UNSET and None.

    `entries` are the channels' manifest entries, None where a channel was never written.
    """

    superstep: int
    values: tuple[Any, ...]
    versions: tuple[int | None, ...]
    entries: tuple[Any, ...]
    control: Control
    digest: bytes
    checkpoint: CheckpointId | None
    committed_at: int
    run_started_at: int = 0
    run_id: str | None = None

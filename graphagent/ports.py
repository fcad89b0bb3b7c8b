"""Every port of the engine on one page. Adapters implement them, `session/wiring.py` joins them.

All coroutines here are awaited from trio. A port never calls back upwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, Protocol

from graphagent.errors import NodeError
from graphagent.hooks import HookStage
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId, StepId, WorkerId
from graphagent.messages import Model, Usage
from graphagent.snapshot import (
    UNSET,
    ArtifactRow,
    Blob,
    CheckpointRow,
    Commit,
    Delta,
    EffectClass,
    EffectRow,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    NewFork,
    NewInput,
    Opened,
    SessionCopy,
    SessionEntry,
    SessionQuery,
    SessionRow,
    Span,
    Sweep,
)

__all__ = [
    "ArtifactAccess", "Artifacts", "Clock", "Content", "Contexts", "EffectCall", "Execute", "Finished", "Hook",
    "ItemEnd", "Model", "Node", "Parked", "Store", "StoreState", "Stored", "Task", "TaskServices", "ToolCall",
    "ToolInfo", "ToolSource",
]  # fmt: skip


class Clock(Protocol):
    """Where time comes from; the engine has no other source."""

    def now_us(self) -> int:
        """The wall clock in microseconds, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class StoreState:
    """Versions and state of a store, read without changing it.

    Attributes:
        schema: The newest migration that it has.
        newest: The newest one that this release knows.
        min_reader: The oldest release that may open it, by the newest migration that it knows.
        pending: Migrations that it lacks.
        problems: What a quick check of its files found.
    """

    name: str
    schema: int
    newest: int
    min_reader: int
    store_id: str
    created_by: str
    pending: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Store(Protocol):
    """Keeps sessions. Each method is one transaction: all of it is durable when it returns, or nothing happened.

    Errors of every method: `StoreUnavailable`, `StoreFull`, `StoreCorrupt`. Reads verify what they read.
    """

    name: str
    """What people are shown, such as the path of the file."""

    async def create(
        self, row: SessionRow, genesis: CheckpointRow, blobs: Sequence[Blob], inputs: Sequence[NewInput]
    ) -> bool:
        """Store a new session, its genesis checkpoint and its first inputs. False if the id is there already."""
        ...

    async def fork(self, forks: Sequence[NewFork], blobs: Sequence[Blob] = ()) -> None:
        """Store new rows of one family, callers before those that they called: all of them or none.

        Blobs are there for another plan. The same forks again are stored once.

        Raises:
            NotFound: the checkpoint that is the head of one of them is gone.
            Conflict: the id of one of them is taken by another session.
        """
        ...

    async def takeover(self, session: SessionId, worker: WorkerId, new: NewInput | None = None) -> Opened:
        """Become the owner: epoch + 1, and everything needed to run on. An input can be accepted along with it.

        The journal is that of the open superstep, carried rows included; inputs are those not taken, interrupts the
        open ones.

        Raises:
            NotFound: no such session.
            SessionBusy: another living worker owns it.
            Conflict: the message id of `new` was used with another body.
        """
        ...

    async def release(self, session: SessionId, epoch: int) -> None:
        """Give the ownership back; nothing if it is lost already."""
        ...

    async def commit(self, *commits: Commit) -> None:
        """Store supersteps or parks of one session, in order. The same commits sent again are stored once.

        Raises:
            Fenced: epoch or commit number aren't the session's; nothing was stored.
        """
        ...

    async def append(self, session: SessionId, epoch: int, rows: Sequence[EffectRow]) -> None:
        """Store journal rows of the open superstep ahead of its barrier; a state is never lowered.

        Raises:
            Fenced: the epoch isn't the session's; nothing was stored.
        """
        ...

    async def accept(self, session: SessionId, new: NewInput) -> InputRow:
        """Store an input and number it. The same message id and body again gives the same row.

        Raises:
            NotFound: no such session.
            Conflict: the message id was used with another body.
        """
        ...

    async def answer(
        self, interrupt: InterruptId, answer: bytes, by: str | None, inputs: Sequence[tuple[SessionId, NewInput]]
    ) -> InterruptRow:
        """Answer an open interrupt and store the inputs that follow from it; the first answer wins.

        The same answer again gives the same row and stores nothing.

        Raises:
            NotFound: no such interrupt.
            InterruptAnswered: it has another answer.
            InterruptExpired: it is expired or cancelled.
        """
        ...

    async def adopt(self, copies: Sequence[SessionCopy], blobs: Sequence[Blob]) -> None:
        """Store whole sessions as they are, with numbers and times, but without an owner: all of them or nothing.

        They are of one family. Batches of events and inputs keep their numbers.

        Raises:
            Conflict: the id of a session, checkpoint or interrupt, or a write key, is in use.
        """
        ...

    async def delete(self, sessions: Sequence[SessionId]) -> None:
        """Remove sessions with all their rows, and the blobs of a family of which none is left.

        Raises:
            NotFound: one of them isn't there.
            SessionBusy: a living worker owns one.
            Conflict: a session that isn't among them is a fork of one, called one, or was called by one.
        """
        ...

    async def sweep(self, sweep: Sweep) -> bool:
        """Remove what a collection has found to be unused; False, and nothing happened, if the family has changed."""
        ...

    async def family(self, family: SessionId) -> list[SessionRow]:
        """All sessions of a family, oldest first."""
        ...

    async def artifact(self, family: SessionId, artifact: ArtifactId) -> ArtifactRow:
        """One artifact of a family. Raises NotFound; another family's isn't there."""
        ...

    async def artifacts(self, family: SessionId) -> list[ArtifactRow]:
        """All artifacts of a family, by id."""
        ...

    async def blob_hashes(self, family: SessionId) -> list[bytes]:
        """The hashes of all blobs that a family holds, in order."""
        ...

    async def session(self, session: SessionId) -> SessionRow:
        """The authority row. Raises NotFound."""
        ...

    async def find(self, prefix: str) -> list[SessionId]:
        """At most 3 sessions whose id starts with `prefix`, newest first; "" gives the newest ones."""
        ...

    async def sessions(self, query: SessionQuery) -> list[SessionEntry]:
        """Sessions, newest update first."""
        ...

    async def claimable(self, *, limit: int = 50) -> list[SessionId]:
        """Sessions that have something to do and no living owner, those that wait longest first.

        Their run is running, or they have inputs that nobody has taken. Those that another session called are left out,
        and those that are poisoned or corrupt.
        """
        ...

    async def workers(self) -> int:
        """How many processes live that have sessions here, this one included: at least 1."""
        ...

    async def children(self, session: SessionId) -> list[SessionRow]:
        """The child sessions that `session` called, oldest first."""
        ...

    async def forks(self, session: SessionId) -> list[SessionRow]:
        """The sessions whose origin is `session`, oldest first."""
        ...

    async def label(self, session: SessionId, name: str | None, tags: Sequence[str] | None) -> None:
        """Set the name or the tags; None leaves them as they are."""
        ...

    async def checkpoint(self, checkpoint: CheckpointId) -> CheckpointRow:
        """One checkpoint. Raises NotFound."""
        ...

    async def checkpoints(
        self, spans: Sequence[Span], *, limit: int = 100, newest: bool = False
    ) -> list[CheckpointRow]:
        """Checkpoints in these spans in order of superstep; with `newest` the last `limit` ones."""
        ...

    async def blobs(self, family: SessionId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """The blobs of a family. Raises StoreCorrupt if one is missing or isn't what its hash says."""
        ...

    async def deltas(self, spans: Sequence[Span], channel: str) -> list[Delta]:
        """What was added to an append channel in these spans, in order of superstep."""
        ...

    async def events(self, spans: Sequence[Span], *, limit: int | None = None) -> list[EventBatch]:
        """Batches of events in these spans, in order."""
        ...

    async def effects(self, spans: Sequence[Span]) -> list[EffectRow]:
        """Journal rows in these spans, ordered by superstep, path, attempt, ordinal; rows that a fork carries count."""
        ...

    async def inputs(self, session: SessionId, *, after: int = 0) -> list[InputRow]:
        """Inputs with n > after, in order."""
        ...

    async def interrupt(self, interrupt: InterruptId) -> InterruptRow:
        """One interrupt. Raises NotFound."""
        ...

    async def interrupts(
        self, session: SessionId | None = None, *, status: InterruptStatus | None = "open"
    ) -> list[InterruptRow]:
        """Interrupts of one session or of all, oldest first; status None gives all."""
        ...

    async def cached(self, key: bytes) -> bytes | None:
        """What was committed under this key, of whatever session; None if there is nothing, or it has expired."""
        ...

    async def woken(self) -> None:
        """Return when another process may have left something to do; it may also never return."""
        ...

    async def serve(self) -> None:
        """Be a server of this store until it is closed. Raises Conflict where only one may be, and there is one."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted and let go of files and threads."""
        ...


Content = bytes | memoryview | Iterable[bytes] | AsyncIterable[bytes]
"""Bytes, or pieces of them as they come; an open file is read in pieces."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of content once all of it has been seen: its SHA-256, and its size in bytes."""

    hash: bytes
    size: int


class Artifacts(Protocol):
    """Keeps content under its SHA-256, one copy a family. Its rows are in the store: a row follows its content.

    Errors of every method: `StoreUnavailable`, `StoreFull`.
    """

    name: str
    """What people are shown, such as the path of the folder."""

    async def put(self, family: SessionId, content: Content, limit: int) -> Stored:
        """Keep content; all of it is durable when this returns, or nothing is left of it. It is as new afterwards.

        Raises:
            OutputTooLarge: it is longer than `limit` bytes.
        """
        ...

    async def measure(self, content: Content, limit: int) -> Stored:
        """What `put` would say; nothing is kept."""
        ...

    async def read(self, family: SessionId, stored: Stored, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on, of content that is what its hash says.

        Raises:
            StoreCorrupt: it is missing, or damaged.
        """
        ...

    async def verify(self, family: SessionId, stored: Stored) -> None:
        """Read all of it again. Raises StoreCorrupt as `read` does."""
        ...

    async def families(self) -> list[SessionId]:
        """The families of which something is kept."""
        ...

    async def kept(self, family: SessionId) -> dict[bytes, int]:
        """The hashes of what is kept of a family, and when it was put or touched last, in microseconds."""
        ...

    async def touch(self, family: SessionId, hashes: Sequence[bytes]) -> None:
        """Make these as new, as far as they are there."""
        ...

    async def remove(self, family: SessionId, hash: bytes, before_us: int) -> bool:
        """Remove content unless it was put or touched at `before_us` or later; whether it is gone."""
        ...

    async def sweep(self) -> int:
        """Remove what uploads of dead processes left behind; how many there were."""
        ...


@dataclass(slots=True)
class Finished:
    """What a node's task leaves behind: the names that it adds for its `writes` and guards. UNSET ones aren't there."""

    out: Any = UNSET
    usage: Usage | None = None
    results: Any = UNSET
    errors: Any = UNSET
    event: Any = UNSET
    known: Mapping[str, Any] | None = None
    """All of these names where the result was reused."""
    history: tuple[int, list[dict[str, Any]]] | None = None
    """What a model call adds to its history channel: (channel index, messages)."""

    def scope(self) -> dict[str, Any]:
        """The names and their values. An unknown cost is null."""
        if self.known is not None:
            return dict(self.known)
        scope: dict[str, Any] = {}
        if self.out is not UNSET:
            scope["out"] = self.out
        if self.usage is not None:
            cost = None if self.usage.cost_micro is None else self.usage.cost_micro / 1e6
            scope["usage"] = {
                "input_tokens": self.usage.input_tokens,
                "output_tokens": self.usage.output_tokens,
                "cost_usd": cost,
            }
        if self.results is not UNSET:
            scope["results"] = self.results
            scope["errors"] = self.errors
        if self.event is not UNSET:
            scope["event"] = self.event
        return scope


@dataclass(frozen=True, slots=True)
class Parked:
    """The task waits. `open` keeps the superstep open, all else lets the barrier close around it.

    `question` is `{kind, prompt, options, answer_schema, payload, assignee}`; `timeout_s` is how long the task may
    wait. A timer runs for `due_s`, or until `until_us`.
    """

    reason: Literal["interrupt", "child", "event", "timer", "open"]
    question: Mapping[str, Any] | None = None
    timeout_s: float | None = None
    due_s: float | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class ItemEnd:
    """How one item of a map ended: `scope` where it is done, else `error`; neither where it waits."""

    scope: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


Late = Callable[[Any, NodeError | None], None]
"""Told the result or the failure of an execution for which nobody waits any more."""


@dataclass(slots=True)
class EffectCall:
    """The call that an effect makes. The callee may set `usage`, which goes into the row's cost, and `tries`.

    A model says `begin` before each try and `arrived` with each piece: `first_us` is when the first one of the last try
    came, by `now_us`.
    `late` is for a callee that can't be cancelled: it says how it ended after it was abandoned.
    """

    write_key: bytes
    step: StepId
    usage: Usage | None = None
    tries: int = 1
    late: Late | None = None
    artifacts: list[ArtifactRow] = field(default_factory=list)
    """What was put while it went on: kept with the outcome, since the call isn't made again."""
    now_us: Callable[[], int] | None = None
    first_us: int | None = None

    def begin(self) -> None:
        """Nothing has come yet."""
        self.first_us = None

    def arrived(self) -> None:
        """A piece of the answer has come."""
        if self.first_us is None and self.now_us is not None:
            self.first_us = self.now_us()


Execute = Callable[[EffectCall], Awaitable[Any]]


class MadeOf(Protocol):
    """What a request was made of: a hash of these sources, and how they are called in messages."""

    @property
    def hash(self) -> bytes: ...

    @property
    def names(self) -> tuple[str, ...]: ...


class ArtifactAccess(Protocol):
    """How nodes and tools put and read artifacts of their session's family."""

    async def put_artifact(self, content: Content, media_type: str, name: str | None = None) -> dict[str, Any]:
        """Keep content, and give its value of the type `Artifact`: `{id, media_type, size, name}`.

        The id derives from the content: the same bytes have the same id, in a replay too, where nothing is kept. The
        name is a label. Others can read it once the superstep is committed, this task at once.

        Raises:
            NodeError: `invalid_output` (`output_too_large`), or `unavailable` (`disk_full artifact_unavailable`).
        """
        ...

    async def read_artifact(self, artifact: str, offset: int, limit: int) -> bytes:
        """At most `limit` bytes of an artifact from `offset` on; none behind its end.

        Raises:
            NodeError: `invalid_input` (`unknown_artifact`): there is none of this id in this session's family; or
                `unavailable` (`artifact_damaged artifact_left_out artifact_unavailable`).
        """
        ...


class Task(ArtifactAccess, Protocol):
    """What a node may touch while it runs. Effects go through it and nowhere else.

    `env` has the names that the node's expressions see: channels of snapshot k, `inputs`, `run`, `error`, item
    names. `error` is the record of the route that led here. `answer` is set when a parked token was woken:
    `{value}`, `{event}`, `{timer}` or `{error}`.
    """

    path: str
    attempt: int
    superstep: int
    born: int
    """The superstep that placed the task's token."""
    env: Mapping[str, Any]
    seen: Mapping[str, Any]
    """`env` with what this task's own calls have written."""
    error: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None
    services: TaskServices
    last_call: Sequence[str | int] | None
    """Path, attempt and ordinal of the newest effect. Its step id follows from these, and is never in a value."""

    @property
    def session(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def artifacts(self) -> Sequence[str]:
        """The ids of what this task, or this branch of it, has put so far, in order."""
        ...

    @property
    def depth(self) -> int:
        """How many sessions of the same graph call each other above this one."""
        ...

    async def effect(
        self,
        kind: str,
        name: str,
        effect_class: EffectClass,
        request: Any,
        execute: Execute,
        *,
        keyed: bool = False,
        check: Execute | None = None,
        made_of: MadeOf | None = None,
    ) -> Any:
        """The journaled outcome of this call, or what `execute` gives now, journaled.

        Args:
            keyed: Of a write: its peer refuses or returns a repeat by key, so that without an outcome it is called
                again under its key.
            check: Of a write: asked first where there is no outcome. It gives `{found: value}` if the call has
                happened, `not_found` if it hasn't and may be made, or `unknown`.
            made_of: The sources of the request, such as prompts; kept with the call, so that a replay can name them.

        Raises:
            NodeError: the call failed; the failure is journaled as well.
            Limited: a model call that a limit forbids; not an Exception, so the task ends there.
            InDoubt: a write with an intent and no outcome, which nobody has settled; nothing was called.
            ReplayDivergence: the journal has another call in this place.
        """
        ...

    def foreseen(self, kind: str, names: Sequence[str]) -> str | None:
        """The name of this task's next call if that is one of this kind: what the journal holds in its place, or where
        it holds nothing the first of these names. In a replay the journal alone says it.

        So what an operator changes adds nothing to calls that were made, and takes nothing from them.
        """
        ...

    async def ask(self, question: Mapping[str, Any]) -> Any:
        """The answer to an interrupt raised inside a running task; until there is one, the task ends here."""
        ...

    async def flush(self) -> None:
        """Return when all that this session did until now is durable, the effects of this superstep included."""
        ...

    def hold(self) -> NoReturn:
        """End here: the task waits for something inside its superstep, and runs again when that is there."""
        ...

    async def gather(
        self, works: Sequence[tuple[str, Callable[[Task], Awaitable[Any]]]], limits: Mapping[str, int]
    ) -> list[Any]:
        """What all of these give, in order. Each is called with a task of its own, its calls apart from the others'.

        All of them run to their end; then the task ends with what one of them ended with, if that was no value.

        Args:
            works: Its lane and what is to be done.
            limits: How many of a lane run at once; one that isn't there has no limit.
        """
        ...

    def write(self, writes: Any, names: Mapping[str, Any]) -> None:
        """Note what a finished call of this task writes: compiled writes over `seen` and these names.

        They are merged at the barrier in this order, before the node's own.
        """
        ...

    async def child(self, graph: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The outputs of a child session that runs `graph` of this plan; None while it waits.

        Raises:
            NodeError: kind `child_failed`.
        """
        ...

    async def start_session(self, graph: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Start a session that runs `graph` of this plan beside this one, and goes on after it. An effect.

        What it gives is for `look_at_session`, in this run or a later one: plain data, equal in equal sessions.
        """
        ...

    async def look_at_session(self, started: Mapping[str, Any]) -> Mapping[str, Any]:
        """How a started session stands now: `{status, reason, outputs, error}`. An effect.

        Raises:
            NodeError: kind `unavailable`, it isn't there any more.
        """
        ...

    async def item(self, index: int, env: Mapping[str, Any]) -> ItemEnd:
        """Run the node under `do` for one item, with retries and timeout of its own."""
        ...

    def say(self, message_id: str, index: int, text: str) -> None:
        """Show a provisional piece of text to whoever watches."""
        ...

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """A live event that isn't kept."""
        ...

    def show_progress(self, fraction: float, note: str) -> None:
        """How far the call is whose `ToolCallStarted` was the last one of this task, or of this branch of it."""
        ...

    def emit(self, kind: str, data: Any) -> None:
        """An event that is committed with the superstep, and shown at once to whoever watches.

        What only tells how the task goes is kept where its last attempt fails; `x.user` events go with the attempt.
        The marks `call` and `child` in the data of other kinds become ids (`engine.emitted`).
        """
        ...

    def preview(self, kind: str, data: Any, ahead: int) -> None:
        """Show now what is emitted later, as the event after the `ahead` next ones."""
        ...

    def now(self) -> datetime:
        """The recorded opening time of this attempt."""
        ...

    def random_bytes(self) -> bytes:
        """16 bytes from the session's seed, others at each call."""
        ...

    def message_id(self, ordinal: int) -> str:
        """The id of a message that this task writes, equal in a replay."""
        ...


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """What is known of one tool without calling it.

    Attributes:
        name: As the graph calls it: `search`, or `server.tool`.
        description: Text for the model; empty if nobody wrote one.
        parameters: JSON Schema of an object that takes no further properties.
        returns: JSON Schema of the result; None if nobody says.
        timeout_s: How long a call may take, in seconds.
    """

    name: str
    source: Literal["python", "mcp", "openapi", "graph", "client", "std"]
    description: str
    parameters: Mapping[str, Any]
    returns: Mapping[str, Any] | None
    effects: EffectClass
    timeout_s: float

    def data(self) -> dict[str, Any]:
        """Plain data, all fields."""
        return {field: getattr(self, field) for field in self.__slots__}


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ToolCall:
    """What a source may know of the call that it makes.

    Attributes:
        effect: The journaled effect that this call is.
        key: The author's idempotency key; None where the key of the effect serves.
        progress: Shows how far the call is: a fraction from 0 to 1, and a note.
        now: What a tool is told when it asks for the time.
        timeout_s: How long it may take, in place of the tool's own time.
        sent: The call may have had an effect: until then nothing is in doubt.
        artifacts: Where it may put and read artifacts.
        result_limit: How long its result may be in canonical bytes, in place of the source's own limit.
        answers: What people have answered to questions of the peer, by their digests; None where nobody can be asked.
        first_key: The key under which the call was made before its peer asked something.
        on_sent: Told of the first `send`.
    """

    session: str
    effect: EffectCall
    key: str | None
    progress: Callable[[float, str], None]
    now: Callable[[], datetime] = _wall
    timeout_s: float | None = None
    sent: bool = False
    artifacts: ArtifactAccess | None = None
    result_limit: int | None = None
    answers: Mapping[str, Mapping[str, Any]] | None = None
    first_key: str | None = None
    on_sent: Callable[[], None] | None = None

    def send(self) -> None:
        """Said by the source: its arguments are valid, and from now on the call may have an effect."""
        if not self.sent and self.on_sent is not None:
            self.on_sent()
        self.sent = True

    @property
    def idempotency_key(self) -> str:
        """What the peer is given: the author's key, else that of the effect by which it was first called."""
        return self.key or self.first_key or self.effect.write_key.hex()


class ToolSource(Protocol):
    """What one entry of a graph's `tools` stands for: a tool, or all tools of a server."""

    def known(self) -> tuple[ToolInfo, ...] | None:
        """The tools, if they can be told without asking anybody; None where only the server knows.

        Raises:
            NodeError: the tool can't be called as it is declared.
        """
        ...

    def check(self, info: ToolInfo, arguments: Mapping[str, Any]) -> None:
        """Whether a tool takes these arguments, without asking anybody.

        Raises:
            NodeError: kind `invalid_input`, cause `unknown_tool` or `bad_arguments`.
        """
        ...

    async def list(self, session: str) -> tuple[ToolInfo, ...]:
        """The tools, asked of the server where only it knows.

        Raises:
            NodeError: the server can't be reached, or lists what can't be called.
        """
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], call: ToolCall) -> Any:
        """The result as plain data. `name` is that of a `ToolInfo`.

        Raises:
            NodeError: `invalid_input` (`unknown_tool bad_arguments`) if nothing was executed; else the call failed.
            InDoubt: an unkeyed write was sent and nobody knows whether it happened.
        """
        ...

    async def close(self, session: str) -> None:
        """Let go of what is open for a session; the next call opens it again."""
        ...


@dataclass(frozen=True, slots=True)
class SharedBucket:
    """One quantity of a rate limit: how much of it there is at most, and how much comes back in a second. A capacity
    of 0 is no limit."""

    capacity: float
    rate_s: float


class SharedRates(Protocol):
    """The two buckets of a rate limit, requests and model tokens, that several workers share. Nothing raises."""

    async def take(
        self, key: str, requests: SharedBucket, tokens: SharedBucket, amount: tuple[float, float]
    ) -> tuple[float, int] | None:
        """Take both amounts or neither: seconds until they are there, 0 if they were taken, and how many workers
        share the limit. None if nobody knows."""
        ...

    async def settle(self, key: str, requests: SharedBucket, tokens: SharedBucket, back: float) -> None:
        """Give model tokens back; a negative number takes more."""
        ...

    async def lower(
        self, key: str, requests: SharedBucket, tokens: SharedBucket, left: tuple[int | None, int | None]
    ) -> None:
        """There is no more than that of either; None is unsaid."""
        ...

    async def close_for(self, key: str, requests: SharedBucket, tokens: SharedBucket, seconds: float) -> None:
        """Nobody takes anything for so long."""
        ...


class Contexts(Protocol):
    """What the process remembers of conversations by (session, node); nothing may depend on whether it does."""

    def get(self, key: tuple[str, str], fits: Callable[[Any], bool]) -> Any:
        """What was kept, if it is there and `fits` says that it is what it should be; else None."""
        ...

    def put(self, key: tuple[str, str], value: Any, size: int) -> bool:
        """Keep a value of about so many bytes. False if there is no room."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A function of the operator that decides about a node's model calls.

    `graph` is the one that runs, as its sessions are listed. `load` gives the function, and the names of the one or two
    parameters that it is called with: the value, and the `HookContext`. It raises NodeError.
    """

    name: str
    graph: str
    timeout_s: float
    load: Callable[[], tuple[Callable[..., Any], Sequence[str]]]


class TaskServices(Protocol):
    """What the composition root gives to nodes."""

    contexts: Contexts | None

    def tool_source(self, name: str) -> ToolSource:
        """What the entry `name` of the plan's `tools` stands for. Raises NodeError if there is none."""
        ...

    def function(self, reference: str) -> Callable[..., Any]:
        """The function `pkg.mod:name`. Raises NotFound if the host doesn't allow or have it."""
        ...

    async def model(self, name: str) -> Model:
        """The model of that name in the plan."""
        ...

    def read_answer(self, text: str, schema: Mapping[str, Any], finish: str) -> Any:
        """The value of a structured answer. Raises NodeError of kind `invalid_output`."""
        ...

    def kind(self, node: Any, graph: Any, plan: Any) -> Node:
        """The node kind bound to this node of a plan."""
        ...

    def fingerprint(self, node: Any) -> bytes | None:
        """A hash of the author's code that this node runs; None if it runs none."""
        ...

    def identity(self, node: Any) -> bytes:
        """A hash of what this node runs besides what its plan says: the author's code, and the host's models."""
        ...

    @property
    def result_limit(self) -> int:
        """How long the result of an agent's tool may be, in canonical bytes; a long one becomes an artifact."""
        ...

    def hooks(self, stage: HookStage, node: str) -> Sequence[Hook]:
        """The hooks around the model calls of this node and its items, in the operator's order. Nothing is loaded."""
        ...

    def redact(self, value: Any) -> Any:
        """The value with every secret that stands in its texts replaced by `***`."""
        ...

    def render(self, template: Any, variables: Mapping[str, Any]) -> str:
        """A prompt. Raises NodeError of kind `expression`."""
        ...


class Node(Protocol):
    """A node kind, bound to its plan: `Kind(node, graph, plan)`. Registered in `registry.NODES`.

    `immediate` kinds compute and touch nothing: `run_now` is called inline. The others are awaited.
    """

    immediate: bool

    def run_now(self, task: Task) -> Finished | Parked:
        """Do the work of an immediate kind."""
        ...

    async def run(self, task: Task) -> Finished | Parked:
        """Do the work of any other kind."""
        ...

"""One open superstep of one session: what all of its tasks share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from graphagent.engine.artifacts import Shelf
from graphagent.engine.emitted import Said
from graphagent.engine.environment import Env
from graphagent.engine.journal import Journal
from graphagent.engine.limits import Budget, Limit
from graphagent.frozen import dataclass
from graphagent.graph.plan import GraphPlan, Plan
from graphagent.ids import ArtifactId, InterruptId, SessionId, StepId
from graphagent.ports import Clock, ItemEnd, Node, TaskServices
from graphagent.snapshot import ArtifactRow, CachedResult, InterruptRow, Spent


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child session stands: `status` and `reason` as in its authority row."""

    status: str
    reason: str | None
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    spent: Spent


class Children(Protocol):
    """Runs child sessions; `session/hub.py` implements it, a replay answers from the journal."""

    async def call(self, child: SessionId, call: ChildCall) -> ChildEnd:
        """Create the child unless it is there, and run it until it ends or waits."""
        ...

    async def start(self, child: SessionId, call: ChildCall) -> None:
        """Create a session that runs beside its caller and outlives it, unless it is there."""
        ...

    async def attach(self, child: SessionId) -> None:
        """See to it that such a session runs, if nobody runs it and it has something to do."""
        ...

    async def look(self, starter: SessionId, superstep: int, key: str) -> ChildEnd:
        """How the session stands that the starter, or an origin of it, has started so; and see to it that it runs.

        Raises:
            NodeError: kind `unavailable`, it isn't there any more.
        """
        ...

    async def cancel(self, child: SessionId) -> None:
        """Cancel a child that nobody waits for any more."""
        ...


@dataclass(frozen=True, slots=True)
class ChildCall:
    """Everything that a child session starts from."""

    caller: SessionId
    superstep: int
    path: str
    graph: str
    inputs: Mapping[str, Any]
    opened_at: int
    seed: bytes
    bounds: Mapping[str, int] = field(default_factory=dict)
    """What the caller has left, by the keys of `Control.bounds`."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that happens now, for whoever watches. It may vanish.

    `place` is the path of who said it and its number there, of what is committed later under the same id.
    """

    kind: str
    superstep: int | None
    node: str | None
    task: str | None
    attempt: int | None
    data: Mapping[str, Any]
    place: tuple[str, int] | None = None
    step: StepId | None = None


Sink = Callable[[LiveEvent], None]
RunItem = Callable[[Any, int, Mapping[str, Any]], Awaitable[ItemEnd]]
"""Runs one item of a map for the context of the map's task."""


@dataclass(frozen=False, slots=True)
class Step:
    """An open superstep. `kinds` are the bound node kinds by node index; `opened` collects the interrupts that hold
    it open; `resumed` says from which attempt on the tasks of a failed run have a fresh retry budget."""

    session: SessionId
    run: str
    depth: int
    seed: bytes
    plan: Plan
    graph: GraphPlan
    kinds: Sequence[Node]
    superstep: int
    opened_at: int
    env: Env
    journal: Journal
    services: TaskServices
    clock: Clock
    children: Children
    sink: Sink | None = None
    resumed: Mapping[str, int] = field(default_factory=dict)
    answers: Mapping[InterruptId, Any] = field(default_factory=dict)
    opened: list[InterruptRow] = field(default_factory=list)
    replaying: bool = False
    run_item: RunItem | None = None
    waited: frozenset[str] = frozenset()
    """In a replay: the tasks that were recorded as waiting."""
    budget: Budget | None = None
    limit: Limit | None = None
    """The limit that kept a task from a model call."""
    results: list[CachedResult] = field(default_factory=list)
    """What finished tasks leave for later ones."""
    child_reasons: dict[SessionId, str] = field(default_factory=dict)
    """What the children that wait are waiting for."""
    used: set[tuple[str, int, int]] = field(default_factory=set)
    """Rows of the journal that this run of the superstep has asked for."""
    shelf: Shelf | None = None
    """The artifacts of the family."""
    artifacts: dict[ArtifactId, ArtifactRow] = field(default_factory=dict)
    """What was put in this superstep; the barrier commits it."""
    abandoned: dict[str, list[Said]] = field(default_factory=dict)
    """What the items of a map said whose time was over before they ended."""

    def show(self, kind: str, path: str, attempt: int, data: Mapping[str, Any]) -> None:
        """Send a live event, if anybody watches."""
        if self.sink is not None:
            self.sink(LiveEvent(kind, self.superstep, path.partition("[")[0], path, attempt, data))

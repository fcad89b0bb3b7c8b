"""The `diff` document and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.ids import SessionId
from graphagent.session.documents.part import Document, Part
from graphagent.session.documents.parts import GraphRef, Op, Origin, PatchOp, Usage, Value
from graphagent.snapshot import UNSET, Status, Unset

Aspect = Literal["nodes", "tasks", "routes", "events", "values"]


@dataclass(frozen=True, slots=True)
class Side(Part):
    """One of the two snapshots. `due` and `waiting` are nodes; `usage` is its run's so far."""

    session: SessionId
    graph: GraphRef
    status: Status
    snapshot: int
    due: list[str]
    waiting: list[str]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Pair(Part):
    """Two supersteps that stand for each other, or one that has no counterpart. `a_ran` and `b_ran` are tasks, or the
    kind of a superstep without any. `differs` says in what: `tasks` is how they ended, `values` what the written
    channels hold after it."""

    a: int | None
    b: int | None
    same: bool
    a_ran: list[str]
    b_ran: list[str]
    differs: list[Aspect]


@dataclass(frozen=True, slots=True)
class Difference(Part):
    """A channel that differs: `before` is in A, `after` in B. Where only the versions differ there is no value.

    `version` and `writers` are B's, `previous_version` and `previous_writers` A's; null where it isn't set. `append`:
    B has these items more. `patch` leads from A's value to B's; of lists that grew apart, `removed` and `added` are
    what each has behind what both have.
    """

    channel: str
    reducer: str
    version: int | None
    previous_version: int | None
    writers: list[str]
    previous_writers: list[str]
    op: Op
    before: Value | Unset = UNSET
    after: Value | Unset = UNSET
    added: list[Any] | Unset = UNSET
    patch: list[PatchOp] | Unset = UNSET
    removed: list[Any] | Unset = UNSET


@dataclass(frozen=True, slots=True)
class Delta(Part):
    """What B has more than A, since the snapshot that both have in common."""

    supersteps: int
    wall_ms: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class DiffDocument(Document):
    """What differs between two snapshots. `common` is the newest one that both lines went through, `pairs` are the
    supersteps behind it. `first_difference` is a superstep of A, or of B where A has none. `outputs_same` is null
    unless both runs are done there. `graph_patch` is a unified diff, null for one and the same graph."""

    table = "diff_text:diff_text"

    schema: Literal["graphagent/diff@1"] = field(default="graphagent/diff@1", init=False)
    a: Side
    b: Side
    common: Origin | None
    same: bool
    first_difference: int | None
    pairs: list[Pair]
    changes: list[Difference]
    outputs_same: bool | None
    delta: Delta
    graph_patch: str | None

"""How tasks end, and which routes they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from graphagent.engine.emitted import Said
from graphagent.frozen import dataclass
from graphagent.graph.plan import RoutePlan
from graphagent.snapshot import ArtifactRow, Token, Waiting


@dataclass(frozen=False, slots=True)
class TaskResult:
    """How one token's task ended.

    `writes` are checked and frozen values by channel index. `scope` holds the names that the task adds for its
    guards: `out`, `usage`, `results`, `errors`, or `error`. `open` means that it waits inside the superstep,
    which therefore can't close; `cancelled` that a limit cut it short, and it leaves nothing.
    """

    token: Token
    status: Literal["done", "failed", "parked", "open", "cancelled"]
    attempt: int = 0
    scope: Mapping[str, Any] = field(default_factory=dict)
    writes: Sequence[tuple[int, Any]] = ()
    error: dict[str, Any] | None = None
    waiting: Waiting | None = None
    events: list[Said] = field(default_factory=list)
    journaled: bool = False
    started_us: int = 0
    ended_us: int = 0
    unrouted: bool = False
    history: tuple[int, list[dict[str, Any]]] | None = None
    own: Sequence[tuple[int, Any]] = ()
    """Those of `writes` that the task's own calls made: behind its messages, before the node's."""
    artifacts: Sequence[ArtifactRow] = ()
    """What the task put."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The route that a task took: `kind` is `next`, `error` or `none`."""

    kind: Literal["next", "error", "none"]
    route: RoutePlan | None = None
    writes: tuple[tuple[int, Any], ...] = ()

"""What a task says while it runs: its place, its partners, its times, and how it reads as an event.

Nothing that a task says holds an id of its session or a time, since what a finished task leaves is in the digest.
In their place stand *marks*: `call` (path, attempt and ordinal of an effect) and `child` (superstep, path and attempt
of a call of a child session). They become ids and times where the event is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from graphagent.engine.call_ids import child_id
from graphagent.engine.spending import ttft_ms
from graphagent.ids import EventId, SessionId, StepId
from graphagent.snapshot import EffectRow

CHAINED: Final = ("x.user.", "x.interrupt.")
"""Kinds that say what happened in the graph: the digest sees them, and an attempt that fails takes them with it."""
STARTED: Final = "ToolCallStarted"
PARTNERS: Final = {
    STARTED: ("ToolCallCompleted", "call_id"),
    "PreHookStarted": ("PreHookCompleted", "hook"),
    "PostHookStarted": ("PostHookCompleted", "hook"),
}
"""Kinds that have a partner in the same attempt, and the field that both share."""
MODEL_ENDED: Final = "x.model.completed"
TIMED: Final = frozenset({"ToolCallCompleted", MODEL_ENDED})
"""Kinds that say how long their call took."""
OF_A_MESSAGE: Final = frozenset({"RunContentCompleted", "ReasoningStarted", "ReasoningStep", "ReasoningCompleted"})
"""Kinds whose `message_id` is the id of the model call that they follow from."""

EVENTS: Final = "events"
"""The key under which a task row holds what the task said."""
PURE: Final = "pure"
"""In place of the ordinal of a call that isn't in the journal, since it is computed again."""

Find = Callable[[str, int, int], EffectRow | None]
"""The row of a call, by path, attempt and ordinal."""


class Said(NamedTuple):
    """One thing that a task said. `path` is its own, or that of its branch or item; `n` its place among what that one
    said in this attempt."""

    kind: str
    data: Any
    path: str
    attempt: int
    n: int

    @property
    def chained(self) -> bool:
        """Whether the digest sees it as an event of the graph."""
        return self.kind.startswith(CHAINED)

    def mark(self, name: str) -> list[Any] | None:
        """One of its marks."""
        found = self.data.get(name) if isinstance(self.data, Mapping) else None
        return found if isinstance(found, list) else None


def rows_of(said: Sequence[Said], path: str, attempt: int) -> list[list[Any]]:
    """What a task said as its row holds it; what follows from the row itself is left out."""
    return [[s.kind, s.data] if (s.path, s.attempt, s.n) == (path, attempt, i) else list(s) for i, s in enumerate(said)]


def said_in(rows: Iterable[Sequence[Any]], path: str, attempt: int) -> list[Said]:
    """What `rows_of` wrote."""
    return [Said(r[0], r[1], path, attempt, i) if len(r) == 2 else Said(*r) for i, r in enumerate(rows)]


def of_item(events: Sequence[Said], index: int) -> list[Said]:
    """What an item of a map said, with its place among the items."""
    return [
        said._replace(data={**said.data, "item": index}) if isinstance(said.data, Mapping) else said for said in events
    ]


def without_end(said: Sequence[Said]) -> Iterator[Said]:
    """What was begun and has no partner yet."""
    for i, start in enumerate(said):
        partner = PARTNERS.get(start.kind)
        if partner is None:
            continue
        kind, key = partner
        if not any(s.kind == kind and s.data[key] == start.data[key] and s.path == start.path for s in said[i + 1 :]):
            yield start


def end_of(start: Said, status: str, error: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The partner of something that was begun in an attempt that was abandoned."""
    kind, key = PARTNERS[start.kind]
    if kind != "ToolCallCompleted":
        return kind, {key: start.data[key], "verdict": status, "reason": None, "result_ref": None}
    data: dict[str, Any] = {
        "call_id": start.data["call_id"], "tool": start.data["tool"], "status": status, "result_ref": None,
        "error": None if error is None else dict(error), "artifacts": [], "child": start.data.get("child"),
    }  # fmt: skip
    if start.mark("call_of") is not None:
        data["call_of"] = start.data["call_of"]
    return kind, data


def shown(said: Said, session: SessionId, superstep: int, find: Find | None = None) -> tuple[Any, StepId | None]:
    """The data of an event with ids in place of marks, and the id of the effect that it follows from.

    Args:
        find: Gives times; without it they are in the data already.
    """
    call, data = said.mark("call"), said.data
    if not isinstance(data, Mapping):
        return data, None
    step = None if call is None else StepId.derive(session, superstep, *call)
    out = {k: v for k, v in data.items() if k not in ("call", "call_of", "child")}
    if (call_of := said.mark("call_of")) is not None:
        out["call_id"] = StepId.derive(session, *call_of)
    if said.kind == "ToolCallCompleted":
        child = said.mark("child")
        out["child_session"] = None if child is None else child_id(session, child[0], child[1], child[2])
        out["step"] = step
    elif said.kind in OF_A_MESSAGE:
        out["message_id"] = step
    elif step is not None:
        out["step"] = step
    if find is not None and said.kind in TIMED:
        out |= times(said, find)
    return out, step


def times(said: Said, find: Find) -> dict[str, int | None]:
    """How long the call took that ended here, and a model to its first token."""
    out = {"duration_ms": duration_ms(said, find)}
    return {**out, "ttft_ms": ttft_ms(_row(said, find))} if said.kind == MODEL_ENDED else out


def duration_ms(said: Said, find: Find) -> int | None:
    """How long the call took that ended here; None if nothing was called, or nobody knows."""
    row = _row(said, find)
    return None if row is None or row.ended_at is None else max(row.ended_at - row.started_at, 0) // 1000


def moments(said: Sequence[Said], find: Find, start_us: int) -> list[int | None]:
    """Milliseconds from the start of a superstep until each of these was said, as far as the journal knows.

    A call began with its effect and ended with it; all else follows from an effect that had ended.
    """
    out: list[int | None] = []
    rows = [_row(s, find) for s in said]
    ends = {
        (s.path, s.data["call_id"]): row for s, row in zip(said, rows, strict=True) if s.kind == "ToolCallCompleted"
    }
    last: int | None = None
    for one, found in zip(said, rows, strict=True):
        begins = one.kind == STARTED
        row = ends.get((one.path, one.data["call_id"])) if begins else found
        at = None if row is None else row.started_at if begins else row.ended_at
        last = last if at is None else max(at - start_us, 0) // 1000
        out.append(last)
    return out


def _row(said: Said, find: Find) -> EffectRow | None:
    call = said.mark("call")
    return find(*call) if call is not None and isinstance(call[2], int) else None


def event_id(session: SessionId, superstep: int, path: str, attempt: int, kind: str, n: int) -> EventId:
    """The id of an event, equal in its provisional and its committed form."""
    return EventId.derive(session, superstep, path, attempt, kind, n)

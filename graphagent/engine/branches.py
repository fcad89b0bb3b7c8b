"""Calls that a task makes at the same time: each in a branch of its own, so that their order can't matter.

A scope takes one ordinal of its task; the branches below it have paths of their own, `agent/4.0`, `agent/4.1`.
Every branch runs to its end, whatever becomes of the others: what is paid for is in the journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from graphagent.concurrency import lone_nursery
from graphagent.engine.doubt import takes_doubt
from graphagent.engine.failures import node_error
from graphagent.engine.step import Step
from graphagent.engine.waiting import Held, Limited
from graphagent.errors import InDoubt, NodeError
from graphagent.frozen import dataclass
from graphagent.graph.plan import NodePlan

Work = tuple[str, Callable[[Any], Awaitable[Any]]]
"""The lane of a piece of work, and what is done in its branch."""


class Branching(Protocol):
    """A task with branches, or one of them: `engine.context.TaskContext`."""

    step: Step
    node: NodePlan
    attempt: int

    def open_scope(self, count: int) -> Sequence[Branching]: ...

    def close_scope(self) -> None: ...

    def ask_about(self, error: InDoubt) -> None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a branch ended."""

    value: Any = None
    raised: BaseException | None = None


async def gather(task: Branching, works: Sequence[Work], limits: Mapping[str, int]) -> list[Any]:
    """See `ports.Task.gather`."""
    branches = task.open_scope(len(works))
    ends: list[Ended] = [Ended()] * len(works)

    async def run(indices: Any) -> None:
        for index in indices:
            ends[index] = await _ended(works[index][1], branches[index])

    lanes: dict[str, list[int]] = {}
    for index, (lane, _) in enumerate(works):
        lanes.setdefault(lane, []).append(index)
    async with lone_nursery() as nursery:
        for lane, members in lanes.items():
            queue = iter(members)
            for _ in range(min(limits.get(lane, len(members)), len(members))):
                nursery.start_soon(run, queue)
    task.close_scope()
    return _settled(task, branches, ends)


async def _ended(work: Callable[[Any], Awaitable[Any]], branch: Branching) -> Ended:
    try:
        return Ended(await work(branch))
    except (Held, Limited, NodeError) as raised:
        return Ended(raised=raised)


def _settled(task: Branching, branches: Sequence[Branching], ends: Sequence[Ended]) -> list[Any]:
    """The values in order; or what the task as a whole has to end with."""
    waits: BaseException | None = None
    for branch, end in zip(branches, ends, strict=True):
        if isinstance(end.raised, InDoubt):
            if takes_doubt(task.node, task.step.env, node_error(task.node, end.raised, task.attempt)):
                raise end.raised
            branch.ask_about(end.raised)
            waits = waits or Held()
        elif isinstance(end.raised, Held | Limited):
            waits = waits or end.raised
    if waits is not None:
        raise waits
    for end in ends:
        if end.raised is not None:
            raise end.raised
    return [end.value for end in ends]

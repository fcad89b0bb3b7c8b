"""Limits of a run: what bounds it, what is reached when, and how a superstep ends that one cuts short. Pure.

All are checked at the barrier. Tokens and cost are also checked before every model call, which then isn't made. What
counts there is what the run had used when the superstep began, and what this task has used since: what siblings and
other items of a map use in the same superstep counts from the barrier on, or it would matter who is faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from graphagent.engine.failures import record
from graphagent.engine.results import TaskResult
from graphagent.engine.spending import add
from graphagent.frozen import dataclass
from graphagent.graph.plan import GraphPlan
from graphagent.snapshot import Control, Spent, Token

Cause = Literal["supersteps", "tokens", "cost_usd", "wall", "visits"]
BOUNDS: Final[Mapping[str, str]] = {
    "supersteps": "supersteps", "tokens": "tokens", "cost_usd": "cost_micro", "wall": "wall_us",
}  # fmt: skip
"""The keys of `Control.bounds` by the limit that they are instead of."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is reached, with its bound in words."""

    cause: Cause
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """The record of a run that it ends."""
        return record("limit", f"the limit {self.text} is reached", node=None, attempt=0, cause=self.cause)

    @property
    def data(self) -> dict[str, Any]:
        """The data of its event."""
        return {"limit": self.text, "cause": self.cause}


def tokens_of(spent: Spent) -> int:
    """Input and output tokens."""
    return spent[1] + spent[2]


def used_up(graph: GraphPlan, bounds: Mapping[str, int], spent: Spent) -> Limit | None:
    """The limit on tokens or cost that is reached by having used that much."""
    limits = graph.limits
    tokens = bounds.get("tokens", limits.tokens)
    if tokens is not None and tokens_of(spent) >= tokens:
        return Limit("tokens", f"tokens: {tokens}")
    cost = bounds.get("cost_micro", limits.cost_micro)
    if cost is not None and spent[6] >= cost:
        return Limit("cost_usd", f"cost_usd: {cost / 1e6:g}")
    return None


def reached(graph: GraphPlan, control: Control) -> Limit | None:
    """The limit that the run has reached at a barrier; none behind `on_limit`."""
    if control.limited:
        return None
    most = control.bounds.get("supersteps", graph.limits.supersteps)
    if most is not None and control.steps >= most:
        return Limit("supersteps", f"supersteps: {most}")
    limit = used_up(graph, control.bounds, control.spent)
    if limit is None and graph.limits.visits:
        for token in to_run(control):
            times = graph.limits.visits.get(token.node)
            if (
                times is not None
                and token.answer is None
                and token.failure is None
                and control.visits[token.node] >= times
            ):
                return Limit("visits", f"visits of {graph.nodes[token.node].name!r}: {times}")
    return limit


def to_run(control: Control) -> tuple[Token, ...]:
    """The tokens that run next, those included that only a breakpoint stops: it is no way around a limit."""
    return (*control.due, *(w.token for w in control.waiting if w.reason in ("before", "after")))


def deadline(graph: GraphPlan, bounds: Mapping[str, int], started_us: int) -> int | None:
    """When the time of a run that began then is over; None if it has no limit."""
    wall = bounds.get("wall_us", graph.limits.wall_us)
    return None if wall is None else started_us + wall


def wall_limit(graph: GraphPlan, bounds: Mapping[str, int]) -> Limit:
    """The limit on the time since the run's start."""
    return Limit("wall", f"wall: {bounds.get('wall_us', graph.limits.wall_us or 0) / 1e6:g} s")


@dataclass(frozen=True, slots=True)
class Budget:
    """What the tasks of one superstep may still use: `spent` is what the run had used when it began."""

    graph: GraphPlan
    bounds: Mapping[str, int]
    spent: Spent

    def reached(self, own: Spent) -> Limit | None:
        """The limit that is reached before the next model call of a task that has used `own` in this superstep."""
        return used_up(self.graph, self.bounds, add(self.spent, own))

    def left(self, own: Spent) -> dict[str, int]:
        """The bounds of a child session that such a task calls: what is left of each."""
        used = add(self.spent, own)
        tokens = self.bounds.get("tokens", self.graph.limits.tokens)
        cost = self.bounds.get("cost_micro", self.graph.limits.cost_micro)
        out = {} if tokens is None else {"tokens": max(tokens - tokens_of(used), 0)}
        return out if cost is None else {**out, "cost_micro": max(cost - used[6], 0)}


def budget_of(graph: GraphPlan, control: Control, bounds: Mapping[str, int]) -> Budget | None:
    """The budget of the next superstep; None where nothing bounds tokens and cost."""
    tokens = bounds.get("tokens", graph.limits.tokens)
    if control.limited or (tokens is None and bounds.get("cost_micro", graph.limits.cost_micro) is None):
        return None
    return Budget(graph, bounds, control.spent)


def cut_short(
    graph: GraphPlan, budget: Budget | None, results: Sequence[TaskResult], used: Spent, limit: Limit | None
) -> tuple[list[TaskResult], Limit | None]:
    """The results as the barrier takes them, and the limit that ends the run there.

    Where `on_limit` is set, tasks that a limit keeps from ending are cancelled, so that the superstep closes. Without
    it the superstep stays open: whoever raises the limit loses nothing.

    Args:
        used: By all tasks of this superstep.
        limit: What a task ran into, or the time that is over.
    """
    if limit is None and budget is not None and any(child_limited(graph, r) for r in results):
        limit = budget.reached(used)
    if limit is None or graph.limits.on_limit is None:
        return list(results), limit
    cut = [replace(r, status="cancelled") if r.status == "open" or child_limited(graph, r) else r for r in results]
    return cut, limit


def child_limited(graph: GraphPlan, result: TaskResult) -> bool:
    """Whether a task failed because its child session ran into a limit, and no route takes that."""
    error = result.error
    if result.status != "failed" or error is None or graph.nodes[result.token.node].on_error:
        return False
    return bool((error["kind"], error["cause"]) == ("child_failed", "limit"))


def narrower(graph: GraphPlan, left: Mapping[str, int]) -> dict[str, int]:
    """The bounds of a child session: the lower one of its own limit and of what its caller has left."""
    own = {"tokens": graph.limits.tokens, "cost_micro": graph.limits.cost_micro}
    return {key: value if (mine := own[key]) is None else min(mine, value) for key, value in left.items()}

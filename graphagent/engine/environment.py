"""What the names in an expression stand for, by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from graphagent.codec import freeze
from graphagent.frozen import dataclass
from graphagent.graph.plan import GraphPlan
from graphagent.snapshot import UNSET, Control

Env = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What `run` shows, besides the superstep: durable facts only, so that a replay sees the same."""

    run: str
    session: str


def show_time(time_us: int) -> str:
    """RFC 3339 UTC with milliseconds."""
    return datetime.fromtimestamp(time_us // 1000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def environment(
    graph: GraphPlan, values: Sequence[Any], control: Control, facts: RunFacts, superstep: int, opened_at: int
) -> Env:
    """Channels that have a value, `inputs`, and `run` where any expression reads it.

    Args:
        values: By channel index; UNSET where there is none.
        superstep: The superstep that evaluates.
        opened_at: Its recorded start, in microseconds.
    """
    env: Env = dict(zip(graph.channel_index, values, strict=True))
    if UNSET in values:
        env = {name: value for name, value in env.items() if value is not UNSET}
    env["inputs"] = _inputs(graph, control.inputs)
    if graph.reads_run:
        due = {t.node for t in control.due if t.answer is None and t.failure is None}
        visits = {n.name: v + (n.index in due) for n, v in zip(graph.nodes, control.visits, strict=True)}
        env["run"] = {
            "id": str.__str__(facts.run),
            "session": str.__str__(facts.session),
            "superstep": superstep,
            "visits": visits,
            "time": show_time(opened_at),
        }
    return env


def _inputs(graph: GraphPlan, given: Any) -> Any:
    """What the run was given; a fork with another plan takes the defaults of inputs that are new there."""
    if given is not None:
        for port in graph.inputs:
            if port.name not in given:
                return freeze({**{p.name: p.default for p in graph.inputs if p.default is not UNSET}, **given})
    return given


def with_scope(env: Mapping[str, Any], scope: Mapping[str, Any]) -> Env:
    """The names of `env` and those that a finished task adds."""
    return {**env, **scope}

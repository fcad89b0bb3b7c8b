"""Events and timers for tokens of `wait` nodes. Pure.

Events of a run are kept in its control state until a waiting token takes one. Tokens are served in the order in
which they parked, each by the oldest event that matches; so who gets what doesn't depend on timing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from graphagent.engine.environment import Env
from graphagent.engine.failures import record, view
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import GraphPlan, NodePlan
from graphagent.graph.types import TypeMismatch
from graphagent.snapshot import Control, Waiting


def deliver(graph: GraphPlan, control: Control, env: Callable[[], Env]) -> Control:
    """Wake every token for which an event is kept. `env` is what `match` sees besides the event."""
    if not control.events or all(w.reason != "event" for w in control.waiting):
        return control
    names = env()
    for waiting in control.waiting:
        if waiting.reason != "event":
            continue
        node = graph.nodes[waiting.token.node]
        for kept in control.events:
            event = matching(node, kept[1], kept[2], names)
            if event is not None:
                control = replace(control, events=tuple(e for e in control.events if e is not kept))
                control = wake(control, waiting, {"event": event})
                break
    return control


def matching(node: NodePlan, name: str, data: Any, env: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a `wait` node calls `event`, or None if it doesn't wait for this one."""
    check = node.events.get(name)
    if check is None:
        return None
    try:
        event = {**check(data), "name": name}
        if node.match is not None and node.match.evaluate({**env, "event": event}) is not True:
            return None
    except (TypeMismatch, EvaluationError):
        return None
    return event


def wake(control: Control, waiting: Waiting, answer: Mapping[str, Any]) -> Control:
    """The token is due again, with what it waited for."""
    rest = tuple(w for w in control.waiting if w is not waiting)
    due = tuple(sorted((*control.due, replace(waiting.token, answer=answer)), key=lambda t: t.node))
    return replace(control, waiting=rest, due=due)


def timer_of(graph: GraphPlan, waiting: Waiting) -> list[Any]:
    """The name of a waiting token's timer in its session."""
    return [waiting.superstep, graph.nodes[waiting.token.node].name, waiting.attempt]


def fire(graph: GraphPlan, control: Control, timer: list[Any], *, over: bool) -> Control | None:
    """The state after a timer was due, or with `over` after a node waited too long; None if nobody waits any more."""
    for waiting in control.waiting:
        if waiting.reason in ("event", "timer") and timer_of(graph, waiting) == timer:
            return wake(control, waiting, expired(graph, waiting) if over else {"timer": True})
    return None


def expired(graph: GraphPlan, waiting: Waiting) -> dict[str, Any]:
    """What wakes a token whose node waited as long as its `timeout` allows."""
    node = graph.nodes[waiting.token.node].name
    what = "nobody answered" if waiting.reason == "interrupt" else "no event came for"
    return {"error": view(record("timeout", f"{what} {node!r} in time", node=node, attempt=waiting.attempt))}

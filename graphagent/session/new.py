"""What a session starts from."""

from __future__ import annotations

from dataclasses import dataclass

from graphagent.graph.plan import Plan
from graphagent.ids import SessionId
from graphagent.snapshot import Mode


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session starts from. `caller` is (session, superstep, path) of a child's call."""

    plan: Plan
    seed: bytes
    name: str | None = None
    tags: tuple[str, ...] = ()
    session: SessionId | None = None
    family: SessionId | None = None
    caller: tuple[SessionId, int, str] | None = None
    mode: Mode = "strict"


def graph_name(plan: Plan) -> str:
    """What a session of a plan is listed under."""
    return plan.name if not plan.entry else f"{plan.name}.{plan.entry}"

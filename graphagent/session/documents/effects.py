"""The calls of a superstep, from its journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.codec import decode
from graphagent.engine.spending import of_rows
from graphagent.graph.plan import REDACTED
from graphagent.graph.secrecy import touches_secret
from graphagent.session.documents.common import shown, usage_of
from graphagent.session.documents.page import State, child_of_task, node_name
from graphagent.session.documents.part import milliseconds, time_text
from graphagent.session.documents.parts import Effect, Value
from graphagent.snapshot import EffectRow, EffectState, SessionRow

STATES = {
    EffectState.INTENT: "intent", EffectState.IN_DOUBT: "in_doubt", EffectState.DONE: "done",
    EffectState.FAILED: "failed",
}  # fmt: skip


def effects_of(
    row: SessionRow, before: State, journal: Sequence[EffectRow], node: str | None = None, *, full: bool = False
) -> list[Effect]:
    """The calls of one superstep in the order of their paths.

    Args:
        row: The session that made them.
        before: The state that the superstep read.
        node: Only this node's.
    """
    rows = [r for r in journal if r.ordinal >= 0 and node in (None, node_name(r.path))]
    hidden = {r.path: _hidden(before, node_name(r.path)) for r in rows}
    return [_effect(row, before, r, hidden=hidden[r.path], full=full) for r in rows]


def _effect(row: SessionRow, before: State, effect: EffectRow, *, hidden: bool, full: bool) -> Effect:
    failed = effect.state is EffectState.FAILED
    outcome = None if effect.outcome is None else decode(effect.outcome)
    child = child_of_task(row.session, before, effect.path, effect.attempt) if effect.kind == "child" else None
    error: dict[str, Any] | None = None
    if failed and outcome is not None:
        error = {"kind": outcome["kind"], "message": REDACTED if hidden else outcome["message"]}
    request = None if effect.request is None else decode(effect.request)
    wall = None if effect.ended_at is None else milliseconds(effect.started_at, effect.ended_at)
    return Effect(
        effect.superstep, effect.path, effect.attempt, effect.ordinal, effect.kind, effect.name, effect.effect_class,
        STATES[effect.state], effect.tries, time_text(effect.started_at), wall, usage_of(of_rows([effect])),  # type: ignore[arg-type]
        None if effect.request is None else _value(request, hidden=hidden, full=full),
        None if failed or effect.outcome is None else _value(outcome, hidden=hidden, full=full), error, child,
    )  # fmt: skip


def _value(value: Any, *, hidden: bool, full: bool) -> Value:
    return shown(REDACTED if hidden else value, full=full)


def _hidden(before: State, name: str) -> bool:
    """Whether a node's calls may hold what a secret channel holds: it reads or writes one."""
    graph = before.graph
    index = graph.node_index.get(name)
    if index is None:
        return False
    return touches_secret(graph.nodes[index], graph)

"""What is said when a superstep ends: why a session waits, how its run ended, what was asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.codec import decode
from graphagent.engine.eventlog import Batch
from graphagent.engine.spending import usage_data
from graphagent.engine.superstep import Closed
from graphagent.events import TERMINAL
from graphagent.graph.plan import REDACTED, GraphPlan
from graphagent.snapshot import Control, InterruptRow

CONTINUED = "RunContinued"


def waiting_reason(control: Control, children: Sequence[str | None] = ()) -> str:
    """What a session waits for whose tokens all wait; a question goes before all else.

    Args:
        children: The reasons of the children that it waits for, where they are known.
    """
    own = {w.reason for w in control.waiting if w.reason != "child"}
    reasons = {*own, *(child or "interrupt" for child in children)}
    if "interrupt" in reasons or not reasons:
        return "interrupt"
    if reasons & {"before", "after", "paused"}:
        return "paused"
    return "event" if "event" in reasons else "timer"


def finish_events(graph: GraphPlan, closed: Closed, batch: Batch) -> None:
    """The chained terminal event of a run that this barrier ends."""
    if closed.ended == "done":
        usage = usage_data(closed.control.spent)
        hidden = dict.fromkeys(graph.secret_outputs, REDACTED)
        data = {
            "outputs_ref": {**(closed.outputs or {}), **hidden}, "usage": usage, "cost": usage["cost_usd"],
            "supersteps": closed.control.steps, "checkpoint": None,
        }  # fmt: skip
        batch.end.append(["RunCompleted", data])
    elif closed.ended is not None:
        batch.end.append(["RunError", {"error": closed.error, "checkpoint": None}])


def opened_once(opening: Sequence[list[Any]], end: Sequence[list[Any]], otherwise: str) -> list[list[Any]]:
    """The events before all others of a commit of inputs, after a segment has ended: one that opens the next, whatever
    has opened it. What ends a run that waits is a segment of its own.

    Args:
        end: The last events of the commit.
        otherwise: The reason of a segment that nothing but its end opens.
    """
    others = [event for event in opening if event[0] != CONTINUED]
    causes = [data for kind, data in opening if kind == CONTINUED]
    if not causes and any(kind in TERMINAL for kind, _ in end):
        causes = [{"reason": otherwise, "answers": []}]
    if not causes:
        return others
    answers = [answer for data in causes for answer in data["answers"]]
    return [[CONTINUED, {"reason": causes[0]["reason"], "answers": answers}], *others]


def asked_entries(opened: Sequence[InterruptRow], node: str) -> list[list[Any]]:
    """The chained events of the questions that a node's task asked."""
    return [["x.interrupt.opened", question_data(row)] for row in opened if row.node == node]


def question_data(row: InterruptRow) -> dict[str, Any]:
    """An interrupt in an event, without what differs between two equal sessions."""
    question = decode(row.question)
    return {"kind": row.kind, "node": row.node, "prompt": question["prompt"]}

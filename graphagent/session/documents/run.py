"""The `run` document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode
from graphagent.engine.environment import RunFacts, environment
from graphagent.engine.spending import add, of_rows
from graphagent.graph.expressions import EvaluationError
from graphagent.graph.plan import Plan
from graphagent.graph.types import TypeMismatch
from graphagent.ids import RunId
from graphagent.session.documents.common import error_of, graph_ref, head_of, interrupt_in, origin_of, usage_of
from graphagent.session.documents.forms import RunDocument
from graphagent.session.documents.page import State, states_of
from graphagent.session.documents.part import maybe_time, milliseconds, time_text
from graphagent.session.documents.parts import Effects, Interrupt, WaitingToken
from graphagent.session.documents.turns import agents_of
from graphagent.session.limits import raising
from graphagent.session.operations import open_interrupts
from graphagent.session.parked import parked_tokens
from graphagent.session.reading import checkpoint_at, last_error
from graphagent.snapshot import CheckpointRow, SessionRow, Spent

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.session.operations import Outcome

ENDED = ("done", "failed", "cancelled")


async def run_document(
    host: Host, source: Outcome | SessionRow, *, error: Mapping[str, Any] | None = None, effects: Effects | None = None
) -> RunDocument:
    """The newest run of a session.

    Args:
        source: How a segment of the run ended, or the session's authority row, if nothing ran just now.
        error: The error record of a failed run; by default the stored one.
        effects: Calls of this segment; by default those of the outcome, or the run's in the journal.
    """
    row = source if isinstance(source, SessionRow) else source.row
    assert row.head is not None
    head = await host.store.checkpoint(row.head)
    state = (await states_of(host, row, [head]))[0]
    plan = await host.plan_of(row)
    first = await first_superstep(host, row, state)
    outputs = None
    if not isinstance(source, SessionRow):
        outputs, error = source.outputs, error or source.error
        if effects is None and source.recorded + source.replayed:
            effects = Effects(source.recorded, source.replayed)
    if row.status == "done" and outputs is None:
        outputs = await outputs_at(host, row, plan, head)
    if row.status == "failed" and error is None:
        error = await last_error(host.store, row)
    journal = await host.store.effects(row.spans(first))
    if effects is None:
        effects = Effects(sum(r.ordinal >= 0 and r.outcome is not None for r in journal), 0)
    spent = add(state.control.spent, of_rows([r for r in journal if r.superstep >= row.head_superstep]))
    interrupts = [await interrupt_in(host, r) for r in await open_interrupts(host, row.session)]
    waiting = await waiting_parts(host, row, state)
    started = state.run_started_at or row.created_at
    ended = None if row.status not in ENDED else head.committed_at if row.status == "done" else row.updated_at
    shown = error_of(error, row.session, error.get("superstep", row.head_superstep), plan.graph) if error else None
    return RunDocument(
        row.session, RunId(state.run) if state.run else None, graph_ref(row, host.settings.root), row.status,
        row.reason, None if outputs is None else dict(outputs), shown if row.status == "failed" else None, interrupts,
        waiting, head_of(row), row.head_superstep - first, usage_of(spent), effects, time_text(started),
        None if ended is None else time_text(ended),
        milliseconds(started, row.updated_at if ended is None else ended), origin_of(row),
        next_commands(row, state, interrupts, waiting, _raising(host, row, state, error, spent)),
        await agents_of(host, row, plan.graph, first),
    )  # fmt: skip


async def first_superstep(host: Host, row: SessionRow, head: State) -> int:
    """The superstep in which the newest run began. Runs don't overlap, so a few single reads find it."""
    if head.run is None:
        return row.head_superstep
    inside = row.head_superstep - 1  # a superstep of the run
    step = head.control.steps + 1
    while inside > 0 and (probe := max(inside - step, 0)) < inside:
        if await _run_at(host, row, probe) == head.run:
            inside, step = probe, step * 2
            continue
        low = probe  # the run begins behind `low`, at or before `inside`
        while inside - low > 1:
            middle = (low + inside) // 2
            if await _run_at(host, row, middle) == head.run:
                inside = middle
            else:
                low = middle
        break
    return max(inside, 0)


async def _run_at(host: Host, row: SessionRow, superstep: int) -> Any:
    """The run to which a superstep belongs."""
    return decode((await checkpoint_at(host.store, row, superstep + 1)).manifest)["run"][0]


async def outputs_at(host: Host, row: SessionRow, plan: Plan, checkpoint: CheckpointRow) -> dict[str, Any] | None:
    """The graph's `result` on the newest snapshot; None if no run has ended there."""
    graph = plan.graph
    snap = await host.snapshot_at(row, plan, checkpoint)
    if not snap.control.run:
        return None
    facts = RunFacts(snap.run_id or "", row.session)
    env = environment(graph, snap.values, snap.control, facts, snap.superstep, snap.committed_at)
    ports = {port.name: port for port in graph.outputs}
    try:
        return {name: ports[name].check(value.evaluate(env)) for name, value in graph.result}
    except (EvaluationError, TypeMismatch):
        return None  # a fork at a snapshot without tokens counts as done, though its outputs were never made


def _raising(host: Host, row: SessionRow, state: State, error: Mapping[str, Any] | None, spent: Spent) -> str | None:
    """The flag that lets a run go on which a limit ended."""
    if row.reason != "limit" or error is None:
        return None
    return raising(
        error["cause"] or "", state.control, spent, host.clock.now_us() - row.timed_from(state.run_started_at)
    )


async def waiting_parts(host: Host, row: SessionRow, state: State) -> list[WaitingToken]:
    """What the tokens of a waiting session wait for, those of its children in place of their callers."""
    if row.status != "waiting":
        return []
    return [
        WaitingToken(
            token.row.session, token.node.name, token.waiting.reason, token.interrupt, list(token.node.events),
            maybe_time(token.due_at),
        )
        async for token in parked_tokens(host, row, state.control)
    ]  # fmt: skip


def next_commands(
    row: SessionRow, state: State, interrupts: Sequence[Interrupt], waiting: Sequence[WaitingToken],
    raised: str | None = None,
) -> list[str]:  # fmt: skip
    """What to do next, as commands to copy. `raised` is the flag that raises the limit which ended the run."""
    session, at = row.session, row.head_superstep
    if row.status == "waiting" and interrupts:
        return [command for interrupt in interrupts for command in answer_commands(interrupt)]
    events = [f"graphagent send {w.session} {event}" for w in waiting for event in w.events]
    if row.reason == "event" and events:
        return events
    if row.status in ("waiting", "running", "idle"):
        return [f"graphagent resume {session}"]
    if row.status == "failed" and row.reason == "limit":
        goes_on = raised is not None and (state.control.due or state.control.waiting)
        resume = [f"graphagent resume {session} {raised}"] if goes_on else []
        return [*resume, f"graphagent fork {session} --at {max(at - 1, 0)}"]
    if row.status == "failed" and state.control.due:
        doubts = [c for i in interrupts if i.kind == "in_doubt" for c in answer_commands(i)]
        return [f"graphagent resume {session}", *(doubts or [f"graphagent fork {session} --at {at}"])]
    if row.status == "failed":
        return [f"graphagent history {session}", f"graphagent fork {session} --at {max(at - 1, 0)}"]
    return [f"graphagent show {session}"]


def answer_commands(interrupt: Interrupt) -> list[str]:
    """Commands that answer a question; where it needs a form, the command asks for its fields."""
    answer = f"graphagent answer {interrupt.id}"
    if interrupt.kind in ("approve", "tool_approval"):
        return [f"{answer} --approve"]
    if interrupt.kind == "choose" and interrupt.options:
        import shlex

        return [f"{answer} --choose {shlex.quote(interrupt.options[0])}"]
    if interrupt.kind == "elicitation":
        return [answer, f"{answer} --reject"]
    if interrupt.kind == "in_doubt":  # `done` needs a value that nobody here knows
        return [f"{answer} --choose retry", f"{answer} --choose fail"]
    return [answer]

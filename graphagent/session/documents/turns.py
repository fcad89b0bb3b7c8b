"""The turns of agents, from what their tasks told: each model call, and the calls of tools that followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphagent.codec import decode
from graphagent.engine.emitted import Said, shown
from graphagent.engine.eventlog import notes_in, open_in
from graphagent.graph.plan import GraphPlan
from graphagent.ids import SessionId
from graphagent.session.documents.parts import AgentTurns, Turn, TurnCall

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.snapshot import SessionRow


def turns_in(events: Iterable[Said], session: SessionId, superstep: int) -> dict[str, list[Turn]]:
    """The turns that tasks told of, by the path of the task or item: those of its newest attempt."""
    out: dict[str, list[Turn]] = {}
    newest: dict[str, int] = {}
    for said in events:
        path = said.path.partition("/")[0]
        if newest.setdefault(path, said.attempt) < said.attempt:  # earlier ones stand first
            newest[path], out[path] = said.attempt, []
        turns = out.setdefault(path, [])
        data, _ = shown(said, session, superstep)
        if said.kind == "x.agent.turn_started":
            turns.append(Turn(data["turn"], None, 0, 0, None, []))
        elif said.kind == "x.model.completed" and turns:
            turns[-1] = _with_model(turns[-1], data)
        elif said.kind == "ToolCallCompleted" and turns:
            call = TurnCall(
                data["call_id"], data["tool"], data["status"], data.get("duration_ms"), data.get("child_session")
            )
            turns[-1].calls.append(call)
    return {path: turns for path, turns in out.items() if turns}


def _with_model(turn: Turn, data: Mapping[str, Any]) -> Turn:
    """The turn with one more model call: an answer that was corrected takes several."""
    usage, took = data["usage"], data.get("duration_ms")
    wall = turn.wall_ms if took is None else (turn.wall_ms or 0) + took
    asked, said = turn.input_tokens + usage["input_tokens"], turn.output_tokens + usage["output_tokens"]
    return Turn(turn.turn, data["model"], asked, said, wall, turn.calls)


async def agents_of(host: Host, row: SessionRow, graph: GraphPlan, first: int) -> list[AgentTurns]:
    """What the agents of a run did, in order of superstep, those that failed included.

    Args:
        first: The superstep in which the run began.
    """
    kinds = {node.kind for node in graph.nodes} | {n.item.kind for n in graph.nodes if n.item is not None}
    if "agent" not in kinds:
        return []
    out: list[AgentTurns] = []
    for span in row.spans(first):
        for batch in await host.store.events([span]):
            body = decode(batch.body)
            is_open = batch.superstep == row.head_superstep and span.session == row.session
            said = [*notes_in(body), *open_in(body)] if is_open else notes_in(body)
            found = turns_in(said, span.session, batch.superstep)
            if is_open:  # it parks each time that somebody is asked
                parked = {(batch.superstep, path) for path in found}
                out = [one for one in out if (one.superstep, one.task) not in parked]
            out += [AgentTurns(batch.superstep, path, turns) for path, turns in found.items()]
    return out

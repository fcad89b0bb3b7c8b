"""Where a child session was called: the superstep of its caller, and the call in that superstep's journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphagent.codec import decode
from graphagent.engine.call_ids import child_id
from graphagent.errors import NotFound
from graphagent.ids import SessionId
from graphagent.session.carrying import Call, node_of
from graphagent.session.host import Host
from graphagent.snapshot import TASK_ORDINAL, CheckpointRow, EffectRow, EffectState, SessionRow

ATTEMPTS = 1000
"""A task isn't tried more often than that."""
PAGE = 100


@dataclass(frozen=True, slots=True)
class CallSite:
    """The call of a child session. `row` is its caller, `superstep` the one that made the call, whose journal is
    `journal`; `born` is the one for which the calling token was placed, from which the child's id derives."""

    row: SessionRow
    superstep: int
    born: int
    call: Call
    journal: Sequence[EffectRow]

    def child_of(self, caller: SessionId) -> SessionId:
        """The id of the child that another session, a fork of the caller, would make by this call."""
        return child_id(caller, self.born, self.call.path, self.call.attempt)


async def call_site(host: Host, child: SessionRow) -> CallSite:
    """Where a child session was called.

    Raises:
        NotFound: its caller isn't there any more, or has no such call.
    """
    if child.caller is None or child.caller_superstep is None or child.caller_path is None:
        raise NotFound(f"{child.session} was called by no session")
    try:
        row = await host.store.session(child.caller)
    except NotFound as error:
        hint = "--alone forks it without its caller"
        raise NotFound(f"the caller of {child.session} isn't there any more", hint=hint) from error
    born, path = child.caller_superstep, child.caller_path
    attempt = next((a for a in range(ATTEMPTS) if child_id(row.session, born, path, a) == child.session), None)
    lo = born
    while attempt is not None and (found := await host.store.checkpoints(row.spans(lo - 1), limit=PAGE)):
        lo = found[-1].snapshot + 1
        for superstep in (c.snapshot for c in found if _due(c, path, born)):
            journal = await host.store.effects(row.spans(superstep, superstep + 1))
            if attempt == 0 or _failed(journal, path, attempt - 1):
                made = [r.started_at for r in journal if r.key == (superstep, path, attempt, 0)]
                call = Call(path, attempt, 0, made[0] if made else child.created_at)
                return CallSite(row, superstep, born, call, journal)
    raise NotFound(f"{row.session} has no call of {child.session}", hint="--alone forks it without its caller")


def _due(checkpoint: CheckpointRow, path: str, born: int) -> bool:
    """Whether the token that was placed for superstep `born` is due behind a checkpoint."""
    due = decode(checkpoint.manifest)["control"].get("due", ())
    return any(token["node"] == node_of(path) and token["placed"] == born for token in due)


def _failed(journal: Sequence[EffectRow], path: str, attempt: int) -> bool:
    """Whether the task of a call has a failed attempt; a delegate's call stands deeper than its agent's task."""
    task = path.partition("/")[0]
    return any(
        r.path == task and r.attempt == attempt and r.ordinal == TASK_ORDINAL and r.state is EffectState.FAILED
        for r in journal
    )

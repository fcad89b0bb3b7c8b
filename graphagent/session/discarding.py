"""Discarding what a task has done in the open superstep, so that changed code can run in its place."""

from __future__ import annotations

from dataclasses import dataclass

from graphagent.engine.failures import record
from graphagent.engine.journal import task_row
from graphagent.engine.run import Line
from graphagent.errors import Conflict, NotFound
from graphagent.session.carrying import node_of
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState


@dataclass(frozen=True, slots=True)
class Discard:
    """A task whose newest attempt isn't to count.

    Attributes:
        path: The task: a node, or `node[index]` for an item of a map.
        accept_repeat: Also if the attempt has begun writes, which changed code may then make once more.
        by: Who wants it, for the record.
    """

    path: str
    accept_repeat: bool = False
    by: str | None = None


async def discard_task(line: Line, discard: Discard) -> dict[str, int]:
    """Make the newest attempt of a task count as failed; gives the attempt that it is to have next, by its path.

    Its calls stay in the journal. A write that the next attempt makes with the same request is carried over.

    Raises:
        NotFound: the open superstep has no such task.
        Conflict: it has begun writes.
    """
    path, superstep = discard.path, line.snapshot.superstep
    journal = [r for r in line.journal.sealed(superstep) if r.ordinal >= TASK_ORDINAL]
    rows = [r for r in journal if r.path == path or r.path.startswith(f"{path}/")]
    if not rows:
        there = ", ".join(sorted({r.path.partition("/")[0] for r in journal})) or "none"
        hint = f"the tasks that have begun in superstep {superstep}: {there}"
        raise NotFound(f"superstep {superstep} of {line.session} has no task {path!r} to discard", hint=hint)
    attempt = max(r.attempt for r in rows)
    writes = [r for r in rows if r.attempt == attempt and r.effect_class == "write" and r.ordinal >= 0]
    if writes and not discard.accept_repeat:
        raise Conflict(_begun(path, writes), hint="--accept-repeat discards it all the same")
    now = max(line.clock.now_us(), line.snapshot.committed_at)
    who = f" by {discard.by}" if discard.by else ""
    error = record("divergence", f"this attempt was discarded{who}", node=node_of(path), attempt=attempt)
    line.journal.record(
        task_row(superstep, path, attempt, node_of(path), rows[0].effect_class, error, (now, now), failed=True)
    )
    await line.journal.flush()
    return {path: attempt + 1}


def _begun(path: str, writes: list[EffectRow]) -> str:
    done = [r.name for r in writes if r.state is EffectState.DONE]
    what = "has made the write" if done else "has begun the write"
    return f"{path} {what} {(done or [writes[0].name])[0]!r}: another attempt may make it again"

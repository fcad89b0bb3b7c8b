"""What failed attempts of a task said before the one that counts. They were made, so the barrier tells of them too.

Their rows in the journal hold it. It is no chained event: the digest sees how tasks ended, and the rows of the failed
attempts, as it always did.
"""

from __future__ import annotations

from graphagent.codec import decode
from graphagent.engine.emitted import EVENTS, Said, of_item, said_in
from graphagent.engine.results import TaskResult
from graphagent.engine.step import Step
from graphagent.snapshot import TASK_ORDINAL, EffectRow, EffectState


def earlier(step: Step, result: TaskResult) -> list[Said]:
    """By attempt, and in each first the task and then its items. What was told when a run failed isn't told again."""
    node = step.graph.nodes[result.token.node]
    if not result.attempt and node.item is None:
        return []
    name = node.name
    failed = [row for row in step.journal.sealed(step.superstep) if _failed(row) and _task(row.path) == name]
    if not failed:
        return []
    base = step.resumed.get(name, 0)
    before = step.journal.find(step.superstep, name, base - 1, TASK_ORDINAL) if base else None
    told_until = 0 if before is None else before.ended_at or 0
    told = {_who(said) for said in result.events} | {(name, result.attempt)}
    out: list[tuple[int, int, list[Said]]] = []
    for row in sorted(failed, key=lambda row: (row.path != name, row.attempt)):
        again = (row.path, row.attempt) in told or row.attempt < step.resumed.get(row.path, 0)
        if again or (row.ended_at or 0) <= told_until:
            continue
        said = said_in(decode(row.outcome or b"{}").get(EVENTS, ()), row.path, row.attempt)
        index = -1 if row.path == name else int(row.path[len(name) + 1 : -1])
        if index < 0:
            told |= {_who(one) for one in said}  # a map's attempt has what its items said last
        out.append((row.attempt, index, said if index < 0 else of_item(said, index)))
    return [said for _, _, events in sorted(out, key=lambda one: one[:2]) for said in events]


def _failed(row: EffectRow) -> bool:
    return row.ordinal == TASK_ORDINAL and row.state is EffectState.FAILED


def _task(path: str) -> str:
    return path.partition("[")[0]


def _who(said: Said) -> tuple[str, int]:
    """The task or item that said it."""
    return said.path.partition("/")[0], said.attempt

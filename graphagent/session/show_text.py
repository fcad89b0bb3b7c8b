"""What a superstep did, as people read it: what it wrote, before and after, its tasks and their calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphagent.drawing.text import plain
from graphagent.session.diff_text import head_of_change, lines_of_change, plain_line
from graphagent.session.tables_text import brief, error_text, seconds, short, show_text, state, table, turn_lines, used
from graphagent.snapshot import Unset

if TYPE_CHECKING:
    from graphagent.session.documents.forms import ShowDocument
    from graphagent.session.documents.parts import Effect, Task


def step_text(document: ShowDocument, *, node: str | None = None) -> str:
    """What the superstep did that made the snapshot, or what one node did in it."""
    where = f"{document.session}@{document.snapshot}  {document.graph.name}  {state(document.status, document.reason)}"
    lines = [where, *_tasks(document, node)]
    for change in document.changes:
        by = f" by {', '.join(change.writers)}" if change.writers else ""
        was = "unset" if change.previous_version is None else f"version {change.previous_version}"
        lines += ["", head_of_change(change, f"{was} to version {change.version}{by}"), *lines_of_change(change)]
    return "\n".join([*lines, *effect_lines(document)])


def with_effects(document: ShowDocument) -> str:
    """The whole state, the calls and the artifacts."""
    return "\n".join([show_text(document), *effect_lines(document), *artifact_lines(document)])


def artifact_lines(document: ShowDocument) -> list[str]:
    """The artifacts, whatever they are called."""
    if isinstance(document.artifacts, Unset):
        return []
    if not document.artifacts:
        return ["", "no artifacts"]
    rows = [["artifact", "superstep", "bytes", "type", "name"]]
    for a in document.artifacts:
        size = f"{a.size:,}" if a.here else f"{a.size:,}, left out"
        rows.append([str(a.id), str(a.superstep), size, plain(a.media_type), plain(a.name or "")])
    return ["", table(rows)]


def _tasks(document: ShowDocument, node: str | None) -> Iterator[str]:
    superstep = document.snapshot - 1
    if not document.tasks:
        what = f"{node} didn't run" if node is not None else "no task ran"
        yield f"{what} in superstep {superstep}" if superstep >= 0 else "the genesis: nothing has run yet"
        return
    yield f"superstep {superstep}"
    for task in document.tasks:
        yield from ["", *_task(task)]


def _task(task: Task) -> Iterator[str]:
    attempts = f", {task.attempts} attempts" if task.attempts > 1 else ""
    time = "" if task.wall_ms is None else f"  {seconds(task.wall_ms)}"
    yield f"{task.task}  {task.kind}  {state(task.status, None)}{attempts}{time}  {used([task.usage])}".rstrip()
    causes = [" ".join(str(value) for value in cause.data().values()) for cause in task.causes]
    if causes:
        yield f"  because: {', '.join(causes)}"
    if task.reads:
        yield "  read: " + ", ".join(f"{name} (version {version})" for name, version in task.reads.items())
    yield from turn_lines(task.turns)
    if task.child is not None:
        yield f"  child: {task.child}"
    if task.error is not None:
        yield "  " + error_text(task.error).replace("\n", "\n  ")


def effect_lines(document: ShowDocument) -> list[str]:
    """The calls of the superstep, and how to fork before one of them."""
    if isinstance(document.effects, Unset):
        return []
    if not document.effects:
        return ["", "no calls"]
    rows = [["call", "attempt", "kind", "name", "class", "state", "time", "used", "outcome"]]
    rows += [_row(effect) for effect in document.effects]
    last = document.effects[-1]
    fork = f"graphagent fork {document.session} --at {last.superstep} --before {last.task}:{last.ordinal}"
    return ["", table(rows), "", f"go on right before the last one: {plain_line(fork)}"]


def _row(effect: Effect) -> list[str]:
    tries = f" ({effect.tries} tries)" if effect.tries > 1 else ""
    outcome = "" if effect.outcome is None else brief(effect.outcome)
    if effect.error is not None:
        outcome = f"{effect.error['kind']}: {short(effect.error['message'])}"
    child = f" ▸ {effect.child}" if effect.child is not None else ""
    return [
        f"{effect.task}:{effect.ordinal}", str(effect.attempt + 1), effect.kind, plain(effect.name) + child,
        effect.class_, effect.state + tries, "" if effect.wall_ms is None else seconds(effect.wall_ms),
        used([effect.usage]), outcome,
    ]  # fmt: skip

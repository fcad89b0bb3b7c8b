"""What a fork takes along of the journal of the superstep that it begins with, so that no call in it is made twice.

A fork names the rows that it carries: those of that superstep that have an outcome, and so never change. With edits it
carries nothing, since an edit is a superstep of its own and the open one begins anew behind it. With another graph it
carries only the tasks of nodes that are the same in both. A fork before a call carries what doesn't depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from graphagent.codec import decode, encode
from graphagent.errors import ForkOpenWrite, InputInvalid, NotFound
from graphagent.graph.plan import NodePlan, Plan
from graphagent.ids import SessionId
from graphagent.snapshot import TASK_ORDINAL, Carried, EffectRow, EffectState, InputRow, NewInput, RowKey, SessionRow


def check_writes(row: SessionRow, journal: Sequence[EffectRow]) -> None:
    """Refuse to fork where a write of the open superstep has no outcome.

    Raises:
        ForkOpenWrite: it may have happened or may still happen, and the fork would make it again.
    """
    for effect in journal:
        if effect.effect_class == "write" and effect.outcome is None:
            session, at = row.session, effect.superstep
            what = "is in doubt" if effect.state is EffectState.IN_DOUBT else "has no outcome yet"
            raise ForkOpenWrite(
                f"the write {effect.name!r} of task {effect.path!r} in superstep {at} {what}",
                hint=f"settle it first (graphagent show {session}), or make a fork that calls it again: "
                f"graphagent fork {session} --at {at} --fresh",
            )


@dataclass(frozen=True, slots=True)
class Call:
    """The call that a fork makes anew, as the journal names it. `started_at` is when it was made, in microseconds."""

    path: str
    attempt: int
    ordinal: int
    started_at: int

    @property
    def task(self) -> str:
        """The path of its task: that of a map's item is `each[2]`."""
        return self.path.partition("/")[0]

    def undoes(self, row: EffectRow) -> bool:
        """Whether a row is this call or stands behind it in its task, or says how the task ended, or a map around it.

        Branches of one scope don't depend on each other, nor do sibling tasks, or items of one map.
        """
        task = row.path.partition("/")[0]
        if task != self.task:
            ends_map = row.path == node_of(self.path) and row.ordinal == TASK_ORDINAL
            return ends_map and (row.ended_at is None or row.ended_at >= self.started_at)
        if row.attempt != self.attempt:
            return row.attempt > self.attempt
        return row.ordinal == TASK_ORDINAL or _follows(_place(row.path, row.ordinal), _place(self.path, self.ordinal))


def _place(path: str, ordinal: int) -> list[tuple[int, int]]:
    """Where a call is in its task: the ordinal and branch of each scope around it, then its own ordinal."""
    scopes = [segment.partition(".") for segment in path.split("/")[1:]]
    return [*((int(at), int(branch or 0)) for at, _, branch in scopes), (ordinal, 0)]


def _follows(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> bool:
    """Whether a call is the other one, or made after it and not in another branch of the same scope."""
    for i, ((at, branch), (there, its)) in enumerate(zip(one, other, strict=False)):
        if at != there:
            return at > there
        if branch != its and i + 1 < len(one) and i + 1 < len(other):
            return False
    return len(one) >= len(other)


def find_call(row: SessionRow, superstep: int, journal: Sequence[EffectRow], text: str) -> Call:
    """The newest attempt's call that people name as `PATH:ORDINAL`.

    Raises:
        InputInvalid: it isn't of this form.
        NotFound: the superstep has no such call.
    """
    path, _, number = text.rpartition(":")
    calls = [r for r in journal if r.ordinal >= 0]
    if not path or not number.isascii() or not number.isdigit():
        shape = "a task's path and the number of its call: write:0, each[2]:1"
        raise InputInvalid("--before", f"{text!r} names no call", hint=f"give {shape}")
    found = [r for r in calls if r.path == path and r.ordinal == int(number)]
    if not found:
        there = ", ".join(dict.fromkeys(f"{r.path}:{r.ordinal}" for r in calls[:20])) or "none"
        raise NotFound(f"superstep {superstep} of {row.session} has no call {text}", hint=f"its calls are: {there}")
    newest = max(found, key=lambda r: r.attempt)
    return Call(newest.path, newest.attempt, newest.ordinal, newest.started_at)


def carried(
    writer: SessionRow, superstep: int, journal: Sequence[EffectRow], kept: Set[str] | None = None,
    call: Call | None = None,
) -> Carried | None:  # fmt: skip
    """The rows of a superstep that a fork carries; None if there is none.

    Args:
        writer: The session that wrote it.
        kept: Carry only tasks of these nodes; None for all.
        call: Leave this call out, and what depends on it.
    """
    inherited = {}
    if writer.carried is not None and writer.carried.superstep == superstep:
        inherited = {key: source for source, keys in writer.carried.sources for key in keys}
    sources: dict[SessionId, list[RowKey]] = {}
    for effect in journal:
        if effect.outcome is None or (kept is not None and node_of(effect.path) not in kept):
            continue
        if call is not None and call.undoes(effect):
            continue
        key = (effect.path, effect.attempt, effect.ordinal)
        sources.setdefault(inherited.get(key, writer.session), []).append(key)
    if not sources:
        return None
    return Carried(superstep, writer.seed_at(superstep), tuple((s, tuple(keys)) for s, keys in sources.items()))


def new_attempts(
    row: SessionRow, journal: Sequence[EffectRow], rows: Carried, pending: Sequence[InputRow]
) -> list[NewInput]:
    """As resuming it does, a fork of a failed run gives the failed tasks that it carries a new attempt.

    Args:
        pending: Inputs that the origin hasn't taken: it may have been resumed and be running.
    """
    tasks: dict[str, int] = {}
    for new in pending:
        if new.kind == "resume":
            tasks |= decode(new.body)["tasks"]
    if row.status == "failed":
        tasks |= failed_tasks(journal)
    there = {path for path, _, ordinal in rows.keys if ordinal == TASK_ORDINAL}
    tasks = {path: attempt for path, attempt in tasks.items() if path in there}
    return [NewInput("resume", "fork", encode({"tasks": tasks, "limits": {}}))] if tasks else []


def next_attempts(rows: Carried, journal: Sequence[EffectRow], call: Call) -> dict[str, int]:
    """The attempts at which the tasks of a carried superstep stood: those behind a failed one that is carried, where
    the task went on. Without them a task that a person had resumed would be taken for failed."""
    keys = rows.keys
    failed: dict[str, int] = {}
    for row in journal:
        if row.ordinal == TASK_ORDINAL and row.state is EffectState.FAILED and row.key[1:] in keys:
            failed[row.path] = max(failed.get(row.path, 0), row.attempt + 1)
    later = {path: max(a for p, a, _ in keys if p.partition("/")[0] == path) for path in failed}
    again = {call.task, node_of(call.path)}
    return {path: attempt for path, attempt in failed.items() if path in again or later[path] >= attempt}


def failed_tasks(journal: Sequence[EffectRow], node: str | None = None) -> dict[str, int]:
    """The attempts that the failed tasks of a superstep are to have next; `node` picks those of one node."""
    tasks: dict[str, int] = {}
    for row in journal:
        if row.ordinal == TASK_ORDINAL and row.state is EffectState.FAILED and node in (None, node_of(row.path)):
            tasks[row.path] = max(tasks.get(row.path, 0), row.attempt + 1)
    return tasks


def node_of(path: str) -> str:
    """The node of a task's path, or of a call's."""
    return path.partition("[")[0].partition("/")[0]


def same_nodes(old: Plan, new: Plan) -> frozenset[str]:
    """The nodes that make the same calls in both plans, as far as the plans say."""
    trees = [decode(plan.document) for plan in (old, new)]
    graphs = [t["graph"] if t["entry"] == "" else t["graph"]["graphs"][t["entry"]] for t in trees]
    if graphs[0].get("defaults") != graphs[1].get("defaults"):
        return frozenset()
    changed = {
        name
        for one, other in ((trees[0]["templates"], trees[1]["templates"]), _graphs(trees))
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    }

    def same(name: str) -> bool:
        before, after = graphs[0]["nodes"][name], graphs[1]["nodes"].get(name)
        if before != after or any(word in changed for word in _texts(before)):
            return False
        return _as_compiled(old, old.graph.nodes[old.graph.node_index[name]]) == _as_compiled(
            new, new.graph.nodes[new.graph.node_index[name]]
        )

    return frozenset(name for name in graphs[0]["nodes"] if same(name))


def _graphs(trees: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    one, other = (tree["graph"].get("graphs") or {} for tree in trees)
    return one, other


def _texts(value: Any) -> list[str]:
    """All texts in a piece of a document: some name files and graphs."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for part in parts for text in _texts(part)]


def _as_compiled(plan: Plan, node: NodePlan) -> list[Any]:
    """What a node's calls depend on that its own text doesn't say."""
    item = [] if node.item is None else _as_compiled(plan, node.item)
    return [plan.models.get(node.model or ""), node.returns, node.retry, node.timeout_s, item]

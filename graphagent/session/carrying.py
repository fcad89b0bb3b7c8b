"""What a fork at a superstep that hasn't closed takes along of its journal, so that no call in it is made twice.

A fork names the rows that it carries: those of the open superstep that have an outcome, and so never change. With
edits it carries nothing, since an edit is a superstep of its own and the open one begins anew behind it. With another
graph it carries only the tasks of nodes that are the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from graphagent.codec import decode, encode
from graphagent.errors import ForkOpenWrite
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


def carried(row: SessionRow, journal: Sequence[EffectRow], kept: Set[str] | None = None) -> Carried | None:
    """The rows of `row`'s open superstep that a fork carries; None if there is none.

    Args:
        kept: Carry only tasks of these nodes; None for all.
    """
    inherited = {key: source for source, keys in row.carried.sources for key in keys} if row.carried else {}
    sources: dict[SessionId, list[RowKey]] = {}
    for effect in journal:
        if effect.outcome is not None and (kept is None or node_of(effect) in kept):
            key = (effect.path, effect.attempt, effect.ordinal)
            sources.setdefault(inherited.get(key, row.session), []).append(key)
    if not sources:
        return None
    superstep = row.head_superstep
    return Carried(superstep, row.seed_at(superstep), tuple((s, tuple(keys)) for s, keys in sources.items()))


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


def failed_tasks(journal: Sequence[EffectRow], node: str | None = None) -> dict[str, int]:
    """The attempts that the failed tasks of a superstep are to have next; `node` picks those of one node."""
    tasks: dict[str, int] = {}
    for row in journal:
        if row.ordinal == TASK_ORDINAL and row.state is EffectState.FAILED and node in (None, node_of(row)):
            tasks[row.path] = max(tasks.get(row.path, 0), row.attempt + 1)
    return tasks


def node_of(row: EffectRow) -> str:
    """The node of a row's task."""
    return row.path.partition("[")[0].partition("/")[0]


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

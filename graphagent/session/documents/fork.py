"""The `fork` document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphagent.engine.spending import of_rows
from graphagent.graph.plan import REDACTED, GraphPlan
from graphagent.session.documents.common import graph_ref, head_of, shown, usage_of
from graphagent.session.documents.forms import (
    EditedChannel,
    FamilyFork,
    ForkDocument,
    Preview,
    Reachable,
    RunDocument,
    SideEffect,
)
from graphagent.session.documents.page import node_name, states_of
from graphagent.session.documents.parts import Head, Origin
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import EffectRow, SessionRow

if TYPE_CHECKING:
    from graphagent.session.host import Host
    from graphagent.session.operations import Fork


async def fork_document(
    host: Host, made: Fork, *, created: bool = True, run: RunDocument | None = None
) -> ForkDocument:
    """What a fork is, or would be.

    Args:
        created: False for a dry run, which has no session.
        run: Its first run, if it was run at once.
    """
    row = made.row
    assert row.origin_checkpoint is not None
    origin = Origin(made.origin.session, row.origin_checkpoint, made.snapshot)
    secret = {c.name for c in (await host.plan_of(row)).graph.channels if c.secret} if made.edits else set()
    edits = [
        EditedChannel(n, *(map(shown, (REDACTED,) * 2 if n in secret else (made.before.get(n), v))))
        for n, v in made.edits.items()
    ]
    head: Head | None = None
    if created:
        head = run.head if run is not None else head_of(row)
    return ForkDocument(
        row.session if created else None, created, origin, graph_ref(row, host.settings.root), edits, head,
        [_family(new, old) for new, old in made.family] if created else [],
        await preview(host, made), run, made.as_node,
    )  # fmt: skip


def _family(new: SessionRow, origin: SessionRow) -> FamilyFork:
    assert new.origin_checkpoint is not None
    return FamilyFork(new.session, Origin(origin.session, new.origin_checkpoint, new.lineage[-1].superstep))


async def preview(host: Host, made: Fork) -> Preview:
    """What a fork keeps and runs again, and what its origin did after the snapshot."""
    checkpoint = await checkpoint_at(host.store, made.origin, made.snapshot)
    state = (await states_of(host, made.origin, [checkpoint]))[0]
    graph = (await host.plan_of(made.row)).graph
    nodes, control = (state.graph.nodes, state.control) if made.then is None else (graph.nodes, made.then)
    due = [nodes[t.node].name for t in control.due]
    parked = [nodes[w.token.node].name for w in control.waiting]
    kept = made.row.carried.keys if made.row.carried is not None else frozenset()
    found = await host.store.effects(made.origin.spans(made.snapshot))
    after = [r for r in found if r.superstep > made.snapshot or r.key[1:] not in kept]
    return Preview(
        made.snapshot, due, reachable(graph, due, parked), usage_of(of_rows(after)), None, side_effects(after), []
    )


def reachable(graph: GraphPlan, due: Sequence[str], parked: Sequence[str]) -> list[Reachable]:
    """The nodes that can run from here, in plan order. Certain are those that are due, and those that follow them by
    routes without a guard; what joins, waits or follows an error is possible."""
    index = graph.node_index
    certain = {index[n] for n in due if n in index}
    _close(graph, certain, certainly=True)
    possible = certain | {index[n] for n in parked if n in index}
    _close(graph, possible, certainly=False)
    return [
        Reachable(node.name, "certain" if node.index in certain else "possible")
        for node in graph.nodes
        if node.index in possible
    ]


def _close(graph: GraphPlan, found: set[int], *, certainly: bool) -> None:
    """Add all that follows the nodes found so far."""
    todo = list(found)
    while todo:
        node = graph.nodes[todo.pop()]
        routes = node.next[:1] if certainly else (*node.next, *node.on_error)
        if certainly and (node.parks or any(r.when is not None for r in routes)):
            continue
        for target in (t for route in routes for t in route.to if t >= 0):
            joins = certainly and graph.nodes[target].join_fork is not None
            if target not in found and not joins:
                found.add(target)
                todo.append(target)


def side_effects(rows: Sequence[EffectRow]) -> list[SideEffect]:
    """Calls by node, name and class, in the order of the first one; pure ones left out."""
    times: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.ordinal >= 0 and row.effect_class != "pure":
            key = (node_name(row.path), row.name, row.effect_class)
            times[key] = times.get(key, 0) + 1
    return [SideEffect(node, name, kind, n) for (node, name, kind), n in times.items()]  # type: ignore[arg-type]

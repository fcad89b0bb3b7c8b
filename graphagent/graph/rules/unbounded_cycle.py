"""A cycle that nothing bounds; as a warning, one that writes nothing its guards read.

What: nodes can run again and again, and neither `limits.supersteps`, nor `limits.visits` of a node on the way, nor
a guard that compares a counter stops it. A counter is a channel that each round changes by a constant (`reducer:
sum` with `writes: { tries: 1 }`, or `tries: "${ tries + 1 }"`), or `run.visits.NODE`.
Why: a loop around a model that never says "done" would run, and cost, without an end.
Example: `next: [{ when: "verdict == 'revise'", to: write }, { to: end }]`
Instead: the same, with `limits: { supersteps: 40 }` or `when: "verdict == 'revise' and rounds < 3"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.counters import bounded
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import START, Edge, written
from graphagent.graph.spec import MapBody

CODE = "GA405"
TITLE = "cycle without bound"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    edges = [edge for name, found in graph.flow.edges.items() if name != START for edge in found]
    for cycle in graph.flow.cycles(edges):
        yield from _idle(graph, cycle)
    for cycle in unbounded(graph, [edge for edge in edges if edge.kind != "error"]):  # the others are GA411's
        nodes = [name for name in graph.graph.nodes if any(edge.source == name for edge in cycle)]
        back = next((e for e in cycle if nodes.index(e.target) <= nodes.index(e.source)), cycle[0])
        message = f"the cycle `{'` -> `'.join([*nodes, nodes[0]])}` has no bound"
        if len(nodes) > 6:
            message = f"the cycle of `{nodes[0]}` and {len(nodes) - 1} more nodes has no bound"
        help = f"set `limits.supersteps` or `limits.visits.{back.target}`, or count rounds in a guard"
        path = back.route.path if back.kind == "update" else back.path
        label = "a write makes it due again" if back.kind == "update" else "this route goes back"
        yield graph.whole.finding(CODE, message, path, label=label, help=help)


def unbounded(graph: GraphAnalysis, edges: list[Edge]) -> Iterator[list[Edge]]:
    """The cycles among these edges that no limit and no counter ends."""
    limits = graph.graph.limits
    if limits.supersteps is not None:
        return
    todo = graph.flow.cycles([e for e in edges if e.source not in limits.visits and e.target not in limits.visits])
    while todo:
        cycle = todo.pop(0)
        free = [edge for edge in cycle if not bounded(graph, edge, cycle)]
        if len(free) < len(cycle):
            todo += graph.flow.cycles(free)
        else:
            yield cycle


def _idle(graph: GraphAnalysis, cycle: list[Edge]) -> Iterator[Diagnostic]:
    """W: nothing that decides about leaving the cycle can change in it."""
    nodes = {edge.source for edge in cycle}
    guards = [
        (route, expression)
        for name in graph.graph.nodes if name in nodes
        for route in graph.graph.nodes[name].next
        if (expression := graph.expression(route.when)) is not None
    ]  # fmt: skip
    if not guards or any(edge.kind != "next" for edge in cycle):
        return
    reads = {read.root for _, expression in guards for read in expression.reads}
    changing = {channel for name in nodes for channel in written(graph.graph.nodes[name], ())}
    if reads & (changing | {"run", "out", "usage", "results", "errors", "event", "error"}):
        return
    if any(isinstance(graph.graph.nodes[name].body, MapBody) for name in nodes) and "results" in reads:
        return
    route = guards[0][0]
    names = ", ".join(f"`{name}`" for name in sorted(reads)) or "nothing"
    help = "write a channel that a guard reads, or leave the cycle without a guard"
    message = f"this cycle writes nothing that its guards read: they read {names}"
    yield graph.whole.finding(CODE, message, (*route.path, "when"), severity="warning", help=help)

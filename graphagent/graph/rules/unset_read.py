"""A channel that is read before anything can have written it.

What: the channel has no default, and no node that could run before writes it.
Why: the task would fail in every run.
Example: the first node reads `${ draft }`, which only a later one writes
Instead: give the channel a `default`, or ask `has(draft)`, or `default(draft, '')`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.flow import written
from graphagent.graph.found import place
from graphagent.graph.occurrences import Inferred

CODE = "GA306"
TITLE = "channel read before any write"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.graph
    unset = {name for name in spec.channels if not graph.environment.always_set(name)}
    if not unset:
        return
    possible: dict[str, set[str]] = {}
    beside: dict[str, set[str]] = {}
    for inferred in graph.all_inferred:
        occurrence = inferred.occurrence
        if occurrence.place is not None and occurrence.place not in graph.flow.live:
            continue
        seen: set[str] = set()
        for read, path in inferred.reads:
            if read.root not in unset or read.guarded or read.root in seen:
                continue
            if _may_be_set(graph, inferred, read.root, possible, beside):
                continue
            seen.add(read.root)
            full, span = place(graph, inferred, path, read.start, read.end)
            channel = spec.channels[read.root]
            notes = (Note(f"`{read.root}` has no default", graph.whole.document.key_span(channel.path)),)
            writers = [name for name, node in spec.nodes.items() if read.root in written(node, ())]
            message = f"`{read.root}` is read before anything can have written it"
            if not writers:
                message = f"`{read.root}` is read, and nothing writes it"
            help = f"give the channel a default, or write `default({read.root}, ...)`"
            yield graph.whole.finding(CODE, message, full, span, notes=notes, help=help)


def _writers(graph: GraphAnalysis, channel: str) -> set[str]:
    nodes = graph.graph.nodes
    return {name for name in graph.flow.live if channel in written(nodes[name], graph.flow.error_routes(nodes[name]))}


def _behind(graph: GraphAnalysis, channel: str) -> set[str]:
    """The nodes behind one that writes the channel; all of them if a value of an earlier run may be there."""
    writers = _writers(graph, channel)
    if graph.graph.channels[channel].scope == "session" and writers:
        return set(graph.graph.nodes)
    return graph.flow.reachable({edge.target for name in writers for edge in graph.flow.edges[name]})


def _beside(graph: GraphAnalysis, channel: str) -> set[str]:
    """The nodes in a branch beside one with a writer, and those that a write can wake."""
    writers, flow, out = _writers(graph, channel), graph.flow, set[str]()
    for edges in flow.edges.values():
        for route in {id(edge.route): edge.route for edge in edges if len(edge.route.to) > 1}.values():
            branches = [flow.reachable([target]) for target in route.to if target in graph.graph.nodes]
            for i, branch in enumerate(branches):
                if branch & writers:
                    out = out.union(*(other for k, other in enumerate(branches) if k != i))
    for name, node in graph.graph.nodes.items():
        if node.on_update and writers - {name}:
            out |= flow.reachable([name])
    return out


def _may_be_set(
    graph: GraphAnalysis, inferred: Inferred, channel: str, behind: dict[str, set[str]], beside: dict[str, set[str]]
) -> bool:
    occurrence = inferred.occurrence
    if occurrence.place is None:  # `result`, or a route of `defaults`
        return bool(_writers(graph, channel))
    if occurrence.moment == "routes" and occurrence.node is not None and channel in occurrence.node.writes:
        return True
    if channel not in behind:
        behind[channel] = _behind(graph, channel)
    if occurrence.place in behind[channel]:
        return True
    if channel not in beside:
        beside[channel] = _beside(graph, channel)
    return occurrence.place in beside[channel]

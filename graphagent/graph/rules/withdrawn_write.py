"""A race whose loser may have written something outside.

What: a join with `cancel: siblings` withdraws the other branches, and one of them has a node with `effects: write`.
Why: what such a node did stays done: withdrawing takes tokens away, it undoes nothing.
Example: two branches that both book a room, joined by `{ at_least: 1, cancel: siblings }`
Instead: decide first and write behind the join
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.spec import AtLeast, CodeBody, NodeSpec, ToolBody

CODE = "GA415"
TITLE = "a withdrawn branch may have written"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for name, node in graph.graph.nodes.items():
        fork = graph.tokens.join_forks.get(name)
        if not (isinstance(node.join, AtLeast) and node.join.cancel) or fork is None:
            continue
        inside = _between(graph, fork, name)
        for other, found in graph.graph.nodes.items():
            if other in inside and any(_writes(graph, task) for task in (found, *found.inner())):
                message = f"`{name}` may withdraw a branch in which `{other}` has written"
                note = Note(f"`{other}` writes here", graph.whole.document.key_span(found.path))
                path = (*node.path, "join")
                help = "what it did stays done: write behind the join"
                yield graph.whole.finding(CODE, message, path, severity="warning", notes=(note,), help=help)


def _between(graph: GraphAnalysis, fork: str, join: str) -> set[str]:
    """The nodes that tokens of the fork can be at before they reach the join."""
    starts = [edge.target for edge in graph.flow.edges[fork] if len(edge.route.to) > 1 and edge.target != join]
    return graph.flow.reachable(starts, lambda edge: edge.target not in {join, fork}) & set(graph.graph.nodes)


def _writes(graph: GraphAnalysis, node: NodeSpec) -> bool:
    if isinstance(node.body, CodeBody):
        return node.body.effects == "write"
    if isinstance(node.body, ToolBody):
        tool = graph.environment.tool(node.body.tool)
        return tool is not None and tool.effects_of(node.body.tool.rpartition(".")[2]) == "write"
    return False

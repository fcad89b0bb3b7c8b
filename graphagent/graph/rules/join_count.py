"""A join that waits for more branches than there are, or for none.

What: `at_least` is below 1 (or 0.0), or above the number of targets of the fork.
Why: the join would run at once, or never.
Example: `next: [a, b]`, and behind both `join: { at_least: 3 }`
Instead: `join: { at_least: 2 }`, or `join: all`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import START
from graphagent.graph.spec import AtLeast

CODE = "GA408"
TITLE = "join waits for too many or too few branches"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for name, node in graph.graph.nodes.items():
        if not isinstance(node.join, AtLeast):
            continue
        path, count = (*node.path, "join", "at_least"), node.join.count
        if count <= 0:
            help = "`at_least: 1` is the least; to run at each arrival leave `join` out"
            yield graph.whole.finding(CODE, "a join waits for at least one branch", path, help=help)
            continue
        fork = graph.tokens.join_forks.get(name)
        if fork is None or isinstance(count, float):
            continue
        branches = _branches(graph, fork)
        if count > branches:
            message = f"`{name}` waits for {count} branches, the fork has {branches}"
            yield graph.whole.finding(CODE, message, path, help=f"at most {branches}, or `join: all`")


def _branches(graph: GraphAnalysis, fork: str) -> int:
    """The most branches that the fork has, over all its routes."""
    if fork == START:
        return len(graph.graph.start)
    node = graph.graph.nodes[fork]
    return max(len(route.to) for route in (*node.next, *graph.flow.error_routes(node)))

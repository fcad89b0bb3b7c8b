"""A join that is needed and missing, or one that has no fork to wait for.

What: a node is reached by several branches of one fork at different times, so it would run once for each; or a
node with `join: all` gets tokens that aren't from one fork, or that have passed a join of that fork already.
Why: `join: all` waits for the branches of the nearest fork through which all its tokens came.
Example: `start: [a, b]`, where `a` goes to `print` directly and `b` over `check`
Instead: `print: { join: all, ... }`; or `join: any` written out, if it shall run once for each
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.flow import START, Edge
from graphagent.graph.spec import Route
from graphagent.graph.tokens import MAX_NESTING

CODE = "GA407"
TITLE = "join missing, or without a fork"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from _without_fork(graph)
    yield from _missing(graph)
    if graph.tokens.too_deep:
        path = graph.graph.nodes[graph.tokens.too_deep].path
        help = "join branches before they fork again, or put a part into a sub-graph"
        yield graph.whole.at_key(CODE, f"forks are nested deeper than {MAX_NESTING} here", path, help=help)


def _without_fork(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    tokens = graph.tokens
    for name, arrivals in tokens.arrivals.items():
        if arrivals.common:
            continue
        path = (*graph.graph.nodes[name].path, "join")
        alone = next((edge for edge, stack in arrivals.edges if not stack), None)
        if not any(stack for _, stack in arrivals.edges):
            message = f"nothing to wait for: what reaches `{name}` is in no fork, or was joined before"
            help = "a join waits for the branches of a fork, `next: [a, b]`; without one leave `join` out"
        elif alone is None:
            message = f"the tokens that reach `{name}` come from different forks"
            help = "a join waits for the branches of one fork: `next: [a, b]`"
        else:
            message = f"`{name}` waits for a fork, but a token reaches it without one"
            help = "let every route to it come from the same fork, or join the branches once"
        notes = () if alone is None else (_place(graph, alone, "this route brings a token that is in no fork"),)
        yield graph.whole.finding(CODE, message, path, notes=notes, help=help)


def _missing(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    tokens = graph.tokens
    reported: set[str] = set()
    for fork, route in _forks(graph):
        reach = [_branch(graph, fork, target) for target in route.to]
        shared = _in_several(reach)
        for name in sorted(shared, key=graph.order.__getitem__):
            node = graph.graph.nodes[name]
            if name in reported or _explicit(graph, name) or not _entry(graph, name, shared, fork):
                continue
            if not any(name in _branch(graph, fork, other) for other in tokens.beside(name, fork)):
                continue
            reported.add(name)
            notes = (_place(graph, Edge(fork, route.to[0], "next", route), "the fork is here"),)
            help = "`join: all` waits for all branches; `join: any`, written out, runs it each time"
            message = f"`{name}` would run more than once: branches reach it at different times"
            yield graph.whole.at_key(CODE, message, node.path, notes=notes, help=help)


def _in_several(branches: list[set[str]]) -> set[str]:
    once: set[str] = set()
    twice: set[str] = set()
    for branch in branches:
        twice |= once & branch
        once |= branch
    return twice


def _forks(graph: GraphAnalysis) -> Iterator[tuple[str, Route]]:
    for name in (START, *graph.graph.nodes):
        seen: set[int] = set()
        for edge in graph.flow.edges[name]:
            if edge.kind in {"start", "next"} and len(edge.route.to) > 1 and id(edge.route) not in seen:
                seen.add(id(edge.route))
                yield name, edge.route


def _branch(graph: GraphAnalysis, fork: str, target: str) -> set[str]:
    """What a branch reaches by `next` before a join, without passing its fork again."""
    nodes = graph.graph.nodes
    if target not in nodes or nodes[target].joins:
        return set()
    key = (fork, target)
    if key not in graph.branches:
        graph.branches[key] = graph.flow.reachable(
            [target],
            lambda e: e.kind == "next" and e.source != fork and e.target in nodes and not nodes[e.target].joins,
        )
    return graph.branches[key]


def _entry(graph: GraphAnalysis, name: str, shared: set[str], fork: str) -> bool:
    """Whether branches meet here, and not before."""
    incoming = (edge for edge in graph.flow.incoming[name] if edge.kind == "next")
    return any(edge.source not in shared or edge.source == fork for edge in incoming)


def _explicit(graph: GraphAnalysis, name: str) -> bool:
    return graph.whole.document.node((*graph.graph.nodes[name].path, "join")) is not None


def _place(graph: GraphAnalysis, edge: Edge, message: str) -> Note:
    return Note(message, graph.whole.document.span(edge.path if edge.kind != "update" else edge.route.path))

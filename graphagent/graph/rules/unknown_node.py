"""A node that doesn't exist, in `next to start on_error on_limit visits`.

What: the name isn't one of the graph's nodes, nor `end` or `fail`.
Why: a token can't go there.
Example: `next: writ`
Instead: `next: write`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import Edge
from graphagent.graph.spec import END, FAIL, Path, Route

CODE = "GA101"
TITLE = "unknown node"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.graph
    yield from _targets(graph, (graph.flow.start,), ends=False)
    yield from _targets(graph, spec.defaults.on_error or ())
    for node in spec.nodes.values():
        yield from _targets(graph, (*node.next, *(node.on_error or ())))
    limits = (*spec.path, "limits")
    if spec.limits.on_limit is not None:
        yield from _unknown(graph, spec.limits.on_limit, (*limits, "on_limit"))
    for name in spec.limits.visits:
        if name not in spec.nodes:
            path = (*limits, "visits", name)
            span = graph.whole.document.key_span(path)
            guess = graph.whole.guess(name, spec.nodes, span)
            yield graph.whole.at_key(CODE, f"unknown node `{name}`", path, **guess)


def _targets(graph: GraphAnalysis, routes: tuple[Route, ...], *, ends: bool = True) -> Iterator[Diagnostic]:
    for route in routes:
        for i, name in enumerate(route.to):
            if not (ends and name in {END, FAIL}):
                yield from _unknown(graph, name, Edge("", name, "next" if ends else "start", route, i).path)


def _unknown(graph: GraphAnalysis, name: str, path: Path) -> Iterator[Diagnostic]:
    nodes = graph.graph.nodes
    if name in nodes:
        return
    if name in {END, FAIL}:
        yield graph.whole.finding(CODE, f"`{name}` is no node: it can't be the first one", path)
        return
    span = graph.whole.document.span(path)
    listed = f"nodes: {', '.join(nodes)}" if len(nodes) < 13 else None
    guess = graph.whole.guess(name, [*nodes, END, FAIL], span, listed)
    yield graph.whole.finding(CODE, f"unknown node `{name}`", path, span, **guess)

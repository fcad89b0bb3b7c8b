"""A node from which no route leads to `end` or `fail`.

What: once a token is here, it can never leave the graph.
Why: the run could only end by a limit.
Example: two nodes whose only routes lead to each other
Instead: add a route to `end` with a guard
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import components

CODE = "GA402"
TITLE = "no path to an end"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    flow = graph.flow
    trapped = [name for name in graph.graph.nodes if name not in flow.ending and name in flow.live]
    inside = [edge for name in trapped for edge in flow.edges[name]]
    number = components(inside)
    leaving = {number[edge.source] for edge in inside if number[edge.source] != number[edge.target]}
    reported: set[int] = set()
    for name in trapped:
        part = number.get(name, -1)
        if part in leaving or part in reported:
            continue
        reported.add(part)
        others = [other for other in trapped if number.get(other) == part and other != name]
        message = f"no path leads from `{name}` to `end` or `fail`"
        if others:
            message = f"no path leads out of the cycle `{'` -> `'.join([name, *others])}`"
        yield graph.whole.at_key(CODE, message, graph.graph.nodes[name].path)

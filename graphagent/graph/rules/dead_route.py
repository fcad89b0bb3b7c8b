"""A route that is never taken.

What: it stands after the else, or earlier guards are true wherever its guard is.
Why: guards are tried in order and the first match wins.
Example: `next: [{ to: a }, { when: "x > 1", to: b }]`
Instead: `next: [{ when: "x > 1", to: b }, { to: a }]`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Note
from graphagent.graph.guards import TooMany

CODE = "GA404"
TITLE = "route that is never taken"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node in graph.graph.nodes.values():
        for routes, guards in ((node.next, graph.guards(node)), (node.on_error or (), None)):
            otherwise = next((i for i, route in enumerate(routes) if route.when is None), len(routes))
            for i, route in enumerate(routes):
                if i > otherwise:
                    notes = (Note("this route takes everything", graph.whole.document.span(routes[otherwise].path)),)
                    message = "this route is never taken: it stands after the else"
                    yield graph.whole.finding(CODE, message, route.path, severity="warning", notes=notes)
                elif guards is not None and route.when is not None:
                    try:
                        covered = guards.covered(i)
                    except TooMany:
                        continue
                    if covered:
                        message = "this route is never taken: earlier guards take all of its cases"
                        path = (*route.path, "when")
                        yield graph.whole.finding(CODE, message, path, severity="warning")

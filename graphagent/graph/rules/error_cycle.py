"""An error route that leads back to its own node without a bound.

What: a node's `on_error` goes, directly or over others, back to it, and nothing bounds how often.
Why: a failure that stays would be tried for ever; `retry` is the bounded way.
Example: `fetch: { ..., on_error: fetch, next: end }`
Instead: `retry: { max: 3 }`, or `limits: { visits: { fetch: 3 } }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import START
from graphagent.graph.rules.unbounded_cycle import unbounded

CODE = "GA411"
TITLE = "`on_error` leads back without bound"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    edges = [edge for name, found in graph.flow.edges.items() if name != START for edge in found]
    for cycle in unbounded(graph, edges):
        errors = [edge for edge in cycle if edge.kind == "error"]
        if not errors or graph.flow.cycles([edge for edge in cycle if edge.kind != "error"]):
            continue  # GA405 has said it
        edge = errors[0]
        message = f"after an error `{edge.source}` leads back to itself without a bound"
        help = f"use `retry`, or set `limits.visits.{edge.source}` or `limits.supersteps`"
        yield graph.whole.finding(CODE, message, edge.path, label="this route goes back", help=help)

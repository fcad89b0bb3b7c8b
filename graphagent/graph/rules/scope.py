"""A name that exists elsewhere, but not at this place.

What: `out`, `usage`, `results`, `errors` before the node has run; `error` where no error route leads; or `error`
without `default()` or `has()` where other routes lead too.
Why: the value isn't there at that time.
Example: `with: { x: "${ out.y }" }`
Instead: `writes: { x: "${ out.y }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.found import expression_findings, place

CODE = "GA208"
TITLE = "name not available here"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)
    missing = {name for name, maybe in graph.environment.errors_at.items() if maybe}
    for inferred in graph.all_inferred:
        occurrence = inferred.occurrence
        if occurrence.place not in missing or occurrence.moment == "error":
            continue
        for read, path in inferred.reads:
            if read.root == "error" and not read.guarded:
                full, span = place(graph, inferred, path, read.start, read.end)
                message = f"`error` may be missing: not only error routes lead to `{occurrence.place}`"
                help = "give a value for that case: `default(error.message, '')`, or ask `has(error)`"
                yield graph.whole.finding(CODE, message, full, span, help=help)

"""A reducer of one's own that doesn't say how it folds.

What: the function isn't marked `@graphagent.reducer(commutative=True)` or `(ordered=True)`.
Why: whoever reads the graph must know whether the order of writes matters; writes come in plan order either way.
Example: `def merge_notes(value, write): ...`
Instead: `@graphagent.reducer(ordered=True)` above it
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic

CODE = "GA604"
TITLE = "reducer without a mark"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for channel in graph.graph.channels.values():
        signature = graph.environment.signature(channel.reducer)
        if signature is None:
            continue
        path = (*channel.path, "reducer")
        if not signature.decorators.get("reducer", frozenset()) & {"commutative", "ordered"}:
            message = f"`{channel.reducer}` doesn't say whether the order of writes matters"
            help = "mark it with `@graphagent.reducer(commutative=True)` or `(ordered=True)`"
            yield graph.whole.finding(CODE, message, path, severity="warning", help=help)

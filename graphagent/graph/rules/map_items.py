"""What a map can't run over or run.

What: `over` isn't a list, or the node under `do` is of a kind or has a key that isn't allowed there: it has no
`next`, `join`, `on_update`, `on_error`, `interrupt` and `writes`.
Why: an item is a task of the map node, not a node of its own.
Example: `over: "${ docs }"` with `docs: str`
Instead: `over: docs` with `docs: "list[str]"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import MapBody
from graphagent.graph.types import ANY, ListOf, describe

CODE = "GA307"
TITLE = "map over what is no list, or of what can't be an item"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node in graph.graph.nodes.values():
        if isinstance(node.body, MapBody):
            path = (*node.path, "over")
            inferred = graph.inferred(path)
            if inferred is None or not inferred.sound:
                continue
            if inferred.type != ANY and not isinstance(inferred.type, ListOf):
                message = f"`over` must be a list, this is `{describe(inferred.type)}`"
                yield graph.whole.finding(CODE, message, path)

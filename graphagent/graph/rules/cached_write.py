"""A cache on a node that writes.

What: `cache` on a code node or tool with `effects: write`.
Why: a hit returns what the first call gave, and the write isn't made.
Example: `mail: { kind: tool, tool: send_email, cache: { key: x }, ... }`
Instead: no `cache`, or `effects: read` if nothing is changed
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import CodeBody, ToolBody

CODE = "GA605"
TITLE = "cache on a write"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        body, effects = node.body, "read"
        if isinstance(body, CodeBody):
            effects = body.effects
        elif isinstance(body, ToolBody) and (tool := graph.environment.tool(body.tool)) is not None:
            effects = tool.effects_of(body.tool.rpartition(".")[2])
        if node.cache is not None and effects == "write":
            help = "a hit doesn't write: take the cache away, or declare `effects: read`"
            path = (*node.path, "cache")
            yield graph.whole.at_key(CODE, "a cached write isn't made again", path, severity="warning", help=help)

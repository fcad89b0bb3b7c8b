"""A trio mark on a function that isn't a coroutine.

What: `@graphagent.trio_node` stands on a plain `def`.
Why: the mark says that the function is awaited in trio; a plain function runs in a thread.
Example: `@graphagent.trio_node` above `def look(x)`
Instead: `async def look(x)`, or no mark
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import CodeBody

CODE = "GA608"
TITLE = "trio mark on a plain function"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if not isinstance(node.body, CodeBody) or not node.body.python:
            continue
        found = graph.environment.signature(node.body.python)
        if found is not None and "trio_node" in found.decorators and not found.is_async:
            message = f"`{node.body.python}` is marked for trio, and is no `async def`"
            help = "make it `async def`, or drop the mark"
            yield graph.whole.finding(CODE, message, (*node.path, "python"), help=help)

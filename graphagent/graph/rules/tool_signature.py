"""A function that can't be a tool.

What: the function of a `python` tool has a parameter without annotation, one that is positional-only, `*args`,
`**kwargs`, or a `context` that is no `ToolContext`.
Why: a tool's parameters are what a model is shown and what its arguments are checked against: each needs a name and a
type.
Example: `def search(query, **options):`
Instead: `def search(query: str, limit: int = 5):`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.signatures import Signature

CODE = "GA513"
TITLE = "function that can't be a tool"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    if graph.graph.name:
        return
    for tool in graph.whole.spec.tools.values():
        signature = None if tool.python is None else graph.environment.signature(tool.python)
        if signature is not None:
            for message, help in _wrong(signature):
                said = f"`{tool.python}` can't be a tool: {message}"
                yield graph.whole.finding(CODE, said, (*tool.path, "python"), help=help)


def _wrong(signature: Signature) -> Iterator[tuple[str, str]]:
    for name in signature.starred:
        yield f"a model can't give `{name}`", "name every parameter"
    for name in signature.positional_only:
        yield f"its parameter `{name}` is positional-only", "take the `/` away"
    if signature.takes_context:
        yield "its parameter `context` is no `ToolContext`", "write `context: graphagent.ToolContext`"
    for name in signature.bare:
        yield f"its parameter `{name}` has no annotation", f"write `{name}: str`, say"

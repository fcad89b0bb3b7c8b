"""An effects class that can't be kept.

What: `effects: pure` on an `async def`, a function with a `context` or a `ToolContext`, a command (`run`), or a tool
of a server or client; or `effects: write` on a function with a `context` parameter.
Why: pure functions run inline and touch nothing. A function with a `context` runs again after a crash, and its
outside calls go through the context: the writes are those calls, never the body as a whole.
Example: `effects: pure` for `async def fetch(url)`
Instead: `effects: read`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.signatures import Signature
from graphagent.graph.spec import CodeBody, Path

CODE = "GA607"
TITLE = "effects class that can't be kept"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if isinstance(node.body, CodeBody):
            path = (*node.path, "effects")
            if node.body.run and node.body.effects == "pure":
                yield _finding(graph, "a command is never pure", path, "write `effects: read`")
            elif node.body.python:
                yield from _function(graph, graph.environment.signature(node.body.python), node.body.effects, path)
    if graph.graph.name:
        return
    for tool in graph.whole.spec.tools.values():
        path = (*tool.path, "effects")
        classes = {tool.effects} if isinstance(tool.effects, str) else set(tool.effects.values())
        if "pure" in classes and (tool.several or tool.client is not None):
            yield _finding(graph, "a tool of a server or client is never pure", path, "write `effects: read`")
        elif tool.python is not None and isinstance(tool.effects, str):
            found = graph.environment.signature(tool.python)
            if tool.effects == "pure" and found is not None and (found.is_async or found.takes_tool_context):
                what = "an `async def`" if found.is_async else "a function with a `ToolContext`"
                yield _finding(graph, f"{what} is never pure", path, "write `effects: read`")


def _function(graph: GraphAnalysis, found: Signature | None, effects: str, path: Path) -> Iterator[Diagnostic]:
    if found is None:
        return
    if effects == "pure" and found.is_async:
        yield _finding(graph, "an `async def` is never pure", path, "make it a plain `def`, or write `effects: read`")
    elif effects == "pure" and found.takes_context:
        yield _finding(graph, "a function with a `context` is never pure", path, "write `effects: read`")
    elif effects == "write" and found.takes_context:
        help = "make the write with `context.effect(...)` and leave `effects` out, or take the parameter away"
        yield _finding(graph, "a function with a `context` can't be a write as a whole", path, help)


def _finding(graph: GraphAnalysis, message: str, path: Path, help: str) -> Diagnostic:
    return graph.whole.finding(CODE, message, path, help=help)

"""A wait without an end in a run that has one.

What: `limits.wall` is set, and a `human` or `wait` node has no `timeout`.
Why: the time that is waited counts: a question that nobody answers would end the run by its limit, without a route.
Example: `limits: { wall: 1d }`, and a human node without `timeout`
Instead: `timeout: 8h` on the node, with a route of `on_error` for it
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import WaitBody

CODE = "GA413"
TITLE = "wait without `timeout` under `limits.wall`"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    if graph.graph.limits.wall is None:
        return
    for node in graph.graph.nodes.values():
        timer = isinstance(node.body, WaitBody) and not node.body.event
        if node.kind in ("human", "wait") and node.timeout is None and not timer:
            message = f"`{node.name}` may wait for ever, while `limits.wall` is {graph.graph.limits.wall.text}"
            help = "give the node a `timeout`, and a route of `on_error` for it"
            yield graph.whole.at_key(CODE, message, node.path, help=help)

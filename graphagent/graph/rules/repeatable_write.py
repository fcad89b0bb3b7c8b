"""A write that may be made again, without a key by which the other side knows it.

What: `effects: write` without `idempotency_key` in a node that is retried, cached or in a loop.
Why: after a crash or a timeout nobody knows whether the write happened: it isn't repeated by itself, and the session
waits for a human. With a key it can be sent again.
Example: `pay: { kind: code, effects: write, retry: { max: 3 }, ... }`
Instead: the same with `idempotency_key: "${ inputs.order }"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import START
from graphagent.graph.spec import CodeBody, NodeSpec, ToolBody

CODE = "GA410"
TITLE = "write without an idempotency key"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    looping = _looping(graph)
    for node, owner in graph.tasks:
        if not _unkeyed_write(graph, node):
            continue
        retry = node.retry or graph.graph.defaults.retry
        name = (owner or node).name
        if retry is not None and retry.max > 1:
            why = "is retried"
        elif node.cache is not None:
            why = "is cached"
        elif name in looping:
            why = "is in a loop"
        else:
            continue
        message = f"a write of this node {why}, and has no `idempotency_key`"
        help = "give it one, or `retry: { max: 1 }`: a write of unknown outcome waits for a human"
        yield graph.whole.at_key(CODE, message, node.path, severity="warning", help=help)


def _unkeyed_write(graph: GraphAnalysis, node: NodeSpec) -> bool:
    if isinstance(node.body, CodeBody):
        return node.body.effects == "write" and node.body.idempotency_key is None
    if not isinstance(node.body, ToolBody):
        return False
    tool = graph.environment.tool(node.body.tool)
    if tool is None or tool.graph is not None or tool.client is not None or tool.idempotency_key is not None:
        return False
    return tool.effects_of(node.body.tool.rpartition(".")[2]) == "write" and tool.check is None


def _looping(graph: GraphAnalysis) -> set[str]:
    edges = [edge for name, found in graph.flow.edges.items() if name != START for edge in found]
    return {edge.source for cycle in graph.flow.cycles(edges) for edge in cycle}

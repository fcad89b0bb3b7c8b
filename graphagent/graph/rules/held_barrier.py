"""A question that holds the barrier of parallel branches.

What: in a forked branch an agent asks for approvals, or a map or an agent calls a graph in which somebody is asked.
Why: such a question is asked inside a running task, so the superstep stays open until it is answered, and the other
branches wait too. A `human` node of its own doesn't: it parks.
Example: `next: [assistant, report]`, where `assistant` has `approve`
Instead: ask before the fork or behind the join, or put the question into a `human` node
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.calls import asks, calls, may_park
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, MapBody, NodeSpec

CODE = "GA417"
TITLE = "a question holds the siblings' barrier"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    forked = {name for a, b, shared in graph.tokens.pairs or () if shared for name in (a, b)}
    for name, node in graph.graph.nodes.items():
        if name in forked and isinstance(node.body, AgentBody | MapBody) and _asks_inside(graph, node):
            message = f"a question inside `{name}` holds the branches beside it"
            help = "ask in a `human` node, before the fork or behind the join"
            yield graph.whole.at_key(CODE, message, node.path, severity="warning", help=help)


def _asks_inside(graph: GraphAnalysis, node: NodeSpec) -> bool:
    tasks = (node, *node.inner())
    if any(asks(task) for task in tasks):
        return True
    spec = graph.whole.spec
    return any(call.node in tasks and may_park(spec, call.graph) for call in calls(spec, graph.graph))

"""Which parts of the language this release runs: the rest is read, checked and drawn."""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.errors import NotRunnable
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import CodeBody

HINT = "graphagent validate and graphagent visualize work on the whole language"


def check_runnable(plan: Plan) -> None:
    """Refuse a plan with a node that this release doesn't run.

    Raises:
        NotRunnable: it names the first such node.
    """
    for graph in plan.graphs.values():
        for node in _nodes(graph):
            what = unrunnable(node)
            if what is not None:
                where = f"{node.path} of {plan.name!r}"
                raise NotRunnable(f"{where}: this release checks and draws {what}; it doesn't run it yet", hint=HINT)


def unrunnable(node: NodePlan) -> str | None:
    """What of a node doesn't run yet, as the author wrote it."""
    if isinstance(node.body, CodeBody) and node.body.run:
        return "`run` of `kind: code`"
    return None


def _nodes(graph: GraphPlan) -> Iterator[NodePlan]:
    for node in graph.nodes:
        yield node
        if node.item is not None:
            yield node.item

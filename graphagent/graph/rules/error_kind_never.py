"""An error route for a kind that the node can't raise.

What: a guard of `on_error` compares `error.kind` with a kind that nodes of this sort never fail with.
Why: the route is never taken; what was meant isn't handled.
Example: `on_error: [{ when: "error.kind == 'approval_denied'", to: ask }]` on an `llm` node
Instead: a kind that it can raise, such as `rate_limit`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.expression_tree import Compare, Constant, ListNode, Node, children, constant_path
from graphagent.graph.spec import AtLeast, CodeBody, NodeSpec, OtherBody, ToolBody

CODE = "GA412"
TITLE = "error kind that can't occur here"
_NEVER = frozenset({"raised", "limit", "cancelled", "write_conflict"})
_MODEL = frozenset({"rate_limit", "unavailable", "auth", "content_filter", "context_overflow"})
_OWN = {
    "approval_denied": {"agent"}, "max_turns": {"agent"}, "rejected": {"human"}, "item_failed": {"map"},
    "child_failed": {"graph", "agent", "tool"}, "tool_failed": {"agent", "tool", "code"},
    "sandbox_failed": {"agent", "code"}, "code_failed": {"code"},
}  # fmt: skip
"""Kinds that only some kinds of nodes can fail with."""
_COMPUTING = frozenset({"set", "router", "emit"})


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node in graph.graph.nodes.values():
        for route in node.on_error or ():
            expression = graph.expression(route.when)
            for kind in _compared(expression.tree) if expression is not None else ():
                if not _possible(graph, node, kind):
                    message = f"a node of kind `{node.kind}` never fails with `{kind}`"
                    path = (*route.path, "when")
                    yield graph.whole.finding(CODE, message, path, severity="warning", label="never taken")


def _compared(tree: Node) -> Iterator[str]:
    """The texts with which `error.kind` is compared for equality."""
    if isinstance(tree, Compare) and len(tree.rest) == 1 and _is_kind(tree.first):
        operator, other = tree.rest[0]
        if operator == "==" and isinstance(other, Constant):
            yield str(other.value)
        elif operator == "in" and isinstance(other, ListNode):
            yield from (str(item.value) for item in other.items if isinstance(item, Constant))
    for child in children(tree):
        yield from _compared(child)


def _is_kind(node: Node) -> bool:
    found = constant_path(node)
    return found is not None and found[0].name == "error" and found[1] == ("kind",)


def _possible(graph: GraphAnalysis, node: NodeSpec, kind: str) -> bool:
    if kind in _NEVER:
        return False
    if kind == "join_unsatisfied":
        return isinstance(node.join, AtLeast)
    if isinstance(node.body, OtherBody):
        return True  # it may raise any of them
    if kind in _OWN:
        return node.kind in _OWN[kind]
    if kind in _MODEL:
        return node.kind in {"llm", "agent", "tool", "code"}
    if kind == "in_doubt":
        return node.kind == "agent" or _writes(graph, node)
    if kind == "timeout":
        return node.kind not in _COMPUTING
    return True


def _writes(graph: GraphAnalysis, node: NodeSpec) -> bool:
    if isinstance(node.body, CodeBody):
        return node.body.effects == "write"
    if isinstance(node.body, ToolBody):
        tool = graph.environment.tool(node.body.tool)
        return tool is None or tool.effects_of(node.body.tool.rpartition(".")[2]) == "write"
    return False

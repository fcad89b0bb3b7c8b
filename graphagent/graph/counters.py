"""Counters: channels that every round of a cycle changes by a constant, so that a guard on them ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.expression_tree import (
    Binary,
    Compare,
    Constant,
    Logic,
    Name,
    Negative,
    Node,
    Not,
    children,
    constant_path,
)
from graphagent.graph.flow import Edge
from graphagent.graph.spec import NodeSpec, Route

_UP: Final = 1
_DOWN: Final = -1
_NEGATED: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
Bound = tuple[tuple[str, ...], int]
"""A counted path (`("tries",)`, `("run", "visits", "write")`) and the direction in which it is bounded."""


def bounded(graph: GraphAnalysis, edge: Edge, cycle: list[Edge]) -> bool:
    """Whether a round through this edge always brings a counter nearer to the bound in the edge's guard."""
    return any(_counts(graph, path, direction, edge, cycle) for path, direction in _bounds(graph, edge))


def _bounds(graph: GraphAnalysis, edge: Edge) -> Iterator[Bound]:
    """What must hold when an edge is taken: its own guard, and none of those before it."""
    node = graph.graph.nodes.get(edge.source)
    if node is None or edge.kind != "next":
        return
    for route in node.next:
        expression = graph.expression(route.when)
        if route is edge.route:
            if expression is not None:
                yield from _read(expression.tree, True)
            return
        if expression is not None:
            yield from _read(expression.tree, False)


def _read(node: Node, truth: bool) -> Iterator[Bound]:
    """The bounds that follow if `node` is true, or false."""
    if isinstance(node, Not):
        yield from _read(node.value, not truth)
    elif isinstance(node, Logic):
        if (node.operator == "and") == truth:
            for value in node.values:
                yield from _read(value, truth)
    elif isinstance(node, Compare) and len(node.rest) == 1:
        op, right = node.rest[0]
        if op not in _NEGATED:
            return
        holds = str(op) if truth else _NEGATED[op]
        for term, other, sign in ((node.first, right, holds), (right, node.first, _MIRRORED[holds])):
            found = constant_path(term)
            if found is not None and found[0].slot is None and _fixed(other):
                yield (found[0].name, *map(str, found[1])), _UP if sign in {"<", "<="} else _DOWN


def _fixed(node: Node) -> bool:
    """Whether a value is the same in every round: constants and inputs."""
    if isinstance(node, Name):
        return node.name == "inputs"
    return all(_fixed(child) for child in children(node))


def _counts(graph: GraphAnalysis, path: tuple[str, ...], direction: int, edge: Edge, cycle: list[Edge]) -> bool:
    if path == ("run", "superstep"):
        return direction == _UP
    if len(path) == 3 and path[:2] == ("run", "visits"):
        return direction == _UP and _on_every_round(graph, edge, cycle, lambda e: path[2] in {e.source, e.target})
    if len(path) != 1 or path[0] not in graph.graph.channels:
        return False
    channel = path[0]
    reducer = graph.graph.channels[channel].reducer
    nodes = {e.source for e in cycle}
    steps: dict[int, bool] = {}
    for name in nodes:
        for where, value in _writes(graph.graph.nodes[name], channel):
            step = _step(graph, channel, reducer, value)
            if step is None or step * direction < 0:
                return False
            if step:
                steps[id(where)] = True
    return _on_every_round(
        graph,
        edge,
        cycle,
        lambda e: id(e.route) in steps or (e.kind == "next" and id(graph.graph.nodes[e.source]) in steps),
    )


def _writes(node: NodeSpec, channel: str) -> Iterator[tuple[NodeSpec | Route, Any]]:
    places: tuple[NodeSpec | Route, ...] = (node, *node.next, *(node.on_error or ()))
    for where in places:
        if channel in where.writes:
            yield where, where.writes[channel]


def _step(graph: GraphAnalysis, channel: str, reducer: str, value: Any) -> float | None:
    """By how much a write changes the channel; None if that isn't known."""
    number = _number(graph, value)
    if reducer == "sum":
        return number
    if reducer != "last" or not isinstance(value, str):
        return None
    tree = _tree(graph, value)
    if not isinstance(tree, Binary) or tree.operator not in {"+", "-"}:
        return None
    for term, other in ((tree.left, tree.right), (tree.right, tree.left)):
        constant = other.value if isinstance(other, Constant) else None
        if isinstance(term, Name) and term.name == channel and _is_number(constant):
            if tree.operator == "+":
                return constant  # type: ignore[return-value]
            return -constant if term is tree.left else None  # type: ignore[operator]
    return None


def _number(graph: GraphAnalysis, value: Any) -> float | None:
    if isinstance(value, str):
        tree = _tree(graph, value)
        if isinstance(tree, Negative) and isinstance(tree.value, Constant) and _is_number(tree.value.value):
            return -tree.value.value  # type: ignore[operator]
        value = tree.value if isinstance(tree, Constant) else None
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tree(graph: GraphAnalysis, value: str) -> Node | None:
    """The tree of a value that is one `${ }`."""
    text = value.strip()
    if not (text.startswith("${") and text.endswith("}") and text.count("${") == 1):
        return None
    expression = graph.expression(text[2:-1])
    return None if expression is None else expression.tree


def _on_every_round(graph: GraphAnalysis, edge: Edge, cycle: list[Edge], counts: Any) -> bool:
    """Whether no round through `edge` avoids the edges that count: those out of a node or route that writes."""
    if counts(edge):
        return True
    rest = [e for e in cycle if not counts(e)]
    return not any(edge in part for part in graph.flow.cycles(rest))

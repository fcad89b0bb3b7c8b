"""The built-in tool sets of agents. One file a set; `graph.standard` has their names and channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.standard import SESSIONS
from graphagent.nodes.standard.files import FilesSet
from graphagent.nodes.standard.finish import finish_offers
from graphagent.nodes.standard.human import human_offers
from graphagent.nodes.standard.sessions import SessionsSet
from graphagent.nodes.standard.todos import TodosSet
from graphagent.ports import Task

MakeOffers = Callable[[Task], list[Any]]


def offers_of(name: str, node: NodePlan, graph: GraphPlan, plan: Plan) -> MakeOffers:
    """Makes the offers of a set for one task: they may keep what the task's calls have written."""
    if name == "std.human":
        return lambda task: human_offers(node)
    if name == "std.finish":
        return lambda task: finish_offers(node)
    if name == SESSIONS:
        return lambda task: SessionsSet(node, graph, plan, task).offers()
    if name == "std.todos":
        return lambda task: TodosSet(graph, task).offers()
    return lambda task: FilesSet(graph, task).offers()

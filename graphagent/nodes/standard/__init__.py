"""The built-in tool sets of agents. One file a set; `graph.standard` has their names and channels."""

from __future__ import annotations

from collections.abc import Callable

from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.skills import skills_of
from graphagent.graph.standard import SESSIONS
from graphagent.nodes.standard.files import FilesSet
from graphagent.nodes.standard.finish import finish_offers
from graphagent.nodes.standard.human import human_offers
from graphagent.nodes.standard.offer import StandardTool
from graphagent.nodes.standard.sessions import SessionsSet
from graphagent.nodes.standard.skills import skills_offers
from graphagent.nodes.standard.todos import TodosSet

MakeOffers = Callable[[], list[StandardTool]]


def offers_of(name: str, node: NodePlan, graph: GraphPlan, plan: Plan) -> MakeOffers:
    """Makes the offers of a set, anew for each task: they may keep what the task's calls have written."""
    if name == "std.human":
        return lambda: human_offers(node)
    if name == "std.finish":
        return lambda: finish_offers(node)
    if name == SESSIONS:
        return lambda: SessionsSet(node, graph, plan).offers()
    if name == "std.skills":
        return lambda: skills_offers(skills_of(plan.templates, graph.name))
    if name == "std.todos":
        return lambda: TodosSet(graph).offers()
    return lambda: FilesSet(graph).offers()

"""The `tools` document: what a graph's models would get, without calling a tool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import AgentBody, LLMBody, ToolBody
from graphagent.graph.standard import SETS
from graphagent.nodes.spokes import Spoke
from graphagent.nodes.standard import offers_of
from graphagent.ports import TaskServices, ToolInfo
from graphagent.session.documents.tool_forms import ToolApproval, ToolEntry, ToolProblem, ToolsDocument

LISTING: Final = "listing"
"""Stands for a session where connections are opened only to be asked for their lists."""
DELEGATES: Final = "delegates"


@dataclass(frozen=True, slots=True)
class _Use:
    node: str
    names: tuple[str, ...]
    approvals: tuple[tuple[str, ToolApproval], ...]

    def has(self, tool: str) -> bool:
        """Whether the node calls a tool: by its name, or all of its server."""
        return tool in self.names or f"{tool.rpartition('.')[0]}.*" in self.names


async def tools_document(plan: Plan, services: TaskServices) -> ToolsDocument:
    """The tools of a plan by name, those of a server in its own order; then those of tool sets, and delegates."""
    entries: list[ToolEntry] = []
    problems: list[ToolProblem] = []
    uses = list(_uses(plan))
    for name in plan.tools:
        source = services.tool_source(name)
        try:
            found = source.known() or await source.list(LISTING)
            entries += [_entry(info, uses) for info in found]
        except NodeError as error:
            problems.append(_problem(name, error, services))
        finally:
            await source.close(LISTING)
    built_in, unfit = _built_in(plan, services)
    return ToolsDocument(plan.name, [*entries, *built_in], [*problems, *unfit])


def _uses(plan: Plan) -> Iterator[_Use]:
    for _, node in _tasks(plan):
        if isinstance(node.body, ToolBody):
            yield _Use(node.path, (node.body.tool, *node.body.tools), ())
        elif isinstance(node.body, LLMBody):
            yield _Use(node.path, tuple(node.body.tools), ())
        elif isinstance(node.body, AgentBody):
            rules = [(a.tool, ToolApproval(node.path, a.when, a.on_deny)) for a in node.body.approve]
            yield _Use(node.path, tuple(node.body.tools), tuple(rules))


def _tasks(plan: Plan) -> Iterator[tuple[GraphPlan, NodePlan]]:
    """All nodes, with those that maps run for each item."""
    for graph in plan.graphs.values():
        for node in graph.nodes:
            yield graph, node
            if node.item is not None:
                yield graph, node.item


def _built_in(plan: Plan, services: TaskServices) -> tuple[list[ToolEntry], list[ToolProblem]]:
    """The tools of tool sets and the delegates. What two agents see alike is one entry."""
    found: list[tuple[str, ToolInfo, list[str]]] = []
    problems = []
    for graph, node in _tasks(plan):
        if node.agent is None:
            continue
        seen: list[tuple[str, ToolInfo]] = []
        for name in node.agent.tools:
            if name in SETS:
                try:
                    seen += [(name, offer.info) for offer in offers_of(name, node, graph, plan)()]
                except NodeError as error:
                    problems.append(_problem(name, error, services))
        seen += [(DELEGATES, Spoke(delegate, plan).info) for delegate in node.agent.delegates.values()]
        for of, info in seen:
            same = next((users for other, known, users in found if (other, known) == (of, info)), None)
            if same is None or of == DELEGATES:
                found.append((of, info, [node.path]))
            else:
                same.append(node.path)
    return [_entry(info, (), of, users) for of, info, users in found], problems


def _entry(info: ToolInfo, uses: Sequence[_Use], of: str | None = None, users: Sequence[str] = ()) -> ToolEntry:
    return ToolEntry(
        info.name, of, info.source, info.description, dict(info.parameters),
        None if info.returns is None else dict(info.returns), info.effects,
        round(info.timeout_s * 1000) if isfinite(info.timeout_s) else None,
        [rule for use in uses for tool, rule in use.approvals if tool == info.name],
        [*users, *(use.node for use in uses if use.has(info.name))],
    )  # fmt: skip


def _problem(name: str, error: NodeError, services: TaskServices) -> ToolProblem:
    return ToolProblem(name, error.kind, error.cause, *services.redact([error.message, error.hint]))

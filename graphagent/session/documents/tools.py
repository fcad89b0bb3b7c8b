"""The `tools` document: what a graph's models would get, without calling a tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphagent.errors import NodeError
from graphagent.graph.plan import NodePlan, Plan
from graphagent.graph.spec import AgentBody, LLMBody, ToolBody
from graphagent.ports import TaskServices, ToolInfo
from graphagent.session.documents.tool_forms import ToolApproval, ToolEntry, ToolProblem, ToolsDocument

LISTING = "listing"
"""Stands for a session where connections are opened only to be asked for their lists."""


@dataclass(frozen=True, slots=True)
class _Use:
    node: str
    names: tuple[str, ...]
    approvals: tuple[tuple[str, ToolApproval], ...]

    def has(self, tool: str) -> bool:
        """Whether the node calls a tool: by its name, or all of its server."""
        return tool in self.names or f"{tool.rpartition('.')[0]}.*" in self.names


async def tools_document(plan: Plan, services: TaskServices) -> ToolsDocument:
    """The tools of a plan by name, those of a server in its own order."""
    entries: list[ToolEntry] = []
    problems: list[ToolProblem] = []
    uses = list(_uses(plan))
    for name in plan.tools:
        source = services.tool_source(name)
        try:
            found = source.known() or await source.list(LISTING)
            entries += [_entry(info, uses) for info in found]
        except NodeError as error:
            told = services.redact([error.message, error.hint])
            problems.append(ToolProblem(name, error.kind, error.cause, *told))
        finally:
            await source.close(LISTING)
    return ToolsDocument(plan.name, entries, problems)


def _uses(plan: Plan) -> Iterator[_Use]:
    for graph in plan.graphs.values():
        for node in (inner for outer in graph.nodes for inner in _with_item(outer)):
            if isinstance(node.body, ToolBody):
                yield _Use(node.path, (node.body.tool, *node.body.tools), ())
            elif isinstance(node.body, LLMBody):
                yield _Use(node.path, tuple(node.body.tools), ())
            elif isinstance(node.body, AgentBody):
                rules = [(a.tool, ToolApproval(node.path, a.when, a.on_deny)) for a in node.body.approve]
                yield _Use(node.path, tuple(node.body.tools), tuple(rules))


def _with_item(node: NodePlan) -> Iterator[NodePlan]:
    yield node
    if node.item is not None:
        yield node.item


def _entry(info: ToolInfo, uses: list[_Use]) -> ToolEntry:
    return ToolEntry(
        info.name, info.source, info.description, dict(info.parameters),
        None if info.returns is None else dict(info.returns), info.effects, round(info.timeout_s * 1000),
        [rule for use in uses for tool, rule in use.approvals if tool == info.name],
        [use.node for use in uses if use.has(info.name)],
    )  # fmt: skip

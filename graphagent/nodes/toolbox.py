"""The tools under `tools` of one agent, from wherever they come."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any, Final

from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import SELF, ToolSpec
from graphagent.graph.standard import SETS
from graphagent.nodes.client import ClientCall
from graphagent.nodes.offers import CallersTool, GraphTool, Offer, SourceTool, by_shown_name, inputs_of, shown
from graphagent.nodes.standard import offers_of
from graphagent.ports import EffectCall, Task, ToolInfo, ToolSource

LIST: Final = "list"


class Toolbox:
    """The tools under `tools` of one agent."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert node.agent is not None
        self.node, self.graph, self.plan = node, graph, plan
        self.sets = [offers_of(name, node, graph, plan) for name in node.agent.tools if name in SETS]
        self.wanted: dict[str, list[str]] = {}
        for name in node.agent.tools:
            if name in SETS:
                continue
            entry = name if name in plan.tools else name.rpartition(".")[0]
            self.wanted.setdefault(entry, []).append(name)

    async def open(self, task: Task) -> list[Offer]:
        """The tools in the order in which the agent names them, those of tool sets last.

        A server's list is an effect of the task.
        """
        offers: list[Offer] = []
        for entry, names in self.wanted.items():
            spec, source = self.plan.tools[entry], task.services.tool_source(entry)
            infos = source.known()
            if infos is None:
                infos = await self._listed(task, entry, source)
            found = {info.name: self._offer(spec, info, source) for info in infos}
            for name in names:
                if name.endswith(".*"):
                    offers += found.values()
                elif name in found:
                    offers.append(found[name])
                else:
                    hint = f"it has: {', '.join(found) or 'none'}"
                    raise NodeError(f"there is no tool {name!r}", kind="invalid_input", cause="unknown_tool", hint=hint)
        return [*offers, *(offer for make in self.sets for offer in make())]

    async def shown(self, task: Task, entries: Container[str]) -> list[dict[str, Any]]:
        """What a model is told of them, which calls none of them here. `entries` are the tools of the plan."""
        offers = by_shown_name(await self.open(task), entries)
        return [shown(name, offer.info) for name, offer in offers.items()]

    async def _listed(self, task: Task, entry: str, source: ToolSource) -> tuple[ToolInfo, ...]:
        async def execute(effect: EffectCall) -> Any:
            return [info.data() for info in await source.list(task.session)]

        data = await task.effect("tool", f"{entry}.{LIST}", "read", {"list": entry}, execute)
        return tuple(ToolInfo(**info) for info in data)

    def _offer(self, spec: ToolSpec, info: ToolInfo, source: ToolSource) -> Offer:
        if spec.graph is not None:
            name = self.graph.name if spec.graph == SELF else spec.graph
            return GraphTool(info, name, inputs_of(self.plan.graphs[name]))
        if spec.client is not None:
            return CallersTool(info, ClientCall(spec, spec.client, self.plan))
        return SourceTool(replace(info, effects=spec.effects_of(info.name.rpartition(".")[2])), spec, source)

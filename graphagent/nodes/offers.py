"""What an agent's model may call: tools of every source, graphs, our caller and delegates, all in one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from graphagent.codec import freeze
from graphagent.errors import NodeError
from graphagent.faults import fault
from graphagent.graph.plan import GraphPlan, NodePlan, Plan
from graphagent.graph.spec import SELF, ToolSpec
from graphagent.graph.types import Field, ObjectOf, TypeMismatch, checker
from graphagent.graph.values import parse_value
from graphagent.nodes.client import ClientCall
from graphagent.nodes.large_results import kept
from graphagent.nodes.tool import tool_call
from graphagent.ports import EffectCall, Task, ToolInfo, ToolSource

LIST = "list"


class Offer(Protocol):
    """One thing that the model may call."""

    @property
    def info(self) -> ToolInfo:
        """What is known of it; its effects as the graph declares them."""
        ...

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as they are used. Raises NodeError of kind `invalid_input`; nothing is executed then."""
        ...

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """The result, as plain data. Raises NodeError."""
        ...


def exposed(name: str) -> str:
    """The name that the model sees."""
    return name.replace(".", "_")


def shown(info: ToolInfo) -> dict[str, Any]:
    """What the model is told of a tool."""
    return {"name": exposed(info.name), "description": info.description, "parameters": dict(info.parameters)}


def fitting(kind: ObjectOf, arguments: Any) -> dict[str, Any]:
    """The arguments as this type has them, defaults filled in. Raises NodeError, which says where they don't fit."""
    try:
        fit: dict[str, Any] = checker(kind)(arguments)
    except TypeMismatch as error:
        field = "$" + error.path[1:]
        raise NodeError(
            f"{field}: {error.message}", kind="invalid_input", cause="bad_arguments", details={"field": field},
            hint="nothing was called: give arguments that fit the schema",
        ) from error  # fmt: skip
    return fit


def inputs_of(graph: GraphPlan, without: Iterable[str] = ()) -> ObjectOf:
    """The inputs of a graph as a type."""
    left = set(without)
    return ObjectOf(tuple(Field(p.name, p.type, p.default) for p in graph.inputs if p.name not in left))


@dataclass(frozen=True, slots=True)
class SourceTool:
    """A tool of a function or of a server: its call is one effect."""

    info: ToolInfo
    spec: ToolSpec
    origin: ToolSource

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """See `Offer`."""
        self.origin.check(self.info.name, arguments)
        return arguments

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """See `Offer`."""
        name, effects = self.info.name, self.info.effects
        key = self._key(task, arguments)

        async def execute(effect: EffectCall) -> Any:
            fault("effect.during")
            call = tool_call(task, effect, key, None, task.services.result_limit)
            return await kept(task, name, freeze(await self.origin.call(name, arguments, call)))

        request = {"tool": name, "with": arguments}
        # A model's call isn't computed again: what called it isn't either.
        return await task.effect(
            "tool", name, "read" if effects == "pure" else effects, request, execute, keyed=key is not None
        )

    def _key(self, task: Task, arguments: Mapping[str, Any]) -> str | None:
        if self.spec.idempotency_key is None or self.info.effects != "write":
            return None
        scope = {"args": arguments, **({"run": task.env["run"]} if "run" in task.env else {})}
        return str(parse_value(self.spec.idempotency_key).evaluate(scope))


@dataclass(frozen=True, slots=True)
class GraphTool:
    """A graph as a tool: its call is a child session."""

    info: ToolInfo
    graph: str
    inputs: ObjectOf

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """See `Offer`."""
        return fitting(self.inputs, arguments)

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """See `Offer`."""
        outputs = await task.child(self.graph, arguments)
        return task.hold() if outputs is None else dict(outputs)


@dataclass(frozen=True, slots=True)
class CallersTool:
    """A tool that our caller runs: its call is a question."""

    info: ToolInfo
    client: ClientCall

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """See `Offer`."""
        self.client.question(arguments)
        return arguments

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """See `Offer`."""
        return self.client.checked(await task.ask(self.client.question(arguments)))


class Toolbox:
    """The tools under `tools` of one agent."""

    def __init__(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> None:
        assert node.agent is not None
        self.node, self.graph, self.plan = node, graph, plan
        self.wanted: dict[str, list[str]] = {}
        for name in node.agent.tools:
            entry = name if name in plan.tools else name.rpartition(".")[0]
            self.wanted.setdefault(entry, []).append(name)

    async def open(self, task: Task) -> list[Offer]:
        """The tools in the order in which the agent names them. A server's list is an effect of the task."""
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
        return offers

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


def unknown(name: str, offers: Sequence[Offer]) -> NodeError:
    """The failure of a call to something that isn't offered."""
    names = ", ".join(exposed(offer.info.name) for offer in offers)
    hint = f"the tools are: {names}" if names else "there are no tools"
    return NodeError(f"there is no tool {name!r}", kind="invalid_input", cause="unknown_tool", hint=hint)

"""What an agent's model may call: tools of every source, graphs, our caller and delegates, all in one form."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from graphagent.codec import freeze
from graphagent.errors import NodeError
from graphagent.graph.plan import GraphPlan
from graphagent.graph.spec import ToolSpec
from graphagent.graph.types import Field, ObjectOf, TypeMismatch, checker
from graphagent.graph.values import parse_value
from graphagent.nodes.client import ClientCall
from graphagent.nodes.large_results import from_journal, kept
from graphagent.nodes.tool_calls import DeclaredCall
from graphagent.ports import Task, ToolCall, ToolInfo, ToolSource


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


class Named(Protocol):
    """What has the name of a tool."""

    @property
    def info(self) -> ToolInfo:
        """What is known of it."""
        ...


N = TypeVar("N", bound=Named)


def by_shown_name(offers: Sequence[N], entries: Container[str]) -> dict[str, N]:
    """The offers by the names that the model sees: without those of imports, unless two would be alike.

    So an agent calls its tools the same, whatever the importer of its graph calls that.

    Args:
        entries: The names of the tools of the plan: `server`, or `import.server`.
    """
    full = [exposed(offer.info.name) for offer in offers]
    short = [exposed(without_import(offer.info.name, entries)) for offer in offers]
    names = [one if short.count(one) == 1 else whole for one, whole in zip(short, full, strict=True)]
    return dict(zip(names if len(set(names)) == len(names) else full, offers, strict=True))


def exposed(name: str) -> str:
    """A name as models take it."""
    return name.replace(".", "_")


def without_import(name: str, entries: Container[str]) -> str:
    """`tool` or `server.tool` of `import.server.tool`."""
    entry = name if name in entries else name.rpartition(".")[0]
    prefix = entry.rpartition(".")[0]
    return name.removeprefix(f"{prefix}.") if prefix else name


def shown(name: str, info: ToolInfo) -> dict[str, Any]:
    """What the model is told of a tool."""
    return {"name": name, "description": info.description, "parameters": dict(info.parameters)}


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
        self.origin.check(self.info, arguments)
        return arguments

    async def run(self, task: Task, arguments: dict[str, Any]) -> Any:
        """See `Offer`."""
        name, raw = self.info.name, self.spec.idempotency_key
        # A model's call isn't computed again: what called it isn't either.
        effects = "read" if self.info.effects == "pure" else self.info.effects
        key = None if raw is None else parse_value(raw)
        declared = DeclaredCall(self.spec, name, effects, key, result_limit=task.services.result_limit)

        async def run(call: ToolCall) -> Any:
            return await kept(task, name, freeze(await self.origin.call(name, arguments, call)))

        return from_journal(await declared.effect(task, arguments, run))


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


def unknown(name: str, known: Iterable[str]) -> NodeError:
    """The failure of a call to something that isn't offered."""
    names = ", ".join(known)
    hint = f"the tools are: {names}" if names else "there are no tools"
    return NodeError(f"there is no tool {name!r}", kind="invalid_input", cause="unknown_tool", hint=hint)

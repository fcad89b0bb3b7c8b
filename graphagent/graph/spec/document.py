"""The spec: what an author wrote, typed and with the short forms written out.

    Spec                 one document, a Graph or a Library
    ├─ metadata imports types secrets models tools prompts
    ├─ graph   GraphSpec   the main graph, named ""; a Library has none
    └─ graphs  GraphSpec   those under `graphs`, by name
       ├─ inputs outputs channels defaults limits start result
       └─ nodes  NodeSpec
          ├─ next on_error  Route
          └─ body           one dataclass per kind

`defaults` are not merged into nodes. Keys that a table of the language gives a default hold it, so a consumer
never asks whether a key was written; the others hold None. Types, expressions, values and templates stay as
the author's text: `types`, `expressions` and `values` parse them.

Every part has a `path` into the author's document (`("nodes", "write", "next", 0)`), by which
`Document.span` finds its place; paths don't count when specs are compared. `Spec.data()` is the canonical
author form: plain JSON that reads back as an equal spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from graphagent.graph.duration import Duration
from graphagent.graph.spec.bodies import AgentBody, Body, MapBody
from graphagent.graph.spec.declarations import ChannelSpec, Defaults, ImportSpec, Limits, ModelSpec, ToolSpec
from graphagent.graph.spec.parts import (
    AtLeast,
    Cache,
    Join,
    Path,
    Prompt,
    RawValue,
    Retry,
    Route,
    TypeText,
    put,
    routes_data,
)

API_VERSION: Final = "graphagent/v1"
END: Final = "end"
FAIL: Final = "fail"
SELF: Final = "self"
"""The names that stand for the end of a token, the end of a run as failed, and the graph itself."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node. `arguments` is the key `with`. The node under `do` of a map has no name and no `next`.

    `on_error` is None where the author gave none (then `defaults.on_error` counts). `join` is None where nothing is
    written: it means `any`, and GA407 asks whether it is meant.
    """

    name: str
    kind: str
    body: Body
    next: tuple[Route, ...] = ()
    arguments: Mapping[str, RawValue] = field(default_factory=dict)
    writes: Mapping[str, RawValue] = field(default_factory=dict)
    join: Join | None = None
    on_update: tuple[str, ...] = ()
    on_error: tuple[Route, ...] | None = None
    retry: Retry | None = None
    timeout: Duration | None = None
    cache: Cache | None = None
    interrupt: Literal["before", "after"] | None = None
    description: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    @property
    def joins(self) -> bool:
        """Whether it waits for branches of a fork before it runs."""
        return self.join not in (None, "any")

    @property
    def waits_for_all(self) -> bool:
        """Whether it is a join that runs when no branch can come any more."""
        return self.join == "all"

    def inner(self) -> Iterator[NodeSpec]:
        """The nodes under `do`: of a map its item, of an agent those of its delegates; theirs too."""
        found = [self.body.do] if isinstance(self.body, MapBody) else []
        if isinstance(self.body, AgentBody):
            found = [delegate.do for delegate in self.body.delegates.values() if delegate.do is not None]
        for node in found:
            yield node
            yield from node.inner()

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": self.kind}
        put(out, "description", self.description)
        put(out, "join", self.join.data() if isinstance(self.join, AtLeast) else self.join)
        put(out, "on_update", list(self.on_update))
        out.update(self.body.data())
        put(out, "with", dict(self.arguments))
        put(out, "writes", dict(self.writes))
        put(out, "retry", None if self.retry is None else self.retry.data(), None)
        put(out, "timeout", None if self.timeout is None else self.timeout.text)
        put(out, "cache", None if self.cache is None else self.cache.data())
        put(out, "interrupt", self.interrupt)
        if self.on_error is not None:
            out["on_error"] = routes_data(self.on_error)
        if self.next:
            out["next"] = routes_data(self.next)
        return out


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """One graph: the main one (name "") or one under `graphs`. `nodes` keep the order of the file.

    `result` is None where each output is the channel of the same name.
    """

    name: str
    start: tuple[str, ...]
    nodes: Mapping[str, NodeSpec]
    inputs: Mapping[str, TypeText] = field(default_factory=dict)
    outputs: Mapping[str, TypeText] = field(default_factory=dict)
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    limits: Limits = field(default_factory=Limits)
    result: Mapping[str, RawValue] | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def tasks(self) -> Iterator[NodeSpec]:
        """Every node, and those under a `do` after the one they belong to."""
        for node in self.nodes.values():
            yield node
            yield from node.inner()

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "inputs", dict(self.inputs))
        put(out, "outputs", dict(self.outputs))
        put(out, "channels", {name: channel.data() for name, channel in self.channels.items()})
        put(out, "defaults", self.defaults.data())
        put(out, "limits", self.limits.data())
        if self.start:
            out["start"] = self.start[0] if len(self.start) == 1 else list(self.start)
        put(out, "nodes", {name: node.data() for name, node in self.nodes.items()})
        if self.result is not None:
            out["result"] = dict(self.result)
        return out


@dataclass(frozen=True, slots=True)
class Metadata:
    """Never read by the engine; `name` alone is part of a plan's hash."""

    name: str
    version: str | None = None
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"name": self.name}
        put(out, "version", self.version)
        put(out, "description", self.description)
        put(out, "labels", dict(self.labels))
        return out


@dataclass(frozen=True, slots=True)
class Spec:
    """One document. `types` maps a name to its fields, field -> declaration.

    A Library only offers names to its importers: its `graph` is empty and not one of `all_graphs`.
    """

    metadata: Metadata
    graph: GraphSpec
    kind: Literal["Graph", "Library"] = "Graph"
    imports: Mapping[str, ImportSpec] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    tools: Mapping[str, ToolSpec] = field(default_factory=dict)
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    graphs: Mapping[str, GraphSpec] = field(default_factory=dict)

    @property
    def all_graphs(self) -> tuple[GraphSpec, ...]:
        """The main graph, then the others in the order of the file."""
        return (*((self.graph,) if self.kind == "Graph" else ()), *self.graphs.values())

    def data(self) -> dict[str, Any]:
        """The canonical author form, keys in the order of the language's tables."""
        body = self.graph.data()
        out: dict[str, Any] = {"apiVersion": API_VERSION, "kind": self.kind, "metadata": self.metadata.data()}
        put(out, "imports", {name: imported.data() for name, imported in self.imports.items()})
        put(out, "types", {name: dict(fields) for name, fields in self.types.items()})
        for key in ("inputs", "outputs"):
            put(out, key, body.pop(key, {}))
        put(out, "secrets", list(self.secrets))
        put(out, "models", {name: model.data() for name, model in self.models.items()})
        put(out, "tools", {name: tool.data() for name, tool in self.tools.items()})
        put(out, "prompts", {name: prompt.data() for name, prompt in self.prompts.items()})
        result = body.pop("result", None)
        out.update(body)
        put(out, "graphs", {name: graph.data() for name, graph in self.graphs.items()})
        if result is not None:
            out["result"] = result
        return out

"""A spec whose names have all got a prefix: what an import is called in the document that imports it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphagent.graph.spec import (
    SELF,
    AgentBody,
    Approval,
    Body,
    ChannelSpec,
    ClientTool,
    CodeBody,
    Defaults,
    Delegate,
    GraphBody,
    GraphSpec,
    HumanBody,
    LLMBody,
    MapBody,
    ModelSpec,
    NodeSpec,
    Prompt,
    Spec,
    ToolBody,
    ToolSpec,
    TypeText,
    WaitBody,
)

_WORDS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[A-Za-z_][\w.]*(?::[\w.]+)?")
FILE_MARK = ":"
"""Stands between the name of an import and a prompt file of it."""


def beside(file: str, name: str) -> str:
    """The name of a prompt file that `file` includes: both are of the same import."""
    at, mark, _ = file.rpartition(FILE_MARK)
    return f"{at}{mark}{name}"


@dataclass(frozen=True, slots=True)
class Renaming:
    """Gives the names of a spec a prefix.

    Args:
        prefix: The name of the import.
        spec: The spec; names that it doesn't declare stay as they are.
        graphs: Graphs of the spec that others take the place of, by the name of those.
    """

    prefix: str
    spec: Spec
    graphs: Mapping[str, str]

    def name(self, name: str, declared: Mapping[str, Any]) -> str:
        return f"{self.prefix}.{name}" if name in declared else name

    def graph_name(self, name: str) -> str:
        if name in self.graphs:
            return self.graphs[name]
        if name == "":
            return self.prefix
        return name if name == SELF else self.name(name, self.spec.graphs)

    def model(self, name: str | None) -> str | None:
        return None if name is None else self.name(name, self.spec.models)

    def tool(self, name: str) -> str:
        """A tool, or one of a server's: `server.tool`."""
        server = name.rpartition(".")[0]
        return f"{self.prefix}.{name}" if name in self.spec.tools or server in self.spec.tools else name

    def type(self, text: TypeText) -> TypeText:
        """A type with the names of this spec's types replaced; words in literals stay."""
        if isinstance(text, Mapping):
            return {field: self.type(item) for field, item in text.items()}
        types = self.spec.types
        return _WORDS.sub(lambda m: f"{self.prefix}.{m[0]}" if m[0] in types else m[0], text)

    def types(self, declared: Mapping[str, TypeText] | None) -> dict[str, TypeText]:
        return {name: self.type(text) for name, text in (declared or {}).items()}

    # --- declarations

    def models(self) -> dict[str, ModelSpec]:
        out = {}
        for model in self.spec.models.values():
            name = f"{self.prefix}.{model.name}"
            out[name] = replace(model, name=name, fallback=tuple(self.model(f) or f for f in model.fallback))
        return out

    def tools(self) -> dict[str, ToolSpec]:
        out = {}
        for tool in self.spec.tools.values():
            name = f"{self.prefix}.{tool.name}"
            client = tool.client and ClientTool(self.types(tool.client.params), self.type(tool.client.returns))
            graph = None if tool.graph is None else self.graph_name(tool.graph)
            out[name] = replace(tool, name=name, graph=graph, client=client)
        return out

    def prompts(self) -> dict[str, Prompt]:
        return {f"{self.prefix}.{name}": self.prompt(prompt) for name, prompt in self.spec.prompts.items()}

    def prompt(self, prompt: Prompt) -> Prompt:
        """A prompt. A text that may include files gets a `file` too, which says that they are those of this import."""
        file = prompt.file
        if file is not None or "{%" in (prompt.text or ""):
            file = f"{self.prefix}{FILE_MARK}{file or ''}"
        use = None if prompt.use is None else self.name(prompt.use, self.spec.prompts)
        contract = None if prompt.vars is None else self.types(prompt.vars)
        return replace(prompt, file=file, use=use, vars=contract)

    def named_types(self) -> dict[str, Mapping[str, Any]]:
        return {f"{self.prefix}.{name}": self.types(fields) for name, fields in self.spec.types.items()}

    # --- graphs

    def all_graphs(self) -> dict[str, GraphSpec]:
        """Every graph of the spec that nothing takes the place of, by its new name."""
        document = self.spec.graph.defaults.model
        found = [graph for graph in self.spec.all_graphs if graph.name not in self.graphs]
        return {self.graph_name(graph.name): self.graph(graph, document) for graph in found}

    def graph(self, graph: GraphSpec, default_model: str | None) -> GraphSpec:
        channels = {name: self.channel(channel) for name, channel in graph.channels.items()}
        return replace(
            graph, name=self.graph_name(graph.name), nodes={n: self.node(node) for n, node in graph.nodes.items()},
            inputs=self.types(graph.inputs), outputs=self.types(graph.outputs), channels=channels,
            defaults=self.defaults(graph.defaults, default_model),
        )  # fmt: skip

    def channel(self, channel: ChannelSpec) -> ChannelSpec:
        return replace(channel, type=str(self.type(channel.type)))

    def defaults(self, defaults: Defaults, model: str | None) -> Defaults:
        return replace(defaults, model=self.model(defaults.model or model))

    def node(self, node: NodeSpec) -> NodeSpec:
        return replace(node, body=self.body(node.body))

    def body(self, body: Body) -> Body:
        if isinstance(body, LLMBody | AgentBody):
            return self.calling(body)
        if isinstance(body, HumanBody):
            return replace(body, prompt=self.prompt(body.prompt), form=body.form and self.types(body.form))
        if isinstance(body, GraphBody):
            return replace(body, graph=self.graph_name(body.graph))
        if isinstance(body, MapBody):
            return replace(body, do=self.node(body.do))
        if isinstance(body, ToolBody):
            return replace(body, tool=self.tool(body.tool), tools=tuple(self.tool(name) for name in body.tools))
        if isinstance(body, CodeBody | WaitBody):
            return replace(body, returns=None if body.returns is None else self.type(body.returns))
        return body

    def calling(self, body: LLMBody | AgentBody) -> LLMBody | AgentBody:
        shared: dict[str, Any] = {
            "model": self.model(body.model),
            "system": body.system and self.prompt(body.system),
            "prompt": body.prompt and self.prompt(body.prompt),
            "returns": None if body.returns is None else self.type(body.returns),
        }
        shared["tools"] = tuple(self.tool(name) for name in body.tools)
        if isinstance(body, AgentBody):
            shared["approve"] = tuple(self.approval(approval) for approval in body.approve)
            shared["tool_writes"] = {self.tool(name): writes for name, writes in body.tool_writes.items()}
            shared["delegates"] = {name: self.delegate(delegate) for name, delegate in body.delegates.items()}
        return replace(body, **shared)

    def approval(self, approval: Approval) -> Approval:
        return replace(approval, tool=self.tool(approval.tool))

    def delegate(self, delegate: Delegate) -> Delegate:
        graph = None if delegate.graph is None else self.graph_name(delegate.graph)
        return replace(delegate, graph=graph, do=delegate.do and self.node(delegate.do))

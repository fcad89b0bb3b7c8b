"""What a document declares beside its nodes: channels, models, tools and imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graphagent.graph.duration import Duration
from graphagent.graph.spec.parts import EffectWord, Path, Prompt, RawValue, Retry, Route, TypeText, put, routes_data


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel. `has_default` tells a default of null from none. `reducer` is a name, or `pkg.mod:fn`."""

    name: str
    type: str
    reducer: str = "last"
    default: Any = None
    has_default: bool = False
    scope: Literal["step", "run", "session"] = "run"
    secret: bool = False
    description: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        out: dict[str, Any] = {"type": self.type}
        put(out, "reducer", self.reducer, "last")
        if self.has_default:
            out["default"] = self.default
        put(out, "scope", self.scope, "run")
        put(out, "secret", self.secret, False)
        put(out, "description", self.description)
        return self.type if len(out) == 1 else out


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model. `api_key` and `base_url` are values over `secrets`; without `api_key` the host's environment gives it.

    `fallback` names the models that are tried next, in order.
    """

    name: str
    use: str
    temperature: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()
    base_url: RawValue | None = None
    api_key: RawValue | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        out: dict[str, Any] = {"use": self.use}
        put(out, "temperature", self.temperature)
        put(out, "params", dict(self.params))
        put(out, "fallback", list(self.fallback))
        put(out, "base_url", self.base_url)
        put(out, "api_key", self.api_key)
        return self.use if len(out) == 1 else out


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server: a command with its environment, or a URL with headers. Values are over `secrets`."""

    command: tuple[str, ...] = ()
    env: Mapping[str, RawValue] = field(default_factory=dict)
    url: RawValue | None = None
    headers: Mapping[str, RawValue] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "command", list(self.command))
        put(out, "env", dict(self.env))
        put(out, "url", self.url)
        put(out, "headers", dict(self.headers))
        return out


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool that our caller runs: it parks until the answer comes."""

    params: Mapping[str, TypeText] = field(default_factory=dict)
    returns: TypeText = "any"

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "params", dict(self.params))
        put(out, "returns", self.returns, "any")
        return out


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool, or all tools of a server: exactly one of `python`, `mcp`, `openapi`, `graph` and `client` is there.

    `only` is None for all. `effects` is one class, or tool -> class for those of a server.
    """

    name: str
    python: str | None = None
    mcp: McpServer | None = None
    openapi: str | None = None
    graph: str | None = None
    client: ClientTool | None = None
    only: tuple[str, ...] | None = None
    about: str | None = None
    effects: EffectWord | Mapping[str, EffectWord] = "write"
    idempotency_key: RawValue | None = None
    check: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    @property
    def source(self) -> Literal["python", "mcp", "openapi", "graph", "client"]:
        """Where it comes from."""
        if self.graph is not None:
            return "graph"
        if self.client is not None:
            return "client"
        return "mcp" if self.mcp is not None else "openapi" if self.openapi is not None else "python"

    @property
    def several(self) -> bool:
        """Whether it stands for the tools of a server, which are called `name.tool`."""
        return self.mcp is not None or self.openapi is not None

    def effects_of(self, tool: str | None = None) -> EffectWord:
        """The class of one tool; `write` where the mapping doesn't have it."""
        if isinstance(self.effects, str):
            return self.effects
        return self.effects.get(tool or "", "write")

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "python", self.python)
        put(out, "mcp", None if self.mcp is None else self.mcp.data(), None)
        put(out, "openapi", self.openapi)
        put(out, "graph", self.graph)
        put(out, "client", None if self.client is None else self.client.data(), None)
        put(out, "only", None if self.only is None else list(self.only), None)
        put(out, "about", self.about)
        effects = self.effects if isinstance(self.effects, str) else dict(self.effects)
        put(out, "effects", effects, "write")
        put(out, "idempotency_key", self.idempotency_key)
        put(out, "check", self.check)
        return out


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a graph's nodes get where they say nothing. `retry` and `timeout` reach agent, llm, tool and code only."""

    retry: Retry | None = None
    timeout: Duration | None = None
    model: str | None = None
    on_error: tuple[Route, ...] | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "retry", None if self.retry is None else self.retry.data(), None)
        put(out, "timeout", None if self.timeout is None else self.timeout.text)
        put(out, "model", self.model)
        if self.on_error is not None:
            out["on_error"] = routes_data(self.on_error)
        return out


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one run; None is no bound."""

    supersteps: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    wall: Duration | None = None
    visits: Mapping[str, int] = field(default_factory=dict)
    map_items: int = 1000
    on_limit: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "supersteps", self.supersteps)
        put(out, "tokens", self.tokens)
        put(out, "cost_usd", self.cost_usd)
        put(out, "wall", None if self.wall is None else self.wall.text)
        put(out, "visits", dict(self.visits))
        put(out, "map_items", self.map_items, 1000)
        put(out, "on_limit", self.on_limit)
        return out


@dataclass(frozen=True, slots=True)
class Override:
    """What an importer replaces inside an import. `graphs` maps a sub-graph of it to a graph of the importer."""

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    tools: Mapping[str, ToolSpec] = field(default_factory=dict)
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    defaults: Defaults | None = None
    graphs: Mapping[str, str] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "models", {name: model.data() for name, model in self.models.items()})
        put(out, "tools", {name: tool.data() for name, tool in self.tools.items()})
        put(out, "prompts", {name: prompt.data() for name, prompt in self.prompts.items()})
        put(out, "defaults", None if self.defaults is None else self.defaults.data())
        put(out, "graphs", dict(self.graphs))
        return out


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """Another file whose names are used as `name.other`; `source` is the key `from`."""

    name: str
    source: str
    override: Override = field(default_factory=Override)
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        override = self.override.data()
        return {"from": self.source, "override": override} if override else self.source

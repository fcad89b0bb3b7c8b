"""The spec: what an author wrote, typed and with the short forms written out.

    Spec                 one document
    ├─ metadata types models
    ├─ graph   GraphSpec   the main graph, named ""
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

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from graphagent.graph.duration import Duration

Path: TypeAlias = tuple[str | int, ...]
TypeText: TypeAlias = "str | Mapping[str, Any]"
"""A type as written: text such as `list[str]`, or a mapping, which is an inline object type."""
RawValue: TypeAlias = Any
"""A value as written: plain data, in which any text may hold `${ }`."""

API_VERSION: Final = "graphagent/v1"
END: Final = "end"
FAIL: Final = "fail"
SELF: Final = "self"
"""The names that stand for the end of a token, the end of a run as failed, and the graph itself."""
OUT: Final = "${ out }"
"""What a map collects from an item unless `collect` says otherwise."""
_EMPTY: Final = object()
_SECOND: Final = Duration("1s", 1_000)
_MINUTE: Final = Duration("60s", 60_000)


@dataclass(frozen=True, slots=True)
class Route:
    """One way out of a node. Several names in `to` fork. Without `when` it is the else."""

    to: tuple[str, ...]
    when: str | None = None
    writes: Mapping[str, RawValue] = field(default_factory=dict)
    label: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        _put(out, "when", self.when)
        out["to"] = self.to[0] if len(self.to) == 1 else list(self.to)
        _put(out, "writes", dict(self.writes))
        _put(out, "label", self.label)
        return out


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a failed attempt is made again. `max` counts all attempts, the first included.

    `on` holds error kinds; None stands for the retryable ones.
    """

    max: int = 1
    on: tuple[str, ...] | None = None
    backoff: Literal["fixed", "exponential"] = "exponential"
    delay: Duration = _SECOND
    max_delay: Duration = _MINUTE
    jitter: bool = True
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        _put(out, "max", self.max, 1)
        if self.on is not None:
            out["on"] = list(self.on)
        _put(out, "backoff", self.backoff, "exponential")
        _put(out, "delay", self.delay.text, "1s")
        _put(out, "max_delay", self.max_delay.text, "60s")
        _put(out, "jitter", self.jitter, True)
        return out


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template: its text, or the file that holds it. Exactly one of the two."""

    text: str | None = None
    file: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        return self.text if self.text is not None else {"file": self.file}


@dataclass(frozen=True, slots=True)
class History:
    """The `messages` channel that is read before a model call and extended after it."""

    channel: str
    last: int | None = None
    max_tokens: int | None = None
    overflow: Literal["drop", "error"] = "drop"
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"channel": self.channel}
        _put(out, "last", self.last)
        _put(out, "max_tokens", self.max_tokens)
        _put(out, "overflow", self.overflow, "drop")
        return out


@dataclass(frozen=True, slots=True)
class SetBody:
    """Kind `set`: only writes."""

    def data(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class RouterBody:
    """Kind `router`: only routes."""

    def data(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class CodeBody:
    """Kind `code`: calls the function `python` (`pkg.mod:name`) with the arguments in `with`."""

    python: str
    effects: Literal["pure", "read", "write"] = "read"
    returns: TypeText | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"python": self.python}
        _put(out, "effects", self.effects, "read")
        _put(out, "returns", self.returns)
        return out


@dataclass(frozen=True, slots=True)
class LLMBody:
    """Kind `llm`: one model call. One of `prompt` and `history` is there."""

    model: str | None = None
    system: Prompt | None = None
    prompt: Prompt | None = None
    history: History | None = None
    returns: TypeText | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        _put(out, "model", self.model)
        for key, prompt in (("system", self.system), ("prompt", self.prompt)):
            _put(out, key, None if prompt is None else prompt.data(), None)
        _put(out, "history", None if self.history is None else self.history.data())
        _put(out, "returns", self.returns)
        return out


@dataclass(frozen=True, slots=True)
class HumanBody:
    """Kind `human`: parks until a human answers. `form` maps field -> declaration, `str = ''` and the like."""

    mode: Literal["approve", "choose", "form", "edit"]
    prompt: Prompt
    form: Mapping[str, Any] | None = None
    options: RawValue | None = None
    value: RawValue | None = None
    assign: RawValue | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"mode": self.mode, "prompt": self.prompt.data()}
        for key in ("form", "options", "value", "assign"):
            _put(out, key, getattr(self, key))
        return out


@dataclass(frozen=True, slots=True)
class GraphBody:
    """Kind `graph`: runs a graph of this document as a child session. `graph` is its name, or `self`."""

    graph: str
    max_depth: int | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"graph": self.graph}
        _put(out, "max_depth", self.max_depth)
        return out


@dataclass(frozen=True, slots=True)
class MapBody:
    """Kind `map`: one task of `do` for each item of the expression `over`.

    `item` is the key `as`. `need` is None for `all`, else `at_least`: an int counts items, a float is a fraction.
    """

    over: str
    do: NodeSpec
    item: str = "item"
    concurrency: int = 8
    need: int | float | None = None
    collect: RawValue = OUT

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"over": self.over}
        _put(out, "as", self.item, "item")
        _put(out, "concurrency", self.concurrency, 8)
        if self.need is not None:
            out["need"] = {"at_least": self.need}
        out["do"] = self.do.data()
        if self.collect != OUT:
            out["collect"] = self.collect
        return out


@dataclass(frozen=True, slots=True)
class EmitBody:
    """Kind `emit`: a named event, committed with the checkpoint."""

    event: str
    event_data: Mapping[str, RawValue] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"event": self.event}
        _put(out, "data", dict(self.event_data))
        return out


@dataclass(frozen=True, slots=True)
class UnknownBody:
    """Stands for a body that can't be read; never in a spec without errors."""

    def data(self) -> dict[str, Any]:
        return {}


Body: TypeAlias = SetBody | RouterBody | CodeBody | LLMBody | HumanBody | GraphBody | MapBody | EmitBody | UnknownBody


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
    join: Literal["any", "all"] | None = None
    on_update: tuple[str, ...] = ()
    on_error: tuple[Route, ...] | None = None
    retry: Retry | None = None
    timeout: Duration | None = None
    description: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": self.kind}
        _put(out, "description", self.description)
        _put(out, "join", self.join)
        _put(out, "on_update", list(self.on_update))
        out.update(self.body.data())
        _put(out, "with", dict(self.arguments))
        _put(out, "writes", dict(self.writes))
        _put(out, "retry", None if self.retry is None else self.retry.data(), None)
        _put(out, "timeout", None if self.timeout is None else self.timeout.text)
        if self.on_error is not None:
            out["on_error"] = routes_data(self.on_error)
        if self.next:
            out["next"] = routes_data(self.next)
        return out


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel. `has_default` tells a default of null from none."""

    name: str
    type: str
    reducer: str = "last"
    default: Any = None
    has_default: bool = False
    scope: Literal["step", "run", "session"] = "run"
    description: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        out: dict[str, Any] = {"type": self.type}
        _put(out, "reducer", self.reducer, "last")
        if self.has_default:
            out["default"] = self.default
        _put(out, "scope", self.scope, "run")
        _put(out, "description", self.description)
        return self.type if len(out) == 1 else out


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model. `api_key` and `base_url` are literals; without `api_key` the host's environment gives it."""

    name: str
    use: str
    temperature: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    base_url: str | None = None
    api_key: str | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        out: dict[str, Any] = {"use": self.use}
        _put(out, "temperature", self.temperature)
        _put(out, "params", dict(self.params))
        _put(out, "base_url", self.base_url)
        _put(out, "api_key", self.api_key)
        return self.use if len(out) == 1 else out


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a graph's nodes get where they say nothing. `retry` and `timeout` reach llm and code tasks only."""

    retry: Retry | None = None
    timeout: Duration | None = None
    model: str | None = None
    on_error: tuple[Route, ...] | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        _put(out, "retry", None if self.retry is None else self.retry.data(), None)
        _put(out, "timeout", None if self.timeout is None else self.timeout.text)
        _put(out, "model", self.model)
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
        _put(out, "supersteps", self.supersteps)
        _put(out, "tokens", self.tokens)
        _put(out, "cost_usd", self.cost_usd)
        _put(out, "wall", None if self.wall is None else self.wall.text)
        _put(out, "visits", dict(self.visits))
        _put(out, "map_items", self.map_items, 1000)
        _put(out, "on_limit", self.on_limit)
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

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        _put(out, "inputs", dict(self.inputs))
        _put(out, "outputs", dict(self.outputs))
        _put(out, "channels", {name: channel.data() for name, channel in self.channels.items()})
        _put(out, "defaults", self.defaults.data())
        _put(out, "limits", self.limits.data())
        out["start"] = self.start[0] if len(self.start) == 1 else list(self.start)
        out["nodes"] = {name: node.data() for name, node in self.nodes.items()}
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
        _put(out, "version", self.version)
        _put(out, "description", self.description)
        _put(out, "labels", dict(self.labels))
        return out


@dataclass(frozen=True, slots=True)
class Spec:
    """One document. `types` maps a name to its fields, field -> declaration."""

    metadata: Metadata
    graph: GraphSpec
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    graphs: Mapping[str, GraphSpec] = field(default_factory=dict)

    @property
    def all_graphs(self) -> tuple[GraphSpec, ...]:
        """The main graph, then the others in the order of the file."""
        return (self.graph, *self.graphs.values())

    def data(self) -> dict[str, Any]:
        """The canonical author form, keys in the order of the language's tables."""
        body = self.graph.data()
        out: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Graph", "metadata": self.metadata.data()}
        _put(out, "types", {name: dict(fields) for name, fields in self.types.items()})
        for key in ("inputs", "outputs"):
            _put(out, key, body.pop(key, {}))
        _put(out, "models", {name: model.data() for name, model in self.models.items()})
        result = body.pop("result", None)
        out.update(body)
        _put(out, "graphs", {name: graph.data() for name, graph in self.graphs.items()})
        if result is not None:
            out["result"] = result
        return out


def routes_data(routes: tuple[Route, ...]) -> Any:
    """The shortest author form of a list of routes: a name, a list of names or a list of mappings."""
    if len(routes) == 1 and routes[0].data().keys() == {"to"}:
        return routes[0].data()["to"]
    return [route.data() for route in routes]


def _put(out: dict[str, Any], key: str, value: Any, default: Any = _EMPTY) -> None:
    """Writes a key unless it holds its default: by default None or an empty mapping or list."""
    if default is _EMPTY:
        if value is None or (isinstance(value, (dict, list)) and not value):
            return
    elif value == default and type(value) is type(default):
        return
    out[key] = value

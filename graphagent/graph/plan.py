"""The plan: a graph in the frozen form that the engine runs, identified by its hash.

Everything is resolved to integers: nodes and channels by their position in the file, routes by theirs in the
list. A plan holds no clock, no function of the author's and no secret; its `document` is canonical bytes from
which `compile.load_plan` makes an equal plan in any process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import Any, Final, Literal

from graphagent.graph.expressions import Expression
from graphagent.graph.spec import Body, Prompt, ToolSpec
from graphagent.graph.types import Type
from graphagent.graph.values import Value
from graphagent.snapshot import UNSET, EffectClass

END: Final = -1
FAIL: Final = -2
START: Final = -3
"""Pseudo nodes: the targets `end` and `fail`, and `start` as the place of the first fork."""

REDACTED: Final = "***"
"""Stands wherever a secret would be shown."""

Check = Callable[[Any], Any]
"""Returns the value as its type has it, or raises `types.TypeMismatch`."""
Writes = tuple[tuple[int, Value], ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the YAML file, or file and line of a builder call. Lines and columns start at 1."""

    file: str
    line: int
    column: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """`check` takes a whole value, `check_write` what one write delivers.

    `neutral` is what the first write is folded into: the default, else the reducer's neutral value, else UNSET.
    What a `secret` channel holds is state, and shown nowhere. `appends`: it is a list that only grows. The `fold` of
    an author's reducer is bound by whoever hosts a session; a plan has no function.
    """

    index: int
    name: str
    type: Type
    reducer: str
    fold: Callable[[Any, Any], Any]
    scope: Literal["run", "session", "step"]
    default: Any
    check: Check
    check_write: Check
    neutral: Any = UNSET
    secret: bool = False
    appends: bool = False


def needed(at_least: int | float, count: int) -> int:
    """How many of `count` branches or items `at_least` asks for: a float is a fraction of them, rounded up."""
    return math.ceil(Fraction(str(at_least)) * count) if isinstance(at_least, float) else at_least


@dataclass(frozen=True, slots=True)
class AwaitedJoin:
    """A join with `at_least` that the branches of a fork can reach: how many of them it needs."""

    node: int
    need: int


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """`grouped`: taking it opens a group of tokens, since it forks and some join waits for that fork. `awaited` are
    those of these joins that count the branches of this route."""

    when: Expression | None
    to: tuple[int, ...]
    writes: Writes
    label: str
    grouped: bool = False
    awaited: tuple[AwaitedJoin, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """`max` counts attempts, the first included; `on` holds error kinds, None stands for the retryable ones."""

    max: int = 1
    on: frozenset[str] | None = None
    exponential: bool = True
    delay_s: float = 1.0
    max_delay_s: float = 60.0
    jitter: bool = True


@dataclass(frozen=True, slots=True)
class CachePlan:
    """Under which key a node's result is reused, and for how long; `spec` is a hash of what the node is."""

    key: Value
    ttl_us: int | None
    spec: bytes


@dataclass(frozen=True, slots=True)
class ApprovalPlan:
    """A person is asked before calls of `tool` for which `when` holds. `tell`: the model reads a refusal."""

    tool: str
    when: Expression | None
    tell: bool


@dataclass(frozen=True, slots=True)
class DelegatePlan:
    """A spoke. `graph` names its graph in the plan; `single` says that this is a node under `do`, whose `out` is the
    output `out`. `handoff` gives the inputs that the hub's model doesn't fill."""

    name: str
    about: str
    graph: str
    single: bool
    handoff: tuple[tuple[str, Value], ...]
    history: Literal["none", "all"] | int
    writes: Writes


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """What only an agent has, compiled. `tool_writes` is by the name of the tool, `delegates` by theirs."""

    tools: tuple[str, ...]
    approvals: tuple[ApprovalPlan, ...]
    tool_writes: Mapping[str, Writes]
    delegates: Mapping[str, DelegatePlan]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node.

    `body` has the keys of its kind as the spec has them; `values` are those of them that hold values, compiled
    (`options value assign collect idempotency_key`, and `KEY.NAME` for each of a key that has several, such as `data`
    of an event), `over` a map's list.
    `model` names the model with the default merged in; `tool` is what a tool node calls. `item` is the node under `do`
    of a map. `join_fork` is the fork that a join waits for (a node or START), None for `join: any`; `cancels`: the
    other tokens of the group are withdrawn when it runs. `interrupt` is a breakpoint. `events` are those that a wait
    takes, each with the check of its data; `match` must hold for it. `path` is the YAML path: `$.nodes.write`.
    """

    index: int
    name: str
    kind: str
    path: str
    arguments: tuple[tuple[str, Value], ...]
    writes: Writes
    next: tuple[RoutePlan, ...]
    on_error: tuple[RoutePlan, ...]
    retry: RetryPlan
    timeout_s: float | None
    effects: EffectClass
    body: Body
    values: Mapping[str, Value]
    over: Expression | None = None
    model: str | None = None
    returns: Type | None = None
    check_returns: Check | None = None
    item: NodePlan | None = None
    tool: ToolSpec | None = None
    agent: AgentPlan | None = None
    join_fork: int | None = None
    cancels: bool = False
    interrupt: Literal["before", "after"] | None = None
    events: Mapping[str, Check] = field(default_factory=dict)
    match: Expression | None = None
    cache: CachePlan | None = None
    on_update: tuple[int, ...] = ()
    position: Position | None = None
    description: str | None = None

    @property
    def calls_graph(self) -> bool:
        """Whether its task is a child session."""
        return self.kind == "graph" or (self.tool is not None and self.tool.graph is not None)

    @property
    def may_call(self) -> bool:
        """Whether child sessions may belong to its tasks."""
        inner = self.item is not None and self.item.may_call
        return self.calls_graph or inner or (self.agent is not None and bool(self.agent.tools or self.agent.delegates))

    @property
    def parks(self) -> bool:
        """Whether its token may wait while other branches go on."""
        client = self.tool is not None and self.tool.client is not None
        return self.kind in ("human", "wait") or self.interrupt is not None or self.calls_graph or client


@dataclass(frozen=True, slots=True)
class PortPlan:
    """An input or output of a graph. `default` is UNSET where there is none."""

    name: str
    type: Type
    default: Any
    check: Check


@dataclass(frozen=True, slots=True)
class LimitsPlan:
    """Times in seconds, cost in micro-dollars; None is no limit. `visits` is by node index."""

    supersteps: int | None = None
    tokens: int | None = None
    cost_micro: int | None = None
    wall_s: float | None = None
    map_items: int = 1000
    visits: Mapping[int, int] | None = None
    on_limit: int | None = None

    @property
    def wall_us(self) -> int | None:
        """The time that a run may take, in microseconds."""
        return None if self.wall_s is None else round(self.wall_s * 1e6)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """`use` is `provider/model`. `base_url` and `api_key` are values over `secrets` as the author wrote them: names of
    secrets, never secrets, are part of a plan. `fallback` are the models that are tried next, in order."""

    name: str
    use: str
    temperature: float | None
    params: Mapping[str, Any]
    base_url: str | None
    api_key: str | None
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a prompt, and what stands in place of some of its blocks. `file` is where it is from, if any."""

    text: str
    blocks: tuple[tuple[str, str], ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """One graph of a document: the main one (name "") or one under `graphs`.

    `start` is a route without guard. `reads_run` says whether any expression reads `run`. What every
    barrier looks at stands ready: `step_channels` are those of that scope, `subscribers` the nodes with `on_update`.
    `secret_outputs` are made of secret channels.
    """

    name: str
    inputs: tuple[PortPlan, ...]
    outputs: tuple[PortPlan, ...]
    channels: tuple[ChannelPlan, ...]
    nodes: tuple[NodePlan, ...]
    start: RoutePlan
    limits: LimitsPlan
    result: tuple[tuple[str, Value], ...]
    node_index: Mapping[str, int]
    channel_index: Mapping[str, int]
    reads_run: bool
    channels_by_name: tuple[ChannelPlan, ...] = field(init=False, compare=False)
    step_channels: tuple[ChannelPlan, ...] = field(init=False, compare=False)
    subscribers: tuple[NodePlan, ...] = field(init=False, compare=False)
    secret_outputs: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels_by_name", tuple(sorted(self.channels, key=attrgetter("name"))))
        object.__setattr__(self, "step_channels", tuple(c for c in self.channels if c.scope == "step"))
        secret = {c.name for c in self.channels if c.secret}
        object.__setattr__(
            self, "secret_outputs", frozenset(n for n, v in self.result if any(r.root in secret for r in v.reads))
        )
        object.__setattr__(self, "subscribers", tuple(n for n in self.nodes if n.on_update))


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled document. `entry` names the graph that a session of this plan runs; "" is the main one.

    `templates` are the texts of prompt files by the path that the graph names, `secrets` the names that the host has
    to supply. `overridden` are the prompts as the graph has them that a caller has replaced. `folders` are where
    modules of imports are, from the folder of the graph. `file` is only for messages.
    """

    hash: bytes
    document: bytes
    name: str
    version: str | None
    entry: str
    graphs: Mapping[str, GraphPlan]
    models: Mapping[str, ModelPlan]
    templates: Mapping[str, str]
    types: Mapping[str, Type]
    prompts: Mapping[str, Prompt]
    secrets: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    file: str | None = None
    tools: Mapping[str, ToolSpec] = field(default_factory=dict)
    overridden: Mapping[str, Prompt] = field(default_factory=dict)

    @property
    def graph(self) -> GraphPlan:
        """The graph that a session of this plan runs."""
        return self.graphs[self.entry]

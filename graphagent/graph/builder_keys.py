"""The keywords of the builder's methods, so that an editor knows them. A test compares them with `keys`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict

from graphagent.graph.words import Written

Values: TypeAlias = Mapping[str, Any]
"""name -> value; a text may hold `${ }`, as `X("...")` writes it."""
TypeForm: TypeAlias = Any
"""A Python type, a class of pydantic, text, or a mapping from fields to types."""
Routes: TypeAlias = str | Sequence[str | Written]
"""One target, a list of targets (a fork), or a list of `route(...)`."""
Prompt: TypeAlias = str | Mapping[str, Any]
"""The template, `file("prompts/x.md.j2")`, or `use("name", blocks=...)` of one under `prompts`."""
Function: TypeAlias = str | Callable[..., Any]
"""A function at the top of a module, or its `module:name`."""


class RetryKeys(TypedDict, total=False):
    """How often and when a failed attempt is made again; `max` counts the first one too."""

    max: int
    on: Sequence[str]
    backoff: Literal["fixed", "exponential"]
    delay: str
    max_delay: str
    jitter: bool


class HistoryKeys(TypedDict, total=False):
    """The `messages` channel that is read before a model call and extended after it."""

    channel: Required[str]
    last: int
    max_tokens: int
    overflow: Literal["drop", "summarize", "error"]


class CacheKeys(TypedDict, total=False):
    """A result that is reused across runs; without `ttl` for ever."""

    key: Required[Any]
    ttl: str


class SandboxKeys(TypedDict, total=False):
    """Where a command runs; sizes are `64k 512m 2g`."""

    image: str
    network: Literal["none"] | Sequence[str]
    cpu: str
    memory: str
    disk: str
    env: Values


class AtLeastKeys(TypedDict, total=False):
    """A join that waits for some branches; with `cancel` it withdraws the others."""

    at_least: Required[int | float]
    cancel: Literal["siblings"]


class ApprovalKeys(TypedDict, total=False):
    """Calls of a tool that a human has to approve."""

    tool: Required[str]
    when: str
    on_deny: Literal["fail", "tell"]


class LastKeys(TypedDict):
    """How many of the hub's messages are passed."""

    last: int


class DelegateKeys(TypedDict, total=False):
    """A spoke of an agent: one of `graph` and `do`, a node with its `kind`."""

    graph: str
    do: Mapping[str, Any]
    about: Required[str]
    handoff: Values
    history: Literal["none", "all"] | LastKeys
    writes: Values


class McpKeys(TypedDict, total=False):
    """An MCP server: one of `command` and `url`."""

    command: Sequence[str]
    env: Values
    url: Any
    headers: Values


class ClientKeys(TypedDict, total=False):
    """A tool that the caller runs."""

    params: Mapping[str, TypeForm]
    returns: TypeForm


class ToolKeys(TypedDict, total=False):
    """A tool: exactly one of `python`, `mcp`, `openapi`, `graph` and `client`."""

    python: Function
    mcp: McpKeys
    openapi: str
    graph: str
    client: ClientKeys
    only: Sequence[str]
    about: str
    effects: Literal["pure", "read", "write"] | Mapping[str, Literal["pure", "read", "write"]]
    idempotency_key: Any
    check: Function


class PromptKeys(TypedDict, total=False):
    """A named prompt: one of `text` and `file`; in place also `use`, with `blocks`."""

    text: str
    file: str
    use: str
    vars: Mapping[str, TypeForm]
    blocks: Mapping[str, str]


class OverrideKeys(TypedDict, total=False):
    """What is replaced inside an import."""

    models: Mapping[str, str | ModelKeys]
    tools: Mapping[str, ToolKeys]
    prompts: Mapping[str, str | PromptKeys]
    defaults: DefaultKeys
    graphs: Mapping[str, str]


class ImportKeys(TypedDict, total=False):
    """Another file; `from_` is its path, relative to the graph's file, or `graphagent:NAME`."""

    from_: Required[str]
    override: OverrideKeys


class NeedKeys(TypedDict):
    """How many items of a map must succeed: an int counts them, a float is a fraction."""

    at_least: int | float


class ModelKeys(TypedDict, total=False):
    """A model with more than a name."""

    use: Required[str]
    temperature: float
    params: Values
    fallback: Sequence[str]
    base_url: Any
    api_key: Any


class DefaultKeys(TypedDict, total=False):
    """What nodes get where they say nothing."""

    retry: RetryKeys
    timeout: str
    model: str
    on_error: Routes


class LimitKeys(TypedDict, total=False):
    """Bounds on one run."""

    supersteps: int
    tokens: int
    cost_usd: float
    wall: str
    visits: Mapping[str, int]
    map_items: int
    on_limit: str


class ItemKeys(TypedDict, total=False):
    """Keys of every node, under `do` of a map too."""

    description: str
    with_: Values
    retry: RetryKeys
    timeout: str
    cache: CacheKeys


class NodeKeys(ItemKeys, total=False):
    """Keys of every node but the one under `do`."""

    writes: Values
    join: Literal["any", "all"] | AtLeastKeys
    on_update: Sequence[str]
    on_error: Routes
    interrupt: Literal["before", "after"]


class _Code(TypedDict, total=False):
    python: Function
    run: Sequence[Any]
    files: Any
    sandbox: SandboxKeys
    effects: Literal["pure", "read", "write"]
    idempotency_key: Any
    returns: TypeForm


class _LLM(TypedDict, total=False):
    model: str
    system: Prompt
    prompt: Prompt
    history: HistoryKeys
    returns: TypeForm


class _Agent(_LLM, total=False):
    tools: Sequence[str]
    approve: Sequence[ApprovalKeys]
    delegates: Mapping[str, DelegateKeys]
    max_turns: int
    parallel_delegates: int


class _Tool(TypedDict, total=False):
    tool: str
    call: Any
    tools: Sequence[str]


class _Graph(TypedDict, total=False):
    graph: Required[str]
    max_depth: int


class CodeKeys(_Code, NodeKeys, total=False):
    """Kind `code`."""


class CodeItemKeys(_Code, ItemKeys, total=False):
    """Kind `code` under `do`."""


class LLMKeys(_LLM, NodeKeys, total=False):
    """Kind `llm`."""

    tools: Sequence[str]


class LLMItemKeys(_LLM, ItemKeys, total=False):
    """Kind `llm` under `do`."""

    tools: Sequence[str]


class AgentKeys(_Agent, NodeKeys, total=False):
    """Kind `agent`."""

    tool_writes: Mapping[str, Values]


class AgentItemKeys(_Agent, ItemKeys, total=False):
    """Kind `agent` under `do`."""


class ToolNodeKeys(_Tool, NodeKeys, total=False):
    """Kind `tool`."""


class ToolItemKeys(_Tool, ItemKeys, total=False):
    """Kind `tool` under `do`."""


class GraphKeys(_Graph, NodeKeys, total=False):
    """Kind `graph`."""


class GraphItemKeys(_Graph, ItemKeys, total=False):
    """Kind `graph` under `do`."""


class HumanKeys(NodeKeys, total=False):
    """Kind `human`."""

    mode: Required[Literal["approve", "choose", "form", "edit"]]
    prompt: Required[Prompt]
    form: Mapping[str, TypeForm]
    options: Any
    value: Any
    assign: str


class MapKeys(NodeKeys, total=False):
    """Kind `map`; the node that it runs is given by `.do`."""

    over: Required[str]
    as_: str
    concurrency: int
    need: Literal["all"] | NeedKeys
    collect: Any


class EmitKeys(NodeKeys, total=False):
    """Kind `emit`."""

    event: Required[str]
    data: Values


class WaitKeys(NodeKeys, total=False):
    """Kind `wait`: one of `event`, `for_` and `until`. With several events `returns` maps event -> type."""

    event: str | Sequence[str]
    match: str
    for_: str
    until: Any
    returns: TypeForm

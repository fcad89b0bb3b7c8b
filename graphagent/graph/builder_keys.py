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
Prompt: TypeAlias = str | Mapping[str, str]
"""The template, or `file("prompts/x.md.j2")`."""
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
    overflow: Literal["drop", "error"]


class NeedKeys(TypedDict):
    """How many items of a map must succeed: an int counts them, a float is a fraction."""

    at_least: int | float


class ModelKeys(TypedDict, total=False):
    """A model with more than a name."""

    use: Required[str]
    temperature: float
    params: Values
    base_url: str
    api_key: str


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


class NodeKeys(ItemKeys, total=False):
    """Keys of every node but the one under `do`."""

    writes: Values
    join: Literal["any", "all"]
    on_update: Sequence[str]
    on_error: Routes


class _Code(TypedDict, total=False):
    python: Required[Function]
    effects: Literal["pure", "read", "write"]
    returns: TypeForm


class _LLM(TypedDict, total=False):
    model: str
    system: Prompt
    prompt: Prompt
    history: HistoryKeys
    returns: TypeForm


class _Graph(TypedDict, total=False):
    graph: Required[str]
    max_depth: int


class CodeKeys(_Code, NodeKeys, total=False):
    """Kind `code`."""


class CodeItemKeys(_Code, ItemKeys, total=False):
    """Kind `code` under `do`."""


class LLMKeys(_LLM, NodeKeys, total=False):
    """Kind `llm`."""


class LLMItemKeys(_LLM, ItemKeys, total=False):
    """Kind `llm` under `do`."""


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

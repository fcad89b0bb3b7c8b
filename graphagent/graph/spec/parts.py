"""The parts that several pieces of a spec have in common: routes, retries, prompts, and how parts become data."""

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
EffectWord: TypeAlias = Literal["pure", "read", "write"]

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
        put(out, "when", self.when)
        out["to"] = self.to[0] if len(self.to) == 1 else list(self.to)
        put(out, "writes", dict(self.writes))
        put(out, "label", self.label)
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
        put(out, "max", self.max, 1)
        if self.on is not None:
            out["on"] = list(self.on)
        put(out, "backoff", self.backoff, "exponential")
        put(out, "delay", self.delay.text, "1s")
        put(out, "max_delay", self.max_delay.text, "60s")
        put(out, "jitter", self.jitter, True)
        return out


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template: its text, the file that holds it, or the name of one under `prompts`. Exactly one of the three.

    But for a text of an import in a linked document: its `file` is where it finds what it includes.
    In an override none of them may be there: then `blocks` alone fill those of the prompt that is overridden.
    `vars` is the contract for what `with` must give: name -> type. None where there is no contract.
    """

    text: str | None = None
    file: str | None = None
    use: str | None = None
    vars: Mapping[str, TypeText] | None = None
    blocks: Mapping[str, str] = field(default_factory=dict)
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> str | dict[str, Any]:
        out: dict[str, Any] = {}
        for key in ("text", "file", "use"):
            put(out, key, getattr(self, key))
        if self.vars is not None:
            out["vars"] = dict(self.vars)
        put(out, "blocks", dict(self.blocks))
        return self.text if self.text is not None and len(out) == 1 else out


@dataclass(frozen=True, slots=True)
class History:
    """The `messages` channel that is read before a model call and extended after it."""

    channel: str
    last: int | None = None
    max_tokens: int | None = None
    overflow: Literal["drop", "summarize", "error"] = "drop"
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"channel": self.channel}
        put(out, "last", self.last)
        put(out, "max_tokens", self.max_tokens)
        put(out, "overflow", self.overflow, "drop")
        return out


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where a command runs. `network` is the only hosts that it reaches, empty for none; sizes are in bytes."""

    image: str | None = None
    network: tuple[str, ...] = ()
    cpu: Duration | None = None
    memory: str | None = None
    disk: str | None = None
    env: Mapping[str, RawValue] = field(default_factory=dict)
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "image", self.image)
        put(out, "network", list(self.network))
        put(out, "cpu", None if self.cpu is None else self.cpu.text)
        put(out, "memory", self.memory)
        put(out, "disk", self.disk)
        put(out, "env", dict(self.env))
        return out


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A join that waits for some of its branches: an int counts them, a float is a fraction of them.

    With `cancel` the other tokens of the group are withdrawn when the join runs.
    """

    count: int | float
    cancel: bool = False

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"at_least": self.count}
        if self.cancel:
            out["cancel"] = "siblings"
        return out


Join: TypeAlias = Literal["any", "all"] | AtLeast


@dataclass(frozen=True, slots=True)
class Cache:
    """A result that is reused across runs. `ttl` None is for ever."""

    key: RawValue
    ttl: Duration | None = None
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"key": self.key}
        put(out, "ttl", None if self.ttl is None else self.ttl.text)
        return out


def routes_data(routes: tuple[Route, ...]) -> Any:
    """The shortest author form of a list of routes: a name, a list of names or a list of mappings."""
    if len(routes) == 1 and routes[0].data().keys() == {"to"}:
        return routes[0].data()["to"]
    return [route.data() for route in routes]


def put(out: dict[str, Any], key: str, value: Any, default: Any = _EMPTY) -> None:
    """Write a key unless it holds its default: by default None or an empty mapping or list."""
    if default is _EMPTY:
        if value is None or (isinstance(value, (dict, list)) and not value):
            return
    elif value == default and type(value) is type(default):
        return
    out[key] = value

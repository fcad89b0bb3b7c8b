"""What only nodes of one kind have: one dataclass a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from graphagent.graph.duration import Duration
from graphagent.graph.spec.parts import EffectWord, History, Path, Prompt, RawValue, Sandbox, TypeText, put

if TYPE_CHECKING:
    from graphagent.graph.spec.document import NodeSpec

OUT: Final = "${ out }"
"""What a map collects from an item unless `collect` says otherwise."""


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
    """Kind `code`: calls the function `python` (`pkg.mod:name`) with `with`, or runs a command in a sandbox.

    `python` is empty where `run` is given. `files` is a value: path -> content, placed before `run`.
    """

    python: str = ""
    run: tuple[RawValue, ...] = ()
    files: RawValue | None = None
    sandbox: Sandbox | None = None
    effects: EffectWord = "read"
    idempotency_key: RawValue | None = None
    returns: TypeText | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "python", self.python, "")
        put(out, "run", list(self.run))
        put(out, "files", self.files)
        put(out, "sandbox", None if self.sandbox is None else self.sandbox.data(), None)
        put(out, "effects", self.effects, "read")
        put(out, "idempotency_key", self.idempotency_key)
        put(out, "returns", self.returns)
        return out


@dataclass(frozen=True, slots=True)
class ToolBody:
    """Kind `tool`: calls a tool with the arguments in `with`: `name`, or `name.tool` of a server.

    Or it makes a `call` as a model wrote it, of one of `tools`; `tool` is empty then.
    """

    tool: str = ""
    tools: tuple[str, ...] = ()
    call: RawValue | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "tool", self.tool, "")
        put(out, "tools", list(self.tools))
        put(out, "call", self.call)
        return out


@dataclass(frozen=True, slots=True)
class LLMBody:
    """Kind `llm`: one model call. One of `prompt` and `history` is there; `tools` are offered, and not called."""

    model: str | None = None
    system: Prompt | None = None
    prompt: Prompt | None = None
    history: History | None = None
    returns: TypeText | None = None
    tools: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "model", self.model)
        for key, prompt in (("system", self.system), ("prompt", self.prompt)):
            put(out, key, None if prompt is None else prompt.data(), None)
        put(out, "history", None if self.history is None else self.history.data())
        put(out, "returns", self.returns)
        put(out, "tools", list(self.tools))
        return out


@dataclass(frozen=True, slots=True)
class Approval:
    """Ask a human before calls of `tool` for which the expression `when` over `args` holds."""

    tool: str
    when: str | None = None
    on_deny: Literal["fail", "tell"] = "fail"
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"tool": self.tool}
        put(out, "when", self.when)
        put(out, "on_deny", self.on_deny, "fail")
        return out


@dataclass(frozen=True, slots=True)
class Delegate:
    """A spoke, shown to the hub's model as a tool: a graph of the document, or the node `do` as a one-node graph.

    `history` is `none`, `all`, or how many of the hub's messages are passed.
    """

    name: str
    about: str
    graph: str | None = None
    do: NodeSpec | None = None
    handoff: Mapping[str, RawValue] = field(default_factory=dict)
    history: Literal["none", "all"] | int = "none"
    writes: Mapping[str, RawValue] = field(default_factory=dict)
    path: Path = field(default=(), compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "graph", self.graph)
        out["about"] = self.about
        put(out, "handoff", dict(self.handoff))
        put(out, "history", {"last": self.history} if isinstance(self.history, int) else self.history, "none")
        put(out, "do", None if self.do is None else self.do.data(), None)
        put(out, "writes", dict(self.writes))
        return out


@dataclass(frozen=True, slots=True)
class AgentBody:
    """Kind `agent`: a model that calls tools and delegates until it answers. One of `prompt` and `history` is there."""

    model: str | None = None
    system: Prompt | None = None
    prompt: Prompt | None = None
    history: History | None = None
    returns: TypeText | None = None
    tools: tuple[str, ...] = ()
    approve: tuple[Approval, ...] = ()
    tool_writes: Mapping[str, Mapping[str, RawValue]] = field(default_factory=dict)
    delegates: Mapping[str, Delegate] = field(default_factory=dict)
    max_turns: int = 10
    parallel_delegates: int = 1

    def data(self) -> dict[str, Any]:
        out = LLMBody(self.model, self.system, self.prompt, self.history).data()
        put(out, "tools", list(self.tools))
        put(out, "approve", [approval.data() for approval in self.approve])
        put(out, "tool_writes", {tool: dict(writes) for tool, writes in self.tool_writes.items()})
        put(out, "delegates", {name: delegate.data() for name, delegate in self.delegates.items()})
        put(out, "max_turns", self.max_turns, 10)
        put(out, "parallel_delegates", self.parallel_delegates, 1)
        put(out, "returns", self.returns)
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
            put(out, key, getattr(self, key))
        return out


@dataclass(frozen=True, slots=True)
class GraphBody:
    """Kind `graph`: runs a graph of this document as a child session. `graph` is its name, or `self`."""

    graph: str
    max_depth: int | None = None

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {"graph": self.graph}
        put(out, "max_depth", self.max_depth)
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
        put(out, "as", self.item, "item")
        put(out, "concurrency", self.concurrency, 8)
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
        put(out, "data", dict(self.event_data))
        return out


@dataclass(frozen=True, slots=True)
class WaitBody:
    """Kind `wait`: parks until an event is posted or a time comes. One of `event`, `duration`, `until` is there.

    `duration` is the key `for`. With several events `returns` maps event -> type of its data.
    """

    event: tuple[str, ...] = ()
    match: str | None = None
    duration: Duration | None = None
    until: RawValue | None = None
    returns: TypeText | None = None

    @property
    def types(self) -> dict[str, TypeText]:
        """The type of each event's data; one that is left out has `any`."""
        if len(self.event) > 1 and isinstance(self.returns, Mapping):
            return {name: self.returns.get(name, "any") for name in self.event}
        return dict.fromkeys(self.event, "any" if self.returns is None else self.returns)

    def data(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        put(out, "event", self.event[0] if len(self.event) == 1 else list(self.event))
        put(out, "match", self.match)
        put(out, "for", None if self.duration is None else self.duration.text)
        put(out, "until", self.until)
        put(out, "returns", self.returns)
        return out


@dataclass(frozen=True, slots=True)
class OtherBody:
    """A kind that the language doesn't have and the registry adds: the keys of its class, as plain data."""

    fields: Mapping[str, Any]

    def data(self) -> dict[str, Any]:
        return dict(self.fields)


@dataclass(frozen=True, slots=True)
class UnknownBody:
    """Stands for a body that can't be read; never in a spec without errors."""

    def data(self) -> dict[str, Any]:
        return {}


Body: TypeAlias = (
    SetBody | RouterBody | CodeBody | ToolBody | LLMBody | AgentBody | HumanBody | GraphBody | MapBody | EmitBody
    | WaitBody | OtherBody | UnknownBody
)  # fmt: skip

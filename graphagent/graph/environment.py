"""The types of a graph: declared ones, what nodes leave behind, and what expressions see at each position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from graphagent import registry
from graphagent.channels.reducers import REDUCERS
from graphagent.graph.declared_types import Types
from graphagent.graph.document import Scalar
from graphagent.graph.flow import Flow
from graphagent.graph.reporter import Reporter
from graphagent.graph.signatures import IDEMPOTENCY_KEY, Signature, read_module
from graphagent.graph.spec import (
    SELF,
    AgentBody,
    CodeBody,
    Delegate,
    GraphBody,
    GraphSpec,
    HumanBody,
    LLMBody,
    MapBody,
    NodeSpec,
    OtherBody,
    Path,
    ToolBody,
    ToolSpec,
    TypeText,
    WaitBody,
)
from graphagent.graph.type_model import (
    ANY,
    FLOAT,
    INT,
    STR,
    DictOf,
    Error,
    Field,
    ListOf,
    LiteralOf,
    Message,
    ObjectOf,
    Type,
    union,
)
from graphagent.graph.type_model import NONE as NULL
from graphagent.graph.type_syntax import parse_type
from graphagent.snapshot import UNSET

USAGE: Final = ObjectOf(
    (Field("input_tokens", INT), Field("output_tokens", INT), Field("cost_usd", union([FLOAT, NULL]))), "usage"
)
TEXT_OUT: Final = ObjectOf((Field("text", STR),))
CALLS_OUT: Final = ObjectOf(
    (
        Field("text", STR),
        Field("calls", ListOf(ObjectOf((Field("id", STR), Field("name", STR), Field("arguments", STR)), "call"))),
    )
)
COMMAND_OUT: Final = ObjectOf(
    (Field("exit_code", INT), Field("stdout", STR), Field("stderr", STR), Field("files", DictOf(STR)))
)
REMOVAL: Final = ObjectOf((Field("remove", STR),))


@dataclass(frozen=True, slots=True)
class Callee:
    """What a node calls: parameters or inputs (`noun`) by name, those that have no default, and what comes back."""

    name: str
    noun: Literal["parameter", "input"]
    types: Mapping[str, Type]
    needed: tuple[str, ...]
    returns: Type
    open: bool = False

    def called(self, name: str, hidden: str | None = None) -> Callee:
        """The same under another name, without a parameter that the author doesn't give."""
        types = {key: t for key, t in self.types.items() if key != hidden}
        return replace(self, name=name, types=types, needed=tuple(n for n in self.needed if n != hidden))


class Environment:
    """What the expressions of one graph see.

    Args:
        whole: The document.
        types: Its types.
        spec: The graph.
        flow: Its routes.
        type_of: The type of the value or expression at a path, None where that isn't known.
        environment_of: The environment of another graph of the document, by name.
        foreign: Where a name of an import is known: an environment of its file, and the name there.
    """

    def __init__(
        self,
        whole: Reporter,
        types: Types,
        spec: GraphSpec,
        flow: Flow,
        type_of: Callable[[Path], Type | None],
        environment_of: Callable[[str], Environment | None],
        foreign: Callable[[str], tuple[Environment, str] | None],
    ) -> None:
        self.whole = whole
        self.types = types
        self.spec = spec
        self.flow = flow
        self.type_of = type_of
        self.environment_of = environment_of
        self.foreign = foreign

    @cached_property
    def inputs(self) -> ObjectOf:
        return self._fields(self.spec, "inputs", self.spec.inputs)

    @cached_property
    def outputs(self) -> ObjectOf:
        return self._fields(self.spec, "outputs", self.spec.outputs)

    def _fields(self, spec: GraphSpec, key: str, declarations: Mapping[str, TypeText]) -> ObjectOf:
        out = []
        for name, text in declarations.items():
            declared = self.types.declared(text, (*spec.path, key, name))
            out.append(Field(name, declared.type, declared.default))
        return ObjectOf(tuple(out))

    @cached_property
    def channels(self) -> dict[str, Type]:
        out = {}
        for name, channel in self.spec.channels.items():
            node = self.whole.document.node(channel.path)
            path = channel.path if isinstance(node, Scalar) else (*channel.path, "type")
            out[name] = self.types.plain(channel.type, path)
        return out

    def broken_type(self, name: str) -> bool:
        """Whether the type of a channel is wrong, and `any` stands for it."""
        path = self.spec.channels[name].path
        return self.channels[name] == ANY and any(p in self.types.wrong for p in (path, (*path, "type")))

    def always_set(self, name: str) -> bool:
        """Whether a channel has a value before anything is written."""
        channel = self.spec.channels[name]
        reducer = REDUCERS.get(channel.reducer)
        return channel.has_default or reducer is None or reducer.neutral() is not UNSET

    @staticmethod
    def write_history(node: NodeSpec) -> str | None:
        """The channel to which a model call of this node adds its messages."""
        history = node.body.history if isinstance(node.body, LLMBody | AgentBody) else None
        return None if history is None else history.channel

    def write_type(self, name: str) -> Type:
        """What one write to a channel delivers."""
        if self.spec.channels[name].reducer == "messages":
            return ListOf(union([Message, REMOVAL]))
        return self.channels[name]

    @cached_property
    def run(self) -> ObjectOf:
        visits = ObjectOf(tuple(Field(name, INT) for name in self.spec.nodes))
        texts = tuple(Field(name, STR) for name in ("id", "session", "time"))
        return ObjectOf((*texts, Field("superstep", INT), Field("visits", visits)), "run")

    @cached_property
    def base(self) -> dict[str, Type]:
        """Inputs, channels and `run`: what every position of a graph sees."""
        return {**self.channels, "inputs": self.inputs, "run": self.run}

    @cached_property
    def errors_at(self) -> dict[str, bool]:
        """The nodes to which an error route leads; true if other routes lead there too, so it may be missing."""
        flow = self.flow
        out: dict[str, bool] = {}
        for name in self.spec.nodes:
            incoming = flow.incoming[name]
            placed = any(edge.kind == "error" for edge in incoming) or self.spec.limits.on_limit == name
            if placed:
                out[name] = any(edge.kind != "error" for edge in incoming)
        return out

    def before(self, node: NodeSpec, owner: NodeSpec | None) -> dict[str, Type]:
        """What the fields of a node see before it runs; `owner` is the map of a node under `do`."""
        scope = dict(self.base)
        if (owner or node).name in self.errors_at:
            scope["error"] = Error
        if owner is not None:
            assert isinstance(owner.body, MapBody)
            scope[owner.body.item] = self.item_type(owner)
            scope["index"] = INT
        return scope

    def after(self, node: NodeSpec) -> dict[str, Type]:
        """What the writes and routes of a node see."""
        scope = self.before(node, None)
        if isinstance(node.body, MapBody):
            errors = ObjectOf((Field("index", INT), Field("item", self.item_type(node)), Field("error", Error)))
            scope["results"] = ListOf(self.collected(node))
            scope["errors"] = ListOf(errors)
        out = self.out(node)
        if out is not None:
            scope["out"] = out
        if isinstance(node.body, LLMBody | AgentBody):
            scope["usage"] = USAGE
        if isinstance(node.body, WaitBody) and node.body.event:
            scope["event"] = self.event(node)
        return scope

    def event(self, node: NodeSpec) -> Type:
        """The type of `event`: the data of whichever event came, with its name."""
        assert isinstance(node.body, WaitBody)
        several = len(node.body.event) > 1 and isinstance(node.body.returns, Mapping)
        out: list[Type] = []
        for name, text in node.body.types.items():
            path = (*node.path, "returns", name) if several else (*node.path, "returns")
            declared = self.types.declared(text, path).type
            if not isinstance(declared, ObjectOf):
                return ANY
            out.append(ObjectOf((Field("name", LiteralOf((name,))), *declared.fields)))
        return union(out)

    def match_scope(self, node: NodeSpec) -> dict[str, Type]:
        """What `match` of a wait sees: the head snapshot and the event."""
        return {**self.base, "event": self.event(node)}

    def call_scope(self, tool: str) -> dict[str, Type]:
        """What `approve.when` sees: the arguments of a call of this tool beside what every position sees."""
        return {**self.base, "args": self.args(tool)}

    def result_scope(self, tool: str) -> dict[str, Type]:
        """What `tool_writes` see: the arguments and the result of a finished call."""
        spec = self.tool(tool)
        called = None if spec is None else self.tool_callee(tool, spec)
        return {"args": self.args(tool), "result": ANY if called is None else called.returns}

    def args(self, tool: str) -> Type:
        """The type of a call's arguments."""
        spec = self.tool(tool)
        called = None if spec is None else self.tool_callee(tool, spec)
        if called is None or called.open:
            return ANY
        return ObjectOf(tuple(Field(name, t) for name, t in called.types.items()), "args")

    def delegate_scope(self, node: NodeSpec, delegate: Delegate) -> dict[str, Type]:
        """What the writes of a delegate see: what the node sees, and what the spoke gave."""
        scope = self.before(node, None)
        if delegate.graph is not None:
            called = self._graph_callee(delegate.graph)
            scope["out"] = ANY if called is None else called.returns
        elif delegate.do is not None:
            scope["out"] = self.out(delegate.do) or ANY
        return scope

    def spoke_scope(self, delegate: Delegate) -> dict[str, Type]:
        """What the fields of a delegate's `do` see: it is a graph of its own, whose inputs are the handoff's names."""
        names = [*delegate.handoff, *(["history"] if delegate.history != "none" else [])]
        types = {name: self.type_of((*delegate.path, "handoff", name)) or ANY for name in delegate.handoff}
        types.update({"history": ListOf(Message), "task": STR} if "history" in names else {"task": STR})
        return {"inputs": ObjectOf(tuple(Field(name, t) for name, t in types.items())), "run": self.run}

    def collect_scope(self, node: NodeSpec) -> dict[str, Type]:
        """What `collect` of a map sees."""
        assert isinstance(node.body, MapBody)
        item = node.body.do
        scope = self.before(item, node)
        scope["out"] = self.out(item) or ANY
        if isinstance(item.body, LLMBody | AgentBody):
            scope["usage"] = USAGE
        return scope

    def item_type(self, node: NodeSpec) -> Type:
        """The type of one item of a map's list."""
        assert isinstance(node.body, MapBody)
        found = self.type_of((*node.path, "over"))
        return found.item if isinstance(found, ListOf) else ANY

    def collected(self, node: NodeSpec) -> Type:
        assert isinstance(node.body, MapBody)
        found = self.type_of((*node.path, "collect"))
        return found if found is not None else self.out(node.body.do) or ANY

    def out(self, node: NodeSpec) -> Type | None:
        """The type of `out`, None for kinds that leave nothing behind."""
        body = node.body
        if isinstance(body, LLMBody) and body.tools:
            return CALLS_OUT
        if isinstance(body, ToolBody) and body.call is not None:
            return Message
        if isinstance(body, LLMBody | AgentBody):
            return self.returns(node) or TEXT_OUT
        if isinstance(body, CodeBody) and body.run:
            return COMMAND_OUT
        if isinstance(body, CodeBody | GraphBody | ToolBody):
            called = self.callee(body)
            return self.returns(node) or (ANY if called is None else called.returns)
        if isinstance(body, HumanBody):
            return self._answer(node, body)
        if isinstance(body, OtherBody):
            return self._other(node.kind)
        return ANY if not node.kind else None

    def _other(self, kind: str) -> Type | None:
        """The type of `out` of a kind that the language doesn't have: `OUT` of its class."""
        text = getattr(registry.load("nodes", kind), "OUT", None)
        return None if text is None else parse_type(text, {})

    def callee(self, body: CodeBody | GraphBody | ToolBody) -> Callee | None:
        """What a node calls; None if that isn't known."""
        if isinstance(body, ToolBody):
            tool = self.tool(body.tool)
            return None if tool is None else self.tool_callee(body.tool, tool)
        if isinstance(body, GraphBody):
            return self._graph_callee(body.graph)
        found = self._function_callee(body.python)
        return found and found.called(found.name, hidden=None if body.idempotency_key is None else IDEMPOTENCY_KEY)

    def tool(self, name: str) -> ToolSpec | None:
        """The declaration of a tool that a node names, `server.tool` included."""
        elsewhere = self.foreign(name)
        if elsewhere is not None:
            return elsewhere[0].tool(elsewhere[1])
        tools = self.whole.spec.tools
        return tools.get(name) or tools.get(name.rpartition(".")[0])

    def tool_callee(self, name: str, tool: ToolSpec) -> Callee | None:
        """What a declared tool takes and gives; None for those of servers, which only they know."""
        elsewhere = self.foreign(name)
        if elsewhere is not None:
            found = elsewhere[0].tool_callee(elsewhere[1], tool)
            return found and found.called(f"the tool `{name}`")
        if tool.python is not None:
            found = self._function_callee(tool.python)
            return found and found.called(f"the tool `{name}`", hidden=IDEMPOTENCY_KEY)
        if tool.graph is not None:
            found = self._graph_callee(tool.graph)
            return found and found.called(f"the tool `{name}`")
        if tool.client is not None:
            path = (*tool.path, "client")
            types = {p: self.types.declared(text, (*path, "params", p)) for p, text in tool.client.params.items()}
            return Callee(
                f"the tool `{name}`", "parameter", {p: d.type for p, d in types.items()},
                tuple(p for p, d in types.items() if d.default is UNSET),
                self.types.declared(tool.client.returns, (*path, "returns")).type,
            )  # fmt: skip
        return None

    def _graph_callee(self, name: str) -> Callee | None:
        called = self if name == SELF else self.environment_of(name)
        if called is None:
            return None
        fields = called.inputs.fields
        needed = tuple(f.name for f in fields if f.default is UNSET)
        return Callee(f"the graph `{name}`", "input", {f.name: f.type for f in fields}, needed, called.outputs)

    def _function_callee(self, reference: str) -> Callee | None:
        signature = self.signature(reference)
        if signature is None:
            return None
        needed = tuple(name for name in signature.parameters if name not in signature.optional)
        return Callee(f"`{reference}`", "parameter", signature.parameters, needed, signature.returns, signature.open)

    def returns(self, node: NodeSpec) -> Type | None:
        """The type under `returns`, None if there is none."""
        text = getattr(node.body, "returns", None)
        return None if text is None else self.types.declared(text, (*node.path, "returns")).type

    def form(self, node: NodeSpec, body: HumanBody) -> Type | None:
        return None if body.form is None else self.types.declared(body.form, (*node.path, "form")).type

    def _answer(self, node: NodeSpec, body: HumanBody) -> ObjectOf:
        fields = [Field("by", STR)]
        if body.mode == "approve":
            fields.append(Field("decision", LiteralOf(("approve", "reject"))))
        elif body.mode == "choose":
            options = body.options
            fixed = isinstance(options, list) and options and all(isinstance(o, str) and "${" not in o for o in options)
            fields.append(Field("choice", LiteralOf(tuple(dict.fromkeys(options))) if fixed else STR))  # type: ignore[arg-type]
        elif body.mode == "edit":
            fields.append(Field("value", self.type_of((*node.path, "value")) or ANY))
        form = self.form(node, body)
        if form is not None:
            fields.append(Field("form", form))
        return ObjectOf(tuple(fields))

    def resolve(self) -> None:
        """Looks at every type that the graph declares, so that all findings about them are made."""
        _ = self.inputs, self.outputs, self.channels
        for node in self.spec.tasks():
            if isinstance(node.body, WaitBody):
                self.event(node)
                continue
            self.returns(node)
            if isinstance(node.body, HumanBody):
                self.form(node, node.body)

    def signature(self, reference: str) -> Signature | None:
        """The signature of a function, `pkg.mod:name`; None if it isn't known."""
        project = self.whole.project
        if project is None or ":" not in reference:
            return None
        module, name = reference.split(":")
        text = project.module(module)
        return None if text is None else read_module(text).functions.get(name)

"""The types of a graph: declared ones, what nodes leave behind, and what expressions see at each position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from graphagent.channels.reducers import REDUCERS
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.document import Scalar
from graphagent.graph.flow import Flow
from graphagent.graph.reporter import Reporter
from graphagent.graph.signatures import Signature, read_module
from graphagent.graph.spec import (
    SELF,
    CodeBody,
    GraphBody,
    GraphSpec,
    HumanBody,
    LLMBody,
    MapBody,
    NodeSpec,
    Path,
    TypeText,
)
from graphagent.graph.type_model import (
    ANY,
    FLOAT,
    INT,
    PREDEFINED,
    STR,
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
from graphagent.graph.types import TypeSyntaxError, parse_decl, parse_type
from graphagent.snapshot import UNSET

USAGE: Final = ObjectOf(
    (Field("input_tokens", INT), Field("output_tokens", INT), Field("cost_usd", union([FLOAT, NULL]))), "usage"
)
TEXT_OUT: Final = ObjectOf((Field("text", STR),))
_MAX_NESTING: Final = 40
REMOVAL: Final = ObjectOf((Field("remove", STR),))


@dataclass(frozen=True, slots=True)
class Declared:
    """A type with its default, UNSET if it has none."""

    type: Type
    default: Any = UNSET


class Types:
    """The types that a document declares. What is wrong with a declaration is in `findings`, once."""

    def __init__(self, whole: Reporter) -> None:
        self.whole = whole
        self.findings: list[Diagnostic] = []
        self._known: dict[Path, Declared] = {}
        self._open: list[str] = []
        self._named: dict[str, Type] = {}

    def named(self) -> Mapping[str, Type]:
        """The built-in types and those under `types`."""
        for name in self.whole.spec.types:
            self._resolve(name)
        return {**PREDEFINED, **self._named}

    def declared(self, text: TypeText, path: Path) -> Declared:
        """The type and default that stand at `path`; `any` where they are wrong."""
        if path not in self._known:
            self._known[path] = self._read(text, path, self.named())
        return self._known[path]

    def plain(self, text: str, path: Path) -> Type:
        """A type without a default."""
        if path not in self._known:
            try:
                self._known[path] = Declared(parse_type(text, self.named()))
            except TypeSyntaxError as error:
                self._report(error, path, self.named())
                self._known[path] = Declared(ANY)
        return self._known[path].type

    def _resolve(self, name: str) -> Type:
        """A type under `types`; one that refers to itself is an error, since values are trees of known depth."""
        if name in self._named:
            return self._named[name]
        if name in self._open:
            message = f"the type `{name}` contains itself"
            help = "use `any` or `dict[str, any]` for what may be nested to any depth"
            self.findings.append(self.whole.at_key("GA103", message, ("types", name), help=help))
            self._named[name] = ANY
            return ANY
        if len(self._open) > _MAX_NESTING:
            message = f"the type `{name}` is nested deeper than {_MAX_NESTING} types"
            self.findings.append(self.whole.at_key("GA006", message, ("types", name)))
            return ANY
        self._open.append(name)
        found = self._object(self.whole.spec.types[name], ("types", name), _Names(self), name)
        self._open.pop()
        return self._named.setdefault(name, found)

    def _object(self, fields: Mapping[str, Any], path: Path, names: Mapping[str, Type], name: str | None) -> ObjectOf:
        out = []
        for field, text in fields.items():
            declared = self._read(text, (*path, field), names)
            out.append(Field(field, declared.type, declared.default))
        made = ObjectOf(tuple(out), name)
        try:
            parse_type("Made", {"Made": made})  # refuses what has grown too large to be walked
        except TypeSyntaxError as error:
            self.findings.append(self.whole.at_key("GA006", error.message, path, help=error.hint))
            return ObjectOf((), name)
        return made

    def _read(self, text: TypeText, path: Path, names: Mapping[str, Type]) -> Declared:
        if not isinstance(text, str):
            return Declared(self._object(text, path, names, None))
        try:
            found, default = parse_decl(text, names)
        except TypeSyntaxError as error:
            self._report(error, path, names)
            return Declared(ANY)
        return Declared(found, default)

    def _report(self, error: TypeSyntaxError, path: Path, names: Mapping[str, Type]) -> None:
        scalar = self.whole.scalar(path)
        span = self.whole.document.locate(scalar, error.start, error.end) if isinstance(scalar, Scalar) else None
        if error.unknown is not None:
            known = [*PREDEFINED, "list", "dict", "Literal", *self.whole.spec.types]
            declared = ", ".join(self.whole.spec.types)
            otherwise = f"types: {declared}" if declared else "declare it under `types`"
            guess = self.whole.guess(error.unknown, known, span, otherwise)
            self.findings.append(self.whole.finding("GA103", f"unknown type `{error.unknown}`", path, span, **guess))
            return
        code = "GA303" if error.bad_default else "GA006"
        self.findings.append(self.whole.finding(code, error.message, path, span, help=error.hint))


class _Names(Mapping[str, Type]):
    """The names of types, resolved when they are asked for: types may stand in any order."""

    def __init__(self, types: Types) -> None:
        self._types = types

    def __getitem__(self, name: str) -> Type:
        if name in PREDEFINED:
            return PREDEFINED[name]
        if name not in self._types.whole.spec.types:
            raise KeyError(name)
        return self._types._resolve(name)

    def __iter__(self) -> Any:
        return iter({**PREDEFINED, **self._types.whole.spec.types})

    def __len__(self) -> int:
        return len({**PREDEFINED, **self._types.whole.spec.types})


class Environment:
    """What the expressions of one graph see.

    Args:
        whole: The document.
        types: Its types.
        spec: The graph.
        flow: Its routes.
        type_of: The type of the value or expression at a path, None where that isn't known.
        environment_of: The environment of another graph of the document, by name.
    """

    def __init__(
        self,
        whole: Reporter,
        types: Types,
        spec: GraphSpec,
        flow: Flow,
        type_of: Callable[[Path], Type | None],
        environment_of: Callable[[str], Environment | None],
    ) -> None:
        self.whole = whole
        self.types = types
        self.spec = spec
        self.flow = flow
        self.type_of = type_of
        self.environment_of = environment_of

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

    def always_set(self, name: str) -> bool:
        """Whether a channel has a value before anything is written."""
        channel = self.spec.channels[name]
        reducer = REDUCERS.get(channel.reducer)
        return channel.has_default or reducer is None or reducer.neutral() is not UNSET

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
        if isinstance(node.body, LLMBody):
            scope["usage"] = USAGE
        return scope

    def collect_scope(self, node: NodeSpec) -> dict[str, Type]:
        """What `collect` of a map sees."""
        assert isinstance(node.body, MapBody)
        item = node.body.do
        scope = self.before(item, node)
        scope["out"] = self.out(item) or ANY
        if isinstance(item.body, LLMBody):
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
        if isinstance(body, LLMBody):
            return self.returns(node) or TEXT_OUT
        if isinstance(body, CodeBody):
            signature = self.signature(body)
            return self.returns(node) or (signature.returns if signature is not None else ANY)
        if isinstance(body, GraphBody):
            called = self.called(body)
            return ANY if called is None else called.outputs
        if isinstance(body, HumanBody):
            return self._answer(node, body)
        return ANY if not node.kind else None

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
        for node in self.spec.nodes.values():
            item = getattr(node.body, "do", None)
            for found in (node, *([item] if isinstance(item, NodeSpec) else [])):
                self.returns(found)
                if isinstance(found.body, HumanBody):
                    self.form(found, found.body)

    def called(self, body: GraphBody) -> Environment | None:
        """The environment of the graph that a node calls."""
        return self if body.graph == SELF else self.environment_of(body.graph)

    def signature(self, body: CodeBody) -> Signature | None:
        """The signature of a code node's function, None if it isn't known."""
        project = self.whole.project
        if project is None or ":" not in body.python:
            return None
        module, name = body.python.split(":")
        text = project.module(module)
        return None if text is None else read_module(text).functions.get(name)

"""Every place of a graph where an expression or value stands, with what it sees and what is found there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from graphagent.graph import keys
from graphagent.graph.environment import Environment
from graphagent.graph.expressions import ExpressionError, Finding, Read, infer, infer_guard, parse
from graphagent.graph.spec import (
    AgentBody,
    CodeBody,
    Delegate,
    EmitBody,
    GraphSpec,
    HumanBody,
    MapBody,
    NodeSpec,
    OtherBody,
    Path,
    Route,
    Spec,
    ToolBody,
    ToolSpec,
    WaitBody,
)
from graphagent.graph.type_model import ANY, INT, STR, DictOf, Error, Field, ObjectOf, Type
from graphagent.graph.values import infer_value, literal_type, parse_value

Moment: TypeAlias = Literal["before", "after", "routes", "error", "result", "host"]
"""When it is evaluated: before the node runs, after it, when its routes are taken (on the merged state), when its
error routes are, at the end of the run, or by the host when a model or tool is opened or called."""
Role: TypeAlias = Literal[
    "with", "writes", "result", "data", "over", "collect", "when", "match", "handoff", "cache", "key", "other"
]
Scope: TypeAlias = Mapping[str, Type]
_RUN = ObjectOf(
    (*(Field(name, STR) for name in ("id", "session", "time")), Field("superstep", INT), Field("visits", DictOf(INT))),
    "run",
)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One bare field (`expression`, `guard`) or one value.

    `node` is None for `result`; `owner` is the map of a node under `do`. `key` is the name that the value is for: a
    channel, an argument, an output.
    """

    path: Path
    raw: Any
    form: Literal["expression", "guard", "value"]
    moment: Moment
    scope: Callable[[], Scope]
    node: NodeSpec | None = None
    owner: NodeSpec | None = None
    role: Role = "other"
    key: str | None = None

    @property
    def place(self) -> str | None:
        """The name of the node at which its token is."""
        found = self.owner or self.node
        return None if found is None else found.name


@dataclass(frozen=True, slots=True)
class Inferred:
    """What is known about an occurrence: its type, and what is wrong with it.

    `reads` are the paths that it reads, each with the path of the text in the value; offsets count in that text.
    """

    occurrence: Occurrence
    type: Type
    findings: tuple[Finding, ...] = ()
    reads: tuple[tuple[Read, Path], ...] = ()
    errors: tuple[ExpressionError, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether its type can be relied on for further checks."""
        return not self.errors and not self.findings


def infer_occurrence(occurrence: Occurrence) -> Inferred:
    """Reads and types one occurrence."""
    if occurrence.form == "value":
        errors: list[ExpressionError] = []
        value = parse_value(occurrence.raw, errors)
        reads = tuple((_moved(read, offset), path) for path, part, offset in value.parts() for read in part.reads)
        if value.is_literal and not errors:
            return Inferred(occurrence, literal_type(occurrence.raw))
        found, findings = infer_value(value, occurrence.scope())
        return Inferred(occurrence, found, _known_items(occurrence, findings), reads, tuple(errors))
    try:
        expression = parse(occurrence.raw)
    except ExpressionError as error:
        return Inferred(occurrence, ANY, errors=(error,))
    typed = infer_guard if occurrence.form == "guard" else infer
    found, findings = typed(expression, occurrence.scope())
    findings = list(_known_items(occurrence, findings))
    return Inferred(occurrence, found, tuple(findings), tuple((read, ()) for read in expression.reads))


def _known_items(occurrence: Occurrence, findings: list[Finding]) -> tuple[Finding, ...]:
    """GA208 instead of GA203 for the item of a map outside of its `do` and `collect`."""
    body = occurrence.node.body if occurrence.node is not None else None
    if not isinstance(body, MapBody):
        return tuple(findings)
    message = f"unknown channel `{body.item}`"
    hint = f"`{body.item}` is one item: the fields of `do` and `collect` see it"
    return tuple(
        replace(f, code="GA208", message=f"`{body.item}` is not available here", label=None, hint=hint, suggestion=None)
        if f.code == "GA203" and f.message == message else f
        for f in findings
    )  # fmt: skip


def _moved(read: Read, offset: int) -> Read:
    return replace(read, start=read.start + offset, end=read.end + offset)


def occurrences(graph: GraphSpec, environment: Environment) -> Iterator[Occurrence]:
    """All occurrences of a graph in the order of the file, nodes first."""
    for node in graph.nodes.values():
        yield from _node(environment, node)
    for route in graph.defaults.on_error or ():
        yield from _routes((route,), lambda: {**environment.base, "error": Error}, "error", None)
    for name, raw in (graph.result or {}).items():
        path = (*graph.path, "result", name)
        yield Occurrence(path, raw, "value", "result", lambda: environment.base, role="result", key=name)


def declared(spec: Spec) -> Iterator[Occurrence]:
    """The values of models and tools, which belong to no graph."""

    def secrets() -> Scope:
        return {"secrets": DictOf(STR)}  # GA103 says which aren't declared

    for model in spec.models.values():
        for key, raw in (("base_url", model.base_url), ("api_key", model.api_key)):
            if raw is not None:
                yield Occurrence((*model.path, key), raw, "value", "host", secrets, key=key)
    for tool in spec.tools.values():
        yield from _tool(tool, secrets)


def _tool(tool: ToolSpec, secrets: Callable[[], Scope]) -> Iterator[Occurrence]:
    if tool.mcp is not None:
        path = (*tool.path, "mcp")
        for key, values in (("env", tool.mcp.env), ("headers", tool.mcp.headers)):
            for name, raw in values.items():
                yield Occurrence((*path, key, name), raw, "value", "host", secrets, key=name)
        if tool.mcp.url is not None:
            yield Occurrence((*path, "url"), tool.mcp.url, "value", "host", secrets, key="url")
    if tool.idempotency_key is not None:
        path = (*tool.path, "idempotency_key")
        yield Occurrence(path, tool.idempotency_key, "value", "host", lambda: {"args": ANY, "run": _RUN}, role="key")


def _node(environment: Environment, node: NodeSpec) -> Iterator[Occurrence]:
    yield from _task(environment, node, None)
    if isinstance(node.body, MapBody):
        path = (*node.path, "collect")
        if environment.whole.document.node(path) is not None:
            yield Occurrence(path, node.body.collect, "value", "before", lambda: environment.collect_scope(node),
                             node, role="collect")  # fmt: skip

    def after() -> Scope:
        return environment.after(node)

    if isinstance(node.body, WaitBody) and node.body.match is not None:
        path = (*node.path, "match")
        yield Occurrence(path, node.body.match, "guard", "before", lambda: environment.match_scope(node), node,
                         role="match")  # fmt: skip
    if isinstance(node.body, AgentBody):
        yield from _tool_writes(environment, node, node.body)
    yield from _values(node, "writes", node.writes, "after", after, "writes")
    if isinstance(node.body, EmitBody):
        yield from _values(node, "data", node.body.event_data, "after", after, "data")
    yield from _routes(node.next, after, "routes", node)
    yield from _routes(node.on_error or (), lambda: {**environment.base, "error": Error}, "error", node)


def _tool_writes(environment: Environment, node: NodeSpec, body: AgentBody) -> Iterator[Occurrence]:
    for tool, writes in body.tool_writes.items():
        for name, raw in writes.items():
            path = (*node.path, "tool_writes", tool, name)
            yield Occurrence(path, raw, "value", "after", partial(environment.result_scope, tool), node,
                             role="writes", key=name)  # fmt: skip


def _task(environment: Environment, node: NodeSpec, owner: NodeSpec | None) -> Iterator[Occurrence]:
    """The fields that are evaluated before a task runs."""
    yield from _fields(environment, node, owner, lambda: environment.before(node, owner))
    if isinstance(node.body, MapBody):
        scope = partial(environment.before, node, owner)
        yield Occurrence((*node.path, "over"), node.body.over, "expression", "before", scope, node, role="over")
        yield from _task(environment, node.body.do, node)


def _fields(
    environment: Environment, node: NodeSpec, owner: NodeSpec | None, scope: Callable[[], Scope]
) -> Iterator[Occurrence]:
    """The fields of a node that its kind or every kind has, with what they see before it runs."""
    for name, raw in node.arguments.items():
        path = (*node.path, "with", name)
        yield Occurrence(path, raw, "value", "before", scope, node, owner, "with", name)
    for path, raw, role in _single_values(node):
        yield Occurrence(path, raw, "value", "before", scope, node, owner, role, str(path[-1]))
    if isinstance(node.body, AgentBody):
        for i, approval in enumerate(node.body.approve):
            if approval.when is not None:
                path = (*node.path, "approve", i, "when")
                called = partial(environment.call_scope, approval.tool)
                yield Occurrence(path, approval.when, "guard", "before", called, node, owner, "when")
        for delegate in node.body.delegates.values():
            yield from _delegate(environment, node, owner, delegate, scope)


def _single_values(node: NodeSpec) -> Iterator[tuple[Path, Any, Role]]:
    """Path, raw value and role of the values that stand at a key of their own."""
    body = node.body
    if node.cache is not None:
        yield (*node.path, "cache", "key"), node.cache.key, "cache"
    if isinstance(body, HumanBody):
        for key in ("options", "value", "assign"):
            if getattr(body, key) is not None:
                yield (*node.path, key), getattr(body, key), "other"
    elif isinstance(body, ToolBody) and body.call is not None:
        yield (*node.path, "call"), body.call, "other"
    elif isinstance(body, WaitBody) and body.until is not None:
        yield (*node.path, "until"), body.until, "other"
    elif isinstance(body, CodeBody):
        if body.idempotency_key is not None:
            yield (*node.path, "idempotency_key"), body.idempotency_key, "key"
        if body.files is not None:
            yield (*node.path, "files"), body.files, "other"
        for i, raw in enumerate(body.run):
            yield (*node.path, "run", i), raw, "other"
        for name, raw in (body.sandbox.env if body.sandbox is not None else {}).items():
            yield (*node.path, "sandbox", "env", name), raw, "other"
    elif isinstance(body, OtherBody):
        for path, raw in keys.values_of(node.kind, body.fields):
            yield (*node.path, *path), raw, "other"


def _delegate(
    environment: Environment, node: NodeSpec, owner: NodeSpec | None, delegate: Delegate, scope: Callable[[], Scope]
) -> Iterator[Occurrence]:
    for name, raw in delegate.handoff.items():
        path = (*delegate.path, "handoff", name)
        yield Occurrence(path, raw, "value", "before", scope, node, owner, "handoff", name)
    for name, raw in delegate.writes.items():
        path = (*delegate.path, "writes", name)
        after = partial(environment.delegate_scope, node, delegate)
        yield Occurrence(path, raw, "value", "after", after, node, owner, "writes", name)
    if delegate.do is not None:
        yield from _fields(environment, delegate.do, node, partial(environment.spoke_scope, delegate))


def _values(
    node: NodeSpec, key: str, values: Mapping[str, Any], moment: Moment, scope: Callable[[], Scope], role: Any
) -> Iterator[Occurrence]:
    for name, raw in values.items():
        yield Occurrence((*node.path, key, name), raw, "value", moment, scope, node, role=role, key=name)


def _routes(
    routes: tuple[Route, ...], scope: Callable[[], Scope], moment: Moment, node: NodeSpec | None
) -> Iterator[Occurrence]:
    for route in routes:
        if route.when is not None:
            yield Occurrence((*route.path, "when"), route.when, "guard", moment, scope, node, role="when")
        for name, raw in route.writes.items():
            path = (*route.path, "writes", name)
            yield Occurrence(path, raw, "value", moment, scope, node, role="writes", key=name)

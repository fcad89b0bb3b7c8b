"""Every place of a graph where an expression or value stands, with what it sees and what is found there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from graphagent.graph.environment import Environment
from graphagent.graph.expressions import ExpressionError, Finding, Read, infer, infer_guard, parse
from graphagent.graph.spec import EmitBody, GraphSpec, HumanBody, MapBody, NodeSpec, Path, Route
from graphagent.graph.type_model import ANY, Error, Type
from graphagent.graph.values import infer_value, literal_type, parse_value

Moment: TypeAlias = Literal["before", "after", "routes", "error", "result"]
"""When it is evaluated: before the node runs, after it, when its routes are taken (on the merged state), when its
error routes are, or at the end of the run."""
Scope: TypeAlias = Mapping[str, Type]


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
    role: Literal["with", "writes", "result", "data", "over", "collect", "when", "other"] = "other"
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


def _node(environment: Environment, node: NodeSpec) -> Iterator[Occurrence]:
    yield from _task(environment, node, None)
    if isinstance(node.body, MapBody):
        path = (*node.path, "collect")
        if environment.whole.document.node(path) is not None:
            yield Occurrence(path, node.body.collect, "value", "before", lambda: environment.collect_scope(node),
                             node, role="collect")  # fmt: skip

    def after() -> Scope:
        return environment.after(node)

    yield from _values(node, "writes", node.writes, "after", after, "writes")
    if isinstance(node.body, EmitBody):
        yield from _values(node, "data", node.body.event_data, "after", after, "data")
    yield from _routes(node.next, after, "routes", node)
    yield from _routes(node.on_error or (), lambda: {**environment.base, "error": Error}, "error", node)


def _task(environment: Environment, node: NodeSpec, owner: NodeSpec | None) -> Iterator[Occurrence]:
    """The fields that are evaluated before a task runs."""

    def before() -> Scope:
        return environment.before(node, owner)

    body = node.body
    for name, raw in node.arguments.items():
        path = (*node.path, "with", name)
        yield Occurrence(path, raw, "value", "before", before, node, owner, "with", name)
    for key in ("options", "value", "assign") if isinstance(body, HumanBody) else ():
        raw = getattr(body, key)
        if raw is not None:
            yield Occurrence((*node.path, key), raw, "value", "before", before, node, owner, key=key)
    if isinstance(body, MapBody):
        yield Occurrence((*node.path, "over"), body.over, "expression", "before", before, node, role="over")
        yield from _task(environment, body.do, node)


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

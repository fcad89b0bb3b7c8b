"""A structured answer that a provider's strict mode can't hold.

What: `returns` of a model's node has `any` or `dict[str, T]` in it.
Why: strict modes want every field by name, so the provider doesn't hold the model to the type: an answer that doesn't
fit costs another call.
Example: `returns: { scores: "dict[str, int]" }`
Instead: `returns: { scores: "list[Score]" }` with `types: { Score: { name: str, score: int } }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, LLMBody
from graphagent.graph.type_model import ANY, DictOf, ListOf, ObjectOf, Type, UnionOf, describe

CODE = "GA308"
TITLE = "`returns` outside of strict schemas"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if not isinstance(node.body, LLMBody | AgentBody) or node.body.returns is None:
            continue
        path, kind = (*node.path, "returns"), graph.environment.returns(node)
        unknown = bool(graph.environment.types.wrong)  # `any` may stand for what is wrong
        found = None if kind is None or unknown else _loose(kind)
        if found is not None:
            message = f"strict modes of providers can't hold the `{found}` in `returns`"
            help = "name the fields, or take a list of objects with a key"
            yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)


def _loose(t: Type) -> str | None:
    """The part of a type that isn't closed."""
    if t == ANY:
        return "any"
    if isinstance(t, DictOf):
        return describe(t)
    inner: tuple[Type, ...] = ()
    if isinstance(t, ListOf):
        inner = (t.item,)
    elif isinstance(t, UnionOf):
        inner = t.members
    elif isinstance(t, ObjectOf):
        inner = tuple(field.type for field in t.fields)
    return next((found for part in inner if (found := _loose(part)) is not None), None)

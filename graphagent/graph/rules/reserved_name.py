"""A name that hides a reserved one.

What: a channel, the item of a map or a variable of a comprehension has the name of something that expressions
know (`out`, `run`, `inputs`, `error`, a function); a node is called `end` or `fail`, a graph `self`, an import
`std`, a type like a built-in one; the data of an event has a field `name`.
Why: the two could not be told apart.
Example: `channels: { errors: "list[str]" }`
Instead: `channels: { problems: "list[str]" }`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.expression_names import RESERVED_NAMES
from graphagent.graph.found import expression_findings
from graphagent.graph.spec import END, FAIL, SELF, MapBody, NodeSpec, WaitBody
from graphagent.graph.type_model import PREDEFINED

CODE = "GA104"
TITLE = "reserved name"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    yield from expression_findings(graph, CODE)
    whole, spec = graph.whole, graph.graph
    for name in spec.channels:
        if name in RESERVED_NAMES:
            yield whole.at_key(CODE, f"a channel can't be called `{name}`", (*spec.path, "channels", name))
    for name, node in spec.nodes.items():
        if name in {END, FAIL}:
            yield whole.at_key(CODE, f"a node can't be called `{name}`", node.path, label="this is where tokens end")
        if isinstance(node.body, MapBody):
            yield from _item(graph, node.body.item, (*node.path, "as"))
    if spec.name == SELF:
        yield whole.at_key(CODE, "a graph can't be called `self`", spec.path)
    for node in spec.tasks():
        if isinstance(node.body, WaitBody):
            yield from _event_fields(graph, node, node.body)
    if not spec.name:
        if "std" in whole.spec.imports:
            yield whole.at_key(CODE, "an import can't be called `std`: these are built in", ("imports", "std"))
        for name in whole.spec.types:
            if name in PREDEFINED or name in {"list", "dict", "Literal"}:
                yield whole.at_key(CODE, f"a type can't be called `{name}`: there is one", ("types", name))


def _event_fields(graph: GraphAnalysis, node: NodeSpec, body: WaitBody) -> Iterator[Diagnostic]:
    """`event.name` tells which event came, so its data has no field of that name."""
    several = len(body.event) > 1 and isinstance(body.returns, Mapping)
    for event, fields in body.types.items():
        if isinstance(fields, Mapping) and "name" in fields:
            path = (*node.path, "returns", *([event] if several else []), "name")
            help = "`event.name` is the name of the event: call the field otherwise"
            yield graph.whole.at_key(CODE, "the data of an event can't have a field `name`", path, help=help)


def _item(graph: GraphAnalysis, name: str, path: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    place = path if graph.whole.document.node(path) is not None else path[:-1]
    if name in RESERVED_NAMES:
        yield graph.whole.finding(CODE, f"an item can't be called `{name}`", path)
    elif name in graph.graph.channels:
        help = "choose another name with `as`"
        yield graph.whole.finding(CODE, f"the item `{name}` hides the channel of that name", place, help=help)

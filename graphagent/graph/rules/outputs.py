"""An output that is never produced, or has another type.

What: `result` leaves an output out, names one that isn't declared, or gives it another type; without `result`
each output is the channel of the same name.
Why: the outputs are the graph's promise to its callers.
Example: `outputs: { summary: str }` without a channel `summary`
Instead: `result: { summary: "${ draft }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.flow import written
from graphagent.graph.mismatch import mismatch_help, show
from graphagent.graph.suggest import suggest
from graphagent.graph.types import Type, assignable, describe

CODE = "GA305"
TITLE = "output not produced"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    types = {field.name: field.type for field in graph.environment.outputs.fields}
    if graph.graph.result is None:
        yield from _channels(graph, types)
    else:
        yield from _result(graph, types)


def _result(graph: GraphAnalysis, types: dict[str, Type]) -> Iterator[Diagnostic]:
    whole, spec = graph.whole, graph.graph
    result = spec.result or {}
    meant = {suggest(name, [o for o in types if o not in result]) for name in result if name not in types}
    for name in result:
        path = (*spec.path, "result", name)
        if name not in types:
            span = whole.document.key_span(path)
            guess = whole.guess(name, [o for o in types if o not in result], span, "declare it under `outputs`")
            yield whole.finding(CODE, f"`{name}` is no output", path, span, **guess)
            continue
        inferred = graph.inferred(path)
        if inferred is not None and inferred.sound and not assignable(inferred.type, types[name]):
            message = f"the output `{name}` is `{describe(types[name])}`, not `{show(inferred.type)}`"
            yield whole.finding(CODE, message, path, help=mismatch_help(inferred, types[name], whole.scalar(path)))
    for name in types:
        if name not in result and name not in meant:
            message = f"`result` doesn't give the output `{name}`"
            yield whole.at_key(CODE, message, (*spec.path, "outputs", name))


def _channels(graph: GraphAnalysis, types: dict[str, Type]) -> Iterator[Diagnostic]:
    whole, spec = graph.whole, graph.graph
    nodes = [node for name, node in spec.nodes.items() if name in graph.flow.live]
    writers = {channel for node in nodes for channel in written(node, graph.flow.error_routes(node))}
    for name, wanted in types.items():
        path = (*spec.path, "outputs", name)
        if name not in spec.channels:
            help = f"declare a channel `{name}`, or say in `result` what it is"
            yield whole.at_key(CODE, f"nothing gives the output `{name}`", path, help=help)
        elif not assignable(graph.environment.channels[name], wanted):
            found = describe(graph.environment.channels[name])
            message = f"the output `{name}` is `{describe(wanted)}`, the channel of that name is `{found}`"
            yield whole.at_key(CODE, message, path)
        elif name not in writers and not graph.environment.always_set(name):
            message = f"no node writes the channel `{name}`, and it has no default"
            yield whole.at_key(CODE, message, path, label="so this output is never produced")

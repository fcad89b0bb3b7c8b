"""`with` doesn't match what is called.

What: an argument is missing, unknown or of another type: for `code` the parameters of the function, for `graph`
the inputs of the graph, for `tool` the tool's parameters.
Why: the call would fail.
Example: `with: { txt: "${ draft }" }` for `def check(text: str)`
Instead: `with: { text: "${ draft }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.environment import Callee
from graphagent.graph.mismatch import mismatch_help, show
from graphagent.graph.signatures import CONTEXT
from graphagent.graph.spec import CodeBody, GraphBody, NodeSpec, ToolBody
from graphagent.graph.suggest import suggest
from graphagent.graph.types import assignable, describe

CODE = "GA304"
TITLE = "`with` doesn't match"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        body = node.body
        if isinstance(body, CodeBody | GraphBody | ToolBody):
            called = graph.environment.callee(body)
            if called is not None and not (isinstance(body, CodeBody) and body.run):
                yield from _match(graph, node, called)


def _match(graph: GraphAnalysis, node: NodeSpec, callee: Callee) -> Iterator[Diagnostic]:
    whole, types, called, what = graph.whole, callee.types, callee.name, callee.noun
    meant: set[str] = set()
    for name in node.arguments:
        path = (*node.path, "with", name)
        if name not in types:
            if callee.open and name != CONTEXT:
                continue
            span = whole.document.key_span(path)
            missing = [other for other in types if other not in node.arguments]
            listed = f"{what}s: {', '.join(types)}" if types else f"it has no {what}s"
            guess = whole.guess(name, missing, span, listed)
            meant.add(suggest(name, missing) or "")
            yield whole.finding(CODE, f"{called} has no {what} `{name}`", path, span, **guess)
            continue
        inferred = graph.inferred(path)
        if inferred is not None and inferred.sound and not assignable(inferred.type, types[name]):
            message = f"the {what} `{name}` takes `{describe(types[name])}`, not `{show(inferred.type)}`"
            help = mismatch_help(inferred, types[name], whole.scalar(path))
            yield whole.finding(CODE, message, path, help=help)
    for name in callee.needed:
        if name not in node.arguments and name not in meant:
            message = f"the {what} `{name}` of {called} is missing"
            path = (*node.path, "with")
            help = f"give it in `with`: it takes `{describe(types[name])}`"
            yield whole.at_key(CODE, message, path if node.arguments else node.path, help=help)

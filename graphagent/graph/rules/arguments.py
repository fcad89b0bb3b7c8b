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
            if called is None or (isinstance(body, CodeBody) and body.run):
                continue
            if not (isinstance(body, GraphBody) and body.graph.partition(".")[0] in graph.whole.imports):
                yield from match(graph, node, called)  # those of imports are GA309's


def match(graph: GraphAnalysis, node: NodeSpec, callee: Callee, code: str = CODE) -> Iterator[Diagnostic]:
    """What of a node's `with` doesn't fit what it calls."""
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
            yield whole.finding(code, f"{called} has no {what} `{name}`", path, span, **guess)
            continue
        inferred = graph.inferred(path)
        if inferred is not None and inferred.sound and not assignable(inferred.type, types[name]):
            message = f"the {what} `{name}` takes `{describe(types[name])}`, not `{show(inferred.type)}`"
            help = mismatch_help(inferred, types[name], whole.scalar(path))
            yield whole.finding(code, message, path, help=help)
    for name in callee.needed:
        if name not in node.arguments and name not in meant:
            message = f"the {what} `{name}` of {called} is missing"
            path = (*node.path, "with")
            help = f"give it in `with`: it takes `{describe(types[name])}`"
            yield whole.at_key(code, message, path if node.arguments else node.path, help=help)

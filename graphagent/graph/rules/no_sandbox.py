"""A command without a sandbox; as a warning, Python of an import, which has none.

What: a code node with `run` and no `sandbox`; or an imported file that names Python functions.
Why: where a command runs, and what it may reach, is said and never guessed. Functions run in this process.
Example: `check: { kind: code, run: [pytest], next: end }`
Instead: `check: { kind: code, run: [pytest], sandbox: { image: host }, next: end }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.shipped import SHIPPED
from graphagent.graph.spec import CodeBody

CODE = "GA603"
TITLE = "command without sandbox"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if isinstance(node.body, CodeBody) and node.body.run and node.body.sandbox is None:
            help = "`sandbox: { image: host }` runs it on this machine, `wasm` and `docker:REF` apart from it"
            yield graph.whole.at_key(CODE, "`run` needs a `sandbox`", (*node.path, "run"), help=help)
    if not graph.graph.name:
        yield from _imports(graph)


def _imports(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for name, item in graph.whole.spec.imports.items():
        other = graph.whole.imports.get(name)
        if other is None or item.source.startswith(SHIPPED):
            continue
        named = [tool.python for tool in other.spec.tools.values() if tool.python is not None]
        for found in other.graphs:
            named += [n.body.python for n, _ in found.tasks if isinstance(n.body, CodeBody) and n.body.python]
        if named:
            message = f"the import runs Python without a sandbox: `{named[0]}`"
            help = "look at that code: it runs with all rights of this process"
            yield graph.whole.at_key(CODE, message, item.path, severity="warning", help=help)

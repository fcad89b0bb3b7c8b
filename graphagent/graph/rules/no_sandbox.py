"""A command without a sandbox.

What: a code node with `run` and no `sandbox`.
Why: where a command runs, and what it may reach, is said and never guessed.
Example: `check: { kind: code, run: [pytest], next: end }`
Instead: `check: { kind: code, run: [pytest], sandbox: { image: host }, next: end }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import CodeBody

CODE = "GA603"
TITLE = "command without sandbox"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if isinstance(node.body, CodeBody) and node.body.run and node.body.sandbox is None:
            help = "`sandbox: { image: host }` runs it on this machine, `wasm` and `docker:REF` apart from it"
            yield graph.whole.at_key(CODE, "`run` needs a `sandbox`", (*node.path, "run"), help=help)

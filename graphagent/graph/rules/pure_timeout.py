"""A timeout that can't stop anything.

What: `timeout` on a code node with `effects: pure`.
Why: a pure function runs inline, and nothing can interrupt it.
Example: `{ kind: code, python: "texts:count", effects: pure, timeout: 5s, ... }`
Instead: no `timeout`, or `effects: read`, which runs it in a thread
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import CodeBody

CODE = "GA609"
TITLE = "timeout on a pure function"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if isinstance(node.body, CodeBody) and node.body.effects == "pure" and node.timeout is not None:
            message = "a pure function runs inline and can't be interrupted"
            path, help = (*node.path, "timeout"), "take it away, or write `effects: read`"
            yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)

"""Two tools of an agent under one name.

What: two of its `tools` and `delegates` would be shown to the model under the same name, in which `.` is `_`.
Why: the model couldn't say which one it means.
Example: `tools: [search], delegates: { search: { ... } }`
Instead: another name for one of them
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, Path

CODE = "GA507"
TITLE = "two tools under one name"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if not isinstance(node.body, AgentBody):
            continue
        seen: set[str] = set()
        places: list[tuple[str, Path]] = [(n, (*node.path, "tools", i)) for i, n in enumerate(node.body.tools)]
        places += [(name, delegate.path) for name, delegate in node.body.delegates.items()]
        for name, path in places:
            exposed = name.replace(".", "_")
            if exposed in seen:
                message = f"the model would see two tools called `{exposed}`"
                yield graph.whole.at_key(CODE, message, path, help="give one of them another name")
            seen.add(exposed)

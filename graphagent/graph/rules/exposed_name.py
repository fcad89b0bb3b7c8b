"""Two tools of an agent under one name.

What: two of its `tools` and `delegates`, or one of a tool set, would be shown to the model under the same name, where
`.` is `_`.
Why: the model couldn't say which one it means.
Example: `tools: [search], delegates: { search: { ... } }`
Instead: another name for one of them
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, LLMBody, Path, ToolBody
from graphagent.graph.standard import TOOLS

CODE = "GA507"
TITLE = "two tools under one name"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        if not isinstance(node.body, AgentBody | LLMBody | ToolBody):
            continue
        seen: set[str] = set()
        places: list[tuple[str, Path]] = [
            (shown, (*node.path, "tools", i))
            for i, name in enumerate(node.body.tools)
            for shown in TOOLS.get(name, (name,))
        ]
        if isinstance(node.body, AgentBody):
            places += [(name, delegate.path) for name, delegate in node.body.delegates.items()]
        for name, path in places:
            exposed = name.replace(".", "_")
            if exposed in seen:
                message = f"the model would see two tools called `{exposed}`"
                yield graph.whole.at_key(CODE, message, path, help="give one of them another name")
            seen.add(exposed)

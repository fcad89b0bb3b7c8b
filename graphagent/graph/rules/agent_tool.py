"""An approval or a write for a tool that the agent doesn't have.

What: `approve` or `tool_writes` names a tool that isn't under `tools` of this agent.
Why: it would never apply: most likely the name is misspelt.
Example: `tools: [search], approve: [{ tool: send_email }]`
Instead: `tools: [search, send_email], approve: [{ tool: send_email }]`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, Path

CODE = "GA506"
TITLE = "tool that the agent doesn't have"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        body = node.body
        if isinstance(body, AgentBody):
            for i, approval in enumerate(body.approve):
                yield from _unknown(graph, body, approval.tool, (*node.path, "approve", i, "tool"), key=False)
            for name in body.tool_writes:
                yield from _unknown(graph, body, name, (*node.path, "tool_writes", name), key=True)


def _unknown(graph: GraphAnalysis, body: AgentBody, tool: str, path: Path, *, key: bool) -> Iterator[Diagnostic]:
    whole = graph.whole
    if tool in body.tools or f"{tool.rpartition('.')[0]}.*" in body.tools:
        return
    span = whole.document.key_span(path) if key else whole.document.span(path)
    listed = f"its tools: {', '.join(body.tools)}" if body.tools else "it has no `tools`"
    guess = whole.guess(tool, [name for name in body.tools if not name.endswith("*")], span, listed)
    yield whole.finding(CODE, f"this agent has no tool `{tool}`", path, span, **guess)

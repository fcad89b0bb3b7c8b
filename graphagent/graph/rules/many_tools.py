"""Too many tools, or one that the model can't understand.

What: an agent has more than 40 tools, or a tool has neither `about` nor a docstring.
Why: models choose worse the more they are shown, and a tool without a description is chosen by its name alone.
Example: `tools: { look: { python: "shop:look" } }` where `look` has no docstring
Instead: a docstring, or `about: Finds an order by its number`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody

CODE = "GA508"
TITLE = "too many tools, or one without description"
_MOST = 40


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    used: dict[str, None] = {}
    for node, _ in graph.tasks:
        if not isinstance(node.body, AgentBody):
            continue
        used.update(dict.fromkeys(node.body.tools))
        count = len(node.body.tools) + len(node.body.delegates)
        if count > _MOST:
            message = f"this agent has {count} tools; models choose badly among more than {_MOST}"
            path, help = (*node.path, "tools"), "split it into agents with fewer tools each"
            yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)
    for name in used:
        tool = graph.whole.spec.tools.get(name)
        if tool is None or tool.about is not None or tool.several or tool.graph is not None:
            continue
        signature = graph.environment.signature(tool.python) if tool.python is not None else None
        if tool.python is None or (signature is not None and not signature.described):
            message = f"the tool `{name}` has no description for the model"
            help = "write a docstring, or `about`" if tool.python is not None else "write `about`"
            yield graph.whole.at_key(CODE, message, tool.path, severity="warning", help=help)

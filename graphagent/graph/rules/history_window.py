"""A history without a window.

What: `history` has neither `last` nor `max_tokens`.
Why: every call sends the whole conversation: it gets dearer each time, and at last too long for the model.
Example: `history: { channel: messages }`
Instead: `history: { channel: messages, max_tokens: 8000 }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, LLMBody

CODE = "GA511"
TITLE = "`history` without window"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        history = node.body.history if isinstance(node.body, LLMBody | AgentBody) else None
        if history is not None and history.last is None and history.max_tokens is None:
            message = "this history grows without end"
            help = "set `last` (messages) or `max_tokens`"
            yield graph.whole.at_key(CODE, message, history.path, severity="warning", help=help)

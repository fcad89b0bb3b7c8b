"""A structured answer from a model that gives none.

What: `returns` on a node whose model is known to lack structured output.
Why: the answer is text that mostly doesn't parse; each failure costs another call.
Example: `returns: { score: int }` with `model: { use: openai/gpt-3.5-turbo-instruct }`
Instead: a model with structured output, or no `returns`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import AgentBody, LLMBody

CODE = "GA510"
TITLE = "`returns` with a model without structured output"
_PLAIN = ("openai/gpt-3.5-turbo-instruct", "openai/davinci-002", "openai/babbage-002")
"""Completion models of the OpenAI API. Source: https://platform.openai.com/docs/guides/structured-outputs"""


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    spec = graph.whole.spec
    for node, _ in graph.tasks:
        if not isinstance(node.body, LLMBody | AgentBody) or node.body.returns is None:
            continue
        name = node.body.model or graph.graph.defaults.model or spec.graph.defaults.model
        model = spec.models.get(name or "")
        if model is not None and model.use.startswith(_PLAIN):
            message = f"`{model.use}` has no structured output"
            path, help = (*node.path, "returns"), "choose another model, or leave `returns` out"
            yield graph.whole.at_key(CODE, message, path, severity="warning", help=help)

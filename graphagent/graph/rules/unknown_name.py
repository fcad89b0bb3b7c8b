"""A model, graph or type that doesn't exist.

What: the name isn't declared under `models`, `graphs` or `types`.
Why: what a node uses is declared once, by name.
Example: `model: fats`
Instead: `model: fast`, with `models: { fast: openai/gpt-5-mini }`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import SELF, GraphBody, LLMBody, Path

CODE = "GA103"
TITLE = "unknown model, type or graph"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    whole = graph.whole
    models = whole.spec.models
    default = graph.graph.defaults.model
    if default is not None:
        yield from _unknown(whole, "model", default, models, (*graph.graph.path, "defaults", "model"))
    for node, _ in graph.tasks:
        body = node.body
        if isinstance(body, LLMBody):
            if body.model is not None:
                yield from _unknown(whole, "model", body.model, models, (*node.path, "model"))
            elif default is None and whole.spec.graph.defaults.model is None:
                help = "name one of `models` in the node, or for all nodes in `defaults: { model: NAME }`"
                yield whole.at_key("GA005", "no `model` here, and none in `defaults`", node.path, help=help)
        elif isinstance(body, GraphBody):
            names = [*whole.spec.graphs, SELF]
            yield from _unknown(whole, "graph", body.graph, names, (*node.path, "graph"))


def _unknown(whole: Analysis, what: str, name: str, known: Iterable[str], path: Path) -> Iterator[Diagnostic]:
    names = list(known)
    if name not in names:
        span = whole.document.span(path)
        listed = ", ".join(n for n in names if n != SELF)
        otherwise = f"{what}s: {listed}" if listed else f"declare it under `{what}s`"
        guess = whole.guess(name, names, span, otherwise)
        label = f"not declared under `{what}s`"
        yield whole.finding(CODE, f"unknown {what} `{name}`", path, span, label=label, **guess)

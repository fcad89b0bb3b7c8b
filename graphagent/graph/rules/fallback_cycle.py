"""Models that fall back on each other.

What: the `fallback` of a model leads back to itself.
Why: the same model would be tried again in turn; a list of fallbacks has an end.
Example: `a: { use: x/1, fallback: [b] }` and `b: { use: x/2, fallback: [a] }`
Instead: `b: x/2`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic

CODE = "GA509"
TITLE = "cycle of fallback models"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    if graph.graph.name:
        return
    models = graph.whole.spec.models
    for name, model in models.items():
        if name in _behind({n: m.fallback for n, m in models.items()}, name):
            message = f"the fallbacks of `{name}` lead back to it"
            yield graph.whole.at_key(CODE, message, (*model.path, "fallback"), help="end the list at one model")


def _behind(fallbacks: dict[str, tuple[str, ...]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(fallbacks.get(start, ()))
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += fallbacks.get(name, ())
    return seen

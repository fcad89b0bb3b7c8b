"""A guard that is always true or never.

What: `when` reads nothing that can change.
Why: the route is then the else, or can never be taken; mostly a leftover of a trial.
Example: `next: [{ when: "true", to: a }, { to: b }]`
Instead: `next: a`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.expressions import EvaluationError

CODE = "GA209"
TITLE = "constant guard"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for path, occurrence in graph.occurrences.items():
        inferred = graph.inferred(path)
        if occurrence.form != "guard" or inferred is None or not inferred.sound or inferred.reads:
            continue
        expression = graph.expression(occurrence.raw)
        if expression is None:
            continue
        try:
            value = expression.evaluate({})
        except EvaluationError:
            continue
        message = f"this guard is always {str(value).lower()}"
        key = path[-1]
        help = f"leave `{key}` out" if value else "it never holds: take out what it guards"
        yield graph.whole.finding(CODE, message, path, severity="warning", help=help)

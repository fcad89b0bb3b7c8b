"""A template variable that `with` doesn't give, or a template that can't be read.

What: a prompt uses a name that is not in the node's `with`, or isn't valid Jinja2, or is larger or nested deeper than a
prompt may be.
Why: templates see nothing but `with`; a missing variable would fail the task.
Example: `prompt: "About {{ topic }}"` without `with`
Instead: `with: { topic: "${ inputs.topic }" }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.templates import template_findings

CODE = "GA501"
TITLE = "undefined template variable"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    return template_findings(graph, CODE)

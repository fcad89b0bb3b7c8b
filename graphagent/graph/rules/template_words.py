"""A filter, test, tag or other construct that templates don't have.

What: a prompt uses a filter, test or tag that isn't on the list, calls a method, raises with `**`, loops recursively,
or uses a name with a leading `_` or with letters beyond ASCII.
Why: a template is text with data in it. What reaches Python's objects, a clock or chance, or has no bound, is left out.
Example: `prompt: "{{ title.upper() }} {{ x | random }}"`
Instead: `prompt: "{{ title | upper }} {{ x | first }}"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.templates import template_findings

CODE = "GA505"
TITLE = "construct not allowed in a template"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    return template_findings(graph, CODE)

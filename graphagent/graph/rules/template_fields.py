"""A field that a template's variable doesn't have.

What: a prompt reads a field that the type of the variable, or of an item in a loop, doesn't declare.
Why: `{{ x.y }}` looks up a key; one that is never there would fail the task.
Example: `prompt: "{{ doc.txt }}"` where `doc` is `{ id: str, text: str }`
Instead: `prompt: "{{ doc.text }}"`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.templates import template_findings

CODE = "GA502"
TITLE = "unknown field in a template"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    return template_findings(graph, CODE)

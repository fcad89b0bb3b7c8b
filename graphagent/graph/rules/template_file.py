"""A prompt file that isn't there, lies outside of the project, or is named by an expression.

What: `file`, and what a template includes, is looked up in the folder of the graph, then in the project; absolute
paths, `..` and links that leave the project are refused, and so is a name that isn't a plain text in quotes.
Why: a graph must not read any file of the machine it runs on, and all texts of a graph are part of its hash.
Example: `prompt: { file: ../../secret.txt }`
Instead: `prompt: { file: prompts/report.md.j2 }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.templates import prompts_of, template_findings

CODE = "GA503"
TITLE = "prompt file not found"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    project = graph.whole.project
    if project is None:
        return
    declared = [*graph.whole.spec.prompts.values()] if not graph.graph.name else []
    for prompt in (*declared, *(prompt for node, _ in graph.tasks for prompt in prompts_of(node))):
        if prompt.file is not None and project.template(prompt.file) is None:
            outside = prompt.file.startswith("/") or ".." in prompt.file.split("/")
            what = "lies outside of the project" if outside else "isn't there"
            path = (*prompt.path, "file")
            yield graph.whole.finding(CODE, f"the prompt file `{prompt.file}` {what}", path)
    yield from template_findings(graph, CODE)

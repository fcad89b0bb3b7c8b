"""A prompt file that isn't there, or lies outside of the project.

What: `file` is looked up in the folder of the graph, then in the project; absolute paths, `..` and links that leave
the project are refused.
Why: a graph must not read any file of the machine it runs on.
Example: `prompt: { file: ../../secret.txt }`
Instead: `prompt: { file: prompts/report.md.j2 }`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.spec import Prompt

CODE = "GA503"
TITLE = "prompt file not found"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    project = graph.whole.project
    if project is None:
        return
    for node, _ in graph.tasks:
        for key in ("system", "prompt"):
            prompt = getattr(node.body, key, None)
            if isinstance(prompt, Prompt) and prompt.file is not None and project.template(prompt.file) is None:
                outside = prompt.file.startswith("/") or ".." in prompt.file.split("/")
                what = "lies outside of the project" if outside else "isn't there"
                path = (*prompt.path, "file")
                yield graph.whole.finding(CODE, f"the prompt file `{prompt.file}` {what}", path)

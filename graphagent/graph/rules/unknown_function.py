"""A function that isn't in the project.

What: the project folder has no such Python module, or the module no such function. Nothing is imported to find out.
Why: only code of the project can be called, by default.
Example: `python: my_grap.split:by_size`
Instead: `python: my_graph.split:by_size`
"""

from __future__ import annotations

from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.signatures import read_module
from graphagent.graph.spec import CodeBody

CODE = "GA108"
TITLE = "function not found"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    project = graph.whole.project
    if project is None:
        return
    for node, _ in graph.tasks:
        if not isinstance(node.body, CodeBody) or ":" not in node.body.python:
            continue
        path = (*node.path, "python")
        module, name = node.body.python.split(":")
        text = project.module(module)
        if text is None:
            help = f"the project folder needs `{module.replace('.', '/')}.py`; other modules are not allowed"
            yield graph.whole.finding(CODE, f"there is no module `{module}` in the project", path, help=help)
            continue
        found = read_module(text)
        if found.broken is not None:
            yield graph.whole.finding(CODE, f"`{module}` can't be read: {found.broken}", path)
        elif name not in found.names and not found.star:
            guess = graph.whole.guess(name, found.functions, None, None)
            yield graph.whole.finding(CODE, f"`{module}` has no function `{name}`", path, **guess)

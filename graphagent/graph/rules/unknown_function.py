"""A function that isn't in the project.

What: the project folder has no such Python module, or the module no such function. Nothing is imported to find out.
Why: only code of the project can be called, and of modules that the host allows by `allow_modules`.
Example: `python: my_grap.split:by_size`
Instead: `python: my_graph.split:by_size`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.project import Project
from graphagent.graph.signatures import read_module
from graphagent.graph.spec import CodeBody, Path

CODE = "GA108"
TITLE = "function not found"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    project = graph.whole.project
    if project is None:
        return
    for reference, path in _references(graph):
        yield from _function(graph, project, reference, path)
    if not graph.graph.name:
        yield from _taken(graph, project)


def _taken(graph: GraphAnalysis, project: Project) -> Iterator[Diagnostic]:
    """Modules of imports whose name is that of another module here: one process has one module of a name."""
    for name, item in graph.whole.spec.imports.items():
        other = graph.whole.imports.get(name)
        if other is None or other.project is None:
            continue
        references = (reference for found in other.graphs for reference, _ in _references(found))
        for module in dict.fromkeys(reference.partition(":")[0] for reference in references):
            ours, theirs = project.module(module), other.project.module(module)
            if ours is not None and theirs is not None and ours != theirs:
                message = f"`{module}` is one module here and another one for the import"
                yield graph.whole.at_key(CODE, message, item.path, help="give one of the two another name")


def _references(graph: GraphAnalysis) -> Iterator[tuple[str, Path]]:
    for node, _ in graph.tasks:
        if isinstance(node.body, CodeBody) and node.body.python:
            yield node.body.python, (*node.path, "python")
    for channel in graph.graph.channels.values():
        if ":" in channel.reducer:
            yield channel.reducer, (*channel.path, "reducer")
    if not graph.graph.name:
        for tool in graph.whole.spec.tools.values():
            for key, reference in (("python", tool.python), ("check", tool.check)):
                if reference is not None:
                    yield reference, (*tool.path, key)


def _function(graph: GraphAnalysis, project: Project, reference: str, path: Path) -> Iterator[Diagnostic]:
    module, _, name = reference.partition(":")
    if project.allows(module):
        return
    if module.partition(".")[0] in sys.stdlib_module_names:
        help = "give the module of the project another name; modules of Python are not allowed"
        yield graph.whole.finding(CODE, f"`{module}` is a module of Python itself", path, help=help)
        return
    text = project.module(module)
    if text is None:
        help = f"the project folder needs `{module.replace('.', '/')}.py`, or the host allows it by `allow_modules`"
        yield graph.whole.finding(CODE, f"there is no module `{module}` in the project", path, help=help)
        return
    found = read_module(text)
    if found.broken is not None:
        yield graph.whole.finding(CODE, f"`{module}` can't be read: {found.broken}", path)
    elif name not in found.names and not found.star:
        guess = graph.whole.guess(name, found.functions, None, None)
        yield graph.whole.finding(CODE, f"`{module}` has no function `{name}`", path, **guess)

"""A template variable that `with` doesn't give, or a template that can't be read.

What: a prompt uses a name that is not in the node's `with`, or isn't valid Jinja2.
Why: templates see nothing but `with`; a missing variable would fail the task.
Example: `prompt: "About {{ topic }}"` without `with`
Instead: `with: { topic: "${ inputs.topic }" }`
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Span, split_lines
from graphagent.graph.spec import NodeSpec, Path, Prompt

CODE = "GA501"
TITLE = "undefined template variable"


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for node, _ in graph.tasks:
        for key in ("system", "prompt"):
            prompt = getattr(node.body, key, None)
            if isinstance(prompt, Prompt):
                yield from _prompt(graph, node, prompt)


def _prompt(graph: GraphAnalysis, node: NodeSpec, prompt: Prompt) -> Iterator[Diagnostic]:
    text = prompt.text
    if text is None:
        project = graph.whole.project
        text = project.template(prompt.file or "") if project is not None else None
    if text is None or "{" not in text:
        return
    unknown, error = read_template(text)
    if error is not None:
        message, line = error
        message = f"the template can't be read: {message}"
        yield graph.whole.finding(CODE, message, _path(graph, prompt), _line(graph, prompt, line))
    for name in sorted(unknown - set(node.arguments)):
        span = _span(graph, prompt, text, name)
        place = span if prompt.text is not None else None  # what a file says is not for `--fix`
        guess = graph.whole.guess(name, node.arguments, place, f"give it in `with`: `{name}: ...`")
        message = f"unknown template variable `{name}`"
        yield graph.whole.finding(CODE, message, _path(graph, prompt), span, label="not in `with`", **guess)


def read_template(text: str) -> tuple[set[str], tuple[str, int] | None]:
    """The variables that a template uses and doesn't set, and what is wrong with it: (message, line)."""
    from jinja2 import Environment, TemplateError, meta

    try:
        tree = Environment(autoescape=False).parse(text)
        return set(meta.find_undeclared_variables(tree)) - {"loop"}, None
    except TemplateError as error:
        return set(), (str(error.message or error), getattr(error, "lineno", 1) or 1)
    except RecursionError:
        return set(), ("it is nested too deeply", 1)


def _path(graph: GraphAnalysis, prompt: Prompt) -> Path:
    key = "text" if prompt.text is not None else "file"
    deeper = (*prompt.path, key)
    return deeper if graph.whole.scalar(deeper) is not None else prompt.path


def _span(graph: GraphAnalysis, prompt: Prompt, text: str, name: str) -> Span:
    """Where the variable stands first; for a file where it is named."""
    path = _path(graph, prompt)
    scalar = graph.whole.scalar(path)
    if prompt.text is not None and scalar is not None:
        for block in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL):
            found = re.search(rf"(?<![\w.'\"]){re.escape(name)}(?!\w)", block[0])
            if found is not None:
                start = block.start() + found.start()
                return graph.whole.document.locate(scalar, start, start + len(name))
    return graph.whole.document.span(path)


def _line(graph: GraphAnalysis, prompt: Prompt, line: int) -> Span:
    path = _path(graph, prompt)
    scalar = graph.whole.scalar(path)
    if prompt.text is None or scalar is None:
        return graph.whole.document.span(path)
    lines = split_lines(scalar.text)
    number = min(max(line, 1), len(lines))
    start = sum(len(found) + 1 for found in lines[: number - 1])
    return graph.whole.document.locate(scalar, start, start + len(lines[number - 1]))

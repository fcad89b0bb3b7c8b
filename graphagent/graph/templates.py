"""The templates of a graph's nodes, and what is wrong with them as findings with their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Note, Span, split_lines
from graphagent.graph.project import Project
from graphagent.graph.spec import NodeSpec, Path, Prompt
from graphagent.graph.template_words import NOT_GIVEN
from graphagent.graph.type_model import ANY, Type

if TYPE_CHECKING:
    from graphagent.graph.template_syntax import Problem, Template


@dataclass(frozen=True, slots=True)
class Written:
    """A text of a prompt and where it is written. `file` is None for a text in the graph's own file.

    `project` is where it finds what it includes.
    """

    path: Path
    text: str
    project: Project | None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about the templates of one node; `complete`: all of them could be read."""

    found: tuple[tuple[Written, Problem], ...]
    used: frozenset[str]
    complete: bool


def template_findings(graph: GraphAnalysis, code: str) -> Iterator[Diagnostic]:
    """The findings of one code in all templates of a graph."""
    for node, _ in graph.tasks:
        for written, problem in checked_templates(graph, node).found:
            if problem.code == code:
                yield _finding(graph, written, problem)
    for written, problem in () if graph.graph.name else _overrides(graph.whole):
        if problem.code == code:
            yield _finding(graph, written, problem)


def checked_templates(graph: GraphAnalysis, node: NodeSpec) -> Checked:
    """All that is known of a node's templates, found out once."""
    if node.path not in graph.templates:
        graph.templates[node.path] = _check(graph, node)
    found: Checked = graph.templates[node.path]
    return found


def _overrides(whole: Analysis) -> Iterator[tuple[Written, Problem]]:
    """What is wrong with texts that take the place of an import's: its nodes give their variables."""
    for at, other in whole.imports.items():
        by = whole.spec.imports[at].override.prompts if at in whole.spec.imports else {}
        for inner in other.graphs if by else ():
            for node, _ in inner.tasks:
                for use in (prompt.use for prompt in prompts_of(node)):
                    for written in texts_of(whole, by[use]) if use is not None and use in by else ():
                        if written is not None:
                            yield from ((written, problem) for problem in _problems(inner, node, written)[0])


def prompts_of(node: NodeSpec) -> Iterator[Prompt]:
    """The prompts that a node has."""
    for key in ("system", "prompt"):
        prompt = getattr(node.body, key, None)
        if isinstance(prompt, Prompt):
            yield prompt


def texts_of(whole: Analysis, prompt: Prompt) -> Iterator[Written | None]:
    """The texts of a prompt; None for one that isn't there."""
    for name, text in prompt.blocks.items():
        yield Written((*prompt.path, "blocks", name), text, whole.project)
    if prompt.use is not None:
        yield from _named(whole, prompt, prompt.use)
    elif prompt.file is not None:
        found = None if whole.project is None else whole.project.template(prompt.file)
        place = (*prompt.path, "file")
        yield None if found is None else Written(place, found, whole.project, prompt.file)
    elif prompt.text is not None:
        deeper = (*prompt.path, "text")
        yield Written(deeper if whole.scalar(deeper) is not None else prompt.path, prompt.text, whole.project)


def _named(whole: Analysis, prompt: Prompt, use: str) -> Iterator[Written | None]:
    at, _, inner = use.partition(".")
    if inner and at in whole.imports:  # its places are in another file: `use` stands for them
        other = whole.imports[at]
        named = other.prompts.get(inner)
        for written in texts_of(other, named) if named is not None else [None]:
            path = (*prompt.path, "use")
            yield None if written is None else Written(path, written.text, written.project, written.file or use)
        return
    named = whole.spec.prompts.get(use)
    if named is None or named.use is not None:
        yield None
    else:
        yield from texts_of(whole, named)


def _check(graph: GraphAnalysis, node: NodeSpec) -> Checked:
    texts = [written for prompt in prompts_of(node) for written in texts_of(graph.whole, prompt)]
    there = [written for written in texts if written is not None and "{" in written.text]
    if not there:
        return Checked((), frozenset(), None not in texts)
    found: list[tuple[Written, Problem]] = []
    used: set[str] = set()
    complete = None not in texts
    for written in there:
        problems, words, whole = _problems(graph, node, written)
        found += [(written, problem) for problem in problems]
        used |= words
        complete = complete and whole
    return Checked(tuple(found), frozenset(used), complete and not any(p.code == "GA503" for _, p in found))


def _problems(graph: GraphAnalysis, node: NodeSpec, written: Written) -> tuple[list[Problem], set[str], bool]:
    """What is wrong with one text of a node, which variables it uses, and whether it could be read."""
    from graphagent.graph.template_scope import Usage
    from graphagent.graph.template_syntax import parse_template

    def load(name: str) -> Template | None:
        text = None if written.project is None else written.project.template(name)
        return None if text is None else parse_template(text)

    template = parse_template(written.text)
    usage = Usage(types_given(graph, node), load)
    usage.walk(template)
    return [*template.problems, *usage.problems], usage.used, template.tree is not None


def types_given(graph: GraphAnalysis, node: NodeSpec) -> Mapping[str, Type]:
    """The types of the variables that a node gives its templates."""
    return {name: graph.type_of((*node.path, "with", name)) or ANY for name in node.arguments}


def _finding(graph: GraphAnalysis, written: Written, problem: Problem) -> Diagnostic:
    """A problem at its place; in a file at the name of the file, with a note that points into it."""
    whole = graph.whole
    more: dict[str, Any] = {"help": problem.hint}
    if problem.meant is not None:
        more["help"] = f"did you mean `{problem.meant}`?"
    scalar = whole.scalar(written.path)
    if written.file is None and problem.file is None and scalar is not None:
        span = whole.document.locate(scalar, problem.start, problem.end)
        if problem.meant is not None and whole.document.source.text:
            more["fix"] = Fix(f"replace by `{problem.meant}`", (Edit(span, problem.meant),))
    else:
        span = whole.document.span(written.path)
        file = problem.file or written.file
        text = written.text if problem.file is None else _text(written.project, problem.file)
        if file is not None:
            more["notes"] = (Note(f"in `{file}`", place_in(text, file, problem.start, problem.end)),)
    if problem.code == "GA501" and problem.message.startswith("unknown"):
        more["label"] = NOT_GIVEN
    return whole.finding(problem.code, problem.message, written.path, span, **more)


def _text(project: Project | None, file: str) -> str:
    return "" if project is None else project.template(file) or ""


def place_in(text: str, file: str, start: int, end: int) -> Span:
    """The place of some characters of a file."""
    before, upto = split_lines(text[:start]), split_lines(text[: max(end, start)])
    return Span(file, len(before), len(before[-1]) + 1, len(upto), len(upto[-1]) + 1)

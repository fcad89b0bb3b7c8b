"""All checks of one document, in order: what is read wrong first, what would only follow from it not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic, Span, place, split_lines
from graphagent.graph.document import Document, document_of
from graphagent.graph.plan import Position
from graphagent.graph.project import Project
from graphagent.graph.rules import RULES, SILENCEABLE
from graphagent.graph.source import parse_yaml
from graphagent.graph.spec import CodeBody, NodeSpec, Path, Spec
from graphagent.graph.walker import read_spec

NAMES: Final = (
    "GA101", "GA102", "GA103", "GA104", "GA106", "GA108", "GA414", "GA506", "GA507", "GA509", "GA602", "GA603",
)  # fmt: skip
TYPES: Final = ("GA302", "GA303", "GA604")
EXPRESSIONS: Final = ("GA201", "GA202", "GA203", "GA204", "GA205", "GA206", "GA207", "GA208", "GA209", "GA601")
USES: Final = (
    "GA301", "GA304", "GA307", "GA410", "GA412", "GA413", "GA501", "GA503", "GA508", "GA510", "GA511", "GA605", "GA607",
    "GA608", "GA609",
)  # fmt: skip
WHOLE: Final = (
    "GA305", "GA306", "GA310", "GA401", "GA402", "GA403", "GA404", "GA405", "GA406", "GA407", "GA408", "GA409",
    "GA411", "GA415", "GA416", "GA417",
)  # fmt: skip
UNUSED: Final = ("GA105",)
"""Those of `WHOLE` need a graph that was read completely: a part that is missing would change what they find."""


def validate_text(
    text: str | bytes, file: str, project: Project | None = None
) -> tuple[Spec | None, list[Diagnostic], Document]:
    """Reads and checks a graph.

    Args:
        text: The content of the file.
        file: Its name, relative to the project, for the messages.
        project: Where functions and prompts are looked up; None leaves those checks out.

    Returns:
        The spec, None if there is an error; all findings in order of place; the document.
    """
    document = parse_yaml(text, file)
    spec, found = _validate(document, project)
    return spec, found, document


def validate(spec: Spec, document: Document, project: Project | None = None) -> list[Diagnostic]:
    """The findings about a spec that was read from `document` without errors, in order of place."""
    return _finish(_all(Analysis(spec, document, project), []), document)


def spec_from_data(
    data: Any, spans: dict[str, Span] | None = None, file: str = "<python>", project: Project | None = None
) -> tuple[Spec | None, list[Diagnostic], Document]:
    """The same for plain data in the author's form, such as `Spec.data()`: the builder and stored plans come this way.

    Args:
        data: The document.
        spans: Places for messages by path, such as `$.nodes.write`.
        file: Name for what has no place.
        project: Where functions and prompts are looked up.
    """
    document = document_of(data, spans, file)
    spec, found = _validate(document, project)
    return spec, found, document


def positions_of(spec: Spec, document: Document) -> dict[Path, Position]:
    """Where each node stands, by its path: a code node where it names its function, the others at their name."""
    out: dict[Path, Position] = {}
    for graph in spec.all_graphs:
        for node in graph.tasks():
            out[node.path] = _position(node, document)
    return out


def _position(node: NodeSpec, document: Document) -> Position:
    span = document.key_span(node.path)
    if isinstance(node.body, CodeBody) and node.body.python:
        path = (*node.path, "python")
        span, value = document.key_span(path), document.span(path)
        if value.line == span.line:
            span = replace(span, end_column=value.end_column)
    lines = split_lines(document.source.text)
    text = lines[span.line - 1] if span.line <= len(lines) else ""
    return Position(span.file, span.line, span.column, span.end_column, text)


def _validate(document: Document, project: Project | None) -> tuple[Spec | None, list[Diagnostic]]:
    spec, walker = read_spec(document)
    found = [*document.diagnostics, *walker.diagnostics]
    if spec is not None:
        found = _all(Analysis(spec, document, project, walker.broken), found)
    found = _finish(found, document)
    return (None if any(item.severity == "error" for item in found) else spec), found


def _all(analysis: Analysis, read: list[Diagnostic]) -> list[Diagnostic]:
    """What was found in reading, what the rules find, and what nothing uses: after an error that may be its cause."""
    found = [*read, *_check(analysis)]
    if not any(item.severity == "error" for item in found):
        found += [item for graph in analysis.graphs for item in _run(UNUSED, graph)]
    return found


def _check(analysis: Analysis) -> Iterator[Diagnostic]:
    """Runs the rules graph by graph."""
    for graph in analysis.graphs:
        if _unreadable(graph):
            continue
        first = list(_run(NAMES, graph))
        yield from first
        yield from _run(TYPES, graph)
        found = list(_run(EXPRESSIONS, graph))
        yield from found
        yield from _run(USES, graph)
        if not graph.broken and not any(item.code in {"GA101", "GA102"} for item in first):
            yield from _run(WHOLE, graph)
        graph.environment.resolve()
    analysis.types.named()
    yield from analysis.types.findings


def _run(codes: Iterable[str], graph: GraphAnalysis) -> Iterator[Diagnostic]:
    for code in codes:
        yield from import_module(RULES[code]).check(graph)


def _unreadable(graph: GraphAnalysis) -> bool:
    """Whether a whole section is missing, so that nearly everything would be unknown."""
    own: Path = graph.graph.path
    sections = {(*own, key) for key in ("channels", "nodes", "inputs", "start")}
    library = graph.whole.spec.kind == "Library" and not own
    return bool(sections & set(graph.whole.broken)) or (not graph.graph.nodes and not library)


def _finish(found: Iterable[Diagnostic], document: Document) -> list[Diagnostic]:
    """In order of place, without repetitions and what the author has silenced."""
    allowed = set(document.allowed())
    seen: set[tuple[str, Span, str]] = set()
    out: list[Diagnostic] = []
    found = sorted(found, key=place)
    wrong = {item.span for item in found if item.severity == "error"}
    for item in found:
        if item.code == "GA006" and item.severity == "warning" and item.span in wrong:
            continue  # the error says it too
        key = (item.code, item.span, item.message)
        silent = item.severity == "warning" or item.code in SILENCEABLE
        if key not in seen and not (silent and (item.code, item.span.line) in allowed):
            seen.add(key)
            out.append(item)
    return out

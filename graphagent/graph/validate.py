"""All checks of one document, in order: what is read wrong first, what would only follow from it not at all."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Final

from graphagent.graph.analysis import Analysis, GraphAnalysis
from graphagent.graph.collector import uncollected
from graphagent.graph.diagnostics import Diagnostic, Span, place, split_lines
from graphagent.graph.document import Document, document_of
from graphagent.graph.healing import LOCAL, STATE, duplicates, healed, hints_at_routes, unsafe
from graphagent.graph.importing.files import Imports, Loaded, load_imports
from graphagent.graph.importing.linking import link, moved
from graphagent.graph.importing.renaming import FILE_MARK
from graphagent.graph.plan import Position
from graphagent.graph.project import ImportedFile, Project
from graphagent.graph.reporter import Reporter
from graphagent.graph.rules import ELSEWHERE, RULES
from graphagent.graph.shipped import SHIPPED
from graphagent.graph.skills import SET
from graphagent.graph.source import parse_yaml
from graphagent.graph.spec import AgentBody, CodeBody, GraphSpec, NodeSpec, Path, Spec
from graphagent.graph.suppressions import silence
from graphagent.graph.walker import read_spec

NAMES: Final = (
    "GA101", "GA102", "GA103", "GA104", "GA106", "GA107", "GA108", "GA414", "GA506", "GA507", "GA509", "GA602", "GA603",
)  # fmt: skip
TYPES: Final = ("GA302", "GA303", "GA604")
EXPRESSIONS: Final = ("GA201", "GA202", "GA203", "GA204", "GA205", "GA206", "GA207", "GA208", "GA209", "GA601")
USES: Final = (
    "GA301", "GA304", "GA307", "GA308", "GA309", "GA410", "GA412", "GA413", "GA501", "GA502", "GA503", "GA504", "GA505",
    "GA508", "GA510", "GA511", "GA513", "GA514", "GA605", "GA607", "GA608", "GA609",
)  # fmt: skip
WHOLE: Final = (
    "GA305", "GA306", "GA310", "GA401", "GA402", "GA403", "GA404", "GA405", "GA406", "GA407", "GA408", "GA409",
    "GA411", "GA415", "GA416", "GA417",
)  # fmt: skip
UNUSED: Final = ("GA105",)
"""Those of `WHOLE` need a graph that was read completely: a part that is missing would change what they find."""
OTHERS: Final = tuple(
    code for code in RULES
    if code > "GA007" and code not in {*ELSEWHERE, *NAMES, *TYPES, *EXPRESSIONS, *USES, *WHOLE, *UNUSED}
)  # fmt: skip
"""Those that nobody has put into an order run after all that look at single nodes."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A document as its checks left it.

    `spec` is None if there is an error, in it or in a file that it imports; `diagnostics` are those of all files in
    order of place, `texts` the files by name. `linked` is the spec with everything that is imported, None for a
    library too; `positions` are the places of its nodes, `template` gives its prompt files, and `folders` are those
    of the imports, from the document's own. `skills` are the files of skills that agents may read.
    """

    spec: Spec | None
    diagnostics: list[Diagnostic]
    document: Document
    texts: Mapping[str, str]
    analysis: Analysis | None = None
    linked: Spec | None = None
    positions: Mapping[Path, Position] = field(default_factory=dict)
    template: Callable[[str], str | None] = lambda name: None
    folders: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


@uncollected
def check_text(text: str | bytes, file: str, project: Project | None = None, key: str = "") -> Checked:
    """Reads and checks a document and all that it imports.

    Args:
        text: The content of the file.
        file: Its name, relative to the project, for the messages.
        project: Where functions, prompts and imports are looked up; None leaves those checks out.
        key: What tells the file from all others, so that an import that leads back to it is found.
    """
    return check_document(parse_yaml(text, file), project, (key,))


@uncollected
def check_data(
    data: Any, spans: dict[str, Span] | None = None, file: str = "<python>", project: Project | None = None
) -> Checked:
    """The same for plain data in the author's form, such as `Spec.data()`: the builder and stored plans come this way.

    Args:
        data: The document.
        spans: Places for messages by path, such as `$.nodes.write`.
        file: Name for what has no place.
        project: Where functions, prompts and imports are looked up.
    """
    return check_document(document_of(data, spans, file), project, ("",))


def check_document(document: Document, project: Project | None, seen: tuple[str, ...]) -> Checked:
    """Checks a parsed document; `seen` are the keys of the files that import it, its own the last."""
    spec, walker = read_spec(document)
    found = [*document.diagnostics, *walker.diagnostics]
    if spec is None:
        return Checked(None, _finish(found, document), document, {document.file: document.source.text})
    imports = Imports()
    if spec.imports and project is not None:
        imports = load_imports(Reporter(spec, document, project), project, seen, _check_import)
    analysis = Analysis(spec, document, project, walker.broken, imports.analyses)
    found = _finish(_all(analysis, [*found, *imports.findings]), document)
    sound = imports.sound and not any(item.severity == "error" for item in found)
    for item in imports.loaded.values():
        found += [other for other in item.found if other not in found]
    texts = {document.file: document.source.text}
    if project is not None:  # what was found in other files than graphs
        others = {item.span.file for item in found if item.span.file not in texts}
        texts.update((file, text) for file in others if (text := project.template(file)) is not None)
    for item in imports.loaded.values():
        texts.update(item.texts)
    checked = Checked(spec if sound else None, sorted(found, key=place), document, texts, analysis)
    return _linked(checked, spec, imports, project) if sound else checked


def _linked(checked: Checked, spec: Spec, imports: Imports, project: Project | None) -> Checked:
    """With what a plan needs of the document and its imports."""
    if len(imports.loaded) < len(spec.imports):  # nobody said where files are
        return checked
    positions = dict(positions_of(spec, checked.document))
    for name, item in imports.loaded.items():
        positions.update((moved(name, path), position) for path, position in item.positions.items())
    folders = [posixpath.normpath(posixpath.join(item.folder, inner)) if inner != SHIPPED else inner
               for item in imports.loaded.values() for inner in (".", *item.folders)]  # fmt: skip

    def template(file: str) -> str | None:
        at, mark, inner = file.partition(FILE_MARK)
        if mark and at in imports.loaded:
            return imports.loaded[at].template(inner)
        return None if project is None else project.template(file)

    classes = checked.analysis.types.classes if checked.analysis is not None else {}
    own = replace(spec, types={**spec.types, **classes})
    linked = link(own, {name: item.linked for name, item in imports.loaded.items() if item.linked is not None})
    skills = [f"{name}{FILE_MARK}{file}" for name, item in imports.loaded.items() for file in item.skills]
    if project is not None and any(_reads_skills(graph) for graph in spec.all_graphs):
        skills += project.skills() or ()
    return replace(
        checked, linked=linked, positions=positions, template=template, folders=tuple(dict.fromkeys(folders)),
        skills=tuple(skills),
    )  # fmt: skip


def _reads_skills(graph: GraphSpec) -> bool:
    return any(isinstance(node.body, AgentBody) and SET in node.body.tools for node in graph.tasks())


def _check_import(file: ImportedFile, seen: tuple[str, ...]) -> Loaded:
    checked = check_document(parse_yaml(file.text, file.name), file.project, seen)
    return Loaded(
        checked.analysis, tuple(checked.diagnostics), checked.texts, checked.linked, checked.positions,
        checked.template, file.folder, checked.folders, checked.skills, sound=checked.spec is not None,
    )  # fmt: skip


def validate_text(
    text: str | bytes, file: str, project: Project | None = None
) -> tuple[Spec | None, list[Diagnostic], Document]:
    """The spec of a graph, None if there is an error; all findings in order of place; the document."""
    checked = check_text(text, file, project)
    return checked.spec, checked.diagnostics, checked.document


def validate(spec: Spec, document: Document, project: Project | None = None) -> list[Diagnostic]:
    """The findings about a spec that was read from `document` without errors, in order of place."""
    return _finish(_all(Analysis(spec, document, project), []), document)


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


def _all(analysis: Analysis, read: list[Diagnostic]) -> list[Diagnostic]:
    """What was found in reading, what the rules find, and what nothing uses: after an error that may be its cause."""
    found = [*read, *_check(analysis)]
    if not any(item.severity == "error" for item in found):
        return found + [item for graph in analysis.graphs for item in _run(UNUSED, graph)]
    return [*found, *_behind(analysis, found)]


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
        yield from _run(OTHERS, graph)
        graph.whole_is_known = not graph.broken and not any(item.code in {"GA101", "GA102"} for item in first)
        if graph.whole_is_known:
            yield from _run(WHOLE, graph)
        graph.environment.resolve()
    analysis.types.named()
    yield from analysis.types.findings


def _behind(analysis: Analysis, found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """What the rules about whole graphs find where names or parts are broken, as far as it can be trusted."""
    hidden = {graph.graph.name for graph in analysis.graphs if not graph.whole_is_known}
    if not hidden or analysis.document.root is None:
        return
    document = healed(analysis.document, found)
    spec, walker = read_spec(document)
    if spec is None:
        return
    broken = [*walker.broken, *duplicates(analysis.document)]
    second = Analysis(spec, document, analysis.project, broken, analysis.imports)
    for graph in second.graphs:
        if graph.graph.name not in hidden or _unreadable(graph):
            continue
        left = {item.code for item in _run(("GA101", "GA102"), graph)}
        if hints_at_routes(analysis.document, analysis.broken, graph.graph.path, graph.graph.nodes):
            left.add("GA101")
        out = unsafe(document, broken, graph.graph.path, WHOLE)
        out |= set(WHOLE) - LOCAL if "GA101" in left else set()
        out |= STATE if "GA102" in left else set()
        yield from _run([code for code in WHOLE if code not in out], graph)


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
    """In order of place, without repetitions and what the author has silenced, which `document.suppressions` keeps."""
    seen: set[tuple[str, Span, str]] = set()
    out: list[Diagnostic] = []
    found = sorted(found, key=place)
    wrong = {item.span for item in found if item.severity == "error"}
    for item in found:
        if item.code == "GA006" and item.severity == "warning" and item.span in wrong:
            continue  # the error says it too
        key = (item.code, item.span, item.message)
        if key not in seen:
            seen.add(key)
            out.append(item)
    kept, document.suppressions = silence(out, document)
    return kept
